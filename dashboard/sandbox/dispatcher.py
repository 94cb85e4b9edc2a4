"""Spreads the requests of one deployment over its ready replicas, one at a time for each."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from dashboard.sandbox.errors import EngineError

if TYPE_CHECKING:
    from dashboard.sandbox.replica import Replica


class Dispatcher:
    """A bounded queue of requests before a pool of replicas.

    A replica does one request at a time, so "least in flight" is: any idle one, the one that has
    rested longest first; when none is idle, whichever becomes idle first.
    """

    def __init__(self, *, queue_limit: int, queue_wait_s: float) -> None:
        self._queue_limit = queue_limit
        self._queue_wait_s = queue_wait_s
        self._members: set[Replica] = set()
        self._busy: set[Replica] = set()
        self._idle: deque[Replica] = deque()
        self._waiting: deque[asyncio.Future[Replica]] = deque()
        self._on_release = asyncio.Event()

    @property
    def queue_depth(self) -> int:
        """How many requests wait for a replica."""
        return sum(not future.done() for future in self._waiting)

    @property
    def in_flight(self) -> int:
        """How many requests are with a replica."""
        return len(self._busy)

    def admit(self, replica: Replica) -> None:
        """Let `replica` take requests from now on."""
        self._members.add(replica)
        self._hand_out(replica)

    def dismiss(self, replica: Replica) -> None:
        """Give `replica` no further requests; one it is serving may end."""
        self._members.discard(replica)
        if replica in self._idle:
            self._idle.remove(replica)

    async def wait_until_idle(self, replica: Replica) -> None:
        """Return when `replica` serves no request."""
        while replica in self._busy:
            await self._on_release.wait()

    async def acquire(self) -> Replica:
        """Return a replica for the caller's exclusive use, until `release`.

        Raises
        ------
        EngineError
            429 when too many requests wait already, 504 when none became free in time.
        """
        while self._idle:
            replica = self._idle.popleft()
            if replica.is_usable:
                self._busy.add(replica)
                return replica
            replica.kill()  # it may live on without its pipes: another one takes its place
        if self.queue_depth >= self._queue_limit:
            raise EngineError(429, f"the engine's queue is full ({self._queue_limit} requests)")
        future: asyncio.Future[Replica] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            async with asyncio.timeout(self._queue_wait_s):
                return await future
        except TimeoutError as exc:
            self._give_back(future)
            raise EngineError(
                504, f"no engine became free within {self._queue_wait_s:g} s"
            ) from exc
        except asyncio.CancelledError:
            self._give_back(future)
            raise

    def release(self, replica: Replica) -> None:
        """Give `replica` back after `acquire`."""
        self._busy.discard(replica)
        self._on_release.set()
        self._on_release = asyncio.Event()
        if replica not in self._members:
            return
        if replica.is_usable:
            self._hand_out(replica)
        else:
            replica.kill()  # as above

    def refuse_waiting(self, status: int, error: str) -> None:
        """Answer every waiting request with an `EngineError`."""
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(EngineError(status, error))

    def _give_back(self, future: asyncio.Future[Replica]) -> None:
        # The replica may have been handed out in the very moment in which the caller gave up.
        if future.done() and not future.cancelled() and future.exception() is None:
            self.release(future.result())
        future.cancel()

    def _hand_out(self, replica: Replica) -> None:
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                self._busy.add(replica)
                future.set_result(replica)
                return
        self._idle.append(replica)
