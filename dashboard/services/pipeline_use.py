"""Which pipelines are being asked something from here, and when each was asked last."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dashboard.domain.identity import Identity
from dashboard.domain.idle import LastUse

if TYPE_CHECKING:
    from dashboard.domain.inference import Answer
    from dashboard.domain.pipeline import Pipeline
    from dashboard.gateway.base import InferenceSession


class PipelineUse:
    """Counts the requests under way by pipeline. Thread-safe."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._under_way: Counter[int] = Counter()
        self._last: dict[int, LastUse] = {}

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
        with self._lock:
            self._under_way[pipeline_id] += 1
        self.used(pipeline_id, who)
        try:
            yield
        finally:
            self.used(pipeline_id, who)
            with self._lock:
                self._under_way[pipeline_id] -= 1

    @contextmanager
    def held(self, pipeline_id: int) -> Iterator[None]:
        """As `in_use`, for what is no inference, such as a deploy: it extends nothing."""
        with self._lock:
            self._under_way[pipeline_id] += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way[pipeline_id] -= 1

    def is_in_use(self, pipeline_id: int) -> bool:
        """Whether a request sent from here is under way."""
        with self._lock:
            return self._under_way[pipeline_id] > 0

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
    with use.held(number):
        async with opening as session:
            yield _NotedSession(session, lambda: use.used(number, who))
