"""One text through a deployed pipeline, for a look: no connection, no table, no run.

The text is private. Nothing of it is stored or logged, and the answer waits in memory only until
the session that asked takes it. Jobs keep how they ended for a while, so they are told no text.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
from dataclasses import dataclass, field
from typing import Final

from dashboard.domain.evidence import evidence_for
from dashboard.domain.identity import Identity
from dashboard.domain.pipeline import Pipeline
from dashboard.domain.run import RowState, RunRow
from dashboard.domain.table import FLAG_DEFAULTS
from dashboard.errors import DashboardError, InvalidInput, bare
from dashboard.services.catalog import GatewayOf
from dashboard.services.jobs import Outcome
from dashboard.services.run_rows import WaitingRow, answered, payload
from dashboard.services.shelf import Shelf

#: Longer texts belong in a table.
MOST_CHARACTERS: Final = 100_000
_KEPT_S: Final = 300.0
_MOST: Final = 64


@dataclass(frozen=True, slots=True, repr=False)
class Trial:
    """What became of one text; it has no repr, as all of it is private.

    Parameters
    ----------
    row
        The text beside its summary, with its times; None when there is none.
    error
        Why there is none; None otherwise.
    """

    row: RunRow | None = None
    error: DashboardError | None = None


@dataclass(slots=True)
class _UnderWay:
    """An attempt's task, once it has one; `cancelled` may be true before."""

    loop: asyncio.AbstractEventLoop | None = None
    task: asyncio.Task[RunRow] | None = None
    cancelled: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class TryOne:
    """The use case. Thread-safe.

    Parameters
    ----------
    timeout_s
        How long the model may take.
    """

    def __init__(self, gateway: GatewayOf, *, timeout_s: float = 60.0) -> None:
        self._gateway = gateway
        self._timeout_s = timeout_s
        self._done: Shelf[Trial] = Shelf(kept_s=_KEPT_S, most=_MOST)
        self._under_way: dict[tuple[str, str], _UnderWay] = {}
        self._lock = threading.Lock()

    def begin(self, who: Identity) -> str:
        """Note that a text is about to be sent; return the attempt's unguessable id."""
        trial_id = secrets.token_hex(24)
        with self._lock:
            self._under_way[who.key, trial_id] = _UnderWay()
        return trial_id

    def send(self, who: Identity, pipeline: Pipeline, text: str, trial_id: str) -> Outcome:
        """Send a text, once, and keep what became of it for `take`: a job.

        It raises nothing that quotes the text: whatever went wrong is in the trial. The outcome
        has no words, as what became of the text stands where it was pasted.
        """
        key = (who.key, trial_id)
        with self._lock:
            attempt = self._under_way.get(key)
        if attempt is None or attempt.cancelled:
            self._end(key)
            return Outcome("")
        try:
            _check(text)
            trial = Trial(row=asyncio.run(self._attempt(who, pipeline, text, attempt)))
        except DashboardError as error:
            trial = Trial(error=bare(error))
        except asyncio.CancelledError:
            return Outcome("")
        finally:
            self._end(key)
        self._done.put(who, trial, thing_id=trial_id)
        return Outcome("", is_partial=trial.row is None)

    def is_under_way(self, who: Identity, trial_id: str) -> bool:
        """Whether the attempt has begun and not ended."""
        with self._lock:
            return (who.key, trial_id) in self._under_way

    def cancel(self, who: Identity, trial_id: str) -> None:
        """Give an attempt up and forget it; returns at once. The model may finish its work."""
        self._done.take(who, trial_id)
        with self._lock:
            attempt = self._under_way.get((who.key, trial_id))
        if attempt is not None:
            _stop(attempt)

    def take(self, who: Identity, trial_id: str) -> Trial | None:
        """Return what became of a text, once; None when it is under way, taken or forgotten."""
        return self._done.take(who, trial_id)

    def close(self) -> None:
        """Forget everything and give up what is under way."""
        self._done.clear()
        with self._lock:
            attempts = list(self._under_way.values())
        for attempt in attempts:
            _stop(attempt)

    def _end(self, key: tuple[str, str]) -> None:
        with self._lock:
            self._under_way.pop(key, None)

    async def _attempt(
        self, who: Identity, pipeline: Pipeline, text: str, attempt: _UnderWay
    ) -> RunRow:
        task = asyncio.create_task(self._infer(who, pipeline, text))
        with attempt.lock:
            attempt.loop, attempt.task = asyncio.get_running_loop(), task
            if attempt.cancelled:
                task.cancel()
        return await task

    async def _infer(self, who: Identity, pipeline: Pipeline, text: str) -> RunRow:
        row = WaitingRow(0, text, FLAG_DEFAULTS, again=False)
        gateway = await asyncio.to_thread(self._gateway)
        async with gateway.open_inference(who, pipeline) as session:
            answer = await session.infer([payload(row)], timeout_s=self._timeout_s)
        result = answered(row, answer, queue_ms=0.0)
        return RunRow(
            index=0,
            state=RowState.DONE,
            input_text=text,
            summary=result.summary,
            anomaly_count=result.anomaly_count,
            answered_at=result.answered_at,
            timing=result.timing,
            doubts=len(evidence_for(result.summary, text).unfounded),
        )


def _check(text: str) -> None:
    if not text.strip():
        raise InvalidInput("Paste a text first.", field="text")
    if len(text) > MOST_CHARACTERS:
        raise InvalidInput(
            f"The text has {len(text):,} characters; {MOST_CHARACTERS:,} are read here.",
            hint="Put long texts into a table.",
            field="text",
        )


def _stop(attempt: _UnderWay) -> None:
    with attempt.lock:
        attempt.cancelled = True
        if attempt.loop is not None and attempt.task is not None:
            with contextlib.suppress(RuntimeError):  # the loop has just ended
                attempt.loop.call_soon_threadsafe(attempt.task.cancel)
