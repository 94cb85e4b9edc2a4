"""Sidekick pods: what one said, and which ones a pipeline had."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field
from starlette.requests import Request

from dashboard.sandbox.bodies import Body, storable
from dashboard.sandbox.context import sandbox_of
from dashboard.sandbox.errors import BadRequest, WireError
from dashboard.sandbox.pod_logs import PodLog
from dashboard.sandbox.routes.access import chosen_workspaces, member_workspace
from dashboard.sandbox.routes.calls import Id, call
from dashboard.sandbox.routes.entry import API, Entry

_DEFAULT_LINES = 100
_MOST_LINES = 10_000


class PodOfPipeline(Body):
    """A sidekick pod by name, and which of its lines."""

    pipeline_name: str
    workspace_name: str
    sidekick_name: str
    start_datetime: str | None = None
    end_datetime: str | None = None
    limit: Annotated[int | None, Field(ge=0)] = None


class PodsOfPipeline(Body):
    """The pods of a pipeline; `model_id` is a model's name."""

    pipeline_name: str
    workspace_id: Id
    model_id: str | None = None


def get_pod_logs(request: Request, body: PodOfPipeline) -> object:
    """Return the lines of a pod, the newest first."""
    workspace_name = storable(body.workspace_name, "workspace_name")
    (workspace_id,) = chosen_workspaces(request, None, workspace_name)
    for log in _pods(request, workspace_id, body.pipeline_name):
        if log.pod == body.sidekick_name:
            limit = _DEFAULT_LINES if body.limit is None else min(body.limit, _MOST_LINES)
            lines = log.newest_first(
                start_s=_epoch_s(body.start_datetime, "start_datetime"),
                end_s=_epoch_s(body.end_datetime, "end_datetime"),
                limit=limit,
            )
            return {"logs": lines}
    raise WireError(404, f"Pod {body.sidekick_name[:100]} not found")


def get_pods_history(request: Request, body: PodsOfPipeline) -> object:
    """Return the pods that are no more, the one started last first."""
    member_workspace(request, body.workspace_id)
    gone = [
        log
        for log in _pods(request, body.workspace_id, body.pipeline_name)
        if not log.is_current and body.model_id in (None, log.step.model_name)
    ]
    return {"pods": [_entry(log) for log in gone]}


def _pods(request: Request, workspace_id: int, pipeline_name: str) -> list[PodLog]:
    """Return the pods of a pipeline; 404 if there is no such pipeline."""
    sandbox = sandbox_of(request)
    name = storable(pipeline_name, "pipeline_name")
    if sandbox.store.pipelines.find(workspace_id, name) is None:
        raise WireError(404, f"Pipeline {name[:100]!r} not found in this workspace")
    return sandbox.fleet.pod_logs.of_pipeline(workspace_id, name)


def _entry(log: PodLog) -> dict[str, str]:
    started = datetime.fromtimestamp(log.started_s, UTC).isoformat(timespec="milliseconds")
    return {
        "sidekick_name": log.pod,
        "started_at": started.replace("+00:00", "Z"),
        "pipeline_model_step": log.step.model_name,
        "model_sha": log.step.sha,
        "model_version": log.step.model_version,
    }


def _epoch_s(text: str | None, field: str) -> float | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as exc:
        raise BadRequest(f"{field}: must be an ISO 8601 date and time") from exc


ROUTES: tuple[Entry, ...] = (
    Entry(
        "POST",
        f"{API}/pipelines/get_sidekick_pod_logs",
        call(PodOfPipeline, get_pod_logs),
        "Pipeline.get_sidekick_pod_logs",
    ),
    Entry(
        "POST",
        f"{API}/pipelines/get_sidekick_pods_history",
        call(PodsOfPipeline, get_pods_history),
        "Pipeline.get_sidekick_pods_history",
    ),
)
