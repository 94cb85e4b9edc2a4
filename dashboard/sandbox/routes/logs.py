"""The inference logs: `/v1/logs/topic/<topic>` and `/v1/logs/topic/<topic>/records`."""

from __future__ import annotations

import asyncio
import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from dashboard.sandbox import arrow_tables
from dashboard.sandbox.bodies import parse_json, read_limited
from dashboard.sandbox.context import Json, sandbox_of, user_of
from dashboard.sandbox.errors import BadRequest, WireError, json_answer
from dashboard.sandbox.logstore import Query
from dashboard.sandbox.plans import model_topic
from dashboard.sandbox.routes.access import is_mine
from dashboard.sandbox.routes.entry import Entry
from dashboard.sandbox.tables import Selection

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams
    from starlette.requests import Request

    from dashboard.sandbox.context import Sandbox

_FAILURES = "-failures"
#: The SDK asks for a model's log without its workspace; see `model_topic`.
_MODEL_TOPIC = re.compile(r"model-(.+)-inference", re.DOTALL)
_WORKSPACE_TOPIC = re.compile(r"workspace-([0-9]{1,18})-", re.ASCII)
_DEFAULT_PAGE_ROWS = 1000
_LARGEST_PAGE_ROWS = 100_000


async def records(request: Request) -> Response:
    """Return one page of a topic as an Arrow IPC file."""
    sandbox = sandbox_of(request)
    topic = _existing_topic(request, sandbox)
    query = _query(request.query_params, await _from_offset(request))
    # The answer is always flat: the SDK reads columns by their joined names.
    selection = Selection.from_query(
        [("dataset.separator", "."), *request.query_params.multi_items()]
    )
    body = await asyncio.to_thread(_page, sandbox, topic, query, selection)
    return Response(body, media_type="application/vnd.apache.arrow.file")


async def partitions(request: Request) -> Response:
    """Return the range of offsets of a topic."""
    sandbox = sandbox_of(request)
    topic = _existing_topic(request, sandbox)
    end = await asyncio.to_thread(sandbox.logs.row_count, topic)
    spans = {_PARTITION: {"start": 0, "end": end}} if end else {}
    return json_answer({"partitions": spans})


#: The wire spreads a topic over engines; here all rows of a topic share one count.
_PARTITION = "p0"


def _page(sandbox: Sandbox, topic: str, query: Query, selection: Selection) -> bytes:
    page = sandbox.logs.read(topic, query)
    following = None if page.next_offset is None else {_PARTITION: page.next_offset}
    status = {"status": page.status, "next": following}
    return arrow_tables.to_ipc(arrow_tables.log_table(page.rows, selection, status))


def _existing_topic(request: Request, sandbox: Sandbox) -> str:
    """Return the topic under its own name, if it belongs to a workspace of the sender's.

    Raises
    ------
    WireError
        404 for any other.
    """
    topic: str = request.path_params["topic"]
    base = topic.removesuffix(_FAILURES)
    if found := _MODEL_TOPIC.fullmatch(base):
        base = _model_log(request, sandbox, found[1])
    elif not _is_readable(request, sandbox, base):
        raise WireError(404, "no topic")
    return base + _FAILURES if topic.endswith(_FAILURES) else base


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
    if isinstance(offset, bool) or not isinstance(offset, int) or not 0 <= offset < 2**63:
        raise BadRequest("The iterator must be the `next` of the page before")
    return offset


def _query(parameters: QueryParams, from_offset: int | None) -> Query:
    start, end = parameters.get("time.start"), parameters.get("time.end")
    order = parameters.get("order", "asc").lower()
    if order not in {"asc", "desc"}:
        raise BadRequest("order: must be asc or desc")
    return Query(
        newest_first=order == "desc",
        page_size=_page_size(parameters.get("page_size")),
        # Rows carry whole milliseconds: a bound within one takes the whole of it.
        start_ms=None if start is None else math.floor(_epoch_ms(start, "time.start")),
        end_ms=None if end is None else math.ceil(_epoch_ms(end, "time.end")),
        from_offset=from_offset,
    )


def _page_size(text: str | None) -> int:
    if text is None:
        return _DEFAULT_PAGE_ROWS
    if not (text.isascii() and text.isdecimal()):
        raise BadRequest("page_size: must be a whole number, 0 or more")
    return min(int(text[:12]), _LARGEST_PAGE_ROWS)


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
    Entry("POST", "/v1/logs/topic/{topic}/records", records, "Pipeline.logs"),
    Entry("GET", "/v1/logs/topic/{topic}", partitions, "Pipeline.export_logs"),
)
