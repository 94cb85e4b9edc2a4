"""A link taken apart once, by the same parser that later sends the request.

Two parsers that disagree about where the host ends are how user-info tricks work; so what is
checked and what is requested both come from the `Link`.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

import requests
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

_LONGEST: Final = 8192
_SCHEME: Final = re.compile(r"https?://", re.IGNORECASE)
_HOST_NAME: Final = re.compile(r"(?=.{1,253}\.?\Z)[a-z0-9_]([a-z0-9_-]{0,62}\.?)*")
_FORBIDDEN: Final = re.compile(r"[\s\\\x00-\x20\x7f-\x9f\ud800-\udfff\u200b-\u200f\u2028-\u202e]")
#: Links that no two parsers read differently: they need none (10,000 of them are listed at once).
_SIMPLE: Final = re.compile(
    r"(https?)://([a-z0-9][a-z0-9.-]*)(?::([1-9]\d{0,3}))?((?:/(?!\.)[\w~.-]*)*(?:\?[\w~./=&-]+)?)",
    re.ASCII,
)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class BadLink(ValueError):
    """The text is not an http(s) link. Carries no part of it."""


@dataclass(frozen=True, slots=True, repr=False)
class Link:
    """An http(s) link in canonical form. It has no repr: its target and user are secret.

    Parameters
    ----------
    scheme
        `http` or `https`.
    host
        Lower-case ASCII name or address, an IPv6 address without brackets, no trailing dot.
    target
        Path and query, percent-encoded, starting with `/`. Never the fragment.
    basic_auth
        Value of the Authorization header for a user in the link, or empty.
    """

    scheme: str
    host: str
    port: int
    target: str
    basic_auth: str = ""

    @property
    def has_user(self) -> bool:
        """Whether the link holds a user name or a password."""
        return bool(self.basic_auth)

    @property
    def is_default_port(self) -> bool:
        """Whether the port goes without saying."""
        return _DEFAULT_PORTS[self.scheme] == self.port

    @property
    def origin(self) -> str:
        """Scheme, host and port, the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.is_default_port else f":{self.port}")

    @property
    def url(self) -> str:
        """The link without its user."""
        return self.origin + self.target


def parse_link(text: str) -> Link:
    """Take an http(s) link apart.

    Raises
    ------
    BadLink
        If it is anything else. The exception holds no part of the text.
    """
    link = _parsed(text)
    if link is None:
        # Raised outside of any `except`, so that no parser's exception, which would quote the
        # text, hangs on it as its context.
        raise BadLink("not an http(s) link")
    return link


def _parsed(text: str) -> Link | None:
    text = text.strip() if isinstance(text, str) else ""
    if len(text) > _LONGEST or _FORBIDDEN.search(text) or not _SCHEME.match(text):
        return None
    simple = _SIMPLE.fullmatch(text)
    if simple is not None and _HOST_NAME.fullmatch(simple[2]):
        scheme, host, digits, target = simple.groups()
        port = int(digits) if digits else _DEFAULT_PORTS[scheme]
        return Link(scheme, host.rstrip("."), port, target if target[:1] == "/" else f"/{target}")
    return _canonical(text)


def _canonical(text: str) -> Link | None:
    try:
        # `prepare` does IDNA and percent-encoding, `parse_url` is what the connection will use.
        parts = parse_url(requests.Request("GET", text).prepare().url or "")
        if parse_url(text).port == 0:
            return None  # `prepare` would drop it and use the usual port
    except (requests.RequestException, LocationParseError, ValueError):
        return None
    scheme, host = parts.scheme or "", (parts.host or "").strip("[]").lower()
    port = _DEFAULT_PORTS.get(scheme) if parts.port is None else parts.port
    if not port or not (":" in host or _HOST_NAME.fullmatch(host)) or "%" in host:
        return None
    return Link(scheme, host.rstrip("."), port, parts.request_uri, _basic(parts.auth))


def _basic(user_info: str | None) -> str:
    if not user_info:
        return ""
    user, _, password = user_info.partition(":")
    return basic_auth(unquote(user), unquote(password))


def basic_auth(user: str, password: str) -> str:
    """Return the Authorization header's value for a user name and a password, in UTF-8."""
    pair = f"{user}:{password}".encode("utf-8", "surrogateescape")
    return "Basic " + base64.b64encode(pair).decode("ascii")
