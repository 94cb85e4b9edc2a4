"""One run under way: from its first row to its end, over pauses and restarts of the platform."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from dashboard.domain.model import ModelVersion
from dashboard.domain.pipeline import PipelineState
from dashboard.domain.run import RowState, Run, RunState
from dashboard.errors import ConnectionFailed, InferenceFailed, UnexpectedAnswer
from dashboard.services.run_batch import BatchSize
from dashboard.services.run_journal import RunJournal, RunLost
from dashboard.services.run_rows import RowFeed
from dashboard.services.run_stretch import Gate, Stretch, StretchRules
from dashboard.services.run_version import VersionWatch

if TYPE_CHECKING:
    import pyarrow as pa

    from dashboard.domain.identity import Identity
    from dashboard.domain.pipeline import Pipeline, PipelineStep
    from dashboard.gateway.base import InferenceSession, PlatformGateway
    from dashboard.services.clock import Clock
    from dashboard.services.tables import TableStore
    from dashboard.store.blocks import BlockSpot
    from dashboard.store.run_records import RowResult, RunRecords

P = ParamSpec("P")
T = TypeVar("T")

_SERVING = (PipelineState.RUNNING, PipelineState.DEGRADED)
_RATE_WINDOW_S = 30.0


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How runs behave. Times in s.

    Parameters
    ----------
    in_flight
        Requests at a time for one pipeline; None for as many as it has replicas.
    batch_rows
        Rows in one request, at most, for models that are no summarizer.
    row_timeout_s
        How long a request may take before its row, or its rows, have failed.
    attempts
        How often a row may be lost on the way before it has failed.
    first_pause_s, longest_pause_s
        The pause when the platform does not answer; it doubles up to the longest.
    give_up_after_s
        How long the platform may be away before the run has failed.
    claim_s
        How long after its last sign of life a process is taken for dead; others then take over
        its runs.
    """

    in_flight: int | None = None
    batch_rows: int = 32
    row_timeout_s: float = 120.0
    attempts: int = 3
    first_pause_s: float = 1.0
    longest_pause_s: float = 30.0
    give_up_after_s: float = 300.0
    claim_s: float = 5.0


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far a run is.

    Parameters
    ----------
    rate_rows_per_s
        Rows finished per second of late; None while it stands still or has just begun.
    left_s
        Seconds it will take at that rate; None without one.
    message
        Why it failed or paused, in plain words.
    """

    run_id: str
    state: RunState
    total: int
    done: int
    failed: int
    rate_rows_per_s: float | None = None
    left_s: float | None = None
    message: str = ""

    @property
    def left(self) -> int:
        """Rows neither answered nor failed yet."""
        return self.total - self.done - self.failed


@dataclass(frozen=True, slots=True)
class RunKit:
    """What all runs of a process work with.

    Parameters
    ----------
    owner
        Name of this process in claims.
    away
        Threads for calls that block.
    writer
        The one thread that writes to the store.
    """

    records: RunRecords
    tables: TableStore
    gateway: Callable[[], PlatformGateway]
    journal: RunJournal
    clock: Clock
    settings: RunSettings
    owner: str
    away: Executor
    writer: Executor


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run's time in this process ended; Paused means that it goes on another time."""

    state: RunState
    message: str = ""


@dataclass(slots=True)
class _Trouble:
    """Since when the platform has been away, and how many pauses that has been."""

    since: float | None = None
    pauses: int = 0


@dataclass(slots=True)
class _Counts:
    done: int
    failed: int
    #: When requests were answered, and how many rows each held.
    finished: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=256))


class RunTask:
    """Carries one run. Lives in the event loop; `progress` may be asked from any thread."""

    def __init__(
        self, run: Run, who: Identity, kit: RunKit, gate: Gate, *, pipeline: Pipeline | None = None
    ) -> None:
        self.run = run
        #: The task of the event loop that carries it, once it has begun.
        self.carrier: asyncio.Task[None] | None = None
        self.when_cancelled = Ending(RunState.PAUSED, "The dashboard was stopped.")
        self._who = who
        self._kit = kit
        self._gate = gate
        self._pipeline = pipeline
        self._counts = _Counts(run.rows_done, run.rows_failed)
        self._state, self._message = run.state, run.message
        self._began_at = kit.clock.monotonic()
        self._stop = asyncio.Event()
        self._stretch: Stretch | None = None
        # The summarizer takes one text a request, so that each has a time of its own.
        self._size = BatchSize(1 if run.is_of_texts else kit.settings.batch_rows)
        self._trouble = _Trouble()
        is_begun = run.rows_done > 0
        note = run.message if run.state is RunState.RUNNING and is_begun else ""
        self._versions = VersionWatch(run.pipeline_version, is_begun=is_begun, note=note)

    def progress(self) -> RunProgress:
        """Return how far the run is, from memory."""
        rate = self._rate()
        total, done, failed = self.run.rows_total, self._counts.done, self._counts.failed
        return RunProgress(
            run_id=self.run.run_id,
            state=self._state,
            total=total,
            done=done,
            failed=failed,
            rate_rows_per_s=rate,
            left_s=(total - done - failed) / rate if rate else None,
            message=self._message,
        )

    def stop(self) -> None:
        """Finish the rows in flight and end, to go on another time."""
        self._stop.set()
        if self._stretch is not None:
            self._stretch.halted = True

    async def go(self) -> Ending:
        """Send every row that is left.

        Raises
        ------
        RunLost
            The run is no longer ours.
        DashboardError
            The run cannot go on: the table or the pipeline is gone, or access was withdrawn.
        """
        feed = await self._open_feed()
        await self._goes_on()
        while not self._stop.is_set():
            trouble = await self._one_stretch(feed)
            if trouble is None:
                break
            if not await self._sit_out(trouble):
                return Ending(RunState.FAILED, f"{trouble} The rows that are left were not sent.")
        if self._stop.is_set():
            return self.when_cancelled
        complete = self._counts.done + self._counts.failed >= self.run.rows_total
        return Ending(RunState.DONE if complete else RunState.CANCELLED, self._versions.note)

    async def _open_feed(self) -> RowFeed:
        run, tables = self.run, self._kit.tables
        marks = await self._away(self._kit.records.to_send, run.run_id, run.rows_total)
        spots = await self._away(tables.spots, run.table_id)

        async def read(spot: BlockSpot) -> pa.Table:
            return await self._away(tables.block, run.table_id, spot)

        return RowFeed(spots, marks, read, run.text_column, run.input_columns, run.reads)

    async def _one_stretch(self, feed: RowFeed) -> str | None:
        """Return what is wrong with the platform, or None if no row is left."""
        try:
            pipeline = await self._find_pipeline()
            gateway = self._kit.gateway
            status = await self._away(lambda: gateway().status(self._who, pipeline))
            if status.state not in _SERVING:
                return f"“{pipeline.name}” is not running ({status.state.value})."
            await self._name_version(pipeline, status.running_versions)
            opening = await self._away(lambda: gateway().open_inference(self._who, pipeline))
            async with opening as session:
                if self._state is RunState.PAUSED:
                    await self._goes_on()
                return await self._send_rows(feed, session, pipeline)
        except (ConnectionFailed, InferenceFailed, UnexpectedAnswer) as exc:
            return exc.message

    async def _send_rows(
        self, feed: RowFeed, session: InferenceSession, pipeline: Pipeline
    ) -> str | None:
        async def is_serving() -> bool:
            try:
                status = await self._away(lambda: self._kit.gateway().status(self._who, pipeline))
            except (ConnectionFailed, UnexpectedAnswer):
                return False
            return status.state in _SERVING

        settings = self._kit.settings
        self._stretch = Stretch(
            feed,
            self._gate,
            self._size,
            keep=self._keep,
            saw=self._saw,
            is_serving=is_serving,
            rules=StretchRules(settings.row_timeout_s, settings.attempts),
            clock=self._kit.clock,
        )
        self._stretch.halted = self._stop.is_set()
        try:
            return await self._stretch.send_rows(
                session, in_flight=min(self._gate.limit, max(self.run.rows_total, 1))
            )
        finally:
            self._stretch = None

    async def _find_pipeline(self) -> Pipeline:
        # The one given at the start is as good as new; after a pause the platform is asked again.
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            return pipeline
        run = self.run
        return await self._away(
            lambda: self._kit.gateway().get_pipeline(
                self._who, workspace_id=run.workspace_id, name=run.pipeline_name
            )
        )

    async def _name_version(self, pipeline: Pipeline, running: Sequence[str]) -> None:
        """Have the header name the version that runs: it was made out with the newest."""
        version = self._versions.correction(running)
        if version is None:
            return
        steps = next((one.steps for one in pipeline.versions if one.version == version), ())
        model = await self._model_of(steps[0]) if steps else None
        run_id, owner = self.run.run_id, self._kit.owner
        if not await self._write(
            lambda: self._kit.records.answered_by(run_id, owner, version, model)
        ):
            raise RunLost
        self._versions.named(version)

    async def _model_of(self, step: PipelineStep) -> ModelVersion | None:
        """Return the model of a step; None if it is the one in the header."""
        if step.model_version == self.run.model_version:
            return None
        room_id, gateway = self.run.workspace_id, self._kit.gateway
        models = await self._away(lambda: gateway().list_models(self._who, room_id))
        known = (one for model in models for one in model.versions)
        unknown = ModelVersion(0, step.model_version, step.model_name, step.sha)
        return next((one for one in known if one.version == step.model_version), unknown)

    async def _saw(self, row_index: int, metadata: Mapping[str, Any]) -> None:
        if self._versions.answered(row_index, metadata):
            # Kept at once: a killed process writes no end.
            await self._goes_on()

    async def _keep(self, results: Sequence[RowResult]) -> None:
        await self._kit.journal.add(self.run.run_id, results)
        done = sum(result.state is RowState.DONE for result in results)
        self._counts.done += done
        self._counts.failed += len(results) - done
        self._counts.finished.append((self._kit.clock.monotonic(), len(results)))
        self._trouble = _Trouble()

    async def _goes_on(self) -> None:
        run_id, owner = self.run.run_id, self._kit.owner
        now, note = self._kit.clock.now(), self._versions.note
        if not await self._write(
            lambda: self._kit.records.running(run_id, owner, at=now, message=note)
        ):
            raise RunLost
        self._state, self._message = RunState.RUNNING, note

    async def _sit_out(self, trouble: str) -> bool:
        """Wait before the next attempt. False when the platform has been away for too long."""
        settings, clock = self._kit.settings, self._kit.clock
        now = clock.monotonic()
        if self._trouble.since is None:
            self._trouble.since = now
        elif now - self._trouble.since >= settings.give_up_after_s:
            return False
        message = f"{trouble} The run goes on by itself."
        if (self._state, self._message) != (RunState.PAUSED, message):
            await self._pauses(message)
        pause_s = min(
            settings.first_pause_s * 2.0 ** min(self._trouble.pauses, 20), settings.longest_pause_s
        )
        self._trouble.pauses += 1
        await self._first_of(clock.sleep(pause_s), self._stop.wait())
        return True

    async def _pauses(self, message: str) -> None:
        run_id, owner = self.run.run_id, self._kit.owner
        if not await self._write(lambda: self._kit.records.paused(run_id, owner, message=message)):
            raise RunLost
        self._state, self._message = RunState.PAUSED, message

    @staticmethod
    async def _first_of(*waits: Awaitable[object]) -> None:
        tasks = [asyncio.ensure_future(wait) for wait in waits]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    def _rate(self) -> float | None:
        if self._state is not RunState.RUNNING:
            return None
        now = self._kit.clock.monotonic()
        known = tuple(self._counts.finished)
        recent = [(at, rows) for at, rows in known if now - at <= _RATE_WINDOW_S]
        full = len(recent) == self._counts.finished.maxlen
        since = recent[0][0] if full else max(self._began_at, now - _RATE_WINDOW_S)
        rows_of_late = sum(rows for _at, rows in recent)
        return rows_of_late / (now - since) if recent and now > since else None

    async def _away(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._kit.away, lambda: call(*args, **kwargs))

    async def _write(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._kit.writer, call)


def left_over(run: Run) -> RunProgress:
    """Return how far a run is that nobody carries here, from its header."""
    return RunProgress(
        run_id=run.run_id,
        state=run.state,
        total=run.rows_total,
        done=run.rows_done,
        failed=run.rows_failed,
        message=run.message,
    )
