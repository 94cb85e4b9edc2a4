"""What a run writes, gathered and kept in the store: the newest part of it."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dashboard.sandbox.automation.limits import Limits
    from dashboard.sandbox.context import Clock
    from dashboard.sandbox.store.tasks import Tasks

_log = logging.getLogger(__name__)

#: Lines are written together, a little later than they come.
_FLUSH_S: Final = 0.2


class RunLog:
    """The log of one run, in the form of a container's log: time, stream, `F`, text.

    `F` stands for a full line and `P` for a part of one; the SDK takes the lines apart.
    """

    def __init__(self, tasks: Tasks, run_id: str, *, clock: Clock, limits: Limits) -> None:
        self._tasks = tasks
        self._run_id = run_id
        self._clock = clock
        self._limits = limits
        self._pending: list[str] = []
        self._pending_bytes = 0
        self._writing = asyncio.Lock()
        self._flusher = asyncio.create_task(self._flush_for_ever())

    async def add(self, stream: str, is_whole: bool, texts: Sequence[str]) -> None:  # OnLines
        """Take lines that came together; waits while too much is not yet written."""
        moment = datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        start = f"{moment} {stream} {'F' if is_whole else 'P'} "
        self._pending += [start + text for text in texts]
        # As they are stored: of short lines the time is the larger part.
        self._pending_bytes += sum(map(len, texts)) + len(texts) * (len(start) + 1)
        if self._pending_bytes > self._limits.log_pending_bytes:
            await asyncio.shield(self._flush())

    async def say(self, sentence: str) -> None:
        """Add a line of the sandbox's own."""
        await self.add("stderr", True, [sentence])  # OnLines

    async def close(self) -> None:
        """Write what is left."""
        self._flusher.cancel()
        await asyncio.gather(self._flusher, return_exceptions=True)
        await self._flush()

    async def _flush_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_S)
            # A write that began is finished: it runs in a thread, where nothing can stop it.
            await asyncio.shield(self._flush())

    async def _flush(self) -> None:
        async with self._writing:
            lines, self._pending, self._pending_bytes = self._pending, [], 0
            if lines:
                await asyncio.to_thread(self._write, lines)

    def _write(self, lines: list[str]) -> None:
        try:
            self._tasks.add_lines(self._run_id, lines, kept_bytes=self._limits.log_bytes)
        except sqlite3.Error as exc:
            # They are lost, as on a full disk. The program goes on: nobody else reads its pipe.
            _log.warning("%d lines of run %s cannot be kept: %s", len(lines), self._run_id, exc)
