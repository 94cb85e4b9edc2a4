"""The people of the instance: look-ups, invitations, roles, passwords."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Literal

from pydantic import Field, StrictBool
from starlette.requests import Request
from starlette.responses import Response

from dashboard.sandbox.auth import hash_password, roles
from dashboard.sandbox.bodies import Body, storable
from dashboard.sandbox.context import sandbox_of, user_of
from dashboard.sandbox.errors import BadRequest, WireError, json_answer
from dashboard.sandbox.routes.calls import Nothing, call, no_content
from dashboard.sandbox.routes.entry import API, Entry, Support
from dashboard.sandbox.store import Row
from dashboard.sandbox.store.users import LastAdmin, NameInUse

_ADMIN_USERS = "/auth/admin/realms/master/users"
_EMAIL = r"^[^@\s]+@[^@\s]+$"
_LONGEST_PASSWORD = 1024


def _require_admin(request: Request) -> None:
    if not user_of(request).is_admin:
        raise WireError(403, "Only an administrator may do this")


def _person(request: Request, *, user_id: str = "", email: str = "") -> Row | None:
    users = sandbox_of(request).store.users
    if user_id:
        return users.by_id(storable(user_id, "id"))
    return users.by_name(storable(email, "email"))


async def admin_users(request: Request) -> Response:
    """List people, or find one by the whole e-mail address."""
    email = request.query_params.get("email")
    users = sandbox_of(request).store.users.listing()
    return json_answer(
        [public(row) for row in users if email is None or row["email"].lower() == email.lower()]
    )


async def admin_user(request: Request) -> Response:
    """Return one person by id."""
    found = sandbox_of(request).store.users.by_id(request.path_params["user_id"])
    if found is None:
        raise WireError(404, "User not found")
    return json_answer(public(found))


class Account(Body):
    """A person as Keycloak keeps them; only `enabled` can be changed."""

    enabled: StrictBool


def change_user(request: Request, body: Account) -> Response:
    """Let a person in, or shut them out: their tokens end at once."""
    _require_admin(request)
    person = _person(request, user_id=request.path_params["user_id"])
    if person is None:
        raise WireError(404, "User not found")
    _set_enabled(request, person, enabled=body.enabled)
    return no_content()


class NewPassword(Body):
    """A password as Keycloak takes it."""

    type: Literal["password"] = "password"
    value: str = Field(min_length=1, max_length=_LONGEST_PASSWORD)
    temporary: StrictBool = False


def reset_password(request: Request, body: NewPassword) -> Response:
    """Give a person another password and sign them out everywhere."""
    _require_admin(request)
    person = _person(request, user_id=request.path_params["user_id"])
    if person is None:
        raise WireError(404, "User not found")
    if body.temporary:
        raise WireError(501, "The sandbox cannot ask for a new password at the next log-in")
    store = sandbox_of(request).store
    store.users.set_password(person["id"], hash_password(body.value))
    store.sessions.end_of_user(person["id"])
    return no_content()


class UsersQuery(Body):
    """Which people: all of them if no ids are given."""

    user_ids: list[str] | None = None


def query_users(request: Request, body: UsersQuery) -> object:
    """Return people by id."""
    users = sandbox_of(request).store.users.listing()
    wanted = None if body.user_ids is None else set(body.user_ids)
    return {
        "users": {row["id"]: public(row) for row in users if wanted is None or row["id"] in wanted}
    }


class Invitation(Body):
    """A person to let in."""

    email: str = Field(min_length=3, max_length=254, pattern=_EMAIL)
    roles: list[Literal["admin", "user"]] | None = None
    password: str | None = Field(default=None, min_length=1, max_length=_LONGEST_PASSWORD)
    require_reset: bool | None = None


def invite(request: Request, body: Invitation) -> object:
    """Add a person. The answer holds the first password, which no mail brings here."""
    _require_admin(request)
    if body.require_reset:
        raise WireError(501, "The sandbox cannot ask for a new password at the first log-in")
    password = body.password or secrets.token_urlsafe(18)
    added = _add(request, body.email, password, is_admin="admin" in (body.roles or ()))
    return public(added) | {"password": password}


class ByEmail(Body):
    """Whom to let in or shut out."""

    email: str


def activate(request: Request, body: ByEmail) -> object:
    """Let a person in again."""
    return _switch(request, body, enabled=True)


def deactivate(request: Request, body: ByEmail) -> object:
    """Shut a person out: their tokens end at once."""
    return _switch(request, body, enabled=False)


def _switch(request: Request, body: ByEmail, *, enabled: bool) -> object:
    _require_admin(request)
    person = _person(request, email=body.email)
    if person is None:
        raise BadRequest("email: there is no such user")
    _set_enabled(request, person, enabled=enabled)
    return {}


class Edit(Body):
    """A person with all that can be changed."""

    id: str
    first_name: str = Field(default="", max_length=255)
    last_name: str = Field(default="", max_length=255)
    email: str = Field(min_length=3, max_length=254, pattern=_EMAIL)
    enabled: StrictBool
    is_admin: StrictBool


def edit(request: Request, body: Edit) -> object:
    """Change a person's names, address and role."""
    _require_admin(request)
    person = _person(request, user_id=body.id)
    if person is None:
        raise BadRequest("id: there is no such user")
    if person["id"] == user_of(request).user_id and not (body.enabled and body.is_admin):
        raise BadRequest("id: you cannot take your own rights away")
    values = {name: storable(getattr(body, name), name) for name in _TEXTS}
    try:
        sandbox_of(request).store.users.edit(
            person["id"], enabled=int(body.enabled), is_admin=int(body.is_admin), **values
        )
    except NameInUse as exc:
        raise BadRequest("email: somebody else has this address") from exc
    except LastAdmin as exc:
        raise BadRequest("is_admin: the instance needs an administrator") from exc
    return {}


_TEXTS = ("email", "first_name", "last_name")


class NewUser(Body):
    """A person to make without an invitation."""

    email: str = Field(min_length=3, max_length=254, pattern=_EMAIL)
    password: str = Field(min_length=1, max_length=_LONGEST_PASSWORD)
    role: Literal["admin", "user"] = "user"


def make_user(request: Request, body: NewUser) -> object:
    """Add a person who can log in at once."""
    _require_admin(request)
    added = _add(request, body.email, body.password, is_admin=body.role == "admin")
    return public(added) | {"roles": roles(added)}


def list_people(request: Request, _body: Nothing) -> object:
    """Return everybody with their roles."""
    _require_admin(request)
    found = sandbox_of(request).store.users.listing()
    return {"users": [public(row) | {"roles": roles(row)} for row in found]}


def _add(request: Request, email: str, password: str, *, is_admin: bool) -> Row:
    try:
        return sandbox_of(request).store.users.add(
            storable(email, "email"), password_hash=hash_password(password), is_admin=is_admin
        )
    except NameInUse as exc:
        raise BadRequest(f"email: {email} is a user already") from exc


def _set_enabled(request: Request, person: Row, *, enabled: bool) -> None:
    if person["id"] == user_of(request).user_id and not enabled:
        raise BadRequest("enabled: you cannot shut yourself out")
    try:
        sandbox_of(request).store.users.set_enabled(person["id"], enabled=enabled)
    except LastAdmin as exc:
        raise BadRequest("enabled: the instance needs an administrator") from exc


def public(row: Row) -> dict[str, object]:
    """Return a person as anybody who is logged in may see them."""
    created = datetime.fromisoformat(row["created_at"]).timestamp()
    names = {"firstName": row["first_name"], "lastName": row["last_name"]}
    return {
        "id": row["id"],
        "username": row["username"],
        "email": row["email"],
        "enabled": bool(row["enabled"]),
        "emailVerified": True,
        "createdTimestamp": int(created * 1000),
    } | {name: text for name, text in names.items() if text}


ROUTES: tuple[Entry, ...] = (
    Entry(
        "GET",
        _ADMIN_USERS,
        admin_users,
        "get_user_by_email",
        Support.PARTLY,
        "By the whole e-mail address, or everybody.",
    ),
    Entry("GET", f"{_ADMIN_USERS}/{{user_id}}", admin_user, "Workspace.users"),
    Entry(
        "PUT",
        f"{_ADMIN_USERS}/{{user_id}}",
        call(Account, change_user),
        "activate_user, deactivate_user",
    ),
    Entry(
        "PUT",
        f"{_ADMIN_USERS}/{{user_id}}/reset-password",
        call(NewPassword, reset_password),
        support=Support.PARTLY,
        note="No temporary passwords.",
    ),
    Entry(
        "POST", f"{API}/users/query", call(UsersQuery, query_users), "list_users, get_email_by_id"
    ),
    Entry(
        "POST",
        f"{API}/users/invite",
        call(Invitation, invite),
        "invite_user",
        Support.PARTLY,
        "No mail is sent: the answer holds the password. It cannot be made to expire.",
    ),
    Entry("POST", f"{API}/users/activate", call(ByEmail, activate)),
    Entry("POST", f"{API}/users/deactivate", call(ByEmail, deactivate)),
    Entry("POST", f"{API}/user", call(Edit, edit)),
)

CONTROLS: tuple[Entry, ...] = (
    Entry("GET", "/_sandbox/users", call(Nothing, list_people)),
    Entry("POST", "/_sandbox/users", call(NewUser, make_user)),
)
