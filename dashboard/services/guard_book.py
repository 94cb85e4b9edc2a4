"""Which pipelines the idle guard watches: in this process, and in the database it may share."""

from __future__ import annotations

import logging
import threading
from datetime import datetime

from dashboard.domain.idle import Guard
from dashboard.errors import DashboardError
from dashboard.services.clock import Clock
from dashboard.services.guard_state import Guarded, none_after
from dashboard.services.pipeline_use import PipelineUse
from dashboard.store.guard_records import GuardRecords

_LOG = logging.getLogger(__name__)


class GuardBook:
    """Holds a guard for each pipeline that is watched. Thread-safe."""

    def __init__(self, records: GuardRecords, use: PipelineUse, clock: Clock) -> None:
        self._records = records
        self._use = use
        self._clock = clock
        self._lock = threading.Lock()
        self._guarded: dict[int, Guarded] = {}

    def find(self, pipeline_id: int) -> Guarded | None:
        """Return the guard of a pipeline, or None."""
        with self._lock:
            return self._guarded.get(pipeline_id)

    def all(self) -> list[Guarded]:
        """Return every guard, by the pipeline's id."""
        with self._lock:
            return [one for _, one in sorted(self._guarded.items())]

    def has(self, one: Guarded) -> bool:
        """Whether this is still what is watched: a deploy puts another in its place."""
        return self.find(one.guard.pipeline_id) is one

    def put(self, one: Guarded) -> None:
        """Watch a pipeline by this guard from now on."""
        with self._lock:
            self._guarded[one.guard.pipeline_id] = one
        self.store(one)

    def forget(self, one: Guarded) -> None:
        """Watch it no more, if it is still this guard that watches it."""
        with self._lock:
            if self._guarded.get(one.guard.pipeline_id) is one:
                del self._guarded[one.guard.pipeline_id]

    def drop(self, pipeline_id: int, version: str) -> None:
        """Forget the guard of a pipeline version, here and in the database."""
        one = self.find(pipeline_id)
        if one is not None and one.guard.version == version:
            self.forget(one)
        try:
            self._records.drop(pipeline_id, version)
        except DashboardError:
            # The next look finds that it is not deployed.
            _LOG.warning("the idle guard of a pipeline could not be forgotten")

    def store(self, one: Guarded) -> None:
        """Write a guard down, in the place of the one that the pipeline had."""
        try:
            self._records.put(one.guard)
        except DashboardError:
            # It is watched all the same; the next sync tries again.
            _LOG.warning("the idle guard of a pipeline could not be stored")
        else:
            one.is_stored = True

    def _store_late(self, one: Guarded) -> None:
        """Write down what could not be when it began; a newer one of another process prevails."""
        try:
            newer = self._records.put_late(one.guard)
        except DashboardError:
            _LOG.warning("the idle guard of a pipeline could not be stored")
            return
        if newer is None:
            one.is_stored = True
            return
        now = self._clock.now()
        with self._lock:
            if self._guarded.get(newer.pipeline_id) is one:
                self._guarded[newer.pipeline_id] = Guarded(none_after(newer, now), next_at=now)

    def write_seen(self) -> None:
        """Write down what was seen of every pipeline."""
        for one in self.all():
            one.note_use(self._use.last(one.guard.pipeline_id))
            if not one.is_stored:
                self._store_late(one)
                continue
            try:
                self._records.note_seen(one.guard)
            except DashboardError:
                _LOG.warning("what the idle guard has seen could not be stored")

    def sync(self) -> None:
        """Take over what another process has written, and write down what was seen here.

        Raises
        ------
        DashboardError
            The database does not work.
        """
        # First, as it cannot wait: what is not renewed counts as over elsewhere.
        self._use.renew()
        with self._lock:
            # What is put from here on is newer than what is read below.
            known = {
                number: (one, one.guard) for number, one in self._guarded.items() if one.is_stored
            }
        stored = {guard.pipeline_id: guard for guard in self._records.all()}
        now = self._clock.now()
        with self._lock:
            for number, guard in stored.items():
                self._take_over(guard, known.get(number), now)
            for number, (one, _) in known.items():
                if number not in stored and self._guarded.get(number) is one:
                    del self._guarded[number]
        self.write_seen()

    def _take_over(self, stored: Guard, known: tuple[Guarded, Guard] | None, now: datetime) -> None:
        one = self._guarded.get(stored.pipeline_id)
        before = known[1] if known is not None and known[0] is one else None
        if one is None or (before is not None and before.version != stored.version):
            self._guarded[stored.pipeline_id] = Guarded(none_after(stored, now), next_at=now)
        elif before is not None and not one.is_stopping:
            one.note_stored(stored, before=before, now=now)
