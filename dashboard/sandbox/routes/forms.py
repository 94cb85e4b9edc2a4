"""What the log-in's routes share: form bodies, the program that asks, the person's password."""

from __future__ import annotations

import base64
import binascii
from typing import Final
from urllib.parse import parse_qsl, unquote

from starlette.requests import Request

from dashboard.sandbox.auth import password_fits
from dashboard.sandbox.bodies import read_limited
from dashboard.sandbox.clients import CLIENTS, Client
from dashboard.sandbox.context import Sandbox
from dashboard.sandbox.errors import LoginError
from dashboard.sandbox.store import Row

REALM: Final = "/auth/realms/master"
OPENID: Final = f"{REALM}/protocol/openid-connect"

_LARGEST_FORM_BYTES = 64 * 1024
_MOST_FIELDS = 50
_TOO_MANY = "Too many wrong passwords. Wait a minute, then try again."


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form; of a repeated one the last counts.

    Raises
    ------
    LoginError
        400 if it is no form of a sensible size.
    """
    body = await read_limited(request, limit_bytes=_LARGEST_FORM_BYTES)
    try:
        return dict(
            parse_qsl(
                body.decode(errors="replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS
            )
        )
    except ValueError as exc:
        raise LoginError(400, "invalid_request", "The form has too many fields") from exc


def issuer_of(sandbox: Sandbox) -> str:
    """Return who signs the tokens, as tokens spell it."""
    return f"{sandbox.config.origin}{REALM}"


def asking_client(request: Request, form: dict[str, str], *, grant: str) -> Client:
    """Return the program that asks, by its field or its `Authorization: Basic` header.

    A secret is not asked for and does not count: every program here is a public one.

    Raises
    ------
    LoginError
        401 if it is not registered, 400 if it may not log in this way.
    """
    name = form.get("client_id", "")
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        name = _name_of(encoded)
    client = CLIENTS.get(name)
    if client is None:
        raise LoginError(401, "invalid_client", "Invalid client or Invalid client credentials")
    if grant not in client.grants:
        raise LoginError(400, "unauthorized_client", f"{name} may not log in with {grant}")
    return client


def person_of(sandbox: Sandbox, username: str, password: str) -> Row:
    """Return the person of a user name and password.

    Raises
    ------
    LoginError
        401 if they do not fit or were wrong too often, 400 if the person was shut out.
    """
    user = sandbox.store.users.by_name(username)
    key = username.casefold() if user is None else str(user["id"])
    wrong = sandbox.logins.passwords
    if wrong.is_blocked(key):
        raise LoginError(401, "invalid_grant", _TOO_MANY)
    fits = password_fits(password, None if user is None else user["password_hash"])
    if user is None or not fits:
        wrong.note_wrong(key)
        raise LoginError(401, "invalid_grant", "Invalid user credentials")
    wrong.forget(key)
    if not user["enabled"]:
        raise LoginError(400, "invalid_grant", "Account disabled")
    return user


def allowed_scope(text: str) -> str:
    """Return the scope to grant: what was asked for, and what every token has.

    Raises
    ------
    LoginError
        400 if there is no such scope.
    """
    wanted = text.split()
    unknown = [each for each in wanted if each not in SCOPES_KNOWN]
    if unknown:
        raise LoginError(400, "invalid_scope", f"Invalid scopes: {' '.join(unknown)[:200]}")
    return " ".join(dict.fromkeys([*wanted, "email", "profile"]))


#: Those of OpenID Connect that mean something here, and Keycloak's own that change nothing.
SCOPES_KNOWN: Final = frozenset(
    ("openid", "email", "profile", "offline_access", "roles", "web-origins", "basic", "acr")
)


def _name_of(encoded: str) -> str:
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    return unquote(text.partition(":")[0])
