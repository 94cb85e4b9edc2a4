"""What programs without the SDK ask of a pipeline by its name, and the copy of a pipeline."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from starlette.requests import Request

from dashboard.sandbox.bodies import Body, storable
from dashboard.sandbox.context import Json, sandbox_of
from dashboard.sandbox.errors import WireError
from dashboard.sandbox.routes.access import chosen_workspaces, member_workspace
from dashboard.sandbox.routes.calls import Id, call, reading
from dashboard.sandbox.routes.entry import API, Entry, Support
from dashboard.sandbox.routes.pipelines import (
    NamedPipeline,
    NewPipeline,
    create_pipeline,
    get_external_url,
    get_pipeline,
)
from dashboard.sandbox.shapes import CREATED_ON_VERSION
from dashboard.sandbox.store import Row


class PipelineSomewhere(Body):
    """A pipeline by name, in one workspace or in any of the sender's."""

    pipeline_name: str
    workspace_id: Id | None = None


class VersionsOf(Body):
    """A pipeline by its name; the wire calls that `pipeline_id` here."""

    pipeline_id: str
    workspace_id: Id


class Copy(Body):
    """A pipeline to copy, and the name of the new one in the same workspace."""

    name: Annotated[str, Field(min_length=1, max_length=63)]
    workspace_id: Id
    source_pipeline: Id
    deploy: Json = None
    engine_config: Json = None
    pipeline_version: Json = None


def get_topic_name(request: Request, body: PipelineSomewhere) -> object:
    """Return the name of a pipeline's inference log; of the oldest workspace that has one."""
    name = storable(body.pipeline_name, "pipeline_name")
    store = sandbox_of(request).store
    for workspace_id in sorted(chosen_workspaces(request, body.workspace_id, None)):
        if store.pipelines.find(workspace_id, name) is not None:
            return {"topic_name": f"workspace-{workspace_id}-pipeline-{name}-inference"}
    raise WireError(404, f"Pipeline {name[:100]!r} not found")


def list_versions(request: Request, body: VersionsOf) -> object:
    """Return the versions of a pipeline, newest first."""
    store = sandbox_of(request).store
    asked = NamedPipeline(pipeline_name=body.pipeline_id, workspace_id=body.workspace_id)
    item = get_pipeline(request, asked)
    pipeline = item["pipeline"]
    versions = store.pipelines.versions_of([pipeline["id"]]).get(pipeline["id"], [])
    return {
        "pipeline_versions": [
            item | {"pipeline_version": _version_json(each, pipeline, body.workspace_id)}
            for each in versions
        ]
    }


def _version_json(version: Row, pipeline: Row, workspace_id: int) -> Row:
    return {
        "id": pipeline["name"],
        "workspace_id": workspace_id,
        "created_at": version["created_at"],
        "created_by": pipeline["owner_id"],
        "created_on_version": CREATED_ON_VERSION,
        "version": version["version"],
    }


def copy(request: Request, body: Copy) -> object:
    """Make a new pipeline of the newest version of another one."""
    if not (body.deploy is body.engine_config is body.pipeline_version is None):
        raise WireError(501, "The sandbox copies a pipeline's newest version and deploys nothing")
    pipelines = sandbox_of(request).store.pipelines
    with sandbox_of(request).store.database.transaction():
        source = pipelines.get(body.source_pipeline)
        versions = pipelines.versions_of([body.source_pipeline]).get(body.source_pipeline)
        if source is None or not versions or source["workspace_id"] != body.workspace_id:
            member_workspace(request, body.workspace_id)
            raise WireError(404, f"Pipeline {body.source_pipeline} not found in this workspace")
        if pipelines.find(body.workspace_id, storable(body.name, "name")) is not None:
            raise WireError(409, "There is a pipeline of this name already")
        made = create_pipeline(
            request,
            NewPipeline(
                pipeline_id=body.name,
                workspace_id=body.workspace_id,
                definition=versions[0]["definition"],
            ),
        )
    del made["pipeline_variant_version"]
    return made | {"pipeline_version": None, "deployment": None}


ROUTES: tuple[Entry, ...] = (
    Entry(
        "POST", f"{API}/plateau/get_pipeline_topic_name", reading(PipelineSomewhere, get_topic_name)
    ),
    Entry(
        "POST",
        f"{API}/admin/get_pipeline_internal_url",
        reading(NamedPipeline, get_external_url),
        note="The same address as the external one: there is no cluster with an inside.",
    ),
    Entry("POST", f"{API}/pipelines/list_pipeline_versions", reading(VersionsOf, list_versions)),
    Entry(
        "POST",
        f"{API}/pipelines/copy",
        call(Copy, copy),
        support=Support.PARTLY,
        note="The newest version, and no deployment of the copy.",
    ),
)
