"""Which pipelines are being asked something from here, and when each was asked last.

A stop and what is under way exclude each other, within this process and, by the database, between
all that share it: nothing is stopped while a request or a deploy is under way, and what begins
while a stop is waits until that is over. It then meets the pipeline as the stop has left it.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from dashboard.domain.identity import Identity
from dashboard.domain.idle import LastUse
from dashboard.errors import DashboardError

if TYPE_CHECKING:
    from dashboard.domain.inference import Answer
    from dashboard.domain.pipeline import Pipeline
    from dashboard.gateway.base import InferenceSession
    from dashboard.store.use_records import UseRecords

#: A stop is over by then: the calls it is made of have limits of their own.
LONGEST_STOP_S: Final = 90.0
_ASK_AGAIN_S: Final = 0.2
#: How long a use holds at the other dashboards after this one has died.
_KEPT: Final = timedelta(minutes=3)
_LOG = logging.getLogger(__name__)


class PipelineUse:
    """Counts what is under way by pipeline. Thread-safe.

    Parameters
    ----------
    records
        Tells the other dashboards that share the database; None for one that is alone.
    """

    def __init__(self, now: Callable[[], datetime], records: UseRecords | None = None) -> None:
        self._now = now
        self._records = records
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._under_way: dict[str, int] = {}
        self._stopping: set[int] = set()
        self._last: dict[int, LastUse] = {}

    @property
    def owner(self) -> str:
        """The name of this process in the database."""
        return self._records.owner if self._records is not None else ""

    def used(self, pipeline_id: int, who: Identity | None = None) -> None:
        """Note that an inference was sent, or answered, just now."""
        at = self._now()
        with self._lock:
            known = self._last.get(pipeline_id)
            if who is not None:
                self._last[pipeline_id] = LastUse(at, who.user_id, who.email)
            elif known is not None:
                self._last[pipeline_id] = LastUse(at, known.who_id, known.who)
            else:
                self._last[pipeline_id] = LastUse(at)

    @contextmanager
    def in_use(self, pipeline_id: int, who: Identity | None = None) -> Iterator[None]:
        """Count a request as under way within the block; it is used at both ends."""
        with self.held(pipeline_id):
            self.used(pipeline_id, who)
            try:
                yield
            finally:
                self.used(pipeline_id, who)

    @contextmanager
    def held(self, pipeline_id: int) -> Iterator[None]:
        """As `in_use`, for what is no inference, such as a deploy: it extends nothing."""
        use_id, deadline = secrets.token_hex(16), time.monotonic() + LONGEST_STOP_S
        try:
            while not (self.enter(use_id, pipeline_id) and self.publish(use_id, pipeline_id)):
                if time.monotonic() >= deadline:
                    self.enter(use_id, pipeline_id, is_patient=False)
                    break
                with self._changed:
                    self._changed.wait(_ASK_AGAIN_S)
            yield
        finally:
            self.leave(use_id)
            self.withdraw(use_id, pipeline_id)

    # The parts of it, for those who may not wait in their thread

    def enter(self, use_id: str, pipeline_id: int, *, is_patient: bool = True) -> bool:
        """Count a use in this process; False while the pipeline is being stopped here."""
        with self._lock:
            if is_patient and pipeline_id in self._stopping:
                return False
            self._under_way[use_id] = pipeline_id
            return True

    def publish(self, use_id: str, pipeline_id: int) -> bool:
        """Tell the other processes of a use that has entered.

        False while the pipeline is being stopped by one of them: it has not entered then.
        """
        if self._records is None:
            return True
        now = self._now()
        try:
            is_noted = self._records.begin(use_id, pipeline_id, now=now, until=now + _KEPT)
        except DashboardError:
            # A request must not fail for it; without the database nobody claims a stop either,
            # and the next renewal tells of it.
            _LOG.warning("the other dashboards could not be told of a request")
            return True
        with self._lock:
            is_over = use_id not in self._under_way
            if not is_noted:
                self._under_way.pop(use_id, None)
        if is_noted and is_over:  # its owner was in a hurry
            self.withdraw(use_id, pipeline_id)
        return is_noted

    def leave(self, use_id: str) -> None:
        """Count a use no more."""
        with self._changed:
            self._under_way.pop(use_id, None)

    def withdraw(self, use_id: str, pipeline_id: int) -> None:
        """Tell the other processes that a use is over."""
        if self._records is None:
            return
        last = self.last(pipeline_id)
        try:
            self._records.end(use_id, pipeline_id, used_at=last.at if last else None)
        except DashboardError:
            _LOG.warning("the other dashboards could not be told that a request is over")

    def renew(self) -> None:
        """Tell the other processes that what is under way still is. Raises DashboardError.

        Also of what they could not be told before.
        """
        with self._lock:
            uses = dict(self._under_way)
        if not uses or self._records is None:
            return
        self._records.renew(uses, until=self._now() + _KEPT)
        with self._lock:
            over = [use_id for use_id in uses if use_id not in self._under_way]
        for use_id in over:  # while the others were being told of it
            self.withdraw(use_id, uses[use_id])

    # What a stop asks

    @contextmanager
    def stopping(self, pipeline_id: int) -> Iterator[bool]:
        """Let no use begin within the block; gives False, and does not, where one is under way."""
        with self._lock:
            is_free = (
                pipeline_id not in self._stopping and pipeline_id not in self._under_way.values()
            )
            if is_free:
                self._stopping.add(pipeline_id)
        try:
            yield is_free
        finally:
            if is_free:
                with self._changed:
                    self._stopping.discard(pipeline_id)
                    self._changed.notify_all()

    def is_in_use(self, pipeline_id: int) -> bool:
        """Whether a request sent from here is under way."""
        with self._lock:
            return pipeline_id in self._under_way.values()

    def last(self, pipeline_id: int) -> LastUse | None:
        """Return the last use from here since this process began, or None."""
        with self._lock:
            return self._last.get(pipeline_id)

    def none_after(self, now: datetime) -> None:
        """Let no use lie in the future: the clock of this computer was put back."""
        with self._lock:
            self._last = {
                number: replace(one, at=min(one.at, now)) for number, one in self._last.items()
            }


class _NotedSession:
    """A session whose every request counts as a use."""

    def __init__(self, session: InferenceSession, note: Callable[[], None]) -> None:
        self._session = session
        self._note = note

    async def infer(
        self,
        rows: Sequence[Mapping[str, Any]],  # any value a model takes
        *,
        timeout_s: float,
    ) -> Answer:
        """Send rows as the session does."""
        self._note()
        try:
            return await self._session.infer(rows, timeout_s=timeout_s)
        finally:
            self._note()


@asynccontextmanager
async def noted(
    use: PipelineUse,
    who: Identity,
    pipeline: Pipeline,
    opening: AbstractAsyncContextManager[InferenceSession],
) -> AsyncIterator[InferenceSession]:
    """Give the session that `opening` opens; the pipeline is held until it is closed."""
    number = pipeline.pipeline_id
    async with _held(use, number), opening as session:
        yield _NotedSession(session, lambda: use.used(number, who))


@asynccontextmanager
async def _held(use: PipelineUse, pipeline_id: int) -> AsyncIterator[None]:
    """Hold a pipeline as `PipelineUse.held` does; the event loop goes on meanwhile."""
    use_id, deadline = secrets.token_hex(16), time.monotonic() + LONGEST_STOP_S
    try:
        while not (
            use.enter(use_id, pipeline_id)
            and await asyncio.to_thread(use.publish, use_id, pipeline_id)
        ):
            if time.monotonic() >= deadline:
                use.enter(use_id, pipeline_id, is_patient=False)
                break
            await asyncio.sleep(_ASK_AGAIN_S)
        yield
    finally:
        use.leave(use_id)
        # Not awaited: whoever is cancelled here does not wait for the database.
        with suppress(RuntimeError):  # the program is stopping: it holds no longer than `_KEPT`
            asyncio.get_running_loop().run_in_executor(None, use.withdraw, use_id, pipeline_id)
