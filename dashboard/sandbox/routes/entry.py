"""One line of the sandbox's list of calls. Each module of routes keeps its own in `ROUTES`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

#: Where the platform's REST calls stand.
API: Final = "/v1/api"


class Support(StrEnum):
    """How far the sandbox imitates a call."""

    FULL = "supported"
    PARTLY = "partly"
    NOT = "501"


@dataclass(frozen=True, slots=True)
class Entry:
    """One call of the platform.

    Parameters
    ----------
    method, path
        As on the wire.
    endpoint
        What answers it.
    sdk_calls
        The SDK's calls that send it, parted by commas; empty if only other programs do.
    support
        How far it is imitated.
    note
        What is missing where it is not all there.
    """

    method: str
    path: str
    endpoint: Callable[[Request], Awaitable[Response]]
    sdk_calls: str = ""
    support: Support = Support.FULL
    note: str = ""
