"""Finds what is wrong with a typed link and offers the corrected one."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from dashboard.connectors.outbound import BadLink, parse_link
from dashboard.errors import InvalidInput

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
#: A scheme with its colon or a slash lost or doubled: `http//x`, `https:/x`, `http:x`, `https///x`.
_BROKEN_SCHEME: Final = re.compile(
    r"(?P<scheme>h?t{1,3}ps?|hhttps?)(?P<mark>[:;.]?/+|[:;](?!\d))", re.IGNORECASE
)
_HOST_LIKE: Final = re.compile(
    r"([\w.-]+\.[\w-]{2,}|localhost|\[[0-9a-f:.]+\]|[\d.]{7,15})(:\d+)?([/?#].*)?", re.IGNORECASE
)
_KNOWN_SCHEMES: Final = frozenset(
    {"ftp", "ftps", "sftp", "file", "s3", "gs", "gcs", "az", "abfs", "abfss", "wasbs", "hdfs"}
    | {"jdbc", "odbc", "mongodb", "postgres", "postgresql", "mysql", "kafka", "ws", "wss", "ssh"}
)
_WRAPPING: Final = "<>\"'`\u201c\u201d\u2018\u2019"
_INVISIBLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\ufeff\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class _Finding:
    message: str
    suggestion: str = ""


def checked_link(text: str, *, field: str = "url") -> str:
    """Return a typed link without the white space around it, if it can be used.

    Raises
    ------
    InvalidInput
        At `field`, with a `suggestion` when a likely correction is itself a usable link.
    """
    link = text.strip()
    if not link:
        raise InvalidInput("Enter the link of the file.", field=field)
    if _is_usable(link):
        return link
    for look in _LOOKS:
        finding = look(link)
        if finding is not None:
            break
    else:
        finding = _Finding("This is not a complete link. It starts with https:// and a host.")
    fixed = finding.suggestion
    raise InvalidInput(
        finding.message, field=field, suggestion=fixed if fixed and _is_usable(fixed) else ""
    )


def _is_usable(link: str) -> bool:
    try:
        parse_link(link)
    except BadLink:
        return False
    return True


def _without_wrapping(link: str) -> _Finding | None:
    inner = link.strip(_WRAPPING + " ")
    if inner == link or not _is_usable(inner):
        return None
    return _Finding("The link stands in quotes or brackets.", inner)


def _with_blanks(link: str) -> _Finding | None:
    visible = _INVISIBLE.sub("", link)
    if visible != link:
        return _Finding("The link holds a line break or an invisible character.", visible)
    if not re.search(r"\s", link):
        return None
    head, slashes, rest = link.rpartition("://")
    host, slash, path = rest.partition("/")
    path = re.sub(r"\s", lambda blank: quote(blank[0]), path)
    joined = re.sub(r"\s", "", head + slashes + host) + slash + path
    return _Finding("The link holds a space.", joined)


def _with_backslashes(link: str) -> _Finding | None:
    if "\\" not in link:
        return None
    return _Finding("The link holds a backslash; links have slashes.", link.replace("\\", "/"))


def _with_broken_scheme(link: str) -> _Finding | None:
    """`http//x` and its like. `_usual` decides between http and https."""
    match = _BROKEN_SCHEME.match(link)
    if match is None or link[match.end() :].strip("/") == "":
        return None
    mark, rest = match["mark"], link[match.end() :].lstrip("/")
    if ":" not in mark:
        what = f"the colon after {match['scheme'].lower()} is missing"
    elif not mark.startswith(":"):
        what = "it does not start with https://"
    else:
        what = "it has not exactly two slashes after the colon"
    if match["scheme"].lower() not in ("http", "https"):
        what = "its start is mistyped"
    return _Finding(f"This is not a complete link: {what}.", _usual(rest))


def _with_other_scheme(link: str) -> _Finding | None:
    match = _SCHEME.match(link)
    if match is None:
        return None
    scheme, rest = match[1].lower(), link[match.end() :]
    if scheme in ("http", "https"):
        return None
    if scheme in _KNOWN_SCHEMES:
        message = f"This type reads links that start with https:// or http://, not {scheme}://."
        return _Finding(message, _usual(rest) if scheme in ("ftp", "ftps", "ws", "wss") else "")
    if difflib.get_close_matches(scheme, ("http", "https"), n=1, cutoff=0.6):
        return _Finding("The start of the link is mistyped.", _usual(rest))
    return _Finding("This type reads links that start with https:// or http://.")


def _without_host(link: str) -> _Finding | None:
    match = _SCHEME.match(link)
    if match is None:
        return None
    rest = link[match.end() :]
    if not rest.strip("/") or rest[0] in "?#":
        return _Finding("The link has no host: the name after https:// is missing.")
    host = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
    port = re.fullmatch(r"(?:\[.*\]|[^:]*):(.*)", host)
    if port is not None and not (port[1].isdigit() and 0 < int(port[1][:9]) < 65536):
        return _Finding("The port, the number after the host's colon, is not between 1 and 65535.")
    return _Finding("The host, the name after https://, is not one that can be used.")


def _without_scheme(link: str) -> _Finding | None:
    rest = link.lstrip(":/")
    if not _HOST_LIKE.fullmatch(rest):
        return None
    return _Finding("The link does not start with https://.", _usual(rest))


def _usual(rest: str) -> str:
    """Return `rest` with https://, or with http:// where hardly anybody has a certificate."""
    host = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
    name = host.partition("]")[0].strip("[") if host.startswith("[") else host.partition(":")[0]
    is_own = name.lower() == "localhost"
    try:
        ipaddress.ip_address(name)
        is_own = True
    except ValueError:
        pass  # a name, then
    return f"http://{rest}" if is_own else f"https://{rest}"


_LOOKS: Final[tuple[Callable[[str], _Finding | None], ...]] = (
    _without_wrapping,
    _with_blanks,
    _with_backslashes,
    _with_broken_scheme,
    _with_other_scheme,
    _without_host,
    _without_scheme,
)
