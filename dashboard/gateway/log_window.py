"""The rows of a pipeline's log between two moments, newest first.

With dates the platform gives the oldest rows first, a thousand at a time: it is asked on until the
window's end, and the newest rows are kept.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from dashboard.domain.inference import LogPage
from dashboard.domain.pipeline import Pipeline
from dashboard.errors import UnexpectedAnswer
from dashboard.gateway import translate
from dashboard.gateway.clients import Json, Session

#: `*` cannot be combined with metadata.
PARTS: Final = ("time", "in", "out", "anomaly", "metadata")
_ARROW: Final = "application/vnd.apache.arrow.file"
_MOST_PAGES: Final = 20
_WHOLE: Final = "All"


def rows_between(
    session: Session, pipeline: Pipeline, start: datetime, end: datetime, limit: int
) -> LogPage:
    """Return up to `limit` of the newest rows from `start` to `end`, both included."""
    topic = quote(session.client.get_topic_name(pipeline.pipeline_id), safe="")
    asked: dict[str, Any] = {
        "time.start": start.astimezone(UTC).isoformat(),
        "time.end": end.astimezone(UTC).isoformat(),
        "dataset[]": list(PARTS),
        "dataset.separator": ".",
    }
    kept: deque[Mapping[str, Any]] = deque(maxlen=limit)
    seen, status = 0, _WHOLE
    following: Json = {}
    for _ in range(_MOST_PAGES):
        answer = session.client.httpx_client.post(
            f"/v1/logs/topic/{topic}/records",
            params=asked,
            json=following,
            headers={"Accept": _ARROW},
        )
        if answer.status_code == 404:
            return LogPage((), is_complete=True)
        answer.raise_for_status()
        rows, status, following = _page(session, answer.content)
        seen += len(rows)
        kept.extend(rows)
        if not following:
            break
    newest = tuple(reversed(kept))
    if following:
        # The window is longer than anybody reads: its newest rows were not reached.
        return LogPage(newest, is_complete=False, cut_by=status)
    return LogPage(newest, is_complete=seen <= limit)


def _page(session: Session, content: bytes) -> tuple[list[dict[str, Any]], str, Json]:
    arrow = session.sdk.arrow
    try:
        table = arrow.ipc.open_file(content).read_all()
        told = json.loads((table.schema.metadata or {}).get(b"status", b"{}"))
        rows = [translate.plain_row(row) for row in table.to_pylist()]
    except (arrow.ArrowInvalid, ValueError) as exc:
        raise UnexpectedAnswer("The platform's log could not be read.") from exc
    status = str(told.get("status") or _WHOLE) if isinstance(told, dict) else _WHOLE
    following = told.get("next") if isinstance(told, dict) and status != _WHOLE else None
    return rows, status, following or None
