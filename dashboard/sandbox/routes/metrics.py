"""Metrics as Prometheus answers them: `/v1/api/metrics/query`, `query_range`, and their old path.

Only what was measured in workspaces of the sender's is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from dashboard.sandbox.bodies import parse_json, read_limited
from dashboard.sandbox.context import Json, sandbox_of, user_of
from dashboard.sandbox.errors import BadRequest, json_answer
from dashboard.sandbox.promql.evaluation import Evaluation, Reader, TooMuchError, Value
from dashboard.sandbox.promql.syntax import Node, QueryError, Selector, duration_s, parse
from dashboard.sandbox.routes.entry import API, Entry, Support

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

    from dashboard.sandbox.context import Sandbox

_MOST_POINTS = 11_000
#: Moments beyond it are no times of anything.
_LARGEST_TIME_S = 1e11
_FORM = "application/x-www-form-urlencoded"


class _Refusal(Exception):
    """What Prometheus answers to a query it cannot serve."""

    def __init__(self, status: int, error_type: str, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error_type = error_type
        self.error = error


#: Answers a query from its parameters, the series and the time of now in s.
_Work = Callable[["Mapping[str, str]", Reader, float], Json]


async def query(request: Request) -> Response:
    """Answer a query at one moment."""
    return await _answered(request, _instant)


async def query_range(request: Request) -> Response:
    """Answer a query at every step of a span of time."""
    return await _answered(request, _range)


async def _answered(request: Request, work: _Work) -> Response:
    sandbox = sandbox_of(request)
    try:
        parameters = await _parameters(request)
        reader = _reader(sandbox, user_of(request).user_id)
        result = await run_in_threadpool(work, parameters, reader, sandbox.clock())
    except _Refusal as exc:
        body = {"status": "error", "errorType": exc.error_type, "error": exc.error}
        return json_answer(body, exc.status)
    return json_answer({"status": "success", "data": result})


def _instant(parameters: Mapping[str, str], reader: Reader, now_s: float) -> Json:
    tree = _tree(parameters)
    text = parameters.get("time")
    time_s = now_s if text is None else _time_s(text, "time")
    evaluation = _evaluation(tree, [time_s], reader)
    if isinstance(tree, Selector) and tree.range_s is not None:
        series = [
            {"metric": labels, "values": [[_stamp(at), _text(value)] for at, value in points]}
            for labels, points in evaluation.matrix(tree, time_s)
        ]
        return {"resultType": "matrix", "result": series}
    value = _value(evaluation, time_s)
    if not isinstance(value, list):
        return {"resultType": "scalar", "result": [_stamp(time_s), _text(value)]}
    found = [
        {"metric": dict(labels), "value": [_stamp(time_s), _text(number)]}
        for labels, number in value
    ]
    return {"resultType": "vector", "result": found}


def _range(parameters: Mapping[str, str], reader: Reader, _now_s: float) -> Json:
    tree = _tree(parameters)
    times_s = _steps(parameters)
    evaluation = _evaluation(tree, times_s, reader)
    found: dict[tuple[tuple[str, str], ...], list[list[object]]] = {}
    for time_s in times_s:
        value = _value(evaluation, time_s)
        for labels, number in value if isinstance(value, list) else [((), value)]:
            found.setdefault(labels, []).append([_stamp(time_s), _text(number)])
    series = [{"metric": dict(labels), "values": values} for labels, values in found.items()]
    return {"resultType": "matrix", "result": series}


def _tree(parameters: Mapping[str, str]) -> Node:
    try:
        return parse(parameters.get("query", ""))
    except QueryError as exc:
        raise _bad("query", str(exc)) from exc


def _evaluation(tree: Node, times_s: Sequence[float], reader: Reader) -> Evaluation:
    try:
        return Evaluation(tree, times_s, reader)
    except QueryError as exc:
        raise _bad("query", str(exc)) from exc
    except TooMuchError as exc:
        raise _Refusal(422, "execution", str(exc)) from exc


def _value(evaluation: Evaluation, time_s: float) -> Value:
    try:
        return evaluation.at(time_s)
    except QueryError as exc:
        raise _bad("query", str(exc)) from exc
    except TooMuchError as exc:
        raise _Refusal(422, "execution", str(exc)) from exc


def _steps(parameters: Mapping[str, str]) -> list[float]:
    start_s = _time_s(parameters.get("start", ""), "start")
    end_s = _time_s(parameters.get("end", ""), "end")
    if end_s < start_s:
        raise _bad("end", "end timestamp must not be before start time")
    step_s = _step_s(parameters.get("step", ""))
    if (end_s - start_s) / step_s > _MOST_POINTS:
        raise _Refusal(
            400,
            "bad_data",
            "exceeded maximum resolution of 11,000 points per timeseries. "
            "Try decreasing the query resolution (?step=XX)",
        )
    return [start_s + step_s * number for number in range(int((end_s - start_s) / step_s) + 1)]


def _time_s(text: str, name: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = _iso_s(text)
    if not abs(seconds) <= _LARGEST_TIME_S:
        raise _bad(name, f'cannot parse "{text[:50]}" to a valid timestamp')
    return seconds


def _iso_s(text: str) -> float:
    # A "+" of the offset that was not percent-encoded arrives as a space.
    repaired = text.replace(" ", "+") if "T" in text else text
    try:
        moment = datetime.fromisoformat(repaired)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return math.nan


def _step_s(text: str) -> float:
    try:
        step_s = float(text)
    except ValueError:
        try:
            step_s = duration_s(text)
        except QueryError as exc:
            raise _bad("step", f'cannot parse "{text[:50]}" to a valid duration') from exc
    if not 0 < step_s <= _LARGEST_TIME_S:
        raise _bad(
            "step",
            "zero or negative query resolution step widths are not accepted. "
            "Try a positive integer",
        )
    return step_s


def _bad(name: str, reason: str) -> _Refusal:
    return _Refusal(400, "bad_data", f'invalid parameter "{name}": {reason}')


async def _parameters(request: Request) -> dict[str, str]:
    """Return the parameters of the address, and of a form or a JSON object in the body."""
    found = dict(request.query_params)
    body = await _body(request)
    if not body.strip():
        return found
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == _FORM:
        pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
        return found | dict(pairs)
    try:
        value = parse_json(body)
    except BadRequest as exc:
        raise _Refusal(400, "bad_data", f"error parsing form values: {exc.msg}") from exc
    if not isinstance(value, dict):
        raise _Refusal(400, "bad_data", "error parsing form values: expected an object")
    return found | {name: str(each) for name, each in value.items() if each is not None}


async def _body(request: Request) -> bytes:
    try:
        return await read_limited(request)
    except BadRequest as exc:
        raise _Refusal(413, "bad_data", exc.msg) from exc


def _reader(sandbox: Sandbox, user_id: str) -> Reader:
    workspace_ids = [row["id"] for row in sandbox.store.workspaces.of_user(user_id)]
    return lambda metric, span_s, wanted: sandbox.logs.series(
        metric, workspace_ids=workspace_ids, span_s=span_s, wanted=wanted
    )


def _stamp(time_s: float) -> float | int:
    rounded = round(time_s, 3)
    return int(rounded) if rounded.is_integer() else rounded


def _text(value: float) -> str:
    """Return a number as Prometheus writes it: never with an exponent."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value.is_integer():
        return str(int(value))
    return format(Decimal(repr(value)), "f")


_NOTE: Final = (
    "The queries of the platform's dashboards: rates, quantiles of the latency, memory and "
    "replica counts. A sidekick's memory is its engine's: they are one process here. What is "
    "measured of a cluster's nodes, volumes and topics has no series."
)

ROUTES: tuple[Entry, ...] = tuple(
    Entry(method, f"{base}/{name}", endpoint, support=Support.PARTLY, note=_NOTE)
    for base in (f"{API}/metrics", "/v1/metrics/api/v1")
    for name, endpoint in (("query", query), ("query_range", query_range))
    for method in ("GET", "POST")
)
