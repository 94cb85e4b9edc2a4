"""Passwords and tokens. The clock is the sandbox's own, so that tests can move time."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dashboard.sandbox.context import User
from dashboard.sandbox.signing import (
    SigningKey,
    base64_of,
    kept_secret,
    secret_claims,
    secret_signed,
)
from dashboard.sandbox.store import Row, Store
from dashboard.sandbox.store.sessions import IDLE_S, LONGEST_S
from dashboard.vault import Vault

ACCESS_LIFE_S = 300
REFRESH_LIFE_S = IDLE_S
DEFAULT_CLIENT = "sdk-client"
DEFAULT_SCOPE = "email profile"
#: The scope that asks for a refresh token without an end: work that goes on by itself needs it.
OFFLINE = "offline_access"

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


@dataclass(frozen=True, slots=True)
class Grant:
    """What a program was given by a person who logged in.

    Parameters
    ----------
    client_id
        Which program.
    scope
        What it asked for, parted by spaces. `openid` brings an ID token, `offline_access` a refresh
        token without an end.
    nonce
        What the program wants to find again in the ID token.
    auth_time
        When the person gave the password, in epoch seconds; None means just now.
    """

    client_id: str = DEFAULT_CLIENT
    scope: str = DEFAULT_SCOPE
    nonce: str = ""
    auth_time: float | None = None


class Tokens:
    """Issues and checks the tokens of one instance.

    Access and ID tokens are signed with a key whose public half anybody may have (RS256); refresh
    tokens, which only the instance reads, with a secret (HS256). Both are kept sealed in the store.
    """

    def __init__(
        self, store: Store, vault: Vault, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self._store = store
        self._key = SigningKey(store, vault)
        # Read at the start: this is where a wrong key of the data folder is noticed.
        self._secret = kept_secret(store, vault)

    def issue(self, user: Row, *, issuer: str, grant: Grant | None = None) -> dict[str, object]:
        """Log a person (a row of `users`) in and return the token answer.

        A task that runs by itself asks with `Grant(scope="email profile offline_access")`: that
        refresh token has no end and may be used again and again.
        """
        grant = grant or Grant()
        session = self._store.sessions.open(
            user["id"],
            grant.client_id,
            scope=grant.scope,
            is_offline=OFFLINE in grant.scope.split(),
            now=self._clock(),
        )
        return self._answer(user, session, issuer, grant)

    def refresh(self, token: str, *, client_id: str, issuer: str) -> dict[str, object] | None:
        """Return new tokens for a refresh token, which is used up by it.

        None if it is not ours, not this program's, too old or used up before.
        """
        claims = self._alive(secret_claims(token, self._secret), "Refresh")
        if claims is None or claims.get("azp") != client_id:
            return None
        user = self._store.users.by_id(str(claims["sub"]))
        if user is None or not user["enabled"]:
            return None
        sessions = self._store.sessions
        session_id, refresh_id = str(claims.get("sid")), str(claims.get("jti"))
        session = sessions.rotate(session_id, refresh_id, now=self._clock())
        if session is None:
            return None
        grant = Grant(client_id, str(session["scope"]), auth_time=float(session["started_at"]))
        return self._answer(user, session, issuer, grant)

    def user_of_access(self, token: str) -> User | None:
        """Return who sent an access token.

        None if it is not ours or too old, if its session was ended, or if the person was shut out.
        """
        claims = self.access_claims(token)
        row = None if claims is None else self._store.users.by_id(str(claims["sub"]))
        if row is None or not row["enabled"]:
            return None
        return User(str(row["id"]), str(row["email"]), is_admin=bool(row["is_admin"]))

    def access_claims(self, token: str) -> dict[str, Any] | None:  # claims are free JSON
        """Return what a living access token says."""
        claims = self._alive(self._key.claims(token), "Bearer")
        if claims is None or self._store.sessions.has_ended(str(claims.get("sid"))):
            return None
        return claims

    def session_of(self, token: str) -> Row | None:
        """Return the session of any token of ours, however old it is."""
        claims = self._key.claims(token) or secret_claims(token, self._secret)
        return None if claims is None else self._store.sessions.get(str(claims.get("sid")))

    def public_keys(self) -> list[dict[str, str]]:
        """Return the keys by which others can check a token."""
        return [self._key.public_jwk]

    def _answer(self, user: Row, session: Row, issuer: str, grant: Grant) -> dict[str, object]:
        now = int(self._clock())
        common = {"iss": issuer, "sub": user["id"], "azp": grant.client_id, "iat": now}
        common |= {"sid": session["id"], "session_state": session["id"]}
        scope = grant.scope.split()
        access = self._key.sign(
            common
            | person_claims(user)
            | {"typ": "Bearer", "jti": str(uuid.uuid4()), "exp": now + ACCESS_LIFE_S}
            | {"scope": grant.scope, "https://hasura.io/jwt/claims": _hasura_claims(user)}
        )
        # With the session ends the refresh token, however short that makes it.
        left = min(now + REFRESH_LIFE_S, int(session["started_at"]) + LONGEST_S) - now
        refresh = common | {"typ": "Refresh", "jti": session["refresh_id"], "scope": grant.scope}
        if not session["is_offline"]:
            refresh["exp"] = now + left
        answer: dict[str, object] = {
            "access_token": access,
            "expires_in": ACCESS_LIFE_S,
            "refresh_token": secret_signed(refresh, self._secret),
            "refresh_expires_in": 0 if session["is_offline"] else left,
            "token_type": "Bearer",
            "session_state": session["id"],
            "scope": grant.scope,
        }
        if "openid" in scope:
            answer["id_token"] = self._id_token(user, common, access, grant, session)
        return answer

    def _id_token(
        self, user: Row, common: dict[str, object], access: str, grant: Grant, session: Row
    ) -> str:
        moment = session["started_at"] if grant.auth_time is None else grant.auth_time
        claims = common | person_claims(user)
        claims |= {"typ": "ID", "jti": str(uuid.uuid4()), "aud": grant.client_id}
        claims |= {"auth_time": int(moment), "exp": int(self._clock()) + ACCESS_LIFE_S}
        # Half of the digest, so says OpenID Connect.
        claims["at_hash"] = base64_of(hashlib.sha256(access.encode()).digest()[:16])
        return self._key.sign(claims | ({"nonce": grant.nonce} if grant.nonce else {}))

    def _alive(
        self,
        claims: dict[str, Any] | None,
        kind: str,  # claims are free JSON
    ) -> dict[str, Any] | None:
        """Return the claims of a token of this kind whose end has not come."""
        if claims is None or claims.get("typ") != kind:
            return None
        is_over = "exp" in claims and self._clock() >= float(claims["exp"])
        return None if is_over else claims


def person_claims(user: Row) -> dict[str, object]:
    """Return what a token and `userinfo` say about a person."""
    name = f"{user['first_name']} {user['last_name']}".strip() or user["email"]
    return {
        "email": user["email"],
        "email_verified": True,
        "preferred_username": user["username"],
        "name": name,
        "given_name": user["first_name"],
        "family_name": user["last_name"],
        "realm_access": {"roles": roles(user)},
    }


def roles(user: Row) -> list[str]:
    """Return what a person is on the instance."""
    return ["admin", "user"] if user["is_admin"] else ["user"]


def _hasura_claims(user: Row) -> dict[str, object]:
    return {
        "x-hasura-user-id": user["id"],
        "x-hasura-default-role": "admin_user" if user["is_admin"] else "user",
        "x-hasura-allowed-roles": ["user", "admin_user"] if user["is_admin"] else ["user"],
        "x-hasura-user-groups": "{}",
    }
