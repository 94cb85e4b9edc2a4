"""Actions that outlive the click that started them.

A click elsewhere aborts a Streamlit script, so nothing that changes the platform runs inside one:
pages submit a job, the frame follows it and tells its owner how it ended, on whatever page they
are by then. The function is dropped as soon as it has run, and any secret it held with it.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from enum import StrEnum

from dashboard.domain.identity import Identity
from dashboard.errors import DashboardError, bare

_KEPT_S = 900.0
_UNTOLD_S = 8.0


class JobState(StrEnum):
    """Where a job stands."""

    RUNNING = "Running"
    DONE = "Done"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job tells its owner.

    Parameters
    ----------
    message
        One sentence, plain text; shown as a message. Empty where the page itself shows the end.
    result
        A plain value for the page, such as an id; never a secret.
    is_partial
        Whether a part of it could not be done, as the message says.
    """

    message: str
    result: str = ""
    is_partial: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """One submitted action. Times are from the service's clock, in s."""

    job_id: str
    owner: str
    doing: str
    once: str
    started_at: float
    state: JobState = JobState.RUNNING
    finished_at: float | None = None
    outcome: Outcome | None = None
    error: DashboardError | None = None


@dataclass(slots=True)
class _Shelf:
    jobs: dict[str, Job] = field(default_factory=dict)
    running: dict[tuple[str, str], str] = field(default_factory=dict)
    unseen: dict[str, list[str]] = field(default_factory=dict)


class Jobs:
    """Runs actions on a pool and keeps how they ended. Thread-safe."""

    def __init__(
        self,
        pool: Executor,
        *,
        clock: Callable[[], float] = time.monotonic,
        on_unexpected: Callable[[BaseException], DashboardError],
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._on_unexpected = on_unexpected
        self._lock = threading.Lock()
        self._shelf = _Shelf()

    def submit(self, who: Identity, action: Callable[[], Outcome], *, doing: str, once: str) -> Job:
        """Start `action` and return at once.

        Parameters
        ----------
        doing
            What is happening, for the screen: "Creating press-releases".
        once
            Key of the action. While one with the same key runs for the same person, that one is
            returned and nothing is started: a double click acts once.
        """
        with self._lock:
            running = self._shelf.running.get((who.key, once))
            if running is not None:
                return self._shelf.jobs[running]
            self._forget_old()
            job = Job(
                job_id=secrets.token_urlsafe(9),
                owner=who.key,
                doing=doing,
                once=once,
                started_at=self._clock(),
            )
            self._shelf.jobs[job.job_id] = job
            self._shelf.running[who.key, once] = job.job_id
        try:
            self._pool.submit(self._run, job.job_id, (who.key, once), action)
        except RuntimeError as exc:  # the pool was shut down: the program is stopping
            self._finish(job.job_id, (who.key, once), error=self._on_unexpected(exc))
        return job

    def find(self, who: Identity, job_id: str) -> Job | None:
        """Return this person's job, or None if it is unknown or somebody else's."""
        with self._lock:
            job = self._shelf.jobs.get(job_id)
            return job if job is not None and job.owner == who.key else None

    def running(self, who: Identity) -> tuple[Job, ...]:
        """Return the jobs of this person that are under way, oldest first."""
        with self._lock:
            return tuple(
                self._shelf.jobs[job_id]
                for (owner, _once), job_id in self._shelf.running.items()
                if owner == who.key
            )

    def has_news(self, who: Identity, mine: frozenset[str] = frozenset()) -> bool:
        """Whether there is something that `take_news` would give."""
        with self._lock:
            return bool(self._news(who, mine))

    def take_news(self, who: Identity, mine: frozenset[str] = frozenset()) -> tuple[Job, ...]:
        """Jobs that ended and were not told yet, oldest first; each is given once.

        Parameters
        ----------
        mine
            Ids of the jobs that the asking session started. Those of other sessions are given
            only when they were left untold: their page was closed or reloaded.
        """
        with self._lock:
            news = self._news(who, mine)
            told = {job.job_id for job in news}
            left = [one for one in self._shelf.unseen.get(who.key, []) if one not in told]
            self._shelf.unseen[who.key] = left
            return tuple(news)

    def _news(self, who: Identity, mine: frozenset[str]) -> list[Job]:
        known = [
            self._shelf.jobs[job_id]
            for job_id in self._shelf.unseen.get(who.key, [])
            if job_id in self._shelf.jobs
        ]
        now = self._clock()
        return [
            job for job in known if job.job_id in mine or now - (job.finished_at or 0.0) > _UNTOLD_S
        ]

    def _run(self, job_id: str, once: tuple[str, str], action: Callable[[], Outcome]) -> None:
        try:
            outcome = action()
        except DashboardError as exc:
            self._finish(job_id, once, error=exc)
        except Exception as exc:  # noqa: BLE001 - a worker's failure must reach its owner
            self._finish(job_id, once, error=self._on_unexpected(exc))
        else:
            self._finish(job_id, once, outcome=outcome)

    def _finish(
        self,
        job_id: str,
        once: tuple[str, str],
        *,
        outcome: Outcome | None = None,
        error: DashboardError | None = None,
    ) -> None:
        if error is not None:
            # The frames of a traceback hold what the action held, secrets too.
            error = bare(error)
        with self._lock:
            job = self._shelf.jobs[job_id]
            self._shelf.jobs[job_id] = replace(
                job,
                state=JobState.DONE if error is None else JobState.FAILED,
                finished_at=self._clock(),
                outcome=outcome,
                error=error,
            )
            self._shelf.running.pop(once, None)
            self._shelf.unseen.setdefault(job.owner, []).append(job_id)

    def _forget_old(self) -> None:
        now = self._clock()
        for job_id, job in list(self._shelf.jobs.items()):
            if job.finished_at is not None and now - job.finished_at > _KEPT_S:
                del self._shelf.jobs[job_id]
