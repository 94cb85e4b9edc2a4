"""The log-in, as Keycloak does it, and the look-ups of people."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from urllib.parse import parse_qs

from pydantic import Field, StrictBool
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from dashboard.sandbox.auth import hash_password, password_fits
from dashboard.sandbox.bodies import Body, read_limited, storable
from dashboard.sandbox.context import sandbox_of, user_of
from dashboard.sandbox.errors import BadRequest, LoginError, WireError, json_answer
from dashboard.sandbox.routes.calls import call, no_content
from dashboard.sandbox.routes.entry import API, Entry, Support
from dashboard.sandbox.store import Row

_LARGEST_FORM_BYTES = 64 * 1024
_REALM: Final = "/auth/realms/master/protocol/openid-connect"


async def token(request: Request) -> Response:
    """Log in with a password, or refresh."""
    text = (await read_limited(request, limit_bytes=_LARGEST_FORM_BYTES)).decode(errors="replace")
    form = {name: values[-1] for name, values in parse_qs(text, keep_blank_values=True).items()}
    return json_answer(await run_in_threadpool(_grant, request, form))


async def device(_request: Request) -> Response:
    """Refuse the device flow in Keycloak's form, which the SDK reports word for word."""
    raise LoginError(
        501, "unsupported_grant_type", "The sandbox has no device flow; use user_password or token"
    )


def _grant(request: Request, form: dict[str, str]) -> dict[str, object]:
    sandbox = sandbox_of(request)
    users = sandbox.store.users
    kind = form.get("grant_type")
    user: Row | None
    if kind == "password":
        user = users.by_name(form.get("username", ""))
        fits = password_fits(
            form.get("password", ""), None if user is None else user["password_hash"]
        )
        if user is None or not fits:
            raise LoginError(401, "invalid_grant", "Invalid user credentials")
    elif kind == "refresh_token":
        user_id = sandbox.tokens.user_id_of_refresh(form.get("refresh_token", ""))
        user = None if user_id is None else users.by_id(user_id)
        if user is None:
            raise LoginError(400, "invalid_grant", "Token is not active")
    else:
        raise LoginError(400, "unsupported_grant_type", "Unsupported grant_type")
    if not user["enabled"]:
        raise LoginError(400, "invalid_grant", "Account disabled")
    return sandbox.tokens.issue(user, issuer=f"{sandbox.config.origin}/auth/realms/master")


async def admin_users(request: Request) -> Response:
    """List people, or find one by the whole e-mail address."""
    email = request.query_params.get("email")
    users = sandbox_of(request).store.users.listing()
    return json_answer(
        [_public(row) for row in users if email is None or row["email"].lower() == email.lower()]
    )


async def admin_user(request: Request) -> Response:
    """Return one person by id."""
    found = sandbox_of(request).store.users.by_id(request.path_params["user_id"])
    if found is None:
        raise WireError(404, "User not found")
    return json_answer(_public(found))


class Account(Body):
    """A person as Keycloak keeps them; only `enabled` can be changed."""

    enabled: StrictBool


def change_user(request: Request, body: Account) -> Response:
    """Let a person in, or shut them out: their tokens end at once."""
    users = sandbox_of(request).store.users
    person = users.by_id(storable(request.path_params["user_id"], "user_id"))
    if person is None:
        raise WireError(404, "User not found")
    if person["id"] == user_of(request).user_id and not body.enabled:
        raise BadRequest("enabled: you cannot shut yourself out")
    users.set_enabled(person["id"], enabled=body.enabled)
    return no_content()


class UsersQuery(Body):
    """Which people: all of them if no ids are given."""

    user_ids: list[str] | None = None


def query_users(request: Request, body: UsersQuery) -> object:
    """Return people by id."""
    users = sandbox_of(request).store.users.listing()
    wanted = None if body.user_ids is None else set(body.user_ids)
    return {
        "users": {row["id"]: _public(row) for row in users if wanted is None or row["id"] in wanted}
    }


class Invitation(Body):
    """A person to let in."""

    email: str = Field(min_length=3, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")
    password: str | None = Field(default=None, max_length=1024)


def invite(request: Request, body: Invitation) -> object:
    """Add a person; without a password they cannot log in yet."""
    users = sandbox_of(request).store.users
    if users.by_name(storable(body.email, "email")) is not None:
        raise BadRequest(f"email: {body.email} is a user already")
    hashed = None if body.password is None else hash_password(body.password)
    return _public(users.add(body.email, password_hash=hashed))


def _public(row: Row) -> dict[str, object]:
    created = datetime.fromisoformat(row["created_at"]).timestamp()
    return {
        "id": row["id"],
        "username": row["username"],
        "email": row["email"],
        "enabled": bool(row["enabled"]),
        "emailVerified": True,
        "createdTimestamp": int(created * 1000),
    }


ROUTES: tuple[Entry, ...] = (
    Entry("POST", f"{_REALM}/token", token, "Client(auth_type='user_password')"),
    Entry("POST", f"{_REALM}/auth/device", device, "Client(auth_type='sso')", Support.NOT),
    Entry("GET", "/auth/admin/realms/master/users", admin_users, "get_user_by_email"),
    Entry("GET", "/auth/admin/realms/master/users/{user_id}", admin_user, "Workspace.users"),
    Entry(
        "PUT",
        "/auth/admin/realms/master/users/{user_id}",
        call(Account, change_user),
        "activate_user, deactivate_user",
    ),
    Entry("POST", f"{API}/users/query", call(UsersQuery, query_users), "list_users"),
    Entry("POST", f"{API}/users/invite", call(Invitation, invite), "invite_user"),
)
