"""What was read from the platform, kept per person, refreshed behind the page.

A page never waits for the platform: it asks `Reads.get` and draws what is there - a skeleton, the
last known value with its age, or the error. Values are kept under the person's key, so nobody is
ever shown what another person's token fetched.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from dashboard.errors import DashboardError, bare

T = TypeVar("T")
_KEPT_S = 3600.0

#: What took long to read stays fresh for so many times as long, so that reading it again and again
#: leaves the server free for clicks; up to a limit, or nobody else's changes would ever be seen.
_FRESH_LOADS = 20
_LONGEST_FRESH_S = 120.0


@dataclass(frozen=True, slots=True)
class Query(Generic[T]):
    """One thing to read.

    Parameters
    ----------
    key
        The person's key first, then the name of the list, then its arguments.
    load
        Reads it; called on a worker thread. May raise any `DashboardError`.
    fresh_s
        Seconds for which a value needs no refresh; more if it takes long to read.
    """

    key: tuple[Hashable, ...]
    load: Callable[[], T]
    fresh_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Read(Generic[T]):
    """What is known now.

    Parameters
    ----------
    value
        The last value read, or None if there never was one.
    age_s
        Seconds since it was read.
    error
        Why the last attempt failed; None after a success.
    is_loading
        Whether an attempt is under way; then `loading_s` is how long it has taken so far.
    fresh_s
        Seconds for which the value needs no refresh, given how long it took to read.
    """

    value: T | None
    age_s: float
    error: DashboardError | None
    is_loading: bool
    loading_s: float
    fresh_s: float = 0.0

    @property
    def is_first(self) -> bool:
        """Whether there is nothing to show yet but a skeleton."""
        return self.value is None and self.error is None


class _Entry:
    """State of one key. Guarded by the owner's lock."""

    def __init__(self) -> None:
        self.value: Any = None  # whatever the query's load returns
        self.has_value = False
        self.read_at = 0.0
        self.took_s = 0.0
        self.is_out_of_date = False
        self.error: DashboardError | None = None
        self.failed_at = 0.0
        self.started_at: float | None = None
        self.generation = 0
        self.used_at = 0.0
        self.settled = threading.Event()


class Reads:
    """Keeps reads and refreshes them on a pool. Thread-safe."""

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
        self._entries: dict[tuple[Hashable, ...], _Entry] = {}
        #: Grows with every invalidation: what was drawn under an older number may be out of date.
        self.generation = 0

    def get(self, query: Query[T], *, wait_s: float = 0.0, retry_s: float = 3.0) -> Read[T]:
        """Return what is known, starting a refresh where it is due.

        Parameters
        ----------
        wait_s
            How long to wait for the very first value, so that a quick answer needs no skeleton.
        retry_s
            Seconds after a failure before the next attempt starts by itself.
        """
        entry = self._due(query, retry_s)
        if wait_s > 0 and not entry.has_value:
            entry.settled.wait(wait_s)
        return self._snapshot(entry, query)

    def is_settled(self, key: tuple[Hashable, ...]) -> bool:
        """Whether no attempt is under way for `key`."""
        with self._lock:
            entry = self._entries.get(key)
            return entry is None or entry.started_at is None

    def invalidate(self, *prefix: Hashable) -> None:
        """Mark every key that begins with `prefix` as out of date; values stay to be shown."""
        self._make_due(prefix, place=0)

    def invalidate_for_all(self, *listed: Hashable) -> None:
        """As `invalidate`, for every person: for what the dashboard itself knows.

        Parameters
        ----------
        listed
            What follows the person's key: the name of the list, then arguments.
        """
        self._make_due(listed, place=1)

    def forget(self, *prefix: Hashable) -> None:
        """Drop every key that begins with `prefix`."""
        with self._lock:
            for key in [key for key in self._entries if key[: len(prefix)] == prefix]:
                del self._entries[key]

    def _make_due(self, part: tuple[Hashable, ...], *, place: int) -> None:
        with self._lock:
            self.generation += 1
            for key, entry in self._entries.items():
                if key[place : place + len(part)] == part:
                    entry.generation += 1
                    entry.is_out_of_date = True
                    entry.failed_at = float("-inf")

    def _due(self, query: Query[T], retry_s: float) -> _Entry:
        now = self._clock()
        with self._lock:
            self._drop_unused(now)
            entry = self._entries.setdefault(query.key, _Entry())
            entry.used_at = now
            if entry.started_at is not None:
                return entry
            is_old = entry.is_out_of_date or now - entry.read_at > _fresh_s(query, entry)
            if (entry.has_value and not is_old) or (
                entry.error is not None and now - entry.failed_at < retry_s
            ):
                return entry
            entry.started_at = now
            entry.settled.clear()
            generation = entry.generation
        try:
            self._pool.submit(self._load, query, entry, generation)
        except RuntimeError as exc:  # the pool was shut down: the program is stopping
            self._settle(entry, generation, error=self._on_unexpected(exc))
        return entry

    def _drop_unused(self, now: float) -> None:
        for key in [
            key
            for key, entry in self._entries.items()
            if entry.started_at is None and now - entry.used_at > _KEPT_S
        ]:
            del self._entries[key]

    def _load(self, query: Query[Any], entry: _Entry, generation: int) -> None:
        try:
            value = query.load()
        except DashboardError as exc:
            self._settle(entry, generation, error=exc)
        except Exception as exc:  # noqa: BLE001 - a worker's failure must reach the page, not vanish
            self._settle(entry, generation, error=self._on_unexpected(exc))
        else:
            self._settle(entry, generation, value=value)

    def _settle(
        self,
        entry: _Entry,
        generation: int,
        *,
        value: Any = None,  # noqa: ANN401 - whatever the query's load returns
        error: DashboardError | None = None,
    ) -> None:
        with self._lock:
            now = self._clock()
            took_s = now - entry.started_at if entry.started_at is not None else 0.0
            entry.started_at = None
            entry.error = bare(error) if error is not None else None
            if error is None:
                entry.value = value
                entry.has_value = True
                entry.read_at = now
                entry.took_s = took_s
                # Read before an invalidation: shown, but due again at once.
                entry.is_out_of_date = generation != entry.generation
            else:
                entry.failed_at = now
            entry.settled.set()

    def _snapshot(self, entry: _Entry, query: Query[Any]) -> Read[Any]:
        with self._lock:
            now = self._clock()
            return Read(
                value=cast("Any", entry.value) if entry.has_value else None,  # typed by the query
                age_s=max(0.0, now - entry.read_at) if entry.has_value else 0.0,
                error=entry.error,
                is_loading=entry.started_at is not None,
                loading_s=now - entry.started_at if entry.started_at is not None else 0.0,
                fresh_s=_fresh_s(query, entry),
            )


def _fresh_s(query: Query[Any], entry: _Entry) -> float:
    return max(query.fresh_s, min(_FRESH_LOADS * entry.took_s, _LONGEST_FRESH_S))
