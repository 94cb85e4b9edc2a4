"""What goes into the outbound client and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from dashboard.connectors.outbound.spool import Spool
from dashboard.domain.check import Stage
from dashboard.masking import Secret

#: Headers that decide where a request goes or where it ends; nobody sets them but us.
FORBIDDEN_HEADERS: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one fetch.

    Parameters
    ----------
    total_s
        Seconds for everything: look-ups, redirects, the last byte.
    most_bytes
        Largest content, counted as it is sent and again as it is decoded.
    most_redirects
        How often a link may lead on.
    """

    total_s: float = 10.0
    most_bytes: int = 25_000_000
    most_redirects: int = 3


@dataclass(frozen=True, slots=True)
class SignIn:
    """What a request shows to be let in.

    Parameters
    ----------
    authorization
        Value of the Authorization header.
    word
        What it is in words, such as `token`; named when the source rejects it.
    field
        Key of the form field to correct then.
    """

    authorization: Secret[str]
    word: str
    field: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a link held.

    Parameters
    ----------
    body
        The decoded bytes; to be closed by whoever has read them.
    content_type
        What the source calls it; a claim, nothing more.
    final_origin
        Origin that answered in the end, such as `https://files.example.org`.
    received_bytes
        Size as it was sent, before decoding.
    stage_times_ms
        Time of each stage, redirects included.
    """

    body: Spool = field(repr=False)
    content_type: str
    final_origin: str
    received_bytes: int
    stage_times_ms: Mapping[Stage, float]
