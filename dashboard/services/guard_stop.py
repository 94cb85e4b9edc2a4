"""The idle guard's stop of a pipeline: alone, of all that use or stop it, here and elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from dashboard.domain.activity import Act, ActResult
from dashboard.domain.identity import Identity
from dashboard.domain.idle import Guard
from dashboard.domain.pipeline import Pipeline
from dashboard.errors import DashboardError
from dashboard.services.activity import ActivityLog
from dashboard.services.clock import Clock
from dashboard.services.guard_state import Guarded, Pace
from dashboard.services.pipeline_use import PipelineUse
from dashboard.store.guard_records import GuardRecords

#: How the guard signs in the activity log.
SIGNED = "idle guard"
#: So long nothing begins elsewhere, and no other dashboard tries it.
_CLAIM: Final = timedelta(seconds=75)
#: So much of it must be left when the stop is sent: what has waited must meet it as it leaves it.
_SENDING: Final = timedelta(seconds=45)
_LOG = logging.getLogger(__name__)


class NotYet(Exception):
    """It is not stopped now, for a reason that is told, if it is one to tell."""

    def __init__(self, told: str = "") -> None:
        super().__init__(told)
        self.told = told


class Undeploy(Protocol):
    """Stops a pipeline version, and tells whoever follows it."""

    def __call__(
        self, who: Identity, pipeline: Pipeline, *, version: str, may_send: Callable[[], bool]
    ) -> None:
        """Send it if `may_send`, asked right before, allows it; raise NotYet if nothing was."""
        ...


@dataclass(frozen=True, slots=True)
class _Claim:
    """A stop that is reserved for this process.

    Parameters
    ----------
    until
        When it lapses by the time of day, as the other dashboards see it.
    until_s
        When it lapses by the monotonic clock: that of the day may be put back meanwhile.
    """

    until: datetime
    until_s: float

    def left(self, clock: Clock) -> timedelta:
        """Return how long it still holds."""
        by_monotonic = timedelta(seconds=self.until_s - clock.monotonic())
        return min(self.until - clock.now(), by_monotonic)


class GuardStop:
    """Stops one pipeline at a time. Thread-safe."""

    def __init__(  # noqa: PLR0913 - its parts, by keyword
        self,
        *,
        undeploy: Undeploy,
        records: GuardRecords,
        use: PipelineUse,
        activity: ActivityLog,
        on_unexpected: Callable[[BaseException], DashboardError],
        clock: Clock,
        pace: Pace,
    ) -> None:
        self._undeploy = undeploy
        self._records = records
        self._use = use
        self._activity = activity
        self._on_unexpected = on_unexpected
        self._clock = clock
        self._pace = pace

    def stop(self, one: Guarded, who: Identity, is_ours: Callable[[], bool]) -> bool:
        """Undeploy it, if nothing has come up since; whether it was undeployed.

        Parameters
        ----------
        is_ours
            Whether what runs is still what is guarded: asked right before it is sent. What it
            raises is raised here.

        Raises
        ------
        NotYet
            Nothing was sent, or the platform did not do it.
        """
        number = one.guard.pipeline_id
        # Nothing begins here from now on, and nothing at the other dashboards from the claim on.
        with self._use.stopping(number) as is_free:
            now = self._clock.now()
            if not is_free or not one.begin_stop(self._pace, self._use.last(number), now=now):
                return False
            claim = _Claim(now + _CLAIM, self._clock.monotonic() + _CLAIM.total_seconds())
            try:
                if not self._is_claimed(one, now, claim):
                    return False
                self._undeploy_claimed(one, who, is_ours, claim)
            finally:
                one.end_stop()
        guard = one.guard
        self.note(guard, who, f"Unused for {guard.minutes} min.")
        return True

    def _is_claimed(self, one: Guarded, now: datetime, claim: _Claim) -> bool:
        """Whether no other dashboard uses, stops or keeps it; none begins to from then on."""
        return one.is_stored and self._records.claim_stop(
            one.guard, owner=self._use.owner, now=now, until=claim.until
        )

    def _undeploy_claimed(
        self, one: Guarded, who: Identity, is_ours: Callable[[], bool], claim: _Claim
    ) -> None:
        guard, is_sent = one.guard, False

        def may_send() -> bool:
            nonlocal is_sent
            is_sent = is_ours() and claim.left(self._clock) >= _SENDING
            return is_sent

        try:
            self._undeploy(who, pipeline_of(guard), version=guard.version, may_send=may_send)
        except Exception as exc:
            self._release(guard, claim)
            if not is_sent:
                raise
            error = exc if isinstance(exc, DashboardError) else self._on_unexpected(exc)
            if one.failures == 0:
                self.note(guard, who, error.message, result=ActResult.FAILED)
            raise NotYet(f"It could not be stopped. {error.message}") from None
        try:
            # With it the claim goes, and what has waited for it finds a pipeline that is stopped.
            self._records.drop(guard.pipeline_id, guard.version)
        except DashboardError:
            # The next look finds that it is not deployed.
            _LOG.warning("the idle guard of a pipeline that it stopped could not be forgotten")

    def _release(self, guard: Guard, claim: _Claim) -> None:
        try:
            self._records.release_stop(guard, until=claim.until)
        except DashboardError:
            _LOG.warning("a stop could not be given back; it lapses soon")

    def note(
        self,
        guard: Guard,
        who: Identity,
        note: str,
        *,
        act: Act = Act.STOPPED_IDLE,
        result: ActResult = ActResult.DONE,
    ) -> None:
        """Tell the activity log of something that the guard did by itself."""
        self._activity.note(
            Identity(who.key, SIGNED, SIGNED),
            act,
            result=result,
            workspace=guard.workspace_name,
            workspace_id=guard.workspace_id,
            pipeline=guard.pipeline_name,
            note=note,
        )


def pipeline_of(guard: Guard) -> Pipeline:
    """Return the pipeline as far as a call about its deployment needs it."""
    return Pipeline(
        pipeline_id=guard.pipeline_id,
        name=guard.pipeline_name,
        workspace_id=guard.workspace_id,
        workspace_name=guard.workspace_name,
        created_at=guard.armed_at,
        updated_at=guard.armed_at,
    )
