"""Workspaces: list, create, and who is in them."""

from __future__ import annotations

from pydantic import Field
from starlette.requests import Request

from dashboard.sandbox.bodies import Body, storable
from dashboard.sandbox.context import sandbox_of, user_of
from dashboard.sandbox.errors import BadRequest, WireError
from dashboard.sandbox.routes.access import member_workspace
from dashboard.sandbox.routes.calls import Id, Nothing, call, reading
from dashboard.sandbox.routes.entry import API, Entry
from dashboard.sandbox.store import Row
from dashboard.sandbox.store.workspaces import COLLABORATOR, OWNER, LastOwner, NameTaken


class NewWorkspace(Body):
    """What a workspace needs."""

    workspace_name: str = Field(min_length=1, max_length=255)


class Whose(Body):
    """Whose workspaces: the sender's own if it is left out."""

    user_id: str | None = None


class Which(Body):
    """A workspace."""

    workspace_id: Id


class Leaving(Body):
    """Who is to leave which workspace; the id counts, or else the e-mail address."""

    workspace_id: Id
    user_id: str | None = None
    email: str | None = None


class Membership(Leaving):
    """Who is to join which workspace, and as what."""

    user_type: str | None = COLLABORATOR


def list_workspaces(request: Request, body: Whose) -> object:
    """Return the sender's workspaces, oldest first, with what is in them.

    An administrator may ask for another person's.
    """
    store = sandbox_of(request).store
    user = user_of(request)
    user_id = user.user_id if body.user_id is None else storable(body.user_id, "user_id")
    if user_id != user.user_id and not user.is_admin:
        raise WireError(403, "Only an administrator may list the workspaces of others")
    contents = store.workspaces.contents(user_id)
    return {
        "workspaces": [
            workspace_json(row)
            | {
                "models": contents[row["id"]].get("models", []),
                "pipelines": contents[row["id"]].get("pipelines", []),
                "users": [{"user_id": each} for each in contents[row["id"]].get("users", [])],
            }
            for row in store.workspaces.of_user(user_id)
        ]
    }


def create_workspace(request: Request, body: NewWorkspace) -> object:
    """Create a workspace owned by the sender."""
    name = storable(body.workspace_name, "workspace_name")
    store = sandbox_of(request).store
    try:
        return {"workspace_id": store.workspaces.add(name, owner_id=user_of(request).user_id)}
    except NameTaken as exc:
        raise BadRequest(f"workspace_name: a workspace named {name} exists already") from exc


def add_user(request: Request, body: Membership) -> object:
    """Put a person into a workspace the sender owns."""
    workspaces = sandbox_of(request).store.workspaces
    workspace_id = _led_workspace(request, body.workspace_id)
    user_type = (body.user_type or COLLABORATOR).upper()
    if user_type not in (OWNER, COLLABORATOR):
        raise BadRequest("user_type: must be owner or collaborator")
    person = _person(request, body)
    try:
        workspaces.add_member(workspace_id, person["id"], user_type)
    except LastOwner as exc:
        raise BadRequest("user_type: a workspace needs an owner") from exc
    return {"workspace_id": workspace_id, "user_id": person["id"], "user_type": user_type}


def remove_user(request: Request, body: Leaving) -> object:
    """Take a person out of a workspace the sender owns, or the sender out of any."""
    workspaces = sandbox_of(request).store.workspaces
    person = _person(request, body)
    if person["id"] == user_of(request).user_id:
        workspace_id = int(member_workspace(request, body.workspace_id)["id"])
    else:
        workspace_id = _led_workspace(request, body.workspace_id)
    try:
        return {"affected_rows": workspaces.remove_member(workspace_id, person["id"])}
    except LastOwner as exc:
        raise BadRequest("user_id: a workspace needs an owner") from exc


def list_users(request: Request, body: Which) -> object:
    """Return who is in a workspace, in the order they came."""
    workspaces = sandbox_of(request).store.workspaces
    if not user_of(request).is_admin or workspaces.get(body.workspace_id) is None:
        member_workspace(request, body.workspace_id)
    return {"users": workspaces.members(body.workspace_id)}


def validate(_request: Request, _body: Nothing) -> object:
    """Bring old workspaces up to date. The sandbox's are so from the start."""
    return {}


def _led_workspace(request: Request, workspace_id: int) -> int:
    """Return a workspace whose people the sender may change.

    Who is in it has the rights they have there: an owner may. An administrator who is not in it
    looks after it from outside.

    Raises
    ------
    WireError
        404 if there is none of this id, 403 if the sender may not.
    """
    workspaces, user = sandbox_of(request).store.workspaces, user_of(request)
    role = workspaces.role_of(workspace_id, user.user_id)
    if role is None and not (user.is_admin and workspaces.get(workspace_id) is not None):
        member_workspace(request, workspace_id)
    if role not in (OWNER, None):
        raise WireError(403, "Only an owner may change who is in a workspace")
    return workspace_id


def _person(request: Request, body: Leaving) -> Row:
    users = sandbox_of(request).store.users
    person = (
        users.by_id(storable(body.user_id, "user_id"))
        if body.user_id
        else users.by_name(storable(body.email or "", "email"))
    )
    if person is None:
        raise WireError(404, "User not found")
    return person


def workspace_json(row: Row) -> dict[str, object]:
    """Return a workspace's own fields as they stand in answers."""
    return {
        "id": row["id"],
        "name": row["name"],
        "archived": bool(row["archived"]),
        "created_at": row["created_at"],
        "created_by": row["created_by"],
    }


ROUTES: tuple[Entry, ...] = (
    Entry(
        "POST",
        f"{API}/workspaces/list",
        reading(Whose, list_workspaces),
        "list_workspaces, get_workspace, Workspace.list_workspaces, Workspace.get_workspace",
    ),
    Entry(
        "POST",
        f"{API}/workspaces/create",
        call(NewWorkspace, create_workspace),
        "create_workspace",
    ),
    Entry(
        "POST",
        f"{API}/workspaces/add_user",
        call(Membership, add_user),
        "Workspace.add_user, Workspace.add_owner",
    ),
    Entry("POST", f"{API}/workspaces/remove_user", call(Leaving, remove_user)),
    Entry("POST", f"{API}/workspaces/list_users", call(Which, list_users)),
    Entry("POST", f"{API}/workspaces/validate", call(Nothing, validate)),
)
