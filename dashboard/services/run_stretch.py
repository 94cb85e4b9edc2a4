"""One stretch of a run: rows sent through one session until none is left or something is wrong.

A row that the model refused has failed. A row that was lost on the way, because the platform or
the engine was not there, has not: it is put back, and the stretch ends with its trouble. The rows
of a request that failed are sent again in smaller ones, until a bad row fails alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from dashboard.domain.inference import Answer
from dashboard.errors import (
    AccessDenied,
    AuthenticationFailed,
    DashboardError,
    PlatformUnreachable,
    RequestTooLarge,
    TimedOut,
    UnexpectedAnswer,
)
from dashboard.gateway.base import InferenceSession
from dashboard.services.clock import Clock
from dashboard.services.run_batch import BatchSize
from dashboard.services.run_rows import RowFeed, WaitingRow, all_answered, failed, payload
from dashboard.store.run_records import RowResult

_LOG = logging.getLogger(__name__)

#: A session that keeps its promise answers or raises within its time-out; this is for one that
#: does not, so that it cannot hold a place for ever.
_GRACE_S = 10.0
_STATUS_FRESH_S = 0.25
_SETTLE_S = 0.2
_LOST_IN_A_ROW = 3


class Gate:
    """Bounds the requests in flight to one pipeline, over all runs. First come, first served."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._active = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def __aenter__(self) -> None:
        if self._active < self.limit and not self._waiting:
            self._active += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # the place was given, and nobody takes it
                self._active -= 1
            self._let_in()
            raise

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _exc: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._active -= 1
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and (self._waiting[0].done() or self._active < self.limit):
            turn = self._waiting.popleft()
            if not turn.done():
                self._active += 1
                turn.set_result(None)


@dataclass(frozen=True, slots=True)
class StretchRules:
    """How patient a stretch is. `attempts` is how often a row alone may be lost on the way."""

    row_timeout_s: float = 120.0
    attempts: int = 3


class Stretch:
    """Sends rows until the feed is empty, it is halted, or trouble comes.

    Parameters
    ----------
    size
        How many rows go in a request.
    keep
        Writes the results of a request's rows; returns when they are safe.
    saw
        Told of each answer: its first row's index and its metadata.
    is_serving
        Asks the platform whether the pipeline answers.
    """

    def __init__(  # noqa: PLR0913 - what it works with, by keyword
        self,
        feed: RowFeed,
        gate: Gate,
        size: BatchSize,
        *,
        keep: Callable[[Sequence[RowResult]], Awaitable[None]],
        saw: Callable[[int, Mapping[str, Any]], Awaitable[None]],
        is_serving: Callable[[], Awaitable[bool]],
        rules: StretchRules,
        clock: Clock,
    ) -> None:
        self._feed = feed
        self._gate = gate
        self._size = size
        self._keep = keep
        self._saw = saw
        self._is_serving = is_serving
        self._rules = rules
        self._clock = clock
        self._asking = asyncio.Lock()
        self._asked_at: float | None = None
        self._serves = True
        self._lost_in_a_row = 0
        self.halted = False
        self.trouble: str | None = None

    async def send_rows(self, session: InferenceSession, *, in_flight: int) -> str | None:
        """Send rows, `in_flight` requests at a time.

        Returns
        -------
        str | None
            Why it ended before the rows did, in plain words; None if no row is left or it was
            halted.

        Raises
        ------
        RunLost
            The run is no longer ours.
        AccessDenied
            Its owner may not use the pipeline any more.
        """
        workers = [asyncio.create_task(self._work(session)) for _ in range(in_flight)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        return self.trouble

    def _ends(self) -> bool:
        return self.halted or self.trouble is not None

    async def _work(self, session: InferenceSession) -> None:
        while not self._ends() and (rows := await self._feed.take(self._size.now)):
            if unfit := [failed(row, row.unfit) for row in rows if row.unfit]:
                await self._keep(unfit)
                rows = [row for row in rows if not row.unfit]
            if not rows:
                continue
            turn_at = self._clock.monotonic()
            async with self._gate:
                if self._ends():
                    self._feed.put_back(rows)
                    return
                results = await self._send(session, rows, turn_at)
            # The place of a request is given to the next one only when its results are safe.
            if results:
                await self._keep(results)

    async def _send(
        self, session: InferenceSession, rows: Sequence[WaitingRow], turn_at: float
    ) -> Sequence[RowResult]:
        """Return what became of the rows; nothing if they were put back."""
        queue_ms = (self._clock.monotonic() - turn_at) * 1000
        try:
            answer = await self._ask(session, rows)
            results = all_answered(rows, answer, queue_ms=queue_ms)
        except (PlatformUnreachable, AuthenticationFailed) as exc:
            return await self._lost(rows, exc.message)
        except AccessDenied:
            self._feed.put_back(rows)
            raise
        except DashboardError as exc:
            if await self._still_serves():
                return self._refused(rows, exc)
            return await self._lost(rows, exc.message)
        self._lost_in_a_row = 0
        self._size.went_well(len(rows))
        await self._saw(rows[0].index, answer.metadata)
        return results

    async def _ask(self, session: InferenceSession, rows: Sequence[WaitingRow]) -> Answer:
        timeout_s = self._rules.row_timeout_s
        try:
            async with asyncio.timeout(timeout_s + _GRACE_S):
                return await session.infer([payload(row) for row in rows], timeout_s=timeout_s)
        except DashboardError:
            raise
        except TimeoutError as exc:
            raise TimedOut(f"The model did not answer within {timeout_s:g} seconds.") from exc
        except Exception as exc:  # noqa: BLE001 - one odd answer must not end the run
            error = UnexpectedAnswer("The model's answer could not be read.")
            # Not the exception's own text, nor its chain: it may quote the row.
            _LOG.error("row failed, error id %s: %s", error.error_id, type(exc).__name__)
            raise error from None

    def _refused(self, rows: Sequence[WaitingRow], error: DashboardError) -> Sequence[RowResult]:
        """Return the failure of a row that was sent alone; put several back, to go apart."""
        self._lost_in_a_row = 0
        if len(rows) == 1:
            return [failed(rows[0], error.message)]
        if isinstance(error, RequestTooLarge | TimedOut):
            self._size.was_too_much(len(rows))
        self._feed.put_back_apart(rows)
        return ()

    async def _lost(self, rows: Sequence[WaitingRow], reason: str) -> Sequence[RowResult]:
        self._lost_in_a_row += 1
        # What dies under a request is reported as running for a moment longer.
        await self._clock.sleep(_SETTLE_S)
        if self._lost_in_a_row >= _LOST_IN_A_ROW or not await self._still_serves():
            self.trouble = reason
        if len(rows) > 1:
            # One of them, or all of them together, may be what kills it.
            self._feed.put_back_apart(rows)
            return ()
        row = rows[0]
        row.attempts += 1
        if row.attempts >= self._rules.attempts:
            # The platform was there whenever this row was sent: it may be the row that kills it.
            return [failed(row, reason)]
        self._feed.put_back(rows)
        return ()

    async def _still_serves(self) -> bool:
        # Rows that fail one after the other must not double the platform's work.
        async with self._asking:
            now = self._clock.monotonic()
            if self._asked_at is None or now - self._asked_at > _STATUS_FRESH_S:
                self._serves = await self._is_serving()
                self._asked_at = self._clock.monotonic()
            return self._serves
