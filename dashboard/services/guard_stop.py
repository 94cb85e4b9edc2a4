"""The idle guard's stop of a pipeline: alone, of all that use or stop it, here and elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

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
#: What a stop may take before another dashboard tries it.
_CLAIM = timedelta(minutes=2)

Undeploy = Callable[[Identity, Pipeline], object]


class NotYet(Exception):
    """It is not stopped now, for a reason that is told, if it is one to tell."""

    def __init__(self, told: str = "") -> None:
        super().__init__(told)
        self.told = told


class GuardStop:
    """Stops one pipeline at a time. Thread-safe.

    Parameters
    ----------
    undeploy
        Stops a pipeline, and tells whoever follows it.
    """

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

    def stop(self, one: Guarded, who: Identity) -> bool:
        """Undeploy it, if nothing has come up since; whether it was undeployed.

        Raises
        ------
        NotYet
            The platform did not do it.
        """
        number = one.guard.pipeline_id
        # Nothing begins here from now on, and nothing at the other dashboards from the claim on.
        with self._use.stopping(number) as is_free:
            now = self._clock.now()
            if not is_free or not one.begin_stop(self._pace, self._use.last(number), now=now):
                return False
            try:
                if not self._claim(one, now, now + _CLAIM):
                    return False
                self._undeploy_claimed(one, who, now + _CLAIM)
            finally:
                one.end_stop()
        guard = one.guard
        self.note(guard, who, f"Unused for {guard.minutes} min.")
        return True

    def _claim(self, one: Guarded, now: datetime, until: datetime) -> bool:
        """Whether no other dashboard uses, stops or keeps it; none begins to from then on."""
        return one.is_stored and self._records.claim_stop(
            one.guard, owner=self._use.owner, now=now, until=until
        )

    def _undeploy_claimed(self, one: Guarded, who: Identity, until: datetime) -> None:
        guard = one.guard
        try:
            self._undeploy(who, pipeline_of(guard))
        except Exception as exc:  # noqa: BLE001 - whatever it was, it is tried again
            error = exc if isinstance(exc, DashboardError) else self._on_unexpected(exc)
            self._records.release_stop(guard, until=until)
            if one.failures == 0:
                self.note(guard, who, error.message, result=ActResult.FAILED)
            raise NotYet(f"It could not be stopped. {error.message}") from None
        # With it the claim goes, and what has waited for it finds a pipeline that is stopped.
        self._records.drop(guard.pipeline_id, guard.version)

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
