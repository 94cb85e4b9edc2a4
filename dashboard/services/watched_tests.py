"""Tests of connections under way or over: where each stands, for whoever began it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from dashboard.connectors.base import TestResult
from dashboard.connectors.causes import FetchCause, fetch_failure
from dashboard.connectors.outbound import Progress
from dashboard.domain.check import Stage, StageResult, StageState
from dashboard.domain.identity import Identity
from dashboard.errors import DashboardError, FetchFailed, bare

_KEPT_S: Final = 900.0
_MOST_KEPT: Final = 1000

#: Runs one test, told how far it may go on: what it found.
Work = Callable[[Progress], TestResult]


@dataclass(frozen=True, slots=True)
class TestView:
    """Where a test stands now.

    Parameters
    ----------
    stages
        All five, with their times so far.
    running_s
        How long it has been running, or ran.
    result
        What it found; None while it runs, or when `error` says why there is none.
    error
        Why it could not be made: the details do not fit, the connection is gone, too many tests.
        Its `field` names the form field, as that of `result.failure` does.
    age_s
        Seconds since it began.
    """

    __test__ = False  # not a test case, whatever its name makes pytest think

    test_id: str
    is_running: bool
    stages: tuple[StageResult, ...]
    running_s: float = 0.0
    result: TestResult | None = None
    error: DashboardError | None = None
    age_s: float = 0.0


@dataclass(slots=True)
class Watched:
    """One test. It never holds details: what works on them hands in the end alone."""

    owner: str
    began_at: float
    progress: Progress = field(default_factory=Progress)
    ended_at: float | None = None
    result: TestResult | None = None
    error: DashboardError | None = None


class WatchedTests:
    """Keeps how tests went for 15 min. Thread-safe.

    Parameters
    ----------
    clock
        Seconds, monotonic.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        on_unexpected: Callable[[BaseException], DashboardError],
    ) -> None:
        self._clock = clock
        self._on_unexpected = on_unexpected
        self._lock = threading.Lock()
        self._watched: dict[str, Watched] = {}

    def view(self, who: Identity, test_id: str) -> TestView | None:
        """Where a test stands; None if it is unknown or somebody else's."""
        with self._lock:
            watched = self._watched.get(test_id)
            if watched is None or watched.owner != who.key:
                return None
            now = self._clock()
            ended_at, result = watched.ended_at, watched.result
            return TestView(
                test_id=test_id,
                is_running=ended_at is None,
                stages=_stages(watched, result),
                running_s=(now if ended_at is None else ended_at) - watched.began_at,
                result=result,
                error=watched.error,
                age_s=now - watched.began_at,
            )

    def cancel(self, who: Identity, test_id: str) -> None:
        """Stop a test within about 0.1 s; nothing happens to one that has ended."""
        with self._lock:
            watched = self._watched.get(test_id)
            if watched is None or watched.owner != who.key:
                return
            watched.progress.cancel.set()
            # Told at once: the thread may be in a call that nothing wakes.
            self._end(watched, _cancelled(watched.progress))

    def begin(self, who: Identity, test_id: str) -> Watched:
        """Watch a test that begins now."""
        with self._lock:
            self._forget_old()
            watched = Watched(owner=who.key, began_at=self._clock())
            self._watched[test_id] = watched
            return watched

    def work(self, watched: Watched, work: Work) -> None:
        """Run a test on this thread and keep what it found, or why it could not be made."""
        if watched.progress.cancel.is_set():
            return
        try:
            result = work(watched.progress)
        except DashboardError as exc:
            self.fail(watched, exc)
        except Exception as exc:  # noqa: BLE001 - a worker's failure must reach the page
            self.fail(watched, self._on_unexpected(exc))
        else:
            with self._lock:
                self._end(watched, own(result))

    def fail(self, watched: Watched, error: DashboardError) -> None:
        """End a test that could not be made."""
        # The frames of a traceback hold what was tested, secrets too.
        bare(error)
        with self._lock:
            if watched.ended_at is None:
                watched.ended_at, watched.error = self._clock(), error

    def _end(self, watched: Watched, result: TestResult) -> None:
        """Set the end; the first one counts. The lock is held."""
        if watched.ended_at is None:
            watched.ended_at, watched.result = self._clock(), result

    def _forget_old(self) -> None:
        now = self._clock()
        ended = [key for key, one in self._watched.items() if one.ended_at is not None]
        surplus = max(0, len(self._watched) + 1 - _MOST_KEPT)
        for place, test_id in enumerate(ended):
            ended_at = self._watched[test_id].ended_at
            if place < surplus or (ended_at is not None and now - ended_at > _KEPT_S):
                del self._watched[test_id]


def _stages(watched: Watched, result: TestResult | None) -> tuple[StageResult, ...]:
    if result is not None:
        return result.stages
    running = watched.ended_at is None
    return _snapshot(watched.progress, StageState.RUNNING if running else StageState.NOT_REACHED)


def _snapshot(progress: Progress, state: StageState) -> tuple[StageResult, ...]:
    """Return the stages of a test under way on another thread, the current one in `state`."""
    # Both are read once: the other thread goes on meanwhile.
    current, times_ms = progress.current, dict(progress.times_ms)
    if current is None:
        current = next((stage for stage in Stage if stage not in times_ms), None)
    order = list(Stage)
    reached = len(order) if current is None else order.index(current)
    states = [StageState.DONE] * reached + [state] + [StageState.NOT_REACHED] * len(order)
    return tuple(
        StageResult(stage, at, times_ms.get(stage) if at is StageState.DONE else None)
        for stage, at in zip(order, states, strict=False)
    )


def _cancelled(progress: Progress) -> TestResult:
    return TestResult(
        _snapshot(progress, StageState.NOT_REACHED), fetch_failure(FetchCause.CANCELLED)
    )


def own(result: TestResult) -> TestResult:
    """Return `result` with a failure of its own, whose traceback nobody else can fill again."""
    failure = result.failure
    if failure is None:
        return result
    its_own = FetchFailed(
        failure.message, cause_code=failure.cause_code, hint=failure.hint, field=failure.field
    )
    return replace(result, failure=its_own)
