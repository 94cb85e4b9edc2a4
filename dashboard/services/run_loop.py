"""One event loop in one background thread, started when it is first needed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread:
    """Runs coroutines for other threads. Thread-safe.

    Parameters
    ----------
    at_start
        Runs in the loop for as long as the loop does; cancelled when it stops.
    """

    def __init__(self, name: str, at_start: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._name = name
        self._at_start = at_start
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._first: Future[None] | None = None

    @property
    def is_started(self) -> bool:
        """Whether anything was ever run."""
        return self._thread is not None

    def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> Future[T]:
        """Start `work` in the loop and return its future at once."""
        return asyncio.run_coroutine_threadsafe(work(), self._started())

    def stop(self) -> None:
        """Cancel what still runs, and end the thread. It may not be used again."""
        with self._lock:
            loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        loop.call_soon_threadsafe(loop.stop)
        thread.join()

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_turn, args=(loop,), name=self._name, daemon=True
                )
                self._thread.start()
                self._first = asyncio.run_coroutine_threadsafe(self._at_start(), loop)
                self._loop = loop
            return self._loop


def _turn(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()
