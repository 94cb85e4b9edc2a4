"""What the processes of a deployment have written, where the platform gives it."""

from __future__ import annotations

from dashboard.domain.pipeline import Pipeline
from dashboard.errors import Conflict
from dashboard.gateway.clients import Session
from dashboard.masking import REDACTOR

_PATH = "/v1/api/pipelines/get_sidekick_pod_logs"
#: Versions that do not know the call, and pods that have written nothing or are not known.
_NONE_THERE = (400, 404, 405, 501)


def newest_lines(
    session: Session, pipeline: Pipeline, pod_name: str, limit: int
) -> tuple[str, ...]:
    """Return up to `limit` lines, newest first.

    Over the SDK client's own HTTP client: `Pipeline.get_sidekick_pod_logs` reads the pipeline and
    its workspace first and opens a connection for each call.

    Raises
    ------
    Conflict
        Two workspaces have this one's name. The call knows names alone, so nobody could say whose
        lines come back.
    """
    _require_one_of_its_name(session, pipeline)
    wanted = {
        "pipeline_name": pipeline.name,
        "workspace_name": pipeline.workspace_name,
        "sidekick_name": pod_name,
        "limit": limit,
    }
    answer = session.client.httpx_client.post(_PATH, json=wanted)
    if answer.status_code in _NONE_THERE:
        return ()
    answer.raise_for_status()
    told = answer.json()
    lines = told.get("logs") if isinstance(told, dict) else None
    if not isinstance(lines, list) or not lines:
        return ()
    # A model may write what it was given, such as a token of its environment.
    return tuple(REDACTOR.redact("\n".join(map(str, lines[:limit]))).split("\n"))[:limit]


def _require_one_of_its_name(session: Session, pipeline: Pipeline) -> None:
    rooms = session.sdk.list_workspaces(session.client)
    named = {int(room["id"]) for room in rooms if room["name"] == pipeline.workspace_name}
    if named - {pipeline.workspace_id}:
        raise Conflict(
            f"The log is not shown: there are several workspaces called {pipeline.workspace_name}, "
            "and the platform is asked for a log by that name alone.",
            hint="Have one of them renamed, or look into the log on the platform.",
        )
