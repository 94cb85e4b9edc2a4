"""What the idle guard knows of one pipeline, and when it would stop it: no I/O, no clock."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from dashboard.domain.deployment import MAY_RECOVER_S
from dashboard.domain.idle import Guard, LastUse
from dashboard.domain.log_times import moment_of
from dashboard.domain.pipeline import DeploymentStatus, PipelineState

#: States in which something of ours can be stopped. What is starting is left to become ready.
STOPPABLE = (PipelineState.RUNNING, PipelineState.DEGRADED, PipelineState.ERROR)
_READY = (PipelineState.RUNNING, PipelineState.DEGRADED)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often the guard looks. Tests make a minute short, and everything with it."""

    minute_s: float = 60.0

    @property
    def starting_s(self) -> float:
        """Seconds between two looks at a pipeline that is not ready yet."""
        return self.minute_s / 30

    @property
    def near_s(self) -> float:
        """So many seconds before a stop the platform's log is read for the first time."""
        return self.minute_s

    @property
    def notice_s(self) -> float:
        """Seconds of notice after a restart of the dashboard, or after the computer has slept."""
        return 5 * self.minute_s

    @property
    def jump_s(self) -> float:
        """Two clocks that are further apart by so much have slept, or were put right."""
        return 20.0

    def minutes(self, number: float) -> timedelta:
        """Return so many minutes."""
        return timedelta(seconds=number * self.minute_s)

    def pause(self, failures: int) -> timedelta:
        """Return how long to wait after so many failures in a row."""
        return self.minutes(min(0.5 * 2 ** (max(failures, 1) - 1), 10.0))


@dataclass(slots=True)
class Guarded:
    """One pipeline under guard. Whoever reads and changes it holds its `lock`.

    Parameters
    ----------
    guard
        As it is stored.
    is_stored
        False while the database could not take it yet.
    is_sure
        Whether the platform's log was read since the dashboard began, or the computer woke up.
    is_ours
        Whether what runs is the version that was deployed here.
    state
        The platform's last answer; None until there is one.
    has_run
        Whether a run of the pipeline was under way at the last look.
    not_before
        A notice: it does not stop before.
    is_notice
        Whether that is the notice after a restart or a sleep.
    log_newest
        The newest time that stood in the platform's log, and `log_read_at`, when it was read.
    problem
        What keeps the guard from its work, and `failures`, how often in a row it did.
    next_at
        When to look again.
    turn
        The number of the look that was asked for last: an earlier one is not taken any more.
    is_stopping
        Whether it is being stopped in this moment.
    """

    guard: Guard
    next_at: datetime
    is_stored: bool = True
    is_sure: bool = False
    is_ours: bool = True
    state: PipelineState | None = None
    has_run: bool = False
    not_before: datetime | None = None
    is_notice: bool = False
    log_newest: float | None = None
    log_read_at: datetime | None = None
    problem: str = ""
    failures: int = 0
    is_looking: bool = False
    turn: int = 0
    is_stopping: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    @property
    def counts_from(self) -> datetime | None:
        """When it was ready or used last, whichever is later.

        One that does not become ready is counted too, from the moment it cannot recover any more:
        it holds its resources as well.
        """
        guard = self.guard
        ready_at = guard.ready_at
        if ready_at is None:
            if self.state is not PipelineState.ERROR:
                return guard.used_at
            ready_at = guard.armed_at + timedelta(seconds=MAY_RECOVER_S)
        return ready_at if guard.used_at is None else max(ready_at, guard.used_at)

    def stops_at(self, pace: Pace) -> datetime | None:
        """When it stops it if nothing happens until then; None while it does not count."""
        since, minutes = self.counts_from, self.guard.minutes
        if since is None or minutes is None or not (self.is_ours and self.is_sure):
            return None
        times = (since + pace.minutes(minutes), self.guard.kept_until, self.not_before)
        return max(at for at in times if at is not None)

    def note_use(self, last: LastUse | None) -> bool:
        """Take in a use from here; whether it was news."""
        with self.lock:
            used_at = self.guard.used_at
            if last is None or last.at < self.guard.armed_at or (used_at and last.at <= used_at):
                return False
            self.guard = replace(self.guard, used_at=last.at)
            return True

    def note_status(self, status: DeploymentStatus, *, is_ours: bool, now: datetime) -> bool:
        """Take in the platform's answer; whether it became ready by it."""
        with self.lock:
            self.state, self.is_ours = status.state, is_ours
            if self.guard.ready_at is not None or not is_ours or status.state not in _READY:
                return False
            self.guard = replace(self.guard, ready_at=now)
            return True

    def note_log(self, times_ms: Sequence[float], *, now: datetime) -> bool:
        """Take in the newest times of the platform's log; whether they tell of a use.

        What is new in the log since it was read last was asked since then, whatever the platform's
        clock says.
        """
        newest = max(times_ms, default=None)
        used_at = None
        with self.lock:
            if newest is not None:
                used_at = moment_of(newest) or now
                if self.log_read_at is not None and newest != self.log_newest:
                    used_at = max(used_at, self.log_read_at)
                # A clock may be fast, and ours may have been put back since the log was read.
                used_at = min(used_at, now)
            self.log_newest, self.log_read_at = newest, now
            return used_at is not None and self.note_use(LastUse(used_at))

    def note_stored(self, stored: Guard, *, before: Guard, now: datetime) -> None:
        """Take in what stands in the database, where another process may have written.

        What lies in the future was written before the clock was put back, and says nothing now.

        Parameters
        ----------
        before
            The guard as it was here before `stored` was read: what was chosen since is newer.
        """
        with self.lock:
            known = self.guard
            if (known.minutes, known.kept_until) != (before.minutes, before.kept_until):
                return
            uses = [at for at in (stored.used_at, known.used_at) if at is not None and at <= now]
            ready_at = stored.ready_at
            if ready_at is None or ready_at > now:
                ready_at = known.ready_at
            merged = replace(
                stored,
                armed_at=stored.armed_at if stored.armed_at <= now else known.armed_at,
                ready_at=ready_at,
                used_at=max(uses, default=None),
            )
            self.guard = none_after(merged, now)

    def sure(self, pace: Pace, *, now: datetime) -> None:
        """Begin to count again after a restart or a sleep, with a notice where it is due soon."""
        with self.lock:
            if not self.is_sure:
                self.is_sure = True
                self.give_notice(now + timedelta(seconds=pace.notice_s), pace, is_notice=True)

    def give_notice(self, until: datetime, pace: Pace, *, is_notice: bool = False) -> None:
        """Do not stop it before `until`, if it would."""
        stops_at = self.stops_at(pace)
        if stops_at is not None and stops_at < until:
            self.not_before, self.is_notice = until, is_notice

    def doubt(self, now: datetime) -> None:
        """Forget what depends on a clock that was never stopped: the computer has slept."""
        with self.lock:
            self.is_sure = False
            self.next_at = now
            self.not_before, self.is_notice = None, False
            self.guard = none_after(self.guard, now)

    def set_minutes(self, minutes: int | None, pace: Pace, *, now: datetime) -> bool:
        """Change after how many minutes it stops; a time that is over already gives notice.

        False while it is being stopped: nothing is changed then.
        """
        with self.lock:
            if self.is_stopping:
                return False
            self.guard = replace(self.guard, minutes=minutes)
            self.not_before, self.is_notice = None, False
            notice = min(timedelta(seconds=pace.notice_s), pace.minutes(minutes or 0))
            self.give_notice(now + notice, pace)
            self.next_at = now
            return True

    def kept_until(self, minutes: int, pace: Pace, *, now: datetime) -> datetime | None:
        """Return until when the stop can be put off; None where there is none to put off."""
        with self.lock:
            if self.guard.minutes is None or not self.is_ours or self.is_stopping:
                return None
            return max(self.stops_at(pace) or now, now) + pace.minutes(minutes)

    def keep(self, until: datetime, *, now: datetime) -> bool:
        """Put the stop off until a time. False while it is being stopped: nothing is changed."""
        with self.lock:
            if self.is_stopping:
                return False
            self.guard = replace(self.guard, kept_until=until)
            self.not_before, self.is_notice = None, False
            self.next_at = now
            return True

    def begin_stop(self, pace: Pace, last: LastUse | None, *, now: datetime) -> bool:
        """Say that it is being stopped, if it is due; nothing can put it off from then on."""
        with self.lock:
            self.note_use(last)
            stops_at = self.stops_at(pace)
            if stops_at is None or stops_at > now:
                return False
            self.is_stopping = True
            return True

    def end_stop(self) -> None:
        """Say that it is not being stopped any more."""
        self.is_stopping = False

    def fail(self, problem: str, pace: Pace, *, now: datetime) -> timedelta:
        """Note that it could not do its work; return how long it waits now."""
        self.problem = problem
        self.failures += 1
        pause = pace.pause(self.failures)
        self.next_at = now + pause
        return pause

    def plan(self, pace: Pace, *, now: datetime, is_in_use: bool) -> None:
        """Say when to look again, after a look that went well."""
        stops_at = self.stops_at(pace)
        if self.guard.minutes is None:
            pause = pace.minutes(10)
        elif self.guard.ready_at is None:
            is_old = now - self.guard.armed_at > timedelta(seconds=MAY_RECOVER_S)
            pause = timedelta(seconds=pace.starting_s) * (10 if is_old else 1)
        elif stops_at is None:
            pause = pace.minutes(1)
        elif is_in_use or stops_at <= now:
            pause = pace.minutes(1 / 6)
        else:
            near_at = stops_at - timedelta(seconds=pace.near_s)
            pause = min((near_at if now < near_at else stops_at) - now, pace.minutes(1))
        self.next_at = now + pause


def none_after(guard: Guard, now: datetime) -> Guard:
    """Let nothing have happened in the future: that comes of a clock that was put back."""
    return replace(
        guard,
        armed_at=min(guard.armed_at, now),
        ready_at=min(guard.ready_at, now) if guard.ready_at else None,
        used_at=min(guard.used_at, now) if guard.used_at else None,
    )
