"""The idle guard's look at the platform: what runs, what its log tells, and whether it is time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from dashboard.domain.activity import Act
from dashboard.domain.identity import Identity
from dashboard.domain.idle import Guard
from dashboard.domain.pipeline import DeploymentStatus, Pipeline, PipelineState
from dashboard.errors import DashboardError, NotFound
from dashboard.services.activity import ActivityLog
from dashboard.services.catalog import GatewayOf
from dashboard.services.clock import Clock
from dashboard.services.guard_state import STOPPABLE, Guarded, Pace
from dashboard.services.guard_stop import GuardStop, NotYet, Undeploy, pipeline_of
from dashboard.services.pipeline_use import PipelineUse
from dashboard.store.guard_records import GuardRecords

NOBODY = "Cannot stop it: nobody is signed in."
#: Of the platform or of the database: what follows says which.
FAILED = "The idle guard could not look at it."
FOREIGN = "It was deployed again from elsewhere since. It is not the idle guard's to stop."
HIDDEN = "Cannot stop it: this dashboard's account does not see it."
ANOTHER = "Off: the pipeline that it watched is gone, and another one has its number."

_LOG_ROWS = 20
#: A version that is no older may be about to be deployed by somebody.
_FRESH_VERSION = timedelta(minutes=2)
#: So long after a deploy the platform may not know of it yet.
_JUST_ARMED = timedelta(seconds=30)

_LOG = logging.getLogger(__name__)


class GuardLook:
    """Looks at one pipeline at a time; blocks on the platform. Thread-safe.

    Parameters
    ----------
    identity
        Whose token it works with; None while nobody is signed in.
    """

    def __init__(  # noqa: PLR0913 - its parts, by keyword
        self,
        gateway: GatewayOf,
        *,
        identity: Callable[[], Identity | None],
        undeploy: Undeploy,
        records: GuardRecords,
        use: PipelineUse,
        activity: ActivityLog,
        on_unexpected: Callable[[BaseException], DashboardError],
        clock: Clock | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._gateway = gateway
        self._identity = identity
        self._records = records
        self._use = use
        self._on_unexpected = on_unexpected
        self._clock = clock or Clock()
        self._pace = pace or Pace()
        self._stop = GuardStop(
            undeploy=undeploy,
            records=records,
            use=use,
            activity=activity,
            on_unexpected=on_unexpected,
            clock=self._clock,
            pace=self._pace,
        )

    def look(self, one: Guarded, is_current: Callable[[Guarded], bool]) -> bool:
        """Look at a pipeline, and stop it if it is time; whether it is to be forgotten.

        Raises nothing: what went wrong stands in `one.problem`, with a later time to look again.

        Parameters
        ----------
        is_current
            Whether it is still the one that is watched: asked right before the stop.
        """
        try:
            return self._look_or_let_go(one, is_current)
        except _HiddenError:
            problem = HIDDEN
        except DashboardError as exc:
            problem = f"{FAILED} {exc.message}"
        except Exception as exc:  # noqa: BLE001 - a worker's failure must reach the page
            problem = f"{FAILED} {self._on_unexpected(exc).message}"
        self._fail(one, problem)
        return False

    def _look_or_let_go(self, one: Guarded, is_current: Callable[[Guarded], bool]) -> bool:
        try:
            return self._look(one, is_current)
        except _Another:
            return self._let_go(one)

    def _look(self, one: Guarded, is_current: Callable[[Guarded], bool]) -> bool:
        guard, who = one.guard, self._identity()
        if who is None:
            one.problem = NOBODY if guard.minutes is not None else ""
            one.next_at = self._clock.now() + self._pace.minutes(1 / 12)
            return False
        status = self._status(who, guard)
        now = self._clock.now()
        if status.state is PipelineState.NOT_DEPLOYED:
            return self._is_over(one)
        is_ours = self._is_ours(who, guard, status)
        if one.note_status(status, is_ours=is_ours, now=now):
            self._records.note_seen(one.guard)
        if is_ours and guard.minutes is not None and one.counts_from is not None:
            return self._try_to_weigh(one, who, is_current)
        one.problem, one.failures = "" if is_ours else FOREIGN, 0
        one.plan(self._pace, now=self._clock.now(), is_in_use=False)
        return False

    def _status(self, who: Identity, guard: Guard) -> DeploymentStatus:
        try:
            return self._gateway().status(who, pipeline_of(guard))
        except NotFound:
            _check_seen(guard, who)
            return DeploymentStatus(PipelineState.NOT_DEPLOYED)

    def _is_over(self, one: Guarded) -> bool:
        """Whether a pipeline that is not deployed was; the platform may not know of it yet."""
        now, guard = self._clock.now(), one.guard
        if one.state is None and now - guard.armed_at < _JUST_ARMED:
            one.next_at = now + timedelta(seconds=self._pace.starting_s)
            return False
        self._records.drop(guard.pipeline_id, guard.version)
        return True

    def _try_to_weigh(
        self, one: Guarded, who: Identity, is_current: Callable[[Guarded], bool]
    ) -> bool:
        try:
            return self._weigh(one, who, is_current)
        except NotYet as exc:
            if exc.told:
                self._fail(one, exc.told)
            else:
                one.next_at = self._clock.now() + self._pace.minutes(1)
            return False

    def _weigh(self, one: Guarded, who: Identity, is_current: Callable[[Guarded], bool]) -> bool:
        """Read the log where it is time to, and stop it where it is due."""
        is_in_use = self._is_in_use(one)
        if not is_in_use and self._wants_log(one):
            self._read_log(one, who)
        is_due = not is_in_use and self._is_due(one) and one.state in STOPPABLE

        def is_ours() -> bool:
            return is_current(one) and self._is_still_ours(who, one.guard)

        if is_due and is_current(one) and self._stop.stop(one, who, is_ours):
            return True
        one.problem, one.failures = "", 0
        one.plan(self._pace, now=self._clock.now(), is_in_use=is_in_use)
        return False

    def _is_in_use(self, one: Guarded) -> bool:
        number = one.guard.pipeline_id
        one.has_run = self._records.has_run_under_way(
            one.guard.workspace_id, one.guard.pipeline_name
        )
        return one.has_run or self._use.is_in_use(number)

    def _is_due(self, one: Guarded) -> bool:
        one.note_use(self._use.last(one.guard.pipeline_id))
        stops_at = one.stops_at(self._pace)
        return stops_at is not None and self._clock.now() >= stops_at

    def _wants_log(self, one: Guarded) -> bool:
        stops_at = one.stops_at(self._pace)
        if not one.is_sure or stops_at is None:
            return True
        return self._clock.now() >= stops_at - timedelta(seconds=self._pace.near_s)

    def _read_log(self, one: Guarded, who: Identity) -> None:
        try:
            page = self._gateway().log_page(who, pipeline_of(one.guard), limit=_LOG_ROWS)
        except DashboardError as exc:
            raise NotYet(
                f"It is not stopped: the platform's log cannot be read. {exc.message}"
            ) from None
        times = [row.get("time") for row in page.rows]
        known = [float(at) for at in times if isinstance(at, int | float) and at >= 0]
        if times and not known:
            raise NotYet("It is not stopped: the platform's log tells no times.")
        now = self._clock.now()
        one.note_log(known, now=now)
        one.sure(self._pace, now=now)

    def _is_ours(self, who: Identity, guard: Guard, status: DeploymentStatus) -> bool:
        running = set(status.running_versions)
        if running == {guard.version} and status.state is PipelineState.RUNNING:
            return True  # a newer version that is not deployed yet is asked for before the stop
        if not running and status.state is PipelineState.STARTING:
            return True  # it is not stopped while it starts, and told right once it runs
        # The engines may tell of the version before for long: each deploy makes a version.
        versions = self._found(who, guard).versions
        return versions[0].version == guard.version if versions else running <= {guard.version}

    def _is_still_ours(self, who: Identity, guard: Guard) -> bool:
        """Whether nobody has deployed another version since, nor may be about to.

        A deploy makes a version first; one that is older may have been saved only.
        """
        versions = self._found(who, guard).versions
        newest = versions[0] if versions else None
        if newest is None or newest.version == guard.version:
            return True
        if self._clock.now() - newest.created_at < _FRESH_VERSION:
            return False
        status = self._status(who, guard)
        return status.state in STOPPABLE and self._is_ours(who, guard, status)

    def _found(self, who: Identity, guard: Guard) -> Pipeline:
        """Read the pipeline that is watched; its number may be another one's by now.

        A platform that was begun anew, such as a sandbox, gives its numbers again.
        """
        try:
            found = self._gateway().get_pipeline(
                who, workspace_id=guard.workspace_id, name=guard.pipeline_name
            )
        except NotFound:
            _check_seen(guard, who)
            raise _Another from None
        known = {one.version for one in found.versions}
        if found.pipeline_id != guard.pipeline_id or (known and guard.version not in known):
            raise _Another
        return found

    def _let_go(self, one: Guarded) -> bool:
        """Forget a guard whose pipeline is not there any more: what has its number is not its."""
        guard = one.guard
        is_first = self._records.drop(guard.pipeline_id, guard.version)
        _LOG.warning("pipeline %d is another one now: its idle guard is gone", guard.pipeline_id)
        who = self._identity()
        if is_first and who is not None:
            self._stop.note(guard, who, ANOTHER, act=Act.GUARD_CHANGED)
        return True

    def _fail(self, one: Guarded, problem: str) -> None:
        one.fail(problem, self._pace, now=self._clock.now())


def _check_seen(guard: Guard, who: Identity) -> None:
    """Raise unless what is not there for this account is not there at all.

    Dashboards of several accounts may share a database: a pipeline of a workspace that one of
    them is not in does not exist for it, and runs all the same.
    """
    if guard.armed_by_id not in ("", who.user_id):
        raise _HiddenError


class _HiddenError(Exception):
    """Another account deployed it, and this one does not see it."""


class _Another(Exception):
    """The number of the pipeline that is watched belongs to another one."""
