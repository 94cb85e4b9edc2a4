"""Inferences on a deployed pipeline: one attempt each, with the time of its parts measured.

The SDK's `infer` sends a request up to eleven times and can block for minutes; its `async_infer`
sends it once, over an HTTP client of ours. Rows go as pandas records, which the engine fits to the
model's types. The SDK is given them as JSON, not as a frame: frames cost more time than all the
rest of a row, and cut decimals after the tenth place.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal
from typing import Any

import httpx

from dashboard.domain.inference import Answer, RowTiming, engine_times
from dashboard.errors import DashboardError, InvalidInput
from dashboard.gateway import translate
from dashboard.gateway.clients import Json, SdkObject, Session
from dashboard.gateway.sdk_errors import failed_inference
from dashboard.gateway.tokens import TokenKeeper

__all__ = ["DATASET", "AsyncWire", "Marks", "SdkInference", "engine_times", "open_session"]

#: `*` would leave the metadata out, and cannot be combined with it.
DATASET = ("time", "in", "out", "anomaly", "metadata")
_METADATA = "metadata."
#: What a frame's rows are sent as; of JSON the SDK says another format, without records.
_RECORDS = {"Content-Type": "application/json; format=pandas-records", "Accept": "*/*"}
_MIDNIGHT = time_of_day(tzinfo=UTC)
_SENT = "http11.send_request_body.complete"
_ANSWER_BEGAN = "http11.receive_response_headers.complete"
_ANSWERED = "http11.receive_response_body.complete"


@dataclass(slots=True)
class Marks:
    """When the parts of one request happened, in s of `time.perf_counter`, by event name."""

    started_s: float = field(default_factory=time.perf_counter)
    seen_s: dict[str, float] = field(default_factory=dict)

    async def __call__(self, event: str, _info: object) -> None:
        """Take note of an event of the HTTP library. A repeated one counts the last time."""
        if event in (_SENT, _ANSWER_BEGAN, _ANSWERED):
            self.seen_s[event] = time.perf_counter()

    def timing(self, elapsed_ns: object) -> RowTiming:
        """Tell where the time went, with the engine's own `elapsed` list if it gave one."""
        read_ms, model_ms, overflow = engine_times(elapsed_ns)
        began_s = self.seen_s.get(_ANSWER_BEGAN)
        sent_s = self._sent_s(began_s, engine_ms=(read_ms or 0.0) + (model_ms or 0.0))
        return RowTiming(
            send_ms=self._between_ms(self.started_s, sent_s),
            wait_ms=self._between_ms(sent_s, began_s),
            receive_ms=self._between_ms(began_s, self.seen_s.get(_ANSWERED)),
            engine_read_ms=read_ms,
            model_ms=model_ms,
            overflow=overflow,
        )

    def _sent_s(self, began_s: float | None, *, engine_ms: float) -> float | None:
        """Return when the request was out.

        On a busy machine its end is noticed late, when the engine may be at work already: it was
        out at the latest by as much before the answer as the engine took.
        """
        sent_s = self.seen_s.get(_SENT)
        if sent_s is None or began_s is None:
            return sent_s
        return max(self.started_s, min(sent_s, began_s - engine_ms / 1000))

    @staticmethod
    def _between_ms(begin_s: float | None, end_s: float | None) -> float | None:
        return None if begin_s is None or end_s is None else max(0.0, end_s - begin_s) * 1000


_MARKS: ContextVar[Marks | None] = ContextVar("marks", default=None)


class AsyncWire(httpx.AsyncBaseTransport):
    """Carries inferences: names their format, puts the current token on them, times their parts."""

    def __init__(self, inner: httpx.AsyncBaseTransport, tokens: TokenKeeper, key: str) -> None:
        self._inner = inner
        self._tokens = tokens
        self._key = key

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; once more only after a 401, which says that no engine saw it."""
        request.headers.update(_RECORDS)
        token = self._tokens.ready(self._key)
        if token is None:
            token = await asyncio.to_thread(self._tokens.bearer, self._key)
        response = await self._send(request, token)
        if response.status_code != httpx.codes.UNAUTHORIZED:
            return response
        await response.aclose()
        token = await asyncio.to_thread(self._tokens.renew, self._key, refused=token)
        return await self._send(request, token)

    async def _send(self, request: httpx.Request, token: str) -> httpx.Response:
        request.headers["Authorization"] = f"Bearer {token}"
        marks = _MARKS.get()
        if marks is not None:
            request.extensions = {**request.extensions, "trace": marks}
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


class SdkInference:
    """An `InferenceSession` over the SDK."""

    def __init__(self, deployment: SdkObject, http: httpx.AsyncClient) -> None:
        self._deployment = deployment
        self._http = http

    async def infer(self, rows: Sequence[Mapping[str, Any]], *, timeout_s: float) -> Answer:
        """Send `rows` in one request, once. See `InferenceSession`."""
        if not rows:
            raise InvalidInput("There is no row to send.")
        marks = Marks()
        token = _MARKS.set(marks)
        problem: DashboardError
        try:
            async with asyncio.timeout(timeout_s):
                told = await self._send(rows, timeout_s)
            return _answer(_records(told), marks)
        except Exception as exc:  # noqa: BLE001 - each becomes one of our errors
            problem = failed_inference(exc, timeout_s=timeout_s)
        finally:
            _MARKS.reset(token)
        # Outside the except block: the SDK's exception holds the request with the token.
        raise problem

    async def _send(self, rows: Sequence[Mapping[str, Any]], timeout_s: float) -> Json:
        records = [{name: _sent(value) for name, value in row.items()} for row in rows]
        return await self._deployment.async_infer(
            records, self._http, timeout=timeout_s, retries=1, dataset=list(DATASET)
        )


def _sent(value: Json) -> Json:
    """Return a value of a table as JSON holds it, as frames do: times in ms since 1970."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [_sent(inner) for inner in value]
    if isinstance(value, dict):
        return {str(name): _sent(inner) for name, inner in value.items()}
    return _scalar(value)


def _scalar(value: object) -> Json:
    if isinstance(value, date):
        moment = value if isinstance(value, datetime) else datetime.combine(value, _MIDNIGHT)
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1000)
    if isinstance(value, timedelta):
        return value // timedelta(milliseconds=1)
    if isinstance(value, Decimal):
        return float(value) if value.is_finite() else None
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def _records(told: Json) -> list[dict[str, Any]]:
    """Check that an answer is rows with their times. Raises ValueError."""
    records = told if isinstance(told, list) else []
    if not records or not all(isinstance(row, dict) for row in records):
        raise ValueError("the engine's answer is not a list of rows")
    if not all(isinstance(row.get("time"), int) for row in records):
        raise ValueError("the engine's answer has a row without a time")
    return records


def _answer(records: Sequence[Mapping[str, Any]], marks: Marks) -> Answer:
    plain = [translate.plain_row(record) for record in records]
    first = plain[0] if plain else {}
    metadata = {
        key.removeprefix(_METADATA): value
        for key, value in first.items()
        if key.startswith(_METADATA)
    }
    rows = tuple(
        {key: value for key, value in row.items() if not key.startswith(_METADATA)} for row in plain
    )
    return Answer(
        rows=rows,
        timing=marks.timing(metadata.get("elapsed")),
        received_at=datetime.now(UTC),
        metadata=metadata,
    )


@asynccontextmanager
async def open_session(
    prepare: Callable[[], tuple[Session, SdkObject]],
    open_transport: Callable[[], httpx.AsyncBaseTransport],
) -> AsyncIterator[SdkInference]:
    """Look the deployment up in a thread (the SDK blocks), then give the session.

    Parameters
    ----------
    prepare
        Builds a session of its own and the SDK's deployment.
    open_transport
        Opens the transport inside the running event loop.
    """
    session, deployment = await asyncio.to_thread(prepare)
    try:
        async with httpx.AsyncClient(transport=open_transport(), trust_env=False) as http:
            yield SdkInference(deployment, http)
    finally:
        session.close()
