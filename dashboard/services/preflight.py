"""Preflight: whether everything from the connection to the first answer works, before a demo.

It walks the steps once and stops at the first that fails. The one row that is sent is the table's
first; it is kept in memory for a few minutes, so that a preflight can go on after a deploy, and is
stored nowhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from dashboard.connectors import registry
from dashboard.connectors.outbound import Outbound, Progress
from dashboard.domain.activity import Act, ActResult
from dashboard.domain.check import Stage, StageState
from dashboard.domain.identity import Identity
from dashboard.domain.model import ModelVersion
from dashboard.domain.pipeline import Pipeline, PipelineState
from dashboard.domain.preflight import Mark, PreflightView, Step, StepResult, Way, all_steps
from dashboard.domain.table import FLAG_COLUMNS, FLAG_DEFAULTS, TEXT_COLUMN, is_flag_type
from dashboard.errors import DashboardError, DeployFailed, FetchFailed, InvalidInput, NotFound, bare
from dashboard.services.activity import ActivityLog
from dashboard.services.catalog import GatewayOf
from dashboard.services.checks import Checks
from dashboard.services.connection_tests import ConnectionTests
from dashboard.services.failures import unexpected
from dashboard.services.jobs import Outcome
from dashboard.services.run_rows import (
    WaitingRow,
    all_answered,
    check_columns,
    columns_to_send,
    payload,
)
from dashboard.services.shelf import Shelf
from dashboard.services.watch import DeploymentWatch

if TYPE_CHECKING:
    import pyarrow as pa

    from dashboard.connectors.base import FetchedTable, TestResult
    from dashboard.domain.connection import Connection
    from dashboard.domain.table import ColumnFacts

#: For so long a preflight can go on with the row it has read.
ROW_KEPT_S: Final = 600.0
_MOST_ROWS: Final = 32
_MOST_KEPT: Final = 200
_POLL_S: Final = 0.1
_STATE_WAIT_S: Final = 10.0
#: Somebody else's deploy is in the list before the watch has asked about it.
_DOUBTED_S: Final = 2.0
_REACHED_BY: Final = (Stage.RESOLVE, Stage.CONNECT, Stage.AUTHORISE)
_SERVING: Final = (PipelineState.RUNNING, PipelineState.DEGRADED)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is walked: a connection of a workspace, and a pipeline of it."""

    workspace_id: int
    connection_id: str
    pipeline_id: int


class _Cancelled(Exception):
    """It was given up."""


class _NotDeployed(DeployFailed):
    """Nothing answers, and a deploy is what helps."""


@dataclass(slots=True)
class _Record:
    """One preflight as it goes; the lock of the service guards it."""

    steps: list[StepResult] = field(default_factory=lambda: list(all_steps()))
    is_running: bool = True
    was_cancelled: bool = False
    ended_at: float = 0.0
    began_at: float = 0.0
    cancel: threading.Event = field(default_factory=threading.Event)
    progress: Progress = field(default_factory=Progress)
    test_id: str = ""


@dataclass(slots=True)
class _Walk:
    """What the steps of one preflight hand on to each other; dropped with it."""

    who: Identity
    subject: Subject
    session: str
    record: _Record
    connection: Connection | None = None
    details: Any = None  # masked: `SecretDetails`
    failure: FetchFailed | None = None
    first: _FirstRow | None = None
    columns: Sequence[ColumnFacts] = ()
    row: WaitingRow | None = None
    pipeline: Pipeline | None = None


@dataclass(slots=True)
class _FirstRow:
    """Takes in a table and keeps its first row alone."""

    row: pa.Table | None = None

    def begin(self) -> None:
        self.row = None

    def add(self, piece: pa.Table) -> None:
        if self.row is None and piece.num_rows:
            self.row = piece.slice(0, 1)


class Preflight:
    """The use case. Thread-safe; `run` blocks: run it as a job.

    Parameters
    ----------
    timeout_s
        How long the model may take for the row.
    """

    def __init__(  # noqa: PLR0913 - what it works with, by keyword
        self,
        gateway: GatewayOf,
        *,
        tests: ConnectionTests,
        checks: Checks,
        activity: ActivityLog,
        watch: DeploymentWatch,
        outbound: Callable[[], Outbound],
        timeout_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gateway = gateway
        self._tests = tests
        self._checks = checks
        self._activity = activity
        self._watch = watch
        self._outbound = outbound
        self._timeout_s = timeout_s
        self._clock = clock
        self._lock = threading.Lock()
        self._records: dict[tuple[str, Subject], _Record] = {}
        self._rows: Shelf[WaitingRow] = Shelf(kept_s=ROW_KEPT_S, most=_MOST_ROWS)

    def run(self, who: Identity, subject: Subject, *, session: str, go_on: bool = False) -> Outcome:
        """Walk the steps; how they went is in `view`. It raises nothing that a step can tell.

        Parameters
        ----------
        session
            Mark of the browser session: its test counts as any other.
        go_on
            Whether to begin at the pipeline, with the row that was read before, if it is kept.
        """
        record, row = self._begin(who, subject, go_on=go_on)
        walk = _Walk(who, subject, session, record, row=row)
        steps = list(Step)
        for step in steps[steps.index(Step.RUNNING) if row is not None else 0 :]:
            if not self._take(step, walk):
                break
        with self._lock:
            record.is_running, record.ended_at = False, self._clock()
            record.steps = [
                replace(one, mark=Mark.NOT_TRIED) if one.mark is Mark.TO_COME else one
                for one in record.steps
            ]
        return Outcome("", is_partial=any(one.mark is not Mark.DONE for one in record.steps))

    def view(self, who: Identity, subject: Subject) -> PreflightView | None:
        """Where this person's last preflight of the subject stands; None if there was none."""
        with self._lock:
            record = self._records.get((who.key, subject))
            if record is None:
                return None
            steps = tuple(
                replace(one, elapsed_ms=(self._clock() - record.began_at) * 1000)
                if one.mark is Mark.NOW
                else one
                for one in record.steps
            )
            is_running, was_cancelled = record.is_running, record.was_cancelled
            age_s = 0.0 if is_running else self._clock() - record.ended_at
        can_go_on = self._rows.find(who, _row_id(who, subject)) is not None
        return PreflightView(steps, is_running, was_cancelled, age_s, can_go_on)

    def cancel(self, who: Identity, subject: Subject) -> None:
        """Give it up within about 0.1 s; nothing happens to one that has ended."""
        with self._lock:
            record = self._records.get((who.key, subject))
        if record is not None and record.is_running:
            record.cancel.set()
            record.progress.cancel.set()
            if record.test_id:
                self._tests.cancel(who, record.test_id)

    def close(self) -> None:
        """Give everything up and forget the rows."""
        with self._lock:
            records = list(self._records.values())
        for record in records:
            record.cancel.set()
            record.progress.cancel.set()
        self._rows.clear()

    def _begin(
        self, who: Identity, subject: Subject, *, go_on: bool
    ) -> tuple[_Record, WaitingRow | None]:
        row = self._rows.find(who, _row_id(who, subject)) if go_on else None
        record = _Record()
        with self._lock:
            before = self._records.pop((who.key, subject), None)
            if row is not None and before is not None:
                read = list(Step).index(Step.RUNNING)
                record.steps[:read] = before.steps[:read]
            self._records[who.key, subject] = record
            ended = [key for key, one in self._records.items() if not one.is_running]
            for key in ended[: max(0, len(self._records) - _MOST_KEPT)]:
                del self._records[key]
        return record, row if before is not None else None

    # -- the walk

    def _take(self, step: Step, walk: _Walk) -> bool:
        """Take one step; return whether the next one may be taken."""
        act = {
            Step.REACHABLE: self._reach,
            Step.READABLE: self._read,
            Step.FITS: self._fit,
            Step.RUNNING: self._await_running,
            Step.WARM: self._warm_up,
            Step.INFERS: self._infer,
        }[step]
        began_at = self._clock()
        with self._lock:
            walk.record.began_at = began_at
        self._note(walk, StepResult(step, Mark.NOW))
        try:
            self._stop_if_cancelled(walk)
            told, elapsed_ms = act(walk)
            self._stop_if_cancelled(walk)
        except _Cancelled:
            with self._lock:
                walk.record.was_cancelled = True
            self._note(walk, StepResult(step, Mark.NOT_TRIED))
            return False
        except Exception as exc:  # noqa: BLE001 - whatever it was, it is this step that failed
            error = bare(exc if isinstance(exc, DashboardError) else unexpected(exc))
            took_ms = (self._clock() - began_at) * 1000
            way = _way(step, error)
            self._note(walk, StepResult(step, Mark.FAILED, took_ms, error.message, error.hint, way))
            return False
        took_ms = elapsed_ms if elapsed_ms is not None else (self._clock() - began_at) * 1000
        self._note(walk, StepResult(step, Mark.DONE, took_ms, told))
        return True

    def _note(self, walk: _Walk, result: StepResult) -> None:
        with self._lock:
            walk.record.steps[list(Step).index(result.step)] = result

    def _stop_if_cancelled(self, walk: _Walk) -> None:
        if walk.record.cancel.is_set():
            raise _Cancelled

    def _reach(self, walk: _Walk) -> tuple[str, float | None]:
        """Test the connection; whether it could be read is for the next step to tell."""
        gateway = self._gateway()
        linked = gateway.list_connections(walk.who, workspace_id=walk.subject.workspace_id)
        name = next((o.name for o in linked if o.connection_id == walk.subject.connection_id), None)
        if name is None:
            raise NotFound(
                "This connection is not linked to the workspace any more.",
                hint="Choose another one, or link it again.",
            )
        walk.connection, walk.details = gateway.read_details(walk.who, name)
        if not registry.can_fetch(walk.connection.type):
            raise InvalidInput(
                "Tables can be fetched through HTTP connections for now.",
                hint="Choose another connection.",
            )
        test_id = self._tests.new_id(walk.session)
        with self._lock:
            walk.record.test_id = test_id
        self._stop_if_cancelled(walk)
        result = self._tests.run(walk.who, test_id, walk.connection.type, walk.details)
        self._stop_if_cancelled(walk)
        self._keep_test(walk, walk.connection, result)
        ms_of = {one.stage: one.elapsed_ms or 0.0 for one in result.stages}
        if result.failure is not None:
            failed = [one.stage for one in result.stages if one.state is StageState.FAILED]
            if not failed or failed[0] in _REACHED_BY:
                raise result.failure
            walk.failure = result.failure
        return "", sum(ms_of.get(stage, 0.0) for stage in _REACHED_BY)

    def _keep_test(self, walk: _Walk, connection: Connection, result: TestResult) -> None:
        if result.was_cancelled:
            raise _Cancelled
        self._checks.note_test(connection.connection_id, result)
        failure = result.failure
        self._activity.note(
            walk.who,
            Act.TESTED,
            result=ActResult.DONE if failure is None else ActResult.FAILED,
            connection_id=connection.connection_id,
            connection_name=connection.name,
            note="" if failure is None else failure.message,
        )

    def _read(self, walk: _Walk) -> tuple[str, float | None]:
        """Read all of the table, keeping its first row."""
        if walk.failure is not None:
            raise walk.failure
        assert walk.connection is not None  # noqa: S101 - the step before has read it
        sink = _FirstRow()
        connector = registry.connector_for(walk.connection.type)
        try:
            fetched: FetchedTable = connector.fetch(
                walk.details, outbound=self._outbound(), sink=sink, progress=walk.record.progress
            )
        except FetchFailed:
            self._stop_if_cancelled(walk)
            raise
        finally:
            walk.details = None
        if sink.row is None:
            raise InvalidInput("The table has no rows.", hint="Put at least one row into it.")
        walk.first, walk.columns = sink, fetched.columns
        rows = "row" if fetched.rows == 1 else "rows"
        return f"{fetched.rows:,} {rows}, {fetched.format}", fetched.fetch_ms

    def _fit(self, walk: _Walk) -> tuple[str, float | None]:
        pipeline = self._pipeline(walk)
        version = self._version(walk.who, pipeline)
        assert walk.first is not None and walk.first.row is not None  # noqa: S101, PT018 - as above
        if version is None or version.is_summarizer:
            check_columns(walk.columns)
            walk.row = _text_row(walk.first.row)
            if walk.row.lacks_text:
                raise InvalidInput("The first row has no text.", hint="Look at the table.")
            told = f"“{TEXT_COLUMN}” holds texts"
        else:
            reads: Sequence[ColumnFacts] = ()
            # What is not deployed tells nothing; then every column is sent.
            with contextlib.suppress(DashboardError):
                reads = self._gateway().model_inputs(walk.who, pipeline)
            names = columns_to_send(walk.columns, reads)
            values = {name: walk.first.row.column(name).to_pylist()[0] for name in names}
            walk.row = WaitingRow(0, None, values, again=False, is_text=False)
            told = f"{len(names):,} {'column' if len(names) == 1 else 'columns'}"
        walk.first = None
        self._rows.put(walk.who, walk.row, thing_id=_row_id(walk.who, walk.subject))
        return told, None

    def _pipeline(self, walk: _Walk) -> Pipeline:
        if walk.pipeline is None:
            room = walk.subject.workspace_id
            listed = self._gateway().list_pipelines(walk.who, workspace_id=room)
            found = [one for one in listed if one.pipeline_id == walk.subject.pipeline_id]
            if not found:
                raise NotFound("This pipeline does not exist any more.", hint="Choose another one.")
            walk.pipeline = found[0]
        return walk.pipeline

    def _version(self, who: Identity, pipeline: Pipeline) -> ModelVersion | None:
        steps = pipeline.versions[0].steps if pipeline.versions else ()
        wanted = {step.model_version for step in steps}
        models = self._gateway().list_models(who, pipeline.workspace_id)
        versions = [version for model in models for version in model.versions]
        return next((one for one in versions if one.version in wanted), None)

    def _await_running(self, walk: _Walk) -> tuple[str, float | None]:
        """Wait while it starts, as long as it takes; refuse what does not."""
        pipeline = self._pipeline(walk)
        asked_at = self._clock()
        while True:
            view = self._watch.look(walk.who, pipeline, wait_s=_POLL_S, closely=True)
            state = view.state
            if state in _SERVING:
                return ("", None) if state is PipelineState.RUNNING else (state.value, None)
            if state is None and self._clock() - asked_at > _STATE_WAIT_S:
                raise view.error or DeployFailed(
                    "The platform does not say whether it runs.", hint="Try again in a moment."
                )
            if state is PipelineState.NOT_DEPLOYED and (
                _list_says_off(pipeline) or self._clock() - asked_at > _DOUBTED_S
            ):
                raise _NotDeployed(
                    f"{pipeline.name} is not deployed.",
                    hint="Deploy it, then go on. What was read until here is kept for 10 min.",
                )
            if state is PipelineState.STOPPING:
                raise DeployFailed(
                    f"{pipeline.name} is stopping.", hint="Deploy it again once it has stopped."
                )
            if state is PipelineState.ERROR and view.recover_left_s == 0.0:
                raise DeployFailed(
                    f"{pipeline.name} is in an error.", hint="See why on the page Pipelines."
                )
            if state is not None and state is not PipelineState.NOT_DEPLOYED:
                told = f"{pipeline.name} is {state.value.lower()}"
                if state is PipelineState.ERROR:
                    told = f"{pipeline.name} is in an error and may recover"
                self._note(walk, StepResult(Step.RUNNING, Mark.NOW, told=told))
            if walk.record.cancel.wait(_POLL_S):
                raise _Cancelled

    def _warm_up(self, walk: _Walk) -> tuple[str, float | None]:
        """Send the row once: the first request after a start is the slow one."""
        return "", self._sent(walk)

    def _infer(self, walk: _Walk) -> tuple[str, float | None]:
        """Send it again: what it takes now is what the audience will wait for."""
        return "The first row of the table; nothing of it is stored", self._sent(walk)

    def _sent(self, walk: _Walk) -> float:
        pipeline = self._pipeline(walk)
        assert walk.row is not None  # noqa: S101 - an earlier step has read it
        return asyncio.run(self._send(walk.who, pipeline, walk.row, walk.record.cancel))

    async def _send(
        self, who: Identity, pipeline: Pipeline, row: WaitingRow, cancel: threading.Event
    ) -> float:
        task = asyncio.create_task(self._answer_ms(who, pipeline, row))
        while not task.done():
            await asyncio.wait({task}, timeout=_POLL_S)
            if cancel.is_set() and not task.done():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, DashboardError):
                    await task
                raise _Cancelled
        return task.result()

    async def _answer_ms(self, who: Identity, pipeline: Pipeline, row: WaitingRow) -> float:
        gateway = await asyncio.to_thread(self._gateway)
        began_at = self._clock()
        async with gateway.open_inference(who, pipeline) as session:
            answer = await session.infer([payload(row)], timeout_s=self._timeout_s)
        all_answered([row], answer, queue_ms=0.0)
        return (self._clock() - began_at) * 1000


def _list_says_off(pipeline: Pipeline) -> bool:
    return pipeline.deployment is not None and not pipeline.deployment.deployed


def _row_id(who: Identity, subject: Subject) -> str:
    return f"{who.key}:{subject.workspace_id}:{subject.connection_id}:{subject.pipeline_id}"


def _text_row(table: pa.Table) -> WaitingRow:
    """Return the row as a run would send it: flags that are not there get the model's usual."""
    types = {
        name: str(table.schema.field(name).type)
        for name in FLAG_COLUMNS
        if name in table.column_names
    }
    given = {
        name: table.column(name).to_pylist()[0]
        for name, kind in types.items()
        if is_flag_type(kind)
    }
    flags = {
        name: default if given.get(name) is None else given[name]
        for name, default in FLAG_DEFAULTS.items()
    }
    return WaitingRow(0, table.column(TEXT_COLUMN).to_pylist()[0], flags, again=False)


def _way(step: Step, error: DashboardError) -> Way:
    """Return where to take the next step after a failure."""
    if isinstance(error, _NotDeployed):
        return Way.DEPLOY
    if step in (Step.REACHABLE, Step.READABLE):
        # Anything else is about the platform, or about too many tests a minute.
        return Way.CONNECTION if isinstance(error, FetchFailed) else Way.NOWHERE
    return Way.TABLE if step is Step.FITS else Way.PIPELINE
