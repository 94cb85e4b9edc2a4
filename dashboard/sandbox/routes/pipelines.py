"""Pipelines: create, look up, deploy, undeploy, and what their deployment is doing."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated
from urllib.parse import quote

from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from dashboard.sandbox import pipeline_steps, shapes
from dashboard.sandbox.bodies import Body, read, storable
from dashboard.sandbox.context import Json, Sandbox, sandbox_of, user_of
from dashboard.sandbox.deployments import plan_of
from dashboard.sandbox.errors import BadRequest, WireError, json_answer
from dashboard.sandbox.plans import MOST_REPLICAS, most_replicas
from dashboard.sandbox.routes.access import (
    LARGEST_ID,
    chosen_workspaces,
    is_mine,
    member_workspace,
    my_deployment,
    my_model_version,
)
from dashboard.sandbox.routes.calls import Id, call, reading
from dashboard.sandbox.routes.entry import API, Entry
from dashboard.sandbox.routes.models import Scope
from dashboard.sandbox.routes.workspaces import workspace_json
from dashboard.sandbox.store import Row
from dashboard.sandbox.store.models import READY

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_NAME_RULE = "must be lower case letters, digits and dashes, and neither begin nor end with a dash"


class NewPipeline(Body):
    """A pipeline version; `pipeline_id` is the pipeline's name."""

    pipeline_id: Annotated[str, Field(min_length=1, max_length=63)]
    workspace_id: Id
    definition: dict[str, Json] | None = None


class NamedPipeline(Body):
    """A pipeline by name."""

    pipeline_name: str
    workspace_id: Id


class PipelineVersion(Body):
    """A pipeline version by its UUID."""

    version: str


class Deploy(Body):
    """What to deploy, and on what."""

    deploy_id: Annotated[str, Field(min_length=1, max_length=63)]
    pipeline_version_pk_id: Id | None = None
    pipeline_version: str | None = None
    engine_config: dict[str, Json] | None = None


class Undeploy(Body):
    """What to stop."""

    deployment_id: Id


class DeploymentName(Body):
    """A deployment by `<deploy_id>-<deployment id>`."""

    name: str


class PipelineId(Body):
    """A pipeline by its number."""

    pipeline_pk_id: Id


def create_pipeline(request: Request, body: NewPipeline) -> Row:
    """Add a version to the pipeline of this name, making it if there is none."""
    if not _NAME.fullmatch(body.pipeline_id):
        raise BadRequest(f"pipeline_id: {_NAME_RULE}")
    member_workspace(request, body.workspace_id)
    version = sandbox_of(request).store.pipelines.add_version(
        body.workspace_id,
        body.pipeline_id,
        owner_id=user_of(request).user_id,
        definition=body.definition or {},
    )
    return {
        "pipeline_pk_id": version["pipeline_pk"],
        "pipeline_variant_pk_id": version["id"],
        "pipeline_variant_version": version["version"],
    }


def list_pipelines(request: Request, body: Scope) -> object:
    """Return the pipelines of one or all of the sender's workspaces, newest first."""
    workspaces = chosen_workspaces(request, body.workspace_id, body.workspace_name)
    pipelines = sandbox_of(request).store.pipelines.of_workspaces(list(workspaces))
    return {"pipelines": _items(request, pipelines, workspaces)}


def get_pipeline(request: Request, body: NamedPipeline) -> Row:
    """Return one pipeline of a workspace."""
    workspace = member_workspace(request, body.workspace_id)
    name = storable(body.pipeline_name, "pipeline_name")
    found = sandbox_of(request).store.pipelines.find(workspace["id"], name)
    if found is None:
        raise WireError(404, f"Pipeline {name[:100]!r} not found in this workspace")
    item = _items(request, [found], {workspace["id"]: workspace})[0]
    # The SDK keeps what it was given: tags that are put on later must show, as on an instance.
    del item["pipeline"]["pipeline_tags"]
    return item


def get_version(request: Request, body: PipelineVersion) -> object:
    """Return one pipeline version with its definition."""
    store = sandbox_of(request).store
    version = store.pipelines.version_by_uuid(storable(body.version, "version"))
    pipeline = None if version is None else store.pipelines.get(version["pipeline_pk"])
    if version is None or pipeline is None or not is_mine(request, pipeline["workspace_id"]):
        raise WireError(404, "Pipeline version not found")
    return {
        "pipeline_id": pipeline["name"],
        "version": version["version"],
        "definition": version["definition"],
    }


async def deploy(request: Request) -> Response:
    """Start a pipeline version, or roll a running deployment over to it."""
    body = await read(request, Deploy)
    sandbox = sandbox_of(request)
    version = await run_in_threadpool(_version_to_deploy, request, body)
    async with turn_of(sandbox, version["pipeline_pk"]):
        deployment_id = await run_in_threadpool(_save, request, body)
        plan = await run_in_threadpool(plan_of, sandbox.store, deployment_id)
        if plan is None:
            raise WireError(404, "Pipeline version not found")  # everything was reset meanwhile
        await sandbox.fleet.deploy(plan)
    return json_answer({"id": deployment_id})


async def undeploy(request: Request) -> Response:
    """Stop a deployment; its row stays."""
    body = await read(request, Undeploy)
    sandbox = sandbox_of(request)
    deployment, pipeline = await run_in_threadpool(my_deployment, request, body.deployment_id)
    async with turn_of(sandbox, pipeline["id"]):
        await run_in_threadpool(sandbox.store.pipelines.stop_deployment, deployment["id"])
        await sandbox.fleet.undeploy(deployment["id"])
    return json_answer({})


async def get_status(request: Request) -> Response:
    """Return the status tree of a deployment; 404 when it is not running."""
    body = await read(request, DeploymentName)
    deploy_id, _, number = body.name.rpartition("-")
    is_id = number.isascii() and number.isdecimal() and len(number) < 19
    deployment_id = int(number) if is_id else LARGEST_ID
    deployment, _ = await run_in_threadpool(my_deployment, request, deployment_id)
    status = sandbox_of(request).fleet.status(deployment_id)
    if status is None or deployment["deploy_id"] != deploy_id:
        raise WireError(404, f"Deployment {body.name[:100]} not found")
    return json_answer(status)


def get_topic_name(request: Request, body: PipelineId) -> object:
    """Return the name of a pipeline's inference log."""
    pipeline = sandbox_of(request).store.pipelines.get(body.pipeline_pk_id)
    if pipeline is None or not is_mine(request, pipeline["workspace_id"]):
        raise WireError(404, f"Pipeline {body.pipeline_pk_id} not found")
    return {"topic_name": _topic(pipeline)}


def get_external_url(request: Request, body: NamedPipeline) -> object:
    """Return the address at which a deployed pipeline takes inferences."""
    member_workspace(request, body.workspace_id)
    sandbox = sandbox_of(request)
    name = storable(body.pipeline_name, "pipeline_name")
    pipeline = sandbox.store.pipelines.find(body.workspace_id, name)
    deployment = pipeline and sandbox.store.pipelines.deployment_of(pipeline["id"])
    if pipeline is None or deployment is None:
        raise WireError(404, f"Pipeline {name[:100]!r} has not been deployed")
    target = quote(f"{deployment['deploy_id']}-{deployment['id']}", safe="")
    return {"url": f"{sandbox.config.origin}/v1/api/pipelines/infer/{target}/{pipeline['name']}"}


def _items(request: Request, pipelines: list[Row], workspaces: dict[int, Row]) -> list[Row]:
    inlined = shapes.inline_pipelines(sandbox_of(request).store, pipelines, workspaces)
    return [
        {
            "pipeline": each,
            "plateau_topic": _topic(row),
            "workspace": workspace_json(workspaces[row["workspace_id"]]),
        }
        for row, each in zip(pipelines, inlined, strict=True)
    ]


def _topic(pipeline: Row) -> str:
    return f"workspace-{pipeline['workspace_id']}-pipeline-{pipeline['name']}-inference"


def turn_of(sandbox: Sandbox, pipeline_id: int) -> asyncio.Lock:
    """Return the lock under which a pipeline's state changes.

    Without it an undeploy could overtake a deploy between the store and the engines, and the
    two would disagree for ever.
    """
    return sandbox.turns.setdefault(pipeline_id, asyncio.Lock())


def _version_to_deploy(request: Request, body: Deploy) -> Row:
    if not _NAME.fullmatch(body.deploy_id):
        raise BadRequest(f"deploy_id: {_NAME_RULE}")
    pipelines = sandbox_of(request).store.pipelines
    if body.pipeline_version_pk_id is not None:
        version = pipelines.version(body.pipeline_version_pk_id)
    else:
        version = pipelines.version_by_uuid(storable(body.pipeline_version or "", "version"))
    pipeline = None if version is None else pipelines.get(version["pipeline_pk"])
    if version is None or pipeline is None or not is_mine(request, pipeline["workspace_id"]):
        raise WireError(404, "Pipeline version not found")
    return version


def _save(request: Request, body: Deploy) -> int:
    store = sandbox_of(request).store
    # Neither the version nor a model of it may be deleted between the checks and the writing.
    with store.database.transaction():
        return _save_checked(request, body, _version_to_deploy(request, body))


def _save_checked(request: Request, body: Deploy, version: Row) -> int:
    store = sandbox_of(request).store
    try:
        program = pipeline_steps.read(version["definition"])
    except pipeline_steps.BadDefinitionError as exc:
        raise BadRequest(f"definition.steps: {exc}") from exc
    config_ids = [_config_id(request, stub) for stub in program.models]
    engine_config = body.engine_config or {}
    if most_replicas(engine_config) > MOST_REPLICAS:
        raise BadRequest(f"engine_config.engine: the sandbox runs up to {MOST_REPLICAS} replicas")
    return store.pipelines.save_deployment(
        version,
        deploy_id=body.deploy_id,
        engine_config=engine_config,
        config_ids=config_ids,
    )


def _config_id(request: Request, stub: pipeline_steps.Stub) -> int:
    models = sandbox_of(request).store.models
    found = models.version_by_uuid(storable(stub["version"], "definition.steps"))
    if found is None:
        raise BadRequest(f"definition.steps: model {stub.get('name')} has no such version")
    version, model = my_model_version(request, found["id"])
    if version["status"] != READY:
        raise BadRequest(f"definition.steps: model {model['name']} is {version['status']}")
    config = models.config_of(version["id"]) or models.add_config(version["id"], {})
    return int(config["id"])


ROUTES: tuple[Entry, ...] = (
    Entry(
        "POST",
        f"{API}/pipelines/create",
        call(NewPipeline, create_pipeline),
        "build_pipeline, Pipeline.deploy, Pipeline.create_version",
    ),
    Entry(
        "POST",
        f"{API}/pipelines/list_pipelines",
        reading(Scope, list_pipelines),
        "list_pipelines",
    ),
    Entry(
        "POST",
        f"{API}/pipelines/get_pipeline_by_name",
        reading(NamedPipeline, get_pipeline),
        "get_pipeline",
    ),
    Entry(
        "POST",
        f"{API}/pipelines/get_version",
        call(PipelineVersion, get_version),
        "Pipeline.get_pipeline_configuration",
    ),
    Entry(
        "POST",
        f"{API}/pipelines/deploy",
        deploy,
        "Pipeline.deploy, PipelineVersion.deploy, ModelVersion.deploy",
        note="Steps: models in a chain, several models, shadow deployments, random and key splits, "
        "validations, audits, selections. A validation of other parts than columns, literals, "
        "operators and polars' own functions is refused.",
    ),
    Entry("POST", f"{API}/pipelines/undeploy", undeploy, "Pipeline.undeploy, Deployment.undeploy"),
    Entry(
        "POST",
        f"{API}/admin/get_pipeline_external_url",
        call(NamedPipeline, get_external_url),
        "Pipeline.get_external_url, Pipeline.generate_api_spec",
    ),
    Entry(
        "POST",
        f"{API}/status/get_deployment",
        get_status,
        "Pipeline.status, Pipeline.deploy, Pipeline.undeploy, Deployment.wait_for_running",
    ),
    Entry(
        "POST",
        f"{API}/plateau/get_topic_name",
        call(PipelineId, get_topic_name),
        "Pipeline.logs, Pipeline.export_logs, Pipeline.get_topic_name, get_topic_name",
    ),
)
