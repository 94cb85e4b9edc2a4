"""Things kept for a few minutes for the one person who asked for them, under ids nobody guesses."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from dashboard.domain.identity import Identity

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    owner: str
    thing: T
    timer: threading.Timer


class Shelf(Generic[T]):
    """Keeps private things for a while. Thread-safe.

    Parameters
    ----------
    kept_s
        After so many seconds a thing goes, whether anybody asks or not.
    most
        Of more things the oldest goes.
    on_drop
        Called with each thing that goes, unless it was taken.
    """

    def __init__(
        self, *, kept_s: float, most: int, on_drop: Callable[[T], None] = lambda _thing: None
    ) -> None:
        self._kept_s = kept_s
        self._most = most
        self._on_drop = on_drop
        self._lock = threading.Lock()
        self._things: dict[str, _Kept[T]] = {}

    def put(self, who: Identity, thing: T, *, thing_id: str = "") -> str:
        """Keep a thing and return its id."""
        thing_id = thing_id or secrets.token_urlsafe(24)
        timer = threading.Timer(self._kept_s, self._drop, args=(thing_id,))
        timer.daemon = True
        with self._lock:
            before = self._things.pop(thing_id, None)
            self._things[thing_id] = _Kept(who.key, thing, timer)
            too_many = list(self._things)[: -self._most]
        timer.start()
        if before is not None:
            before.timer.cancel()
            self._on_drop(before.thing)
        for old_id in too_many:
            self._drop(old_id)
        return thing_id

    def find(self, who: Identity, thing_id: str) -> T | None:
        """Return this person's thing, or None if it is gone or somebody else's."""
        with self._lock:
            kept = self._things.get(thing_id)
            return kept.thing if kept is not None and kept.owner == who.key else None

    def take(self, who: Identity, thing_id: str) -> T | None:
        """Return the same and keep it no longer."""
        with self._lock:
            kept = self._things.get(thing_id)
            if kept is None or kept.owner != who.key:
                return None
            del self._things[thing_id]
        kept.timer.cancel()
        return kept.thing

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            every_id = list(self._things)
        for thing_id in every_id:
            self._drop(thing_id)

    def _drop(self, thing_id: str) -> None:
        with self._lock:
            kept = self._things.pop(thing_id, None)
        if kept is not None:
            kept.timer.cancel()
            self._on_drop(kept.thing)
