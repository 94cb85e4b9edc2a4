"""The deletion of models and pipelines, by programs that speak to the platform without the SDK.

What a running deployment uses is kept: 409, the one refusal that the platform's own client knows.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from uuid import UUID

from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from dashboard.sandbox.bodies import Body, read, storable
from dashboard.sandbox.context import sandbox_of
from dashboard.sandbox.errors import WireError, json_answer
from dashboard.sandbox.routes.access import is_mine, member_workspace, my_model_version
from dashboard.sandbox.routes.calls import Id, call
from dashboard.sandbox.routes.entry import API, Entry
from dashboard.sandbox.routes.pipelines import turn_of
from dashboard.sandbox.store import Row
from dashboard.sandbox.store.models import ERROR, READY

_CONFIRMED = "Needs confirm_delete; without it the answer only says how many bytes it would free."


class ModelDeletion(Body):
    """A model by its name; without the confirmation nothing is deleted."""

    model_id: str
    workspace_id: Id
    confirm_delete: bool | None = None


class ModelVersionsDeletion(Body):
    """Model versions; without the confirmation nothing is deleted."""

    model_versions: list[UUID] = Field(max_length=1000)
    confirm_delete: bool | None = None


class PipelineDeletion(Body):
    """A pipeline by its name."""

    pipeline_id: str
    workspace_id: Id


class PipelineVersionsDeletion(Body):
    """Pipeline versions."""

    pipeline_versions: list[UUID] = Field(max_length=1000)


def delete_model(request: Request, body: ModelDeletion) -> object:
    """Delete a model with its versions and say how many bytes that frees."""
    store = sandbox_of(request).store
    member_workspace(request, body.workspace_id)
    name = storable(body.model_id, "model_id")
    with store.database.transaction():
        model = store.models.find(body.workspace_id, name)
        if model is None:
            raise WireError(404, f"Model {name[:100]!r} not found")
        versions = store.models.versions_of([model["id"]]).get(model["id"], [])
        _check_unused(request, versions)
        if body.confirm_delete:
            store.models.delete(model["id"])
    return _bytes_of(versions)


def delete_model_versions(request: Request, body: ModelVersionsDeletion) -> object:
    """Delete model versions and say how many bytes that frees; their model stays."""
    store = sandbox_of(request).store
    with store.database.transaction():
        versions = [_my_model_version(request, each) for each in dict.fromkeys(body.model_versions)]
        _check_unused(request, versions)
        if body.confirm_delete:
            store.models.delete_versions([version["id"] for version in versions])
    return _bytes_of(versions)


async def delete_pipeline(request: Request) -> Response:
    """Delete a pipeline with its versions."""
    body = await read(request, PipelineDeletion)
    sandbox = sandbox_of(request)
    pipeline = await run_in_threadpool(_my_pipeline, request, body)
    async with turn_of(sandbox, pipeline["id"]):
        await run_in_threadpool(_delete_pipeline, request, pipeline["id"])
    return json_answer({"pipeline_id": pipeline["name"], "workspace_id": pipeline["workspace_id"]})


async def delete_pipeline_versions(request: Request) -> Response:
    """Delete pipeline versions; their pipeline stays."""
    body = await read(request, PipelineVersionsDeletion)
    sandbox = sandbox_of(request)
    wanted = list(dict.fromkeys(body.pipeline_versions))
    versions = await run_in_threadpool(_my_pipeline_versions, request, wanted)
    async with AsyncExitStack() as turns:
        # Always in one order: two deletions cannot wait for one another.
        for pipeline_id in sorted({version["pipeline_pk"] for version in versions}):
            await turns.enter_async_context(turn_of(sandbox, pipeline_id))
        await run_in_threadpool(_delete_pipeline_versions, request, versions)
    return json_answer({"pipeline_versions": [str(each) for each in wanted]})


def _check_unused(request: Request, versions: list[Row]) -> None:
    """Refuse to delete what runs, or is about to. Raises WireError (409)."""
    models = sandbox_of(request).store.models
    if used := models.deployed([version["id"] for version in versions]):
        raise WireError(409, f"Model version {used[0]} is in use by a deployed pipeline")
    for version in versions:
        if version["status"] not in (READY, ERROR):
            raise WireError(409, f"Model version {version['id']} is still being loaded")


def _bytes_of(versions: list[Row]) -> Row:
    return {"bytes": sum(version["size_bytes"] for version in versions)}


def _my_model_version(request: Request, version: UUID) -> Row:
    found = sandbox_of(request).store.models.version_by_uuid(str(version))
    if found is None:
        raise WireError(404, f"Model version {version} not found")
    return my_model_version(request, found["id"])[0]


def _my_pipeline(request: Request, body: PipelineDeletion) -> Row:
    member_workspace(request, body.workspace_id)
    name = storable(body.pipeline_id, "pipeline_id")
    found = sandbox_of(request).store.pipelines.find(body.workspace_id, name)
    if found is None:
        raise WireError(404, f"Pipeline {name[:100]!r} not found in this workspace")
    return found


def _my_pipeline_versions(request: Request, wanted: list[UUID]) -> list[Row]:
    pipelines = sandbox_of(request).store.pipelines
    versions: list[Row] = []
    for each in wanted:
        version = pipelines.version_by_uuid(str(each))
        pipeline = None if version is None else pipelines.get(version["pipeline_pk"])
        if version is None or pipeline is None or not is_mine(request, pipeline["workspace_id"]):
            raise WireError(404, f"Pipeline version {each} not found")
        versions.append(version)
    return versions


def _delete_pipeline(request: Request, pipeline_id: int) -> None:
    pipelines = sandbox_of(request).store.pipelines
    deployment = pipelines.deployment_of(pipeline_id)
    if deployment is not None and deployment["deployed"]:
        raise WireError(409, "The pipeline is deployed: undeploy it first")
    pipelines.delete(pipeline_id)


def _delete_pipeline_versions(request: Request, versions: list[Row]) -> None:
    pipelines = sandbox_of(request).store.pipelines
    for version in versions:
        for link in pipelines.deployments_of_version(version["id"]):
            deployment = pipelines.deployment(link["deployment_id"])
            if deployment is not None and deployment["deployed"]:
                raise WireError(409, f"Pipeline version {version['version']} is deployed")
    pipelines.delete_versions([version["id"] for version in versions])


MODEL_ROUTES: tuple[Entry, ...] = (
    Entry("POST", f"{API}/models/delete_model", call(ModelDeletion, delete_model), note=_CONFIRMED),
    Entry(
        "POST",
        f"{API}/models/delete_model_versions",
        call(ModelVersionsDeletion, delete_model_versions),
        note=_CONFIRMED,
    ),
)

PIPELINE_ROUTES: tuple[Entry, ...] = (
    Entry("POST", f"{API}/pipelines/delete_pipeline", delete_pipeline),
    Entry("POST", f"{API}/pipelines/delete_pipeline_versions", delete_pipeline_versions),
)
