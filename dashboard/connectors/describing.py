"""Says of details what may be said: allow-listed parts of a link, the rest only set or not set.

Deny by default. Key names are shown, as plain text and cut short; values never are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from dashboard.connectors.outbound import BadLink, Link, parse_link
from dashboard.domain.connection import DetailPart

_MOST_PARTS: Final = 100
_DEEPEST: Final = 5
_LONGEST_KEY: Final = 60
_LONGEST_PATH: Final = 200
_ODD: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_DATA_FILE: Final = re.compile(
    r"[\w .+()-]{1,120}\.(json|jsonl|ndjson|csv|tsv|txt|parquet|pq|arrow|arrows|feather|ipc)",
    re.IGNORECASE,
)
#: A host typed without a scheme is shown only when it cannot be taken for anything else.
_PLAIN_HOST: Final = re.compile(r"([a-z0-9-]{1,63}\.)+([a-z]{2,24}|xn--[a-z0-9-]{1,59})")


def plain(text: str, most: int) -> str:
    """Return `text` on one line, without control and direction marks, of `most` characters."""
    cut = _ODD.sub("\N{REPLACEMENT CHARACTER}", text[: most + 1])
    return cut if len(cut) <= most else cut[: most - 1] + "…"


def holds_something(value: object) -> bool:
    """Whether a detail is set: False and 0 are values, an empty text or list is not."""
    return value is not None and value not in ("", [], {}, ())


def set_or_not(details: object, *, without: tuple[str, ...] = ()) -> tuple[DetailPart, ...]:
    """Return one part per leaf of `details`, none with a value.

    Parameters
    ----------
    details
        Any JSON value, however large or deep; beyond 100 parts and 5 levels it is summed up.
    without
        Top-level keys to leave out.
    """
    if not isinstance(details, Mapping):
        return (DetailPart("", "Details", None, holds_something(details)),)
    parts: list[DetailPart] = []
    for path, is_set in _leaves(details, (), without):
        if len(parts) == _MOST_PARTS:
            parts.append(DetailPart("", "More details", None, is_set=True))
            break
        key = plain(".".join(path), _LONGEST_PATH)
        parts.append(DetailPart(key, key or "(no name)", None, is_set))
    return tuple(parts)


def _leaves(
    value: Mapping[Any, Any], above: tuple[str, ...], without: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], bool]]:
    for key, inner in value.items():
        if key in without:
            continue
        name = key if isinstance(key, str) else type(key).__name__
        path = (*above, plain(name, _LONGEST_KEY))
        if isinstance(inner, Mapping) and inner and len(path) < _DEEPEST:
            yield from _leaves(inner, path)
        else:
            yield path, holds_something(inner)


def shown_link(text: object, *, may_lack_scheme: bool) -> Link | None:
    """Return the link whose host may be shown, or None when it is not plainly a link.

    A password with a `/`, `?` or `#` in it moves the host's end forward, so that the host would
    be a piece of the sign-in; the `@` that is then left behind gives it away.
    """
    if not isinstance(text, str):
        return None
    has_scheme = "://" in text
    if not has_scheme and not (may_lack_scheme and _is_plain_host(text)):
        return None
    try:
        link = parse_link(text if has_scheme else f"https://{text.strip()}")
    except BadLink:
        return None
    behind = text.split("://", 1)[-1]
    ats = behind.count("@")
    return None if ats > 1 or (ats == 1 and not link.has_user) else link


def _is_plain_host(text: str) -> bool:
    host = re.split(r"[/:?#]", text.strip().lower(), maxsplit=1)[0]
    return _PLAIN_HOST.fullmatch(host) is not None


def link_parts(key: str, link: Link) -> tuple[DetailPart, ...]:
    """Return scheme, host, port and data file of `link`, and whether it holds more than these."""
    path, _, query = link.target.partition("?")
    folder, _, last = path.rpartition("/")
    is_file = _DATA_FILE.fullmatch(last) is not None
    parts = [
        DetailPart(f"{key}.scheme", "Scheme", link.scheme, is_set=True),
        DetailPart(f"{key}.host", "Host", plain(link.host, 255), is_set=True),
    ]
    if not link.is_default_port:
        parts.append(DetailPart(f"{key}.port", "Port", str(link.port), is_set=True))
    if is_file:
        parts.append(DetailPart(f"{key}.file", "File", last, is_set=True))
    hidden = (
        (f"{key}.path", "Path", bool(folder) or (bool(last) and not is_file)),
        (f"{key}.query", "Query", bool(query)),
        (f"{key}.user", "User in the link", link.has_user),
    )
    return (*parts, *(DetailPart(key, label, None, True) for key, label, there in hidden if there))
