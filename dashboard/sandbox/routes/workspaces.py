"""Workspaces: list, create, and who is in them."""

from __future__ import annotations

from pydantic import Field
from starlette.requests import Request

from dashboard.sandbox.bodies import Body, storable
from dashboard.sandbox.context import sandbox_of, user_of
from dashboard.sandbox.errors import BadRequest, WireError
from dashboard.sandbox.routes.access import member_workspace
from dashboard.sandbox.routes.calls import Id, Nothing, call
from dashboard.sandbox.routes.entry import API, Entry
from dashboard.sandbox.store import Row
from dashboard.sandbox.store.workspaces import COLLABORATOR, OWNER, NameTaken


class NewWorkspace(Body):
    """What a workspace needs."""

    workspace_name: str = Field(min_length=1, max_length=255)


class Membership(Body):
    """Who is to join which workspace; the id counts, or else the e-mail address."""

    workspace_id: Id
    user_id: str | None = None
    email: str | None = None
    user_type: str = COLLABORATOR


def list_workspaces(request: Request, _body: Nothing) -> object:
    """Return the sender's workspaces, oldest first, with what is in them."""
    store = sandbox_of(request).store
    user_id = user_of(request).user_id
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
    store = sandbox_of(request).store
    workspace = member_workspace(request, body.workspace_id)
    members = {
        row["user_id"]: row["user_type"] for row in store.workspaces.members(workspace["id"])
    }
    if members[user_of(request).user_id] != OWNER:
        raise WireError(403, "Only an owner may add people to a workspace")
    user_type = body.user_type.upper()
    if user_type not in (OWNER, COLLABORATOR):
        raise BadRequest("user_type: must be owner or collaborator")
    person = (
        store.users.by_id(storable(body.user_id, "user_id"))
        if body.user_id
        else store.users.by_name(storable(body.email or "", "email"))
    )
    if person is None:
        raise WireError(404, "User not found")
    owners = [user_id for user_id, kind in members.items() if kind == OWNER]
    if user_type != OWNER and owners == [person["id"]]:
        raise BadRequest("user_type: a workspace needs an owner")
    store.workspaces.add_member(workspace["id"], person["id"], user_type)
    return {"workspace_id": workspace["id"], "user_id": person["id"], "user_type": user_type}


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
        call(Nothing, list_workspaces),
        "list_workspaces, get_workspace",
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
)
