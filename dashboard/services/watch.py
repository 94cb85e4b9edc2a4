"""Follows deployments: one watcher per deployment, whatever the number of viewers.

What a page shows of a deployment comes from here, never from a call of its own. One that moves is
asked for every half second, one at rest only while somebody looks. The questions are asked in the
names of its viewers by turns: nobody is shown what the platform does not show them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dashboard.domain.deployment import MAY_RECOVER_S, deployed_at
from dashboard.domain.identity import Identity
from dashboard.domain.pipeline import DeploymentStatus, Pipeline, PipelineState
from dashboard.errors import AccessDenied, AuthenticationFailed, DashboardError, NotFound, bare
from dashboard.services.watched import DeploymentView, Watched

__all__ = ["DeploymentView", "DeploymentWatch"]

MOVING_EVERY_S = 0.5
RESTING_EVERY_S = 5.0
#: One at rest that somebody has open before them.
CLOSE_EVERY_S = 0.7
#: What the list and the last answer do not agree about.
_DOUBTED_EVERY_S = 2.0
_LOOKED_AT_S = 20.0
_CLOSELY_S = 3.0
_ASK_AGAIN_S = 5.0
_KEPT_S = 3600.0
#: A page is drawn anew at least so often, and with it everything it shows.
_DRAWN_S = 300.0

StatusOf = Callable[[Identity, Pipeline], DeploymentStatus]
#: Told of a new answer, and of when it was asked for.
OnStatus = Callable[[Pipeline, DeploymentStatus, datetime], None]
#: These answers are about who asks, not about the deployment.
_DENIED = (AccessDenied, AuthenticationFailed, NotFound)
_NEVER = float("-inf")
_OFF = DeploymentStatus(PipelineState.NOT_DEPLOYED)


@dataclass(slots=True)
class _Viewer:
    """One person that looks at a deployment.

    Parameters
    ----------
    drawn_at, looked_at, closely_at
        When a page of theirs was drawn with it, was polled last, and had it open.
    admitted_at
        When the platform last answered them; never for one that it does not show it to.
    """

    who: Identity
    pipeline: Pipeline
    drawn_at: float = _NEVER
    looked_at: float = _NEVER
    closely_at: float = _NEVER
    asked_at: float = _NEVER
    admitted_at: float = _NEVER
    error: DashboardError | None = None
    answered: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True)
class _Entry:
    """One deployment and its viewers."""

    watched: Watched
    viewers: dict[str, _Viewer] = field(default_factory=dict)
    asked_at: float = _NEVER
    is_asking: bool = False


class DeploymentWatch:
    """The watchers. Thread-safe; `tick` is called by the runtime's clock thread."""

    def __init__(
        self,
        pool: Executor,
        status_of: StatusOf,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        on_unexpected: Callable[[BaseException], DashboardError],
        on_status: OnStatus = lambda _pipeline, _status, _asked_at: None,
    ) -> None:
        self._pool = pool
        self._status_of = status_of
        self._on_status = on_status
        self._clock = clock
        self._now = now
        self._on_unexpected = on_unexpected
        self._lock = threading.Lock()
        self._entries: dict[int, _Entry] = {}

    def look(
        self, who: Identity, pipeline: Pipeline, *, wait_s: float = 0.0, closely: bool = False
    ) -> DeploymentView:
        """Return what is known, and keep it fresh while somebody looks.

        Parameters
        ----------
        wait_s
            How long to wait for the very first answer.
        closely
            Whether it is open before them: then it is asked for more often.
        """
        with self._lock:
            entry, viewer = self._find(who, pipeline)
            viewer.drawn_at = viewer.looked_at = self._clock()
            if closely:
                viewer.closely_at = viewer.looked_at
            if entry.watched.status is None and _list_says_off(pipeline):
                # Their own list shows it to them, and there is nothing more to know.
                entry.watched.take(_OFF, viewer.looked_at)
            if entry.watched.status is not None and _list_says_off(pipeline):
                viewer.admitted_at = max(viewer.admitted_at, 0.0)
                viewer.answered.set()
        self._ask_if_due(entry)
        if viewer.admitted_at == _NEVER and viewer.error is None and wait_s > 0:
            viewer.answered.wait(wait_s)
        return self._view(entry, viewer)

    def expect(self, who: Identity, pipeline: Pipeline, state: PipelineState) -> None:
        """Note that somebody asked for a start (`STARTING`) or a stop (`STOPPING`) just now."""
        with self._lock:
            entry, _ = self._find(who, pipeline)
            # Until the platform has taken it (`confirm`), its answers speak of the past.
            entry.watched.expect(state, self._clock())

    def confirm(self, who: Identity, pipeline: Pipeline) -> None:
        """Note that the platform has accepted what was expected."""
        with self._lock:
            entry, _ = self._find(who, pipeline)
            entry.watched.confirm(self._clock())
            entry.asked_at = _NEVER

    def give_up_expecting(self, who: Identity, pipeline: Pipeline) -> None:
        """Take an `expect` back: the platform refused."""
        with self._lock:
            entry, _ = self._find(who, pipeline)
            entry.watched.give_up_expecting(self._clock())
            entry.asked_at = _NEVER

    def states(self, who: Identity) -> tuple[tuple[int, PipelineState | None], ...]:
        """Return what is told of every pipeline watched for `who`: id and state, in id order.

        A page that polls this is being looked at, so what it shows is kept fresh. What the platform
        does not show to `who` is left out.
        """
        with self._lock:
            now = self._clock()
            mine = [
                (pipeline_id, entry, viewer)
                for pipeline_id, entry in self._entries.items()
                if (viewer := entry.viewers.get(who.key)) is not None
                and now - viewer.drawn_at < _DRAWN_S
                and viewer.error is None
            ]
            for _, _, viewer in mine:
                viewer.looked_at = now
        views = [(number, self._view(entry, viewer).state) for number, entry, viewer in mine]
        return tuple(sorted(views, key=lambda view: view[0]))

    def tick(self) -> None:
        """Ask the platform about every pipeline that is due."""
        with self._lock:
            now = self._clock()
            for pipeline_id, entry in list(self._entries.items()):
                seen_at = max((one.drawn_at for one in entry.viewers.values()), default=_NEVER)
                if seen_at != _NEVER and now - seen_at > _KEPT_S:
                    del self._entries[pipeline_id]
            entries = list(self._entries.values())
        for entry in entries:
            self._ask_if_due(entry)

    def _find(self, who: Identity, pipeline: Pipeline) -> tuple[_Entry, _Viewer]:
        """Return the entry of a pipeline and this viewer of it. Under the lock."""
        entry = self._entries.get(pipeline.pipeline_id)
        if entry is None:
            entry = _Entry(Watched(changed_at=self._clock()))
            self._entries[pipeline.pipeline_id] = entry
        viewer = entry.viewers.get(who.key)
        if viewer is None:
            viewer = _Viewer(who, pipeline)
            entry.viewers[who.key] = viewer
        viewer.who, viewer.pipeline = who, pipeline
        return entry, viewer

    def _ask_if_due(self, entry: _Entry) -> None:
        with self._lock:
            viewer = self._who_asks(entry, self._clock())
            if viewer is None:
                return
            entry.is_asking = True
            entry.asked_at = viewer.asked_at = self._clock()
        try:
            self._pool.submit(self._ask, entry, viewer)
        except RuntimeError:  # the pool was shut down: the program is stopping
            entry.is_asking = False

    def _who_asks(self, entry: _Entry, now: float) -> _Viewer | None:
        """In whose name to ask now; None when it is not due. Under the lock."""
        if entry.is_asking:
            return None
        view = entry.watched.view(now)
        moving = entry.watched.intent is not None or view.is_moving
        # Nobody looks, and nothing moves or will any more: leave the platform in peace.
        patience_s = MAY_RECOVER_S if moving else _LOOKED_AT_S
        looking = [
            one
            for one in entry.viewers.values()
            if now - one.looked_at <= patience_s
            and (one.error is None or now - one.asked_at >= _ASK_AGAIN_S)
        ]
        if not looking:
            return None
        # By turns; somebody new comes first, and waits for nobody's interval.
        asker = min(looking, key=lambda one: (one.admitted_at, one.asked_at))
        if asker.admitted_at == _NEVER and asker.error is None:
            return asker
        every_s = MOVING_EVERY_S if moving else self._resting_s(entry, looking, now)
        if every_s is None or now - entry.asked_at < every_s:
            return None
        return asker

    def _resting_s(self, entry: _Entry, looking: list[_Viewer], now: float) -> float | None:
        """How often to ask for what does not move; None where there is nothing to ask."""
        if any(now - one.closely_at < _CLOSELY_S for one in looking):
            return CLOSE_EVERY_S
        newest = max(looking, key=lambda one: one.drawn_at).pipeline.deployment
        state = entry.watched.status.state if entry.watched.status is not None else None
        if newest is not None:
            if newest.deployed == (state is PipelineState.NOT_DEPLOYED):
                return _DOUBTED_EVERY_S
            if not newest.deployed:
                # The list, which is read anyway, says when this is over.
                return None
        # Many that run are asked about less often: the platform is shared.
        deployed = sum(not _is_off(one) for one in self._entries.values())
        return max(RESTING_EVERY_S, deployed * MOVING_EVERY_S)

    def _ask(self, entry: _Entry, viewer: _Viewer) -> None:
        asked_at, asked_when = self._clock(), self._now()
        status: DeploymentStatus | None = None
        error: DashboardError | None = None
        try:
            status = self._status_of(viewer.who, viewer.pipeline)
        except DashboardError as exc:
            error = bare(exc)
        except Exception as exc:  # noqa: BLE001 - a worker's failure must reach the page
            error = self._on_unexpected(exc)
        is_new = False
        with self._lock:
            now = self._clock()
            entry.is_asking = False
            if isinstance(error, _DENIED):
                viewer.error, viewer.admitted_at = error, _NEVER
            elif error is not None:
                entry.watched.fail(error, now)
            else:
                viewer.error, viewer.admitted_at = None, now
                entry.watched.error = None
                # An answer asked for before the latest deploy or undeploy speaks of the past.
                if status is not None and asked_at >= entry.watched.intent_at:
                    is_new = True
                    entry.watched.take(status, now, deployed_s=self._deployed_s(viewer))
            viewer.answered.set()
        if status is not None and is_new:
            self._on_status(viewer.pipeline, status, asked_when)

    def _deployed_s(self, viewer: _Viewer) -> float | None:
        """How long ago its newest version was made, which each deploy does."""
        at = deployed_at(viewer.pipeline)
        return max(0.0, (self._now() - at).total_seconds()) if at is not None else None

    def _view(self, entry: _Entry, viewer: _Viewer) -> DeploymentView:
        with self._lock:
            if viewer.error is not None:
                return DeploymentView(error=viewer.error)
            if viewer.admitted_at == _NEVER:
                return DeploymentView(error=entry.watched.error)
            return entry.watched.view(self._clock())


def _list_says_off(pipeline: Pipeline) -> bool:
    return pipeline.deployment is not None and not pipeline.deployment.deployed


def _is_off(entry: _Entry) -> bool:
    status = entry.watched.status
    return status is not None and status.state is PipelineState.NOT_DEPLOYED
