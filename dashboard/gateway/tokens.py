"""The platform's tokens: fetched with a password, refreshed on our own clock, kept by key.

The SDK's own log-ins share one cache file between all users and servers of the machine, print and
block; its plain `token` kind never refreshes. So the gateway keeps the tokens itself. They live in
memory only.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import jwt

from dashboard.domain.identity import Identity, Role
from dashboard.errors import (
    AuthenticationFailed,
    PlatformUnreachable,
    SettingsError,
    TimedOut,
    UnexpectedAnswer,
)
from dashboard.gateway.base import Account
from dashboard.gateway.wire import Pool
from dashboard.masking import REDACTOR

_TOKEN_PATH = "/auth/realms/master/protocol/openid-connect/token"  # noqa: S105 - a path
_CLIENT_ID = "sdk-client"
_REFRESH_AT = 0.7
_REFUSED_FOR_S = 60.0
_ADMIN_ROLE = "admin"


@dataclass(frozen=True, slots=True)
class _Grant:
    """What the platform gave. Times in s of the keeper's clock."""

    access: str
    refresh: str
    due_at: float
    expires_at: float
    refresh_expires_at: float


@dataclass(slots=True)
class _Kept:
    """One key's account and its present grant, with the lock that makes refreshing happen once."""

    account: Account
    grant: _Grant
    refused_at: float = float("-inf")
    lock: threading.Lock = field(default_factory=threading.Lock)


class TokenKeeper:
    """Keeps one token per key. Thread-safe.

    Parameters
    ----------
    pool
        Gives the present pool of connections to the platform.
    clock
        Seconds; only differences matter.
    """

    def __init__(self, pool: Callable[[], Pool], *, clock: Callable[[], float] = time.time) -> None:
        self._pool = pool
        self._clock = clock
        self._kept: dict[str, _Kept] = {}

    def sign_in(self, key: str, account: Account) -> Identity:
        """Log in with a password and keep the token under `key`.

        Raises
        ------
        AuthenticationFailed
            The name or the password was refused.
        SettingsError
            The account is for another platform than this gateway's.
        """
        if account.base_url.rstrip("/") != self._pool().base_url:
            raise SettingsError("The account belongs to another platform address.")
        grant = self._by_password(account)
        identity = _identity(key, grant.access)
        self._kept[key] = _Kept(account, grant)
        return identity

    def bearer(self, key: str) -> str:
        """Return the token, refreshed first if 70 % of its life is over.

        While another thread refreshes, the present token is given as long as it is good.
        """
        kept = self._of(key)
        now = self._clock()
        if now < kept.grant.due_at:
            return kept.grant.access
        is_good = now < kept.grant.expires_at
        if not kept.lock.acquire(blocking=not is_good):
            return kept.grant.access
        try:
            if self._clock() >= kept.grant.due_at:
                self._refresh(kept, may_keep=is_good)
            return kept.grant.access
        finally:
            kept.lock.release()

    def ready(self, key: str) -> str | None:
        """Return the token if that takes no request, else None. For code that must not block."""
        kept = self._of(key)
        return kept.grant.access if self._clock() < kept.grant.due_at else None

    def renew(self, key: str, *, refused: str) -> str:
        """Return another token than `refused`, which the platform would not take."""
        kept = self._of(key)
        with kept.lock:
            if kept.grant.access == refused:
                self._refresh(kept, may_keep=False)
            return kept.grant.access

    def forget(self, key: str) -> None:
        """Drop the account and its token."""
        self._kept.pop(key, None)

    def rebase(self, base_url: str) -> None:
        """Take the accounts along to another address of the same platform."""
        for kept in list(self._kept.values()):
            kept.account = replace(kept.account, base_url=base_url)

    def _of(self, key: str) -> _Kept:
        kept = self._kept.get(key)
        if kept is None:
            raise AuthenticationFailed("You are not signed in.", hint="Sign in again.")
        return kept

    def _refresh(self, kept: _Kept, *, may_keep: bool) -> None:
        """Refresh, or log in anew. With `may_keep`, a platform that is away is no error yet."""
        if self._clock() - kept.refused_at < _REFUSED_FOR_S:
            raise _refused()
        try:
            kept.grant = self._by_refresh(kept.grant) or self._by_password(kept.account)
        except AuthenticationFailed:
            # Asking on at every poll locks the account at many platforms.
            kept.refused_at = self._clock()
            raise
        except (PlatformUnreachable, TimedOut):
            if not may_keep:
                raise

    def _by_refresh(self, grant: _Grant) -> _Grant | None:
        if not grant.refresh or self._clock() >= grant.refresh_expires_at:
            return None
        form = {"grant_type": "refresh_token", "refresh_token": grant.refresh}
        answer = self._post(form)
        return self._read(answer) if answer.status_code == httpx.codes.OK else None

    def _by_password(self, account: Account) -> _Grant:
        form = {
            "grant_type": "password",
            "username": account.username,
            "password": account.password.reveal(),
        }
        answer = self._post(form)
        if answer.status_code in (400, 401, 403):
            raise _refused()
        if answer.status_code != httpx.codes.OK:
            raise UnexpectedAnswer(f"The log-in was answered with status {answer.status_code}.")
        return self._read(answer)

    def _post(self, form: Mapping[str, str]) -> httpx.Response:
        problem: TimedOut | PlatformUnreachable
        try:
            with self._pool().client() as client:
                answer = client.post(_TOKEN_PATH, data={"client_id": _CLIENT_ID, **form})
        except httpx.TimeoutException:
            problem = TimedOut("The platform's log-in takes too long to answer.")
        except httpx.HTTPError:
            problem = PlatformUnreachable("Nothing answers at the platform's log-in address.")
        else:
            if answer.status_code not in (502, 503, 504):
                return answer
            problem = PlatformUnreachable("The platform's log-in is not available.")
        # Outside the except block: the library's exception holds the request with the password.
        raise problem

    def _read(self, answer: httpx.Response) -> _Grant:
        fields = _object(answer)
        now = self._clock()
        access = fields.get("access_token")
        life_s = _seconds(fields.get("expires_in"))
        if not isinstance(access, str) or not access or life_s <= 0:
            raise UnexpectedAnswer("The log-in's answer holds no usable token.")
        refresh = fields.get("refresh_token")
        refresh = refresh if isinstance(refresh, str) else ""
        REDACTOR.register([access, refresh], own=True)
        return _Grant(
            access=access,
            refresh=refresh,
            due_at=now + _REFRESH_AT * life_s,
            expires_at=now + life_s,
            refresh_expires_at=now + _seconds(fields.get("refresh_expires_in")),
        )


def _refused() -> AuthenticationFailed:
    return AuthenticationFailed(
        "The platform refused the user name or the password.",
        hint="Check the account in the settings.",
    )


def _object(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        fields = answer.json()
    except ValueError:
        fields = None
    return fields if isinstance(fields, Mapping) else {}


def _seconds(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _identity(key: str, token: str) -> Identity:
    """Read who the token is for. It came from the platform itself, so that is not checked."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
        user_id = str(claims["sub"])
    except (jwt.PyJWTError, KeyError):
        claims, user_id = {}, ""
    if not user_id:
        raise UnexpectedAnswer("The log-in's token does not say whose it is.")
    access = claims.get("realm_access")
    names = access.get("roles") if isinstance(access, Mapping) else None
    is_admin = isinstance(names, list) and _ADMIN_ROLE in names
    roles = {Role.USER, Role.ADMIN} if is_admin else {Role.USER}
    return Identity(
        key=key, user_id=user_id, email=str(claims.get("email") or ""), roles=frozenset(roles)
    )
