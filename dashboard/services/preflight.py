"""Preflight: whether everything from the connection to the first answer works, before a demo.

It walks the steps once and stops at the first that fails. The one row that is sent is the table's
first; it is kept in memory for a few minutes, so that a preflight can go on after a deploy, and is
stored nowhere. How it ended is kept over a restart.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from dashboard.connectors.outbound import Outbound
from dashboard.domain.identity import Identity
from dashboard.domain.preflight import Mark, PreflightView, Step, StepResult, Subject, all_steps
from dashboard.errors import DashboardError, bare
from dashboard.services.activity import ActivityLog
from dashboard.services.catalog import GatewayOf
from dashboard.services.checks import Checks
from dashboard.services.connection_tests import ConnectionTests
from dashboard.services.failures import unexpected
from dashboard.services.jobs import Outcome
from dashboard.services.preflight_model import ModelSteps
from dashboard.services.preflight_parts import Cancelled, Found, Walk, way_on
from dashboard.services.preflight_results import PreflightResults
from dashboard.services.preflight_source import SourceSteps
from dashboard.services.run_rows import WaitingRow
from dashboard.services.shelf import Shelf
from dashboard.services.watch import DeploymentWatch
from dashboard.store.preflight_records import PreflightRecords

if TYPE_CHECKING:
    from dashboard.store.database import Store

__all__ = ["ROW_KEPT_S", "Preflight", "Subject", "preflight_of"]

#: For so long a preflight can go on with the row it has read.
ROW_KEPT_S: Final = 600.0
_MOST_ROWS: Final = 32
_MOST_KEPT: Final = 200


@dataclass(slots=True)
class _Record:
    """One preflight as it goes; the lock of the service guards it."""

    steps: list[StepResult] = field(default_factory=lambda: list(all_steps()))
    is_running: bool = True
    was_cancelled: bool = False
    ended_at: float = 0.0
    began_at: float = 0.0
    version_id: int = 0
    walk: Walk | None = None


class Preflight:
    """The use case. Thread-safe; `run` blocks: run it as a job."""

    def __init__(
        self,
        source: SourceSteps,
        model: ModelSteps,
        *,
        tests: ConnectionTests,
        results: PreflightResults,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._acts: dict[Step, Callable[[Walk], Found]] = {
            Step.REACHABLE: source.reach,
            Step.READABLE: source.read,
            Step.FITS: source.fit,
            Step.RUNNING: model.await_running,
            Step.WARM: model.warm_up,
            Step.INFERS: model.infer,
        }
        self._tests = tests
        self._results = results
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
        record, walk = self._begin(who, subject, session, go_on=go_on)
        steps = list(Step)
        for step in steps[steps.index(Step.RUNNING) if walk.row is not None else 0 :]:
            if not self._take(step, record, walk):
                break
        with self._lock:
            record.is_running, record.ended_at = False, self._clock()
            record.version_id, record.walk = walk.version_id, None
            record.steps = [
                replace(one, mark=Mark.NOT_TRIED) if one.mark is Mark.TO_COME else one
                for one in record.steps
            ]
        if not record.was_cancelled:
            self._results.keep(who, subject, record.version_id, record.steps)
        return Outcome("", is_partial=any(one.mark is not Mark.DONE for one in record.steps))

    def view(self, who: Identity, subject: Subject, *, version_id: int = 0) -> PreflightView | None:
        """Where this person's last preflight of the subject stands; None if there was none.

        Parameters
        ----------
        version_id
            Number of the pipeline's newest version, against which it may be out of date; 0 where
            that is not known.
        """
        with self._lock:
            record = self._records.get((who.key, subject))
            if record is not None:
                view = self._view(record)
                walked = 0 if record.is_running else record.version_id
        if record is None:
            found = self._results.last(who, subject)
            if found is None:
                return None
            view, walked = found
        can_go_on = self._rows.find(who, _row_id(who, subject)) is not None
        return replace(view, can_go_on=can_go_on, is_stale=0 < walked < version_id)

    def cancel(self, who: Identity, subject: Subject) -> None:
        """Give it up within about 0.1 s; nothing happens to one that has ended."""
        with self._lock:
            record = self._records.get((who.key, subject))
            walk = record.walk if record is not None else None
        if walk is not None:
            _stop(walk)
            if walk.test_id:
                self._tests.cancel(who, walk.test_id)

    def close(self) -> None:
        """Give everything up and forget the rows."""
        with self._lock:
            walks = [record.walk for record in self._records.values()]
        for walk in walks:
            if walk is not None:
                _stop(walk)
        self._rows.clear()

    # -- the walk

    def _begin(
        self, who: Identity, subject: Subject, session: str, *, go_on: bool
    ) -> tuple[_Record, Walk]:
        row = self._rows.find(who, _row_id(who, subject)) if go_on else None
        record = _Record()

        def tell(told: str) -> None:
            self._note(record, StepResult(Step.RUNNING, Mark.NOW, told=told))

        record.walk = walk = Walk(who, subject, session, tell)
        with self._lock:
            before = self._records.pop((who.key, subject), None)
            if row is not None and before is not None:
                read = list(Step).index(Step.RUNNING)
                record.steps[:read] = before.steps[:read]
                walk.row = row
            self._records[who.key, subject] = record
            ended = [key for key, one in self._records.items() if not one.is_running]
            for key in ended[: max(0, len(self._records) - _MOST_KEPT)]:
                del self._records[key]
        return record, walk

    def _take(self, step: Step, record: _Record, walk: Walk) -> bool:
        """Take one step; return whether the next one may be taken."""
        began_at = self._clock()
        with self._lock:
            record.began_at = began_at
        self._note(record, StepResult(step, Mark.NOW))
        try:
            walk.stop_if_cancelled()
            told, elapsed_ms = self._acts[step](walk)
            walk.stop_if_cancelled()
        except Cancelled:
            with self._lock:
                record.was_cancelled = True
            self._note(record, StepResult(step, Mark.NOT_TRIED))
            return False
        except Exception as exc:  # noqa: BLE001 - whatever it was, it is this step that failed
            error = bare(exc if isinstance(exc, DashboardError) else unexpected(exc))
            took_ms = (self._clock() - began_at) * 1000
            way = way_on(step, error)
            failed = StepResult(step, Mark.FAILED, took_ms, error.message, error.hint, way)
            self._note(record, failed)
            return False
        if step is Step.FITS and walk.row is not None:
            self._rows.put(walk.who, walk.row, thing_id=_row_id(walk.who, walk.subject))
        took_ms = elapsed_ms if elapsed_ms is not None else (self._clock() - began_at) * 1000
        self._note(record, StepResult(step, Mark.DONE, took_ms, told))
        return True

    def _note(self, record: _Record, result: StepResult) -> None:
        with self._lock:
            record.steps[list(Step).index(result.step)] = result

    def _view(self, record: _Record) -> PreflightView:
        """Return a record as it stands. The lock is held."""
        now = self._clock()
        steps = tuple(
            replace(one, elapsed_ms=(now - record.began_at) * 1000) if one.mark is Mark.NOW else one
            for one in record.steps
        )
        age_s = 0.0 if record.is_running else now - record.ended_at
        return PreflightView(steps, record.is_running, record.was_cancelled, age_s)


def _stop(walk: Walk) -> None:
    walk.cancel.set()
    walk.progress.cancel.set()


def _row_id(who: Identity, subject: Subject) -> str:
    return f"{who.key}:{subject.workspace_id}:{subject.connection_id}:{subject.pipeline_id}"


def preflight_of(  # noqa: PLR0913 - what it works with, by keyword
    gateway: GatewayOf,
    *,
    store: Store,
    tests: ConnectionTests,
    checks: Checks,
    activity: ActivityLog,
    watch: DeploymentWatch,
    outbound: Callable[[], Outbound],
    timeout_s: float = 60.0,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Preflight:
    """Put the use case together.

    Parameters
    ----------
    timeout_s
        How long the model may take for the row.
    """
    source = SourceSteps(gateway, tests=tests, checks=checks, activity=activity, outbound=outbound)
    model = ModelSteps(gateway, watch=watch, timeout_s=timeout_s, clock=clock)
    results = PreflightResults(PreflightRecords(store), now)
    return Preflight(source, model, tests=tests, results=results, clock=clock)
