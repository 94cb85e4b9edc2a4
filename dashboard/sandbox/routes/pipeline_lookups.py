"""Look-ups of a pipeline by its name that programs without the SDK send."""

from __future__ import annotations

from starlette.requests import Request

from dashboard.sandbox.bodies import Body, storable
from dashboard.sandbox.context import sandbox_of
from dashboard.sandbox.errors import WireError
from dashboard.sandbox.routes.access import chosen_workspaces
from dashboard.sandbox.routes.calls import Id, reading
from dashboard.sandbox.routes.entry import API, Entry
from dashboard.sandbox.routes.pipelines import NamedPipeline, get_external_url


class PipelineSomewhere(Body):
    """A pipeline by name, in one workspace or in any of the sender's."""

    pipeline_name: str
    workspace_id: Id | None = None


def get_topic_name(request: Request, body: PipelineSomewhere) -> object:
    """Return the name of a pipeline's inference log; of the oldest workspace that has one."""
    name = storable(body.pipeline_name, "pipeline_name")
    store = sandbox_of(request).store
    for workspace_id in sorted(chosen_workspaces(request, body.workspace_id, None)):
        if store.pipelines.find(workspace_id, name) is not None:
            return {"topic_name": f"workspace-{workspace_id}-pipeline-{name}-inference"}
    raise WireError(404, f"Pipeline {name[:100]!r} not found")


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
)
