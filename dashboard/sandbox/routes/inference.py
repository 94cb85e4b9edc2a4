"""`POST /v1/api/pipelines/infer/<deploy_id>-<deployment id>/<pipeline name>`.

The answer's form follows the request: records, Arrow, or nested records when no separator was
asked for. The fleet has every row in the log before it is answered.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from dashboard.sandbox import arrow_tables
from dashboard.sandbox.bodies import read_limited
from dashboard.sandbox.context import Json, sandbox_of
from dashboard.sandbox.errors import BadRequest, EngineError, WireError
from dashboard.sandbox.routes.access import is_mine
from dashboard.sandbox.routes.entry import API, Entry
from dashboard.sandbox.tables import (
    Row,
    Selection,
    flat_rows,
    nested_rows,
    rows_from_json,
    to_json,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from dashboard.sandbox.context import Sandbox
    from dashboard.sandbox.fleet import Inference

ARROW_FILE = "application/vnd.apache.arrow.file"
_JSON = "application/json"

#: Largest inference body; the gateway of an instance has such a limit, too.
LARGEST_BODY_BYTES = 128 * 1024 * 1024
#: Records per piece when a long answer is written, so that other requests get their turn.
_RECORDS_PER_PIECE = 500


@dataclass(frozen=True, slots=True)
class _Sent:
    """What a request holds: its rows, and of an Arrow file the types and the table itself."""

    rows: list[Row]
    types: dict[str, str] = field(default_factory=dict)
    table: Json = None


async def infer(request: Request) -> Response:
    """Answer one inference request."""
    sandbox = sandbox_of(request)
    deployment_id = _deployment_id(request, sandbox)
    body = await _read_body(request)
    sent_type = _media_type(request.headers.get("content-type", _JSON))
    sent = await _read_rows(body, sent_type)
    rows = sent.rows
    selection = Selection.from_query(request.query_params.multi_items())
    wants_arrow = _wants_arrow(request.headers.get("accept", ""), sent_type)
    if not rows and not wants_arrow:
        return Response(b"[]", media_type=_JSON)
    answer = await sandbox.fleet.infer(deployment_id, rows, input_types=sent.types)
    if not wants_arrow:
        in_form = flat_rows if selection.separator else nested_rows
        records = in_form(
            rows,
            answer.outputs,
            time_ms=answer.time_ms,
            metadata=answer.metadata,
            selection=selection,
        )
        return Response(await _in_pieces(records), media_type=_JSON)
    return Response(
        await asyncio.to_thread(_in_arrow, sent, answer, selection), media_type=ARROW_FILE
    )


def _in_arrow(sent: _Sent, answer: Inference, selection: Selection) -> bytes:
    table = arrow_tables.answer_table(
        sent.rows if sent.table is None else sent.table,
        answer.outputs,
        time_ms=answer.time_ms,
        metadata=answer.metadata,
        output_types=answer.output_types,
        selection=selection,
    )
    return arrow_tables.to_ipc(table)


def _deployment_id(request: Request, sandbox: Sandbox) -> int:
    """Return the deployment the URL names.

    Raises
    ------
    WireError
        404 when nothing is deployed under exactly this name in a workspace of the sender's.
    """
    target, pipeline_name = request.path_params["target"], request.path_params["pipeline"]
    deploy_id, _, number = target.rpartition("-")
    is_number = number.isascii() and number.isdecimal() and len(number) < 19
    deployment_id = int(number) if is_number else -1
    plan = sandbox.fleet.plan(deployment_id)
    if (
        plan is None
        or (plan.deploy_id, plan.pipeline_name) != (deploy_id, pipeline_name)
        or not is_mine(request, plan.workspace_id)
    ):
        if plan is None and _was_undeployed(request, sandbox, deployment_id, pipeline_name):
            raise WireError(404, f"pipeline {pipeline_name} is not deployed: it was undeployed")
        raise WireError(404, f"pipeline {pipeline_name} is not deployed as {target}")
    return deployment_id


def _was_undeployed(
    request: Request, sandbox: Sandbox, deployment_id: int, pipeline_name: str
) -> bool:
    pipelines = sandbox.store.pipelines
    deployment = pipelines.deployment(deployment_id)
    if deployment is None or deployment["deployed"]:
        return False
    pipeline = pipelines.get(deployment["pipeline_pk"])
    return (
        pipeline is not None
        and pipeline["name"] == pipeline_name
        and is_mine(request, pipeline["workspace_id"])
    )


def _media_type(header: str) -> str:
    return header.partition(";")[0].strip().lower()


def _wants_arrow(accept: str, sent_type: str) -> bool:
    accepted = {_media_type(part) for part in accept.split(",")}
    if ARROW_FILE in accepted:
        return True
    return sent_type == ARROW_FILE and _JSON not in accepted


async def _read_body(request: Request) -> bytes:
    """Return the body.

    Raises
    ------
    EngineError
        413 when it is too large.
    """
    try:
        return await read_limited(request, limit_bytes=LARGEST_BODY_BYTES)
    except BadRequest as exc:
        raise EngineError(413, exc.msg) from exc


async def _read_rows(body: bytes, sent_type: str) -> _Sent:
    if sent_type == ARROW_FILE:
        return await asyncio.to_thread(_from_arrow, body)
    if sent_type not in {_JSON, "", "text/json"}:
        raise EngineError(400, f"the content type {sent_type[:100]!r} is not supported")
    return _Sent(rows_from_json(body))


def _from_arrow(body: bytes) -> _Sent:
    table = arrow_tables.table_from_ipc(body)
    return _Sent(arrow_tables.rows_of(table), arrow_tables.type_names(table), table)


async def _in_pieces(records: Sequence[Row]) -> bytes:
    if len(records) <= _RECORDS_PER_PIECE:
        return to_json(records)
    pieces = []
    for first in range(0, len(records), _RECORDS_PER_PIECE):
        pieces.append(to_json(records[first : first + _RECORDS_PER_PIECE])[1:-1])
        await asyncio.sleep(0)
    return b"[" + b",".join(pieces) + b"]"


routes = [
    Route("/v1/api/pipelines/infer/{target}/{pipeline}", infer, methods=["POST"]),
]


ROUTES: tuple[Entry, ...] = (
    Entry(
        "POST",
        f"{API}/pipelines/infer/{{target}}/{{pipeline}}",
        infer,
        "Pipeline.infer, Pipeline.infer_from_file, Pipeline.async_infer, Pipeline.parallel_infer, "
        "Deployment.infer, Deployment.infer_from_file, Deployment.async_infer",
    ),
)
