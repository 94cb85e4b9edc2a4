"""The idle guard: stops a pipeline that nobody has asked anything for a while.

It counts from the moment the pipeline is ready, and every inference begins the count anew: those
sent from here, and those in the platform's own log, which is read shortly before a stop and once
more right before it. What was deployed by somebody else is not its to stop.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta

from dashboard.domain.activity import Act
from dashboard.domain.identity import Identity
from dashboard.domain.idle import Guard, GuardView, LastUse
from dashboard.domain.pipeline import Pipeline
from dashboard.errors import Conflict, InvalidInput
from dashboard.services.activity import ActivityLog
from dashboard.services.clock import Clock
from dashboard.services.guard_book import GuardBook
from dashboard.services.guard_look import GuardLook
from dashboard.services.guard_rounds import GuardRounds
from dashboard.services.guard_state import Guarded, Pace
from dashboard.services.jobs import Outcome
from dashboard.services.pipeline_use import PipelineUse
from dashboard.store.guard_records import GuardRecords

#: A week: more is as good as off.
MOST_MINUTES = 7 * 24 * 60


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
        self._records = records
        self._use = use
        self._activity = activity
        self._clock = clock or Clock()
        self._pace = pace or Pace()
        self._book = GuardBook(records, use, self._clock)
        self._rounds = GuardRounds(
            look, book=self._book, use=use, pool=pool, clock=self._clock, pace=self._pace
        )
        self._lock = threading.Lock()
        self._awaited: dict[int, int | None] = {}

    # What pages ask for

    def view(self, pipeline_id: int) -> GuardView | None:
        """Return what is known, without asking anybody; None of a pipeline it does not watch."""
        one = self._book.find(pipeline_id)
        if one is not None:
            return self._view(one, self._clock.now())
        with self._lock:
            if pipeline_id in self._awaited:
                return GuardView(minutes=self._awaited[pipeline_id])
        return None

    def watched(self) -> tuple[Guard, ...]:
        """Return every pipeline that it watches, by id."""
        return tuple(one.guard for one in self._book.all())

    def last_use(self, pipeline_id: int) -> LastUse | None:
        """Return the last inference that is known of; by whom is told of those sent from here."""
        here = self._use.last(pipeline_id)
        one = self._book.find(pipeline_id)
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
        self._book.put(Guarded(guard, next_at=now, is_sure=True, is_stored=False))

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
        one, now = self._known(pipeline), self._clock.now()
        # Where it is stored, the database says whether it is in time: others may stop it, too.
        # Or have changed it a moment ago, so that it is written also where it looks the same.
        if one.is_stored and not self._records.set_minutes(pipeline.pipeline_id, minutes, now=now):
            raise _being_stopped(pipeline)
        if one.guard.minutes == minutes:
            return Outcome("")
        if not one.set_minutes(minutes, self._pace, now=now) and not one.is_stored:
            raise _being_stopped(pipeline)
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
            The pipeline is not under guard, the guard is off, or it is being stopped.
        """
        one, now = self._known(pipeline), self._clock.now()
        until = one.kept_until(minutes, self._pace, now=now)
        if until is None:
            raise Conflict(f"There is no stop of {pipeline.name} to put off.")
        if one.is_stored and not self._records.keep_until(pipeline.pipeline_id, until, now=now):
            raise _being_stopped(pipeline)
        if not one.keep(until, now=now) and not one.is_stored:
            raise _being_stopped(pipeline)
        self._note(who, Act.KEPT_RUNNING, one.guard, f"{minutes} min more.")
        return Outcome(f"{pipeline.name} runs {minutes} min longer, also without a request.")

    def disarm(self, pipeline_id: int, version: str) -> None:
        """Forget a pipeline version that was undeployed; a later one stays under guard."""
        self._book.drop(pipeline_id, version)

    def held(self, pipeline_id: int) -> AbstractContextManager[None]:
        """Do not stop the pipeline within the block, such as while it is deployed again.

        A stop that has begun is awaited: what it leaves behind would be that of the new deploy.
        """
        return self._use.held(pipeline_id)

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
        self._rounds.tick()

    def close(self) -> None:
        """Write down what is known, and look at nothing any more."""
        self._rounds.close()
        self._book.write_seen()

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
        one = self._book.find(pipeline.pipeline_id)
        # A platform that was begun anew gives its numbers again.
        if one is None or one.guard.pipeline_name != pipeline.name:
            raise Conflict(
                f"{pipeline.name} was not deployed from here, so the idle guard leaves it alone.",
                hint="Deploy it from here to have it watched.",
            )
        return one

    def _note(self, who: Identity, act: Act, guard: Guard, note: str) -> None:
        self._activity.note(
            who,
            act,
            workspace=guard.workspace_name,
            workspace_id=guard.workspace_id,
            pipeline=guard.pipeline_name,
            note=note,
        )


def _being_stopped(pipeline: Pipeline) -> Conflict:
    return Conflict(
        f"{pipeline.name} is being stopped already.",
        hint="Deploy it again once it has stopped.",
    )
