"""Passwords and tokens. Both clocks are the sandbox's own, so that tests can move time."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
import uuid
from collections.abc import Callable
from types import ModuleType
from typing import Any

from dashboard.sandbox.context import User
from dashboard.sandbox.store import Row, Store
from dashboard.vault import Vault

ACCESS_LIFE_S = 300
REFRESH_LIFE_S = 1800

_SECRET_NAME = "token_secret"  # noqa: S105  # the name under which it is kept, not the secret
_SCRYPT = {"n": 2**14, "r": 8, "p": 1}
_SALT_BYTES = 16


def hash_password(password: str) -> str:
    """Return a salted scrypt hash of a password, as text."""
    salt = secrets.token_bytes(_SALT_BYTES)
    digest = hashlib.scrypt(password.encode(errors="surrogatepass"), salt=salt, **_SCRYPT)
    return f"{base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def password_fits(password: str, hashed: str | None) -> bool:
    """Say whether a password is the hashed one. Takes the same time when there is no hash."""
    salt_text, _, digest_text = (hashed or "AAAA$").partition("$")
    digest = hashlib.scrypt(
        password.encode(errors="surrogatepass"), salt=base64.b64decode(salt_text), **_SCRYPT
    )
    return hmac.compare_digest(digest, base64.b64decode(digest_text))


class Tokens:
    """Issues and checks the tokens of one instance (JWT, HS256).

    The signing secret is made once and kept sealed in the store: tokens outlive a restart.
    """

    def __init__(
        self, store: Store, vault: Vault, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        sealed = store.meta(_SECRET_NAME)
        if sealed is None:
            self._secret = secrets.token_bytes(32)
            store.set_meta(_SECRET_NAME, vault.seal(self._secret, bound_to=_SECRET_NAME))
        else:
            self._secret = vault.open(sealed, bound_to=_SECRET_NAME)

    def issue(self, user: Row, *, issuer: str) -> dict[str, object]:
        """Return the token answer of the log-in for a person (`id, username, email`)."""
        return {
            "access_token": self._sign(user, "Bearer", ACCESS_LIFE_S, issuer),
            "expires_in": ACCESS_LIFE_S,
            "refresh_token": self._sign(user, "Refresh", REFRESH_LIFE_S, issuer),
            "refresh_expires_in": REFRESH_LIFE_S,
            "token_type": "Bearer",
            "scope": "email profile",
        }

    def user_of_access(self, token: str) -> User | None:
        """Return who an access token belongs to; None if it is not ours or too old."""
        claims = self._claims(token, "Bearer")
        return None if claims is None else User(str(claims["sub"]), str(claims["email"]))

    def user_id_of_refresh(self, token: str) -> str | None:
        """Return the user id of a refresh token; None if it is not ours or too old."""
        claims = self._claims(token, "Refresh")
        return None if claims is None else str(claims["sub"])

    def _sign(self, user: Row, kind: str, life_s: int, issuer: str) -> str:
        now = int(self._clock())
        claims = {
            "iss": issuer,
            "sub": user["id"],
            "email": user["email"],
            "preferred_username": user["username"],
            "azp": "sdk-client",
            "typ": kind,
            "jti": str(uuid.uuid4()),
            "iat": now,
            "exp": now + life_s,
        }
        return str(_jwt().encode(claims, self._secret, algorithm="HS256"))

    def _claims(self, token: str, kind: str) -> dict[str, Any] | None:  # claims are free JSON
        jwt = _jwt()
        try:
            # The library compares with the real clock, so the time is checked here instead.
            claims: dict[str, Any] = jwt.decode(  # claims are free JSON
                token, self._secret, algorithms=["HS256"], options={"verify_exp": False}
            )
        except jwt.PyJWTError:
            return None
        fits = claims.get("typ") == kind and self._clock() < float(claims.get("exp", 0))
        return claims if fits else None


def _jwt() -> ModuleType:
    import jwt as module  # 0.1 s that the start-up can do without

    return module
