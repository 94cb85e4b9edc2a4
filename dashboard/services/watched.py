"""What is known of one deployment: its state, its start, and what was asked of it last.

Not thread-safe: its watch guards it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dashboard.domain.deployment import MAY_RECOVER_S, Phase, PhaseState, advance
from dashboard.domain.pipeline import DeploymentStatus, PipelineState, Pod
from dashboard.errors import DashboardError

_INTENT_KEPT_S = 180.0
#: Asked for while an earlier version serves, a start shows within this time or was none.
_REDEPLOY_SHOWS_S = 60.0
#: First seen later than this after a start, its times so far are not known.
_SEEN_AT_ONCE_S = 3.0
_STARTS_KEPT = 6
_SERVING = (PipelineState.RUNNING, PipelineState.DEGRADED)


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
    recover_left_s
        In an error: for how long the platform goes on trying; 0 when the error is final. Else None.
    restarts
        How often a process was started again since it was first seen, by its name.
    error
        Why the platform could not be asked the last time.
    """

    status: DeploymentStatus | None = None
    since_s: float = 0.0
    started_s: float | None = None
    usual_start_s: float | None = None
    phases: tuple[Phase, ...] = ()
    recover_left_s: float | None = None
    restarts: Mapping[str, int] = field(default_factory=dict)
    error: DashboardError | None = None

    @property
    def state(self) -> PipelineState | None:
        """The state, or None while it is not known."""
        return self.status.state if self.status is not None else None

    @property
    def is_moving(self) -> bool:
        """Whether it is expected to change by itself soon."""
        return self.state is not None and self.state.is_moving and self.recover_left_s != 0.0


@dataclass(slots=True)
class Watched:
    """One deployment. Times are those of the watch's clock, in s.

    Parameters
    ----------
    intent, intent_at
        What was asked for here and the platform does not show yet, and since when its answers
        count: those to questions before speak of the past.
    has_served
        Whether it has answered since the start that led here.
    before
        What was known when something was asked for that the platform has not accepted yet.
    """

    changed_at: float
    status: DeploymentStatus | None = None
    error: DashboardError | None = None
    intent: PipelineState | None = None
    intent_at: float = 0.0
    started_at: float | None = None
    redeployed_at: float = float("-inf")
    counts: bool = False
    has_served: bool = False
    phases: tuple[Phase, ...] = ()
    starts_s: list[float] = field(default_factory=list)
    restarts: dict[str, int] = field(default_factory=dict)
    before: Watched | None = field(default=None, repr=False)

    def expect(self, state: PipelineState, now: float) -> None:
        """Note that a start or a stop was asked for, and is on its way to the platform."""
        if self.before is None:
            self.before = replace(self, restarts=dict(self.restarts))
        self.intent, self.intent_at, self.changed_at = state, float("inf"), now
        if state is not PipelineState.STARTING:
            return
        if self.status is not None and self.status.state in _SERVING:
            # A new version of what runs is rolled in while the old one answers: a start is told
            # when the platform shows one.
            self.redeployed_at = now
        else:
            self._begin(now, counts=True)
            self.phases = advance((), DeploymentStatus(state=state), elapsed_s=0.0)

    def confirm(self, now: float) -> None:
        """Note that the platform has accepted what was expected: its answers count from now on."""
        self.intent_at, self.before = now, None

    def give_up_expecting(self, now: float) -> None:
        """Take an `expect` back: the platform refused, and everything is as it was before."""
        before, self.before = self.before, None
        if before is None:  # of two at a time, the other one was settled
            self.intent, self.intent_at, self.redeployed_at = None, now, float("-inf")
            return
        self.status, self.changed_at = before.status, before.changed_at
        self.intent, self.intent_at = before.intent, before.intent_at
        self.started_at, self.redeployed_at = before.started_at, before.redeployed_at
        self.counts, self.has_served = before.counts, before.has_served
        self.phases, self.restarts = before.phases, before.restarts

    def fail(self, error: DashboardError, now: float) -> None:
        """Note that the platform could not be asked."""
        self.error = error
        if now - self.changed_at > _INTENT_KEPT_S:
            self.intent = None

    def take(
        self, status: DeploymentStatus, now: float, *, deployed_s: float | None = None
    ) -> None:
        """Take an answer of the platform.

        Parameters
        ----------
        deployed_s
            How long ago the deploy was, by the platform's own record; None if that is not known.
        """
        self._settle_intent(status, now)
        told = _told(status, self.intent)
        before = self.status.state if self.status is not None else None
        if told.state is not before:
            self.changed_at = now
        self._find_start(told, before, now, deployed_s)
        self._count_restarts(told)
        if told.state is PipelineState.NOT_DEPLOYED:
            self._forget_start()
        elif self.started_at is not None and told.state is not PipelineState.STOPPING:
            self._advance(told, now - self.started_at)
        self.has_served = self.has_served or told.state in _SERVING
        self.status = told

    def view(self, now: float) -> DeploymentView:
        """Return what is known."""
        status = self.status
        if self.intent is not None:
            status = _told(status or DeploymentStatus(state=self.intent), self.intent)
        starts = sorted(self.starts_s)
        return DeploymentView(
            status=status,
            since_s=now - self.changed_at,
            started_s=None if self.started_at is None else now - self.started_at,
            usual_start_s=starts[len(starts) // 2] if starts else None,
            phases=self.phases,
            recover_left_s=self._recover_left_s(status, now),
            restarts=dict(self.restarts),
            error=self.error,
        )

    def _recover_left_s(self, status: DeploymentStatus | None, now: float) -> float | None:
        if status is None or status.state is not PipelineState.ERROR:
            return None
        # What has served and failed later is started again just as long.
        begun_at = self.changed_at
        if self.started_at is not None and not self.has_served:
            begun_at = self.started_at
        return max(0.0, begun_at + MAY_RECOVER_S - now)

    def _begin(self, at: float, *, counts: bool) -> None:
        self.started_at, self.counts, self.has_served = at, counts, False
        self.phases = ()
        self.restarts.clear()

    def _forget_start(self) -> None:
        self.started_at, self.phases, self.has_served = None, (), False
        self.restarts.clear()

    def _find_start(
        self,
        told: DeploymentStatus,
        before: PipelineState | None,
        now: float,
        deployed_s: float | None,
    ) -> None:
        """Notice a start: one that was asked for here, or somewhere else."""
        if told.state not in (PipelineState.STARTING, PipelineState.ERROR):
            return
        if now - self.redeployed_at < _REDEPLOY_SHOWS_S:
            self._begin(self.redeployed_at, counts=True)
            self.redeployed_at = float("-inf")
        elif before in _SERVING and told.state is PipelineState.STARTING:
            self._begin(now, counts=False)
        elif self.started_at is None and not self.has_served:
            was_off = before is PipelineState.NOT_DEPLOYED
            # Seen under way for the first time, it has begun when its version was made.
            ago_s = 0.0 if was_off else deployed_s or 0.0
            if told.state is PipelineState.STARTING and ago_s > MAY_RECOVER_S:
                ago_s = 0.0
            self._begin(now - ago_s, counts=was_off)

    def _advance(self, told: DeploymentStatus, elapsed_s: float) -> None:
        was_ready = _is_ready(self.phases)
        is_late = not self.phases and elapsed_s > _SEEN_AT_ONCE_S
        self.phases = advance(self.phases, told, elapsed_s=None if is_late else elapsed_s)
        if self.counts and _is_ready(self.phases) and not was_ready:
            self.starts_s = [*self.starts_s, elapsed_s][-_STARTS_KEPT:]

    def _count_restarts(self, told: DeploymentStatus) -> None:
        before = {pod.name: pod for pod in _pods(self.status)}
        for pod in _pods(told):
            known = before.get(pod.name)
            if pod.restarts is not None:
                self.restarts[pod.name] = pod.restarts
            elif known is not None and _was_restarted(known, pod):
                self.restarts[pod.name] = self.restarts.get(pod.name, 0) + 1

    def _settle_intent(self, status: DeploymentStatus, now: float) -> None:
        stopped = status.state is PipelineState.NOT_DEPLOYED
        if self.intent is PipelineState.STOPPING:
            met = stopped
        elif self.intent is PipelineState.STARTING:
            met = not stopped
        else:
            return
        if met or now - self.changed_at > _INTENT_KEPT_S:
            self.intent = None


def _is_ready(phases: tuple[Phase, ...]) -> bool:
    return bool(phases) and phases[-1].state is PhaseState.DONE


def _pods(status: DeploymentStatus | None) -> tuple[Pod, ...]:
    return (*status.engines, *status.sidekicks) if status is not None else ()


def _was_restarted(before: Pod, now: Pod) -> bool:
    """Whether a process that ran or had failed is at its beginning again."""
    if now.status == "Pending":
        return before.status in ("Running", "Failed")
    return now.is_running and before.status == "Failed"


def _told(status: DeploymentStatus, intent: PipelineState | None) -> DeploymentStatus:
    """Say what was asked for until the platform shows it: it has no word for stopping."""
    if intent is PipelineState.STOPPING and status.state is not PipelineState.NOT_DEPLOYED:
        return replace(status, state=PipelineState.STOPPING)
    if intent is PipelineState.STARTING and status.state is PipelineState.NOT_DEPLOYED:
        return replace(status, state=PipelineState.STARTING)
    return status
