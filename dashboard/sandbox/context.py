"""What every route of the sandbox works with: `request.app.state.sandbox`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from dashboard.vault import Vault

if TYPE_CHECKING:
    from dashboard.sandbox.auth import Tokens
    from dashboard.sandbox.config import SandboxConfig
    from dashboard.sandbox.faults import Faults
    from dashboard.sandbox.fleet import Fleet
    from dashboard.sandbox.logins import Logins
    from dashboard.sandbox.logstore import LogStore
    from dashboard.sandbox.store import Store


#: Seconds since the epoch.
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class User:
    """Who a request comes from."""

    user_id: str
    email: str
    is_admin: bool = False


@dataclass(slots=True)
class Sandbox:
    """The running sandbox: its stores, its engines, its clock."""

    store: Store
    fleet: Fleet
    logs: LogStore
    vault: Vault
    config: SandboxConfig
    clock: Clock
    tokens: Tokens
    faults: Faults
    logins: Logins
    #: One lock per pipeline, taken while it is deployed or undeployed.
    turns: dict[int, asyncio.Lock] = field(default_factory=dict)
    #: Work that goes on after its request was answered; kept here so that it is not collected.
    background: set[asyncio.Task[None]] = field(default_factory=set)


def sandbox_of(request: Request) -> Sandbox:
    """Return the sandbox that serves `request`."""
    found: Sandbox = request.app.state.sandbox
    return found


def user_of(request: Request) -> User:
    """Return who sent `request`; only for routes behind the token check."""
    found: User = request.state.user
    return found


#: JSON of any shape. Its readers check what they take from it.
Json = Any
