"""The programs that may log people in, and where they may send a browser back to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

PASSWORD = "password"  # noqa: S105  # the name of a grant
REFRESH = "refresh_token"
CODE = "authorization_code"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass(frozen=True, slots=True)
class Client:
    """A registered program. All are public: what they know is in everybody's hands.

    Parameters
    ----------
    client_id
        Its name in requests.
    title
        How pages speak of it.
    grants
        In which ways it may log in.
    """

    client_id: str
    title: str
    grants: frozenset[str]


CLIENTS: Final[Mapping[str, Client]] = {
    each.client_id: each
    for each in (
        Client("sdk-client", "The Wallaroo SDK", frozenset((PASSWORD, REFRESH, CODE, DEVICE))),
        Client("dashboard", "The dashboard", frozenset((REFRESH, CODE))),
        # What the platform's scripts and Keycloak's own tools call themselves.
        Client("api-client", "A script", frozenset((PASSWORD, REFRESH))),
        Client("admin-cli", "A script", frozenset((PASSWORD, REFRESH))),
    )
}

#: Loopback only, written in one way only: nothing here can lead to another machine.
_LOOPBACK = re.compile(r"http://(?:127\.0\.0\.1|localhost):([1-9][0-9]{0,4})")
_CALLBACK_PATHS = ("/oauth2callback",)
_SIGNED_OUT_PATHS = ("/oauth2callback", "/", "")
_HIGHEST_PORT = 65535


def is_callback(uri: str) -> bool:
    """Say whether a browser may be sent here with a code."""
    return _fits(uri, _CALLBACK_PATHS)


def is_after_logout(uri: str) -> bool:
    """Say whether a browser may be sent here after signing out."""
    return _fits(uri, _SIGNED_OUT_PATHS)


def origin_of(uri: str) -> str:
    """Return scheme, host and port of an address that was found allowed."""
    found = _LOOPBACK.match(uri)
    return found[0] if found else ""


def _fits(uri: str, paths: tuple[str, ...]) -> bool:
    found = _LOOPBACK.match(uri)
    return found is not None and int(found[1]) <= _HIGHEST_PORT and uri[found.end() :] in paths
