"""What the processes of a deployment have written, where the platform gives it."""

from __future__ import annotations

from dashboard.domain.pipeline import Pipeline
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
    """
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
