"""Limits on how often sources are asked: so many a minute, and a pause between two of one host."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from typing import Final, Generic, TypeVar

T = TypeVar("T")
_WINDOW_S: Final = 60.0


class PerMinute:
    """Lets each key through so many times in any 60 s. Thread-safe.

    Parameters
    ----------
    clock
        Seconds, monotonic.
    """

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._taken: dict[Hashable, deque[float]] = {}
        self._lock = threading.Lock()

    def take(self, *limits: tuple[Hashable, int], turns: int = 1) -> tuple[Hashable | None, int]:
        """Take so many of each key's turns, or none at all where one key has not so many left.

        Parameters
        ----------
        limits
            Keys, each with the most turns a minute, which are no fewer than `turns`.

        Returns
        -------
        The key that has too few left and the whole seconds, at least 1, until it has enough again;
        None and 0 when the turns were taken.
        """
        with self._lock:
            now = self._clock()
            self._forget(now)
            for key, most in limits:
                taken = self._taken.get(key, deque())
                in_the_way = len(taken) + turns - most
                if in_the_way > 0:
                    age_s = now - taken[in_the_way - 1]
                    return key, max(1, math.ceil(_WINDOW_S - age_s))
            for key, _most in limits:
                self._taken.setdefault(key, deque()).extend([now] * turns)
        return None, 0

    def _forget(self, now: float) -> None:
        for key, taken in list(self._taken.items()):
            while taken and now - taken[0] >= _WINDOW_S:
                taken.popleft()
            if not taken:
                del self._taken[key]


class PacedQueue(Generic[T]):
    """Hands out items so that no two of one host are at work, or follow each other too soon.

    Not thread-safe: one thread hands out and takes back.

    Parameters
    ----------
    items
        Each with its host, in the order in which they are wanted.
    gap_s
        Least time between the end of one item and the start of the next of the same host.
    free_at
        From when on each host may be asked: kept by the caller over several queues.
    """

    def __init__(
        self, items: Iterable[tuple[str, T]], *, gap_s: float, free_at: dict[str, float]
    ) -> None:
        self._gap_s = gap_s
        self._waiting: dict[str, deque[T]] = {}
        self._free_at = free_at
        self._at_work: set[str] = set()
        for host, item in items:
            self._waiting.setdefault(host, deque()).append(item)

    def __bool__(self) -> bool:
        """Whether any item is waiting."""
        return bool(self._waiting)

    def take(self, now: float) -> tuple[str, T] | None:
        """Return the next item that may start, with its host; None if none may yet."""
        for host, items in self._waiting.items():
            if host not in self._at_work and self._free_at.get(host, now) <= now:
                item = items.popleft()
                # To the end of the line: many items of one host do not hold up the others.
                del self._waiting[host]
                if items:
                    self._waiting[host] = items
                self._at_work.add(host)
                return host, item
        return None

    def done(self, host: str, now: float) -> None:
        """Note that the item of `host` at work has ended."""
        self._at_work.discard(host)
        self._free_at[host] = now + self._gap_s
