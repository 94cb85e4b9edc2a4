"""Follows deployments: one watcher per pipeline, whatever the number of viewers.

What a page shows of a deployment comes from here, never from a call of its own. A pipeline that is
moving is asked for every half second; one at rest only while somebody looks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace

from dashboard.domain.deployment import MAY_RECOVER_S, Phase, PhaseState, advance
from dashboard.domain.identity import Identity
from dashboard.domain.pipeline import DeploymentStatus, Pipeline, PipelineState
from dashboard.errors import DashboardError

MOVING_EVERY_S = 0.5
RESTING_EVERY_S = 5.0
_LOOKED_AT_S = 20.0
_INTENT_KEPT_S = 180.0
_STARTS_KEPT = 6
_SERVING = (PipelineState.RUNNING, PipelineState.DEGRADED)

StatusOf = Callable[[Identity, Pipeline], DeploymentStatus]


@dataclass(frozen=True, slots=True)
class DeploymentView:
    """What is known of a pipeline's deployment. Times are seconds, measured by this dashboard.

    Parameters
    ----------
    status
        The platform's last answer, with `Stopping` and `Starting` said from the moment they were
        asked for; None until the first answer.
    since_s
        How long it has been in this state, as far as was seen.
    started_s
        How long ago the start under way (or the one that led here) was asked for, if it was seen.
    usual_start_s
        Median of the earlier starts seen here; None without any.
    error
        Why the platform could not be asked the last time.
    """

    status: DeploymentStatus | None = None
    since_s: float = 0.0
    started_s: float | None = None
    usual_start_s: float | None = None
    phases: tuple[Phase, ...] = ()
    error: DashboardError | None = None

    @property
    def state(self) -> PipelineState | None:
        """The state, or None while it is not known."""
        return self.status.state if self.status is not None else None


@dataclass(slots=True)
class _Watched:
    who: Identity
    pipeline: Pipeline
    status: DeploymentStatus | None = None
    error: DashboardError | None = None
    changed_at: float = 0.0
    asked_at: float = float("-inf")
    looked_at: float = float("-inf")
    is_asking: bool = False
    intent: PipelineState | None = None
    intent_at: float = 0.0
    started_at: float | None = None
    phases: tuple[Phase, ...] = ()
    starts_s: list[float] = field(default_factory=list)
    answered: threading.Event = field(default_factory=threading.Event)


class DeploymentWatch:
    """The watchers. Thread-safe; `tick` is called by the runtime's clock thread."""

    def __init__(
        self,
        pool: Executor,
        status_of: StatusOf,
        *,
        clock: Callable[[], float] = time.monotonic,
        on_unexpected: Callable[[BaseException], DashboardError],
    ) -> None:
        self._pool = pool
        self._status_of = status_of
        self._clock = clock
        self._on_unexpected = on_unexpected
        self._lock = threading.Lock()
        self._watched: dict[tuple[str, int], _Watched] = {}

    def look(self, who: Identity, pipeline: Pipeline, *, wait_s: float = 0.0) -> DeploymentView:
        """Return what is known, and keep it fresh while somebody looks."""
        watched = self._find(who, pipeline)
        with self._lock:
            watched.looked_at = self._clock()
            watched.pipeline = pipeline
        self._ask_if_due(watched)
        if watched.status is None and wait_s > 0:
            watched.answered.wait(wait_s)
        return self._view(watched)

    def expect(self, who: Identity, pipeline: Pipeline, state: PipelineState) -> None:
        """Note that somebody asked for a start (`STARTING`) or a stop (`STOPPING`) just now."""
        watched = self._find(who, pipeline)
        with self._lock:
            now = self._clock()
            # Until the platform has taken it (`confirm`), its answers speak of the past.
            watched.intent, watched.intent_at, watched.changed_at = state, float("inf"), now
            serves = watched.status is not None and watched.status.state in _SERVING
            # A new version of what runs is rolled in while the old one answers: no start to tell.
            if state is PipelineState.STARTING and not serves:
                watched.started_at = now
                watched.phases = advance((), DeploymentStatus(state=state), elapsed_s=0.0)

    def confirm(self, who: Identity, pipeline: Pipeline) -> None:
        """Note that the platform has accepted what was expected."""
        watched = self._find(who, pipeline)
        with self._lock:
            watched.intent_at = self._clock()
            watched.asked_at = float("-inf")

    def give_up_expecting(self, who: Identity, pipeline: Pipeline) -> None:
        """Take an `expect` back: the platform refused."""
        watched = self._find(who, pipeline)
        with self._lock:
            watched.intent, watched.intent_at = None, self._clock()
            watched.asked_at = float("-inf")
            if watched.status is not None and watched.status.state is PipelineState.NOT_DEPLOYED:
                watched.started_at, watched.phases = None, ()

    def states(self, who: Identity) -> tuple[tuple[int, PipelineState | None], ...]:
        """Return what is told of every pipeline watched for `who`: id and state, in id order.

        A page that polls this is being looked at, so what it shows is kept fresh.
        """
        with self._lock:
            mine = [watched for (key, _), watched in self._watched.items() if key == who.key]
            for watched in mine:
                watched.looked_at = self._clock()
        views = [(watched.pipeline.pipeline_id, self._view(watched).state) for watched in mine]
        return tuple(sorted(views, key=lambda view: view[0]))

    def tick(self) -> None:
        """Ask the platform about every pipeline that is due."""
        with self._lock:
            watched = list(self._watched.values())
        for one in watched:
            self._ask_if_due(one)

    def _find(self, who: Identity, pipeline: Pipeline) -> _Watched:
        with self._lock:
            key = (who.key, pipeline.pipeline_id)
            if key not in self._watched:
                self._watched[key] = _Watched(who, pipeline, changed_at=self._clock())
            return self._watched[key]

    def _ask_if_due(self, watched: _Watched) -> None:
        now = self._clock()
        with self._lock:
            moving = watched.intent is not None or (
                watched.status is not None and watched.status.state.is_moving
            )
            unseen_s = now - watched.looked_at
            # Nobody looks, and nothing moves or will any more: leave the platform in peace.
            idle = unseen_s > (MAY_RECOVER_S if moving else _LOOKED_AT_S)
            # Many pipelines at rest are asked about less often: the platform is shared.
            resting_s = max(RESTING_EVERY_S, len(self._watched) * MOVING_EVERY_S)
            every_s = MOVING_EVERY_S if moving else resting_s
            if watched.is_asking or idle or now - watched.asked_at < every_s:
                return
            watched.is_asking, watched.asked_at = True, now
        try:
            self._pool.submit(self._ask, watched)
        except RuntimeError:  # the pool was shut down: the program is stopping
            watched.is_asking = False

    def _ask(self, watched: _Watched) -> None:
        asked_at = self._clock()
        status: DeploymentStatus | None = None
        error: DashboardError | None = None
        try:
            status = self._status_of(watched.who, watched.pipeline)
        except DashboardError as exc:
            error = exc
        except Exception as exc:  # noqa: BLE001 - a worker's failure must reach the page
            error = self._on_unexpected(exc)
        with self._lock:
            watched.is_asking = False
            watched.error = error
            # An answer asked for before the latest deploy or undeploy speaks of the past.
            if status is not None and asked_at >= watched.intent_at:
                self._take(watched, status)
            elif status is None and self._clock() - watched.changed_at > _INTENT_KEPT_S:
                watched.intent = None
            watched.answered.set()

    def _take(self, watched: _Watched, status: DeploymentStatus) -> None:
        now = self._clock()
        self._settle_intent(watched, status, now)
        told = _told(status, watched.intent)
        before = watched.status.state if watched.status is not None else None
        if told.state is not before:
            watched.changed_at = now
        if told.state is PipelineState.STARTING and watched.started_at is None:
            watched.started_at = now
        if watched.started_at is not None and told.state is not PipelineState.NOT_DEPLOYED:
            was_ready = bool(watched.phases) and watched.phases[-1].state is PhaseState.DONE
            elapsed_s = now - watched.started_at
            watched.phases = advance(watched.phases, told, elapsed_s=elapsed_s)
            if watched.phases[-1].state is PhaseState.DONE and not was_ready:
                watched.starts_s = [*watched.starts_s, elapsed_s][-_STARTS_KEPT:]
        elif told.state is PipelineState.NOT_DEPLOYED:
            watched.started_at, watched.phases = None, ()
        watched.status = told

    def _settle_intent(self, watched: _Watched, status: DeploymentStatus, now: float) -> None:
        stopped = status.state is PipelineState.NOT_DEPLOYED
        if watched.intent is PipelineState.STOPPING:
            met = stopped
        elif watched.intent is PipelineState.STARTING:
            met = not stopped
        else:
            return
        if met or now - watched.changed_at > _INTENT_KEPT_S:
            watched.intent = None

    def _view(self, watched: _Watched) -> DeploymentView:
        with self._lock:
            now = self._clock()
            status = watched.status
            if watched.intent is not None:
                status = _told(status or DeploymentStatus(state=watched.intent), watched.intent)
            starts = sorted(watched.starts_s)
            return DeploymentView(
                status=status,
                since_s=now - watched.changed_at,
                started_s=None if watched.started_at is None else now - watched.started_at,
                usual_start_s=starts[len(starts) // 2] if starts else None,
                phases=watched.phases,
                error=watched.error,
            )


def _told(status: DeploymentStatus, intent: PipelineState | None) -> DeploymentStatus:
    """Say what was asked for until the platform shows it: it has no word for stopping."""
    if intent is PipelineState.STOPPING and status.state is not PipelineState.NOT_DEPLOYED:
        return replace(status, state=PipelineState.STOPPING)
    if intent is PipelineState.STARTING and status.state is PipelineState.NOT_DEPLOYED:
        return replace(status, state=PipelineState.STARTING)
    return status
