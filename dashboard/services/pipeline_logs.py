"""A pipeline's inference log for those who are in its workspace, and as files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from dashboard.domain.identity import Identity
from dashboard.domain.inference import LogPage
from dashboard.domain.log_times import moment_of
from dashboard.domain.pipeline import Pipeline
from dashboard.errors import AccessDenied
from dashboard.services.catalog import GatewayOf
from dashboard.services.reads import Query
from dashboard.services.spreadsheet import safe_cell

_FRESH_S: Final = 15.0
#: First and last moment of what is wanted; None for the newest rows of any time.
Window = tuple[datetime, datetime] | None


def page(
    gateway: GatewayOf,
    who: Identity,
    pipeline: Pipeline,
    *,
    name: str,
    window: Callable[[], Window],
    limit: int,
) -> Query[LogPage]:
    """Return the newest rows of a window, newest first.

    Parameters
    ----------
    name
        Tells windows apart; the same name is the same read, though "the last hour" goes on.
    window
        Gives the window when it is read.

    Raises
    ------
    AccessDenied
        By the query's load: this person is not in the pipeline's workspace.
    """

    def load() -> LogPage:
        platform = gateway()
        rooms = platform.list_workspaces(who)
        if pipeline.workspace_id not in {room.workspace_id for room in rooms}:
            raise AccessDenied(
                "Only members of the pipeline's workspace read its log.",
                hint="Ask one of them to add you.",
            )
        wanted = window()
        if wanted is None:
            return platform.log_page(who, pipeline, limit=limit)
        start, end = wanted
        return platform.log_between(who, pipeline, start=start, end=end, limit=limit)

    return Query((who.key, "pipeline_log", pipeline.pipeline_id, name, limit), load, _FRESH_S)


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows as CSV, one column for each that any of them has, safe for spreadsheets."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    target = io.StringIO()
    writer = csv.writer(target)
    writer.writerow([safe_cell(name) for name in names])
    writer.writerows([_cell(name, row.get(name)) for name in names] for row in rows)
    return target.getvalue()


def json_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows as a JSON list of flat objects."""
    return json.dumps([dict(row) for row in rows], ensure_ascii=False, default=str, indent=1)


def _cell(name: str, value: object) -> object:
    if value is None:
        return ""
    if name == "time" and (at := moment_of(value)) is not None:
        return at.isoformat(timespec="milliseconds")
    if isinstance(value, bool | int | float):
        return value
    told = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return safe_cell(told)
