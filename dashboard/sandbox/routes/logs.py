"""The inference logs: the topics the SDK reads, and `pipelines/get_logs` for everybody else."""

from __future__ import annotations

import asyncio
import base64
import json
import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import StrictInt
from starlette.responses import Response
from starlette.routing import Route

from dashboard.sandbox import arrow_tables
from dashboard.sandbox.bodies import Body, parse_json, read, read_limited, storable
from dashboard.sandbox.context import Json, sandbox_of, user_of
from dashboard.sandbox.errors import BadRequest, WireError, json_answer
from dashboard.sandbox.log_batches import FAILURES
from dashboard.sandbox.logstore import Page, Query
from dashboard.sandbox.plans import model_topic
from dashboard.sandbox.routes.access import is_mine, member_workspace
from dashboard.sandbox.routes.calls import Id
from dashboard.sandbox.routes.entry import API, Entry
from dashboard.sandbox.tables import Row, Selection, nested_row, to_json

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams
    from starlette.requests import Request

    from dashboard.sandbox.context import Sandbox

_ARROW_FILE = "application/vnd.apache.arrow.file"
#: The SDK asks for a model's log without its workspace; see `model_topic`.
_MODEL_TOPIC = re.compile(r"model-(.+)-inference", re.DOTALL)
_WORKSPACE_TOPIC = re.compile(r"workspace-([0-9]{1,18})-", re.ASCII)
_DEFAULT_PAGE_ROWS = 1000
_LARGEST_PAGE_ROWS = 100_000
#: The wire spreads a topic over engines; here all rows of a topic share one count.
_PARTITION = "p0"


class LogsOfPipeline(Body):
    """Which rows of a pipeline's log; a `cursor` goes on where its page ended."""

    pipeline_name: str
    workspace_id: Id
    order: str | None = None
    cursor: str | None = None
    page_size: StrictInt | None = None
    start_time: str | None = None
    end_time: str | None = None


async def records(request: Request) -> Response:
    """Return one page of a topic as an Arrow IPC file."""
    sandbox = sandbox_of(request)
    topic = _existing_topic(request, sandbox)
    query = _query(request.query_params, await _from_offset(request))
    selection = Selection.from_query(request.query_params.multi_items())
    body = await asyncio.to_thread(_arrow_page, sandbox, topic, query, selection)
    return Response(body, media_type=_ARROW_FILE)


async def partitions(request: Request) -> Response:
    """Return the range of offsets of a topic."""
    sandbox = sandbox_of(request)
    topic = _existing_topic(request, sandbox)
    end = await asyncio.to_thread(sandbox.logs.row_count, topic)
    spans = {_PARTITION: {"start": 0, "end": end}} if end else {}
    return json_answer({"partitions": spans})


async def get_logs(request: Request) -> Response:
    """Return one page of a pipeline's log: nested records, or Arrow if that is accepted."""
    body = await read(request, LogsOfPipeline)
    sandbox = sandbox_of(request)
    member_workspace(request, body.workspace_id)
    name = storable(body.pipeline_name, "pipeline_name")
    if sandbox.store.pipelines.find(body.workspace_id, name) is None:
        raise WireError(404, f"Pipeline {name[:100]!r} not found")
    query = _from_cursor(body.cursor, body.page_size) if body.cursor else _body_query(body)
    topic = f"workspace-{body.workspace_id}-pipeline-{name}-inference"
    wants_arrow = _ARROW_FILE in request.headers.get("accept", "")
    content, page = await asyncio.to_thread(_nested_page, sandbox, topic, query, wants_arrow)
    headers = {"x-iteration-status": page.status}
    if page.next_offset is not None:
        headers["x-iteration-cursor"] = _cursor(query, page.next_offset)
    media_type = _ARROW_FILE if wants_arrow else "application/json; format=pandas-records"
    return Response(content, headers=headers, media_type=media_type)


def _arrow_page(sandbox: Sandbox, topic: str, query: Query, selection: Selection) -> bytes:
    page = sandbox.logs.read(topic, query)
    return _arrow(page, selection)


def _arrow(page: Page, selection: Selection) -> bytes:
    following = None if page.next_offset is None else {_PARTITION: page.next_offset}
    status = {"status": page.status, "next": following}
    return arrow_tables.to_ipc(arrow_tables.log_table(page.rows, selection, status))


def _nested_page(
    sandbox: Sandbox, topic: str, query: Query, wants_arrow: bool
) -> tuple[bytes, Page]:
    page = sandbox.logs.read(topic, query)
    selection = Selection()
    if wants_arrow:
        return _arrow(page, selection), page
    found: list[Row] = [
        nested_row(
            row.inputs,
            row.outputs,
            time_ms=row.time_ms,
            metadata=row.metadata,
            selection=selection,
        )
        for row in page.rows
    ]
    return to_json(found), page


def _existing_topic(request: Request, sandbox: Sandbox) -> str:
    """Return the topic under its own name, if it belongs to a workspace of the sender's.

    Raises
    ------
    WireError
        404 for any other.
    """
    topic: str = request.path_params["topic"]
    base = topic.removesuffix(FAILURES)
    if found := _MODEL_TOPIC.fullmatch(base):
        base = _model_log(request, sandbox, found[1])
    elif not _is_readable(request, sandbox, base):
        raise WireError(404, "no topic")
    return base + FAILURES if topic.endswith(FAILURES) else base


def _is_readable(request: Request, sandbox: Sandbox, topic: str) -> bool:
    owner = _WORKSPACE_TOPIC.match(topic)
    if owner is None or not is_mine(request, int(owner[1])):
        return False
    return sandbox.store.topic_exists(topic) or sandbox.logs.row_count(topic) > 0


def _model_log(request: Request, sandbox: Sandbox, model_name: str) -> str:
    """Return the log of the sender's model of this name: the first with rows, or an empty one."""
    store = sandbox.store
    mine = store.workspaces.of_user(user_of(request).user_id)
    logs = [
        model_topic(workspace["id"], model_name)
        for workspace in mine
        if store.models.find(workspace["id"], model_name) is not None
    ]
    if not logs:
        raise WireError(404, "no topic")
    return next((name for name in logs if sandbox.logs.row_count(name)), logs[0])


async def _from_offset(request: Request) -> int | None:
    """Read the iterator: `{}` at first, then what the page before gave as `next`."""
    text = await read_limited(request)
    iterator: Json = parse_json(text) if text.strip() else {}
    if not iterator:
        return None
    offset = next(iter(iterator.values())) if isinstance(iterator, dict) else None
    if not isinstance(offset, int) or not _is_offset(offset):
        raise BadRequest("The iterator must be the `next` of the page before")
    return offset


def _is_offset(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _query(parameters: QueryParams, from_offset: int | None) -> Query:
    start, end = parameters.get("time.start"), parameters.get("time.end")
    return Query(
        newest_first=_is_descending(parameters.get("order")),
        page_size=_page_size(parameters.get("page_size")),
        start_ms=None if start is None else _first_ms(start, "time.start"),
        end_ms=None if end is None else _last_ms(end, "time.end"),
        from_offset=from_offset,
    )


def _body_query(body: LogsOfPipeline) -> Query:
    start, end = body.start_time, body.end_time
    if (start is None) != (end is None):
        raise BadRequest("start_time and end_time must be given together")
    return Query(
        newest_first=_is_descending(body.order),
        page_size=_page_size(None if body.page_size is None else str(body.page_size)),
        start_ms=None if start is None else _first_ms(start, "start_time"),
        end_ms=None if end is None else _last_ms(end, "end_time"),
    )


def _cursor(query: Query, next_offset: int) -> str:
    """Return what goes on with `query` at an offset, as one opaque word."""
    place = [next_offset, query.newest_first, query.page_size, query.start_ms, query.end_ms]
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode("ascii")


def _from_cursor(cursor: str, page_size: int | None) -> Query:
    """Return the query a cursor stands for; callers seldom repeat the rest of their request."""
    refusal = BadRequest("cursor: must be the x-iteration-cursor of the page before")
    try:
        place: Any = json.loads(base64.b64decode(cursor.encode("ascii"), b"-_", validate=True))
    except (ValueError, RecursionError) as exc:
        raise refusal from exc
    if not isinstance(place, list) or len(place) != 5 or not isinstance(place[1], bool):
        raise refusal
    offset, newest_first, former_size, start_ms, end_ms = place
    bounds = (0 if start_ms is None else start_ms, 0 if end_ms is None else end_ms)
    if not all(_is_offset(each) for each in (offset, former_size, *map(_magnitude, bounds))):
        raise refusal
    size = former_size if page_size is None else page_size
    return Query(
        newest_first=newest_first,
        page_size=_page_size(str(size)),
        start_ms=start_ms,
        end_ms=end_ms,
        from_offset=offset,
    )


def _magnitude(value: object) -> object:
    return abs(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _is_descending(order: str | None) -> bool:
    found = (order or "asc").lower()
    if found not in {"asc", "desc"}:
        raise BadRequest("order: must be asc or desc")
    return found == "desc"


def _page_size(text: str | None) -> int:
    if text is None:
        return _DEFAULT_PAGE_ROWS
    if not (text.isascii() and text.isdecimal()):
        raise BadRequest("page_size: must be a whole number, 0 or more")
    # No number this long is smaller than the largest page.
    return min(int(text[:12]), _LARGEST_PAGE_ROWS)


def _first_ms(text: str, field: str) -> int:
    # Rows carry whole milliseconds: a bound within one takes the whole of it.
    return math.floor(_epoch_ms(text, field))


def _last_ms(text: str, field: str) -> int:
    return math.ceil(_epoch_ms(text, field))


def _epoch_ms(text: str, field: str) -> float:
    # A "+" of the offset that was not percent-encoded arrives as a space.
    repaired = text.replace(" ", "+") if "T" in text else text
    try:
        moment = datetime.fromisoformat(repaired)
        zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return zoned.timestamp() * 1000
    except (ValueError, OverflowError) as exc:
        raise BadRequest(f"{field}: must be an ISO 8601 date and time") from exc


routes = [
    Route("/v1/logs/topic/{topic}/records", records, methods=["POST"]),
    Route("/v1/logs/topic/{topic}", partitions, methods=["GET"]),
]


ROUTES: tuple[Entry, ...] = (
    Entry(
        "POST",
        "/v1/logs/topic/{topic}/records",
        records,
        "Pipeline.logs, Pipeline.export_logs, ModelVersion.logs, get_logs, get_raw_logs, "
        "get_raw_pipeline_inference_logs, get_pipeline_inference_dataframe",
    ),
    Entry(
        "GET", "/v1/logs/topic/{topic}", partitions, "get_raw_logs, get_raw_pipeline_inference_logs"
    ),
    Entry("POST", f"{API}/pipelines/get_logs", get_logs),
)
