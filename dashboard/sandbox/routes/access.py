"""Look-ups that end in the wire's refusals, and who may see what.

Connections belong to the whole instance. Everything else belongs to a workspace, and exists only
for its members.
"""

from __future__ import annotations

from starlette.requests import Request

from dashboard.sandbox.context import sandbox_of, user_of
from dashboard.sandbox.errors import WireError
from dashboard.sandbox.store import Row

#: SQLite keeps 64-bit numbers; a larger one cannot be the id of anything.
LARGEST_ID = 2**63 - 1


def member_workspace(request: Request, workspace_id: int) -> Row:
    """Return a workspace the sender is in.

    Raises
    ------
    WireError
        404 if there is none of this id, 403 if the sender is not in it.
    """
    workspaces = sandbox_of(request).store.workspaces
    found = workspaces.get(workspace_id)
    if found is None:
        raise WireError(404, f"Workspace {workspace_id} not found")
    if not workspaces.is_member(workspace_id, user_of(request).user_id):
        raise WireError(403, f"You are not a member of workspace {workspace_id}")
    return found


def is_mine(request: Request, workspace_id: int) -> bool:
    """Say whether the sender is in a workspace."""
    return sandbox_of(request).store.workspaces.is_member(workspace_id, user_of(request).user_id)


def chosen_workspaces(
    request: Request, workspace_id: int | None, workspace_name: str | None
) -> dict[int, Row]:
    """Return the sender's workspaces by id: all, or the one asked for.

    Raises
    ------
    WireError
        404 or 403 if the one asked for is not among them.
    """
    store = sandbox_of(request).store
    if workspace_id is not None:
        found = member_workspace(request, workspace_id)
        return {found["id"]: found}
    if workspace_name is not None:
        named = store.workspaces.by_name(workspace_name)
        if named is None:
            raise WireError(404, f"Workspace {workspace_name[:100]!r} not found")
        return {named["id"]: member_workspace(request, named["id"])}
    return {row["id"]: row for row in store.workspaces.of_user(user_of(request).user_id)}


def my_model(request: Request, model_id: int) -> Row:
    """Return a model in one of the sender's workspaces. Raises WireError (404)."""
    found = sandbox_of(request).store.models.get(model_id)
    if found is None or not is_mine(request, found["workspace_id"]):
        raise WireError(404, f"Model {model_id} not found")
    return found


def my_model_version(request: Request, version_id: int) -> tuple[Row, Row]:
    """Return a model version and its model. Raises WireError (404)."""
    models = sandbox_of(request).store.models
    version = models.version(version_id)
    model = None if version is None else models.get(version["model_pk"])
    if version is None or model is None or not is_mine(request, model["workspace_id"]):
        raise WireError(404, f"Model version {version_id} not found")
    return version, model


def my_deployment(request: Request, deployment_id: int) -> tuple[Row, Row]:
    """Return a deployment and its pipeline. Raises WireError (404)."""
    pipelines = sandbox_of(request).store.pipelines
    deployment = pipelines.deployment(deployment_id)
    pipeline = None if deployment is None else pipelines.get(deployment["pipeline_pk"])
    if deployment is None or pipeline is None or not is_mine(request, pipeline["workspace_id"]):
        raise WireError(404, f"Deployment {deployment_id} not found")
    return deployment, pipeline
