"""The idle guard's rounds: when it looks at which pipeline, and when at what is stored."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import datetime

from dashboard.services.clock import Clock
from dashboard.services.guard_book import GuardBook
from dashboard.services.guard_look import GuardLook
from dashboard.services.guard_state import Guarded, Pace
from dashboard.services.pipeline_use import PipelineUse

#: The pool has a thread more: on a platform that is slow, what is stored is read and written all
#: the same. Other dashboards would take what is not told of for minutes to be over.
LOOKS_AT_ONCE = 2
#: So many minutes after the pool took nothing it is tried again.
_AGAIN_MIN = 1 / 12
#: How often what is stored is read, in minutes.
_SYNC_MIN = 0.5
_LOG = logging.getLogger(__name__)


class GuardRounds:
    """Has each pipeline looked at when it is due. Thread-safe; `tick` is called by a clock.

    Parameters
    ----------
    pool
        Where it looks: the platform may take its time.
    """

    def __init__(
        self,
        look: GuardLook,
        *,
        book: GuardBook,
        use: PipelineUse,
        pool: Executor,
        clock: Clock,
        pace: Pace,
    ) -> None:
        self._look = look
        self._book = book
        self._use = use
        self._pool = pool
        self._clock = clock
        self._pace = pace
        self._lock = threading.RLock()
        self._sync_at: datetime | None = None
        self._is_syncing = False
        self._ticked: tuple[datetime, float] | None = None
        self._is_closed = False

    def tick(self) -> None:
        """Look at what is due, in the pool. Cheap."""
        now, monotonic = self._clock.now(), self._clock.monotonic()
        with self._lock:
            if self._is_closed:
                return
            if self._has_jumped(now, monotonic):
                self._use.none_after(now)
                for one in self._book.all():
                    one.doubt(now)
                self._sync_at = None
            self._ticked = (now, monotonic)
            sync = not self._is_syncing and (self._sync_at is None or now >= self._sync_at)
            self._is_syncing |= sync
            due = self._due(now)
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

    def _due(self, now: datetime) -> list[Guarded]:
        """Return what is to be looked at now, what has waited longest first."""
        watched = self._book.all()
        due = [one for one in watched if one.next_at <= now and not one.is_looking]
        free = LOOKS_AT_ONCE - sum(one.is_looking for one in watched)
        return sorted(due, key=lambda one: one.next_at)[: max(free, 0)]

    def close(self) -> None:
        """Look at nothing any more."""
        with self._lock:
            self._is_closed = True

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
            self._book.sync()
        except Exception as exc:  # noqa: BLE001 - whatever it was, it is tried again
            _LOG.warning("the idle guards could not be read: %s", type(exc).__name__)
        finally:
            with self._lock:
                self._is_syncing = False
                self._sync_at = self._clock.now() + self._pace.minutes(_SYNC_MIN)

    def _look_at(self, one: Guarded, turn: int) -> None:
        if one.turn != turn:
            return
        try:
            if self._look.look(one, self._is_current) and not self._is_closed:
                self._book.forget(one)
        finally:
            with self._lock:
                one.is_looking = False

    def _is_current(self, one: Guarded) -> bool:
        """Whether this is still what is watched: a deploy from here puts another in its place."""
        return self._book.has(one) and not self._is_closed
