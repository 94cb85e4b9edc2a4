"""The idle guard: stops a pipeline that nobody has asked anything for a while.

It counts from the moment the pipeline is ready, and every inference begins the count anew: those
sent from here, and those in the platform's own log, which is read shortly before a stop and once
more right before it. What was deployed by somebody else is not its to stop.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta

from dashboard.domain.activity import Act
from dashboard.domain.identity import Identity
from dashboard.domain.idle import Guard, GuardView, LastUse
from dashboard.domain.pipeline import Pipeline
from dashboard.errors import Conflict, DashboardError, InvalidInput
from dashboard.services.activity import ActivityLog
from dashboard.services.clock import Clock
from dashboard.services.guard_look import GuardLook
from dashboard.services.guard_state import Guarded, Pace, none_after
from dashboard.services.jobs import Outcome
from dashboard.services.pipeline_use import PipelineUse
from dashboard.store.guard_records import GuardRecords

#: A week: more is as good as off.
MOST_MINUTES = 7 * 24 * 60
_LONGEST_STOP_S = 30.0
#: So many minutes after the pool took nothing it is tried again.
_AGAIN_MIN = 1 / 12
_LOG = logging.getLogger(__name__)


class IdleGuard:
    """Watches what was deployed here. Thread-safe; `tick` is called by the runtime's clock.

    Parameters
    ----------
    look
        Looks at the platform, and stops what is to be stopped.
    pool
        Where it looks: the platform may take its time.
    """

    def __init__(  # noqa: PLR0913 - its parts, by keyword
        self,
        look: GuardLook,
        *,
        records: GuardRecords,
        use: PipelineUse,
        pool: Executor,
        activity: ActivityLog,
        clock: Clock | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._look = look
        self._records = records
        self._use = use
        self._pool = pool
        self._activity = activity
        self._clock = clock or Clock()
        self._pace = pace or Pace()
        self._lock = threading.RLock()
        self._guarded: dict[int, Guarded] = {}
        self._awaited: dict[int, int | None] = {}
        self._sync_at: datetime | None = None
        self._is_syncing = False
        self._ticked: tuple[datetime, float] | None = None
        self._is_closed = False

    # What pages ask for

    def view(self, pipeline_id: int) -> GuardView | None:
        """Return what is known, without asking anybody; None of a pipeline it does not watch."""
        now = self._clock.now()
        with self._lock:
            one = self._guarded.get(pipeline_id)
            if one is None and pipeline_id in self._awaited:
                return GuardView(minutes=self._awaited[pipeline_id])
            return None if one is None else self._view(one, now)

    def watched(self) -> tuple[Guard, ...]:
        """Return every pipeline that it watches, by id."""
        with self._lock:
            return tuple(one.guard for _, one in sorted(self._guarded.items()))

    def last_use(self, pipeline_id: int) -> LastUse | None:
        """Return the last inference that is known of; by whom is told of those sent from here."""
        here = self._use.last(pipeline_id)
        with self._lock:
            one = self._guarded.get(pipeline_id)
            used_at = one.guard.used_at if one is not None else None
        if used_at is not None and (here is None or here.at < used_at - timedelta(seconds=1)):
            return LastUse(used_at)
        return here

    def is_in_use(self, pipeline_id: int) -> bool:
        """Whether a request sent from here is in flight."""
        return self._use.is_in_use(pipeline_id)

    # What is done

    def arm(self, who: Identity, pipeline: Pipeline, *, version: str, minutes: int | None) -> None:
        """Watch a pipeline version that was deployed here just now; None is off.

        It raises nothing: the pipeline is deployed already.
        """
        now = self._clock.now()
        guard = Guard(
            pipeline_id=pipeline.pipeline_id,
            pipeline_name=pipeline.name,
            workspace_id=pipeline.workspace_id,
            workspace_name=pipeline.workspace_name,
            version=version,
            minutes=minutes,
            armed_at=now,
            armed_by_id=who.user_id,
            armed_by=who.email,
        )
        one = Guarded(guard, next_at=now, is_sure=True, is_stored=False)
        with self._lock:
            self._guarded[pipeline.pipeline_id] = one
        self._store(one)

    def set_minutes(self, who: Identity, pipeline: Pipeline, minutes: int | None) -> Outcome:
        """Change after how many minutes it stops; None switches it off.

        Raises
        ------
        InvalidInput
            Less than a minute, or more than a week (field `minutes`).
        Conflict
            The pipeline is not under guard: it was not deployed from here. Or it is being stopped.
        """
        if minutes is not None and not 1 <= minutes <= MOST_MINUTES:
            raise InvalidInput("Between 1 minute and a week.", field="minutes")
        one = self._known(pipeline)
        if one.guard.minutes == minutes:
            return Outcome("")
        before = one.guard.minutes
        if not one.set_minutes(minutes, self._pace, now=self._clock.now()):
            raise Conflict(
                f"{pipeline.name} is being stopped already.",
                hint="Deploy it again once it has stopped.",
            )
        try:
            is_stored = self._records.set_minutes(pipeline.pipeline_id, minutes)
        except DashboardError:
            one.set_minutes(before, self._pace, now=self._clock.now())
            raise
        if not is_stored:
            self._store(one)
        told = "Off." if minutes is None else f"Stops after {minutes} min without a request."
        self._note(who, Act.GUARD_CHANGED, one.guard, told)
        if minutes is None:
            return Outcome(f"The idle guard of {pipeline.name} is off. It runs until you undeploy.")
        return Outcome(f"{pipeline.name} stops after {minutes} min without a request.")

    def keep(self, who: Identity, pipeline: Pipeline, *, minutes: int = 30) -> Outcome:
        """Put the stop off by so many minutes.

        Raises
        ------
        Conflict
            The pipeline is not under guard, or the guard is off.
        """
        one = self._known(pipeline)
        until = one.keep(minutes, self._pace, now=self._clock.now())
        if until is None:
            raise Conflict(f"There is no stop of {pipeline.name} to put off.")
        self._records.keep_until(pipeline.pipeline_id, until)
        self._note(who, Act.KEPT_RUNNING, one.guard, f"{minutes} min more.")
        return Outcome(f"{pipeline.name} runs {minutes} min longer, also without a request.")

    def disarm(self, pipeline_id: int) -> None:
        """Forget a pipeline that was undeployed."""
        with self._lock:
            self._guarded.pop(pipeline_id, None)
        try:
            self._records.drop(pipeline_id)
        except DashboardError:
            # The next look finds that it is not deployed.
            _LOG.warning("the idle guard of a pipeline could not be forgotten")

    def used(self, pipeline_id: int) -> None:
        """Note an inference that was sent from here just now."""
        self._use.used(pipeline_id)

    def in_use(self, pipeline_id: int) -> AbstractContextManager[None]:
        """Count an inference as under way within the block: it is not stopped meanwhile."""
        return self._use.in_use(pipeline_id)

    @contextmanager
    def held(self, pipeline_id: int) -> Iterator[None]:
        """Do not stop the pipeline within the block, such as while it is deployed again.

        A stop that has begun is awaited: what it leaves behind would be that of the new deploy.
        """
        with self._use.held(pipeline_id):
            with self._lock:
                one = self._guarded.get(pipeline_id)
            if one is not None:
                one.settled.wait(_LONGEST_STOP_S)
            yield

    @contextmanager
    def awaited(self, pipeline_id: int, minutes: int | None) -> Iterator[None]:
        """Tell within the block what was chosen for a deploy that is being sent."""
        with self._lock:
            self._awaited[pipeline_id] = minutes
        try:
            yield
        finally:
            with self._lock:
                self._awaited.pop(pipeline_id, None)

    # The clock

    def tick(self) -> None:
        """Look at what is due, in the pool. Cheap."""
        now, monotonic = self._clock.now(), self._clock.monotonic()
        with self._lock:
            if self._is_closed:
                return
            if self._has_jumped(now, monotonic):
                self._use.none_after(now)
                for one in self._guarded.values():
                    one.doubt(now)
                self._sync_at = None
            self._ticked = (now, monotonic)
            sync = not self._is_syncing and (self._sync_at is None or now >= self._sync_at)
            self._is_syncing |= sync
            due = [
                one for one in self._guarded.values() if one.next_at <= now and not one.is_looking
            ]
            for one in due:
                one.is_looking = True
                one.turn += 1
        if sync and not self._submit(self._sync):
            with self._lock:
                self._is_syncing, self._sync_at = False, now + self._pace.minutes(_AGAIN_MIN)
        for one in due:
            turn = one.turn
            if not self._submit(self._look_at, one, turn):
                with self._lock:
                    # It may stand in the queue all the same.
                    one.turn, one.is_looking = turn + 1, False
                    one.next_at = now + self._pace.minutes(_AGAIN_MIN)

    def _submit(self, work: Callable[..., None], *args: object) -> bool:
        """Have something done in the pool; False if it takes nothing now."""
        try:
            self._pool.submit(work, *args)
        except RuntimeError as exc:
            if "shutdown" in str(exc):  # the pool was shut down: the program is stopping
                self._is_closed = True
            else:
                _LOG.warning("the idle guard found no thread; it tries again soon")
            return False
        return True

    def close(self) -> None:
        """Write down what is known, and look at nothing any more."""
        with self._lock:
            self._is_closed = True
            guarded = list(self._guarded.values())
        for one in guarded:
            self._write_seen(one)

    def _has_jumped(self, now: datetime, monotonic: float) -> bool:
        """Whether the computer has slept, or its clock was put right, since the last tick."""
        if self._ticked is None:
            return False
        wall_s = (now - self._ticked[0]).total_seconds()
        real_s = monotonic - self._ticked[1]
        # Some systems' monotonic clock stands still in a sleep, that of others goes on.
        return abs(wall_s - real_s) > self._pace.jump_s or real_s > self._pace.jump_s

    # In the pool

    def _sync(self) -> None:
        """Read what is stored: of the process before this one, or of one beside it."""
        try:
            self._read_stored()
        except Exception as exc:  # noqa: BLE001 - whatever it was, it is tried again
            _LOG.warning("the idle guards could not be read: %s", type(exc).__name__)
        finally:
            with self._lock:
                self._is_syncing = False
                self._sync_at = self._clock.now() + self._pace.minutes(0.5)

    def _read_stored(self) -> None:
        with self._lock:
            # What is armed from here on is newer than what is read below.
            known = {number: one for number, one in self._guarded.items() if one.is_stored}
        stored = {guard.pipeline_id: guard for guard in self._records.all()}
        now = self._clock.now()
        with self._lock:
            for number, guard in stored.items():
                one = self._guarded.get(number)
                if one is None or (one is known.get(number) and one.guard.version != guard.version):
                    self._guarded[number] = Guarded(none_after(guard, now), next_at=now)
                elif one is known.get(number) and not one.is_stopping:
                    one.note_stored(guard, now=now)
            for number, one in known.items():
                if number not in stored and self._guarded.get(number) is one:
                    del self._guarded[number]
            guarded = list(self._guarded.values())
        for one in guarded:
            self._write_seen(one)

    def _look_at(self, one: Guarded, turn: int) -> None:
        if one.turn != turn:
            return
        try:
            if self._look.look(one, self._is_current) and self._is_current(one):
                with self._lock:
                    self._guarded.pop(one.guard.pipeline_id, None)
        finally:
            with self._lock:
                one.is_looking = False

    def _is_current(self, one: Guarded) -> bool:
        """Whether this is still what is watched: a deploy from here puts another in its place."""
        with self._lock:
            return self._guarded.get(one.guard.pipeline_id) is one and not self._is_closed

    # Inner

    def _view(self, one: Guarded, now: datetime) -> GuardView:
        one.note_use(self._use.last(one.guard.pipeline_id))
        is_in_use = self._use.is_in_use(one.guard.pipeline_id) or one.has_run
        stops_at = None if is_in_use else one.stops_at(self._pace)
        if one.problem and stops_at is not None and stops_at <= now:
            stops_at = None
        is_notice = one.is_notice and stops_at is not None and stops_at == one.not_before
        return GuardView(
            minutes=one.guard.minutes,
            stops_at=stops_at,
            is_in_use=is_in_use,
            is_notice=is_notice,
            problem=one.problem,
        )

    def _known(self, pipeline: Pipeline) -> Guarded:
        with self._lock:
            one = self._guarded.get(pipeline.pipeline_id)
        if one is None:
            raise Conflict(
                f"{pipeline.name} was not deployed from here, so the idle guard leaves it alone.",
                hint="Deploy it from here to have it watched.",
            )
        return one

    def _store(self, one: Guarded) -> None:
        try:
            self._records.put(one.guard)
        except DashboardError:
            # It is watched all the same; the next sync tries again.
            _LOG.warning("the idle guard of a pipeline could not be stored")
        else:
            one.is_stored = True

    def _write_seen(self, one: Guarded) -> None:
        one.note_use(self._use.last(one.guard.pipeline_id))
        if not one.is_stored:
            self._store(one)
            return
        try:
            self._records.note_seen(one.guard)
        except DashboardError:
            _LOG.warning("what the idle guard has seen could not be stored")

    def _note(self, who: Identity, act: Act, guard: Guard, note: str) -> None:
        self._activity.note(
            who,
            act,
            workspace=guard.workspace_name,
            pipeline=guard.pipeline_name,
            note=note,
        )
