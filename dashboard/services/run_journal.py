"""Writes what became of rows, many at a time, without ever making a row wait for a timer.

While one transaction is being committed the next results gather; they go into the next one
together. `add` returns when the rows of a request are safe, and the run sends the next request in
its place only then: so a kill at any moment costs at most the rows in flight a second request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor

from dashboard.store.run_records import RowResult

#: Writes results by run, and returns the runs that are no longer ours.
Write = Callable[[Mapping[str, Sequence[RowResult]]], frozenset[str]]

_MOST_AT_ONCE = 500

_Waiting = tuple[str, Sequence[RowResult], asyncio.Future[None]]


class RunLost(Exception):
    """The run is no longer carried by this process."""


class RunJournal:
    """Group commit. Used inside one event loop.

    Parameters
    ----------
    writer
        One thread, so that writes happen in the order in which they were asked for.
    """

    def __init__(self, write: Write, writer: Executor) -> None:
        self._write = write
        self._writer = writer
        self._waiting: list[_Waiting] = []
        self._flushing: asyncio.Task[None] | None = None

    async def add(self, run_id: str, rows: Sequence[RowResult]) -> None:
        """Write the results of one request's rows, all or none, and return when they are safe.

        Raises
        ------
        RunLost
            The run is no longer ours; the results were dropped.
        DashboardError
            The database does not work.
        """
        safe: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((run_id, rows, safe))
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        await safe

    async def _flush(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[:_MOST_AT_ONCE]
                del self._waiting[:_MOST_AT_ONCE]
                await self._commit(batch)
        finally:
            self._flushing = None

    async def _commit(self, batch: list[_Waiting]) -> None:
        results: dict[str, list[RowResult]] = {}
        for run_id, rows, _safe in batch:
            results.setdefault(run_id, []).extend(rows)
        loop = asyncio.get_running_loop()
        try:
            lost = await loop.run_in_executor(self._writer, self._write, results)
        except Exception as exc:  # noqa: BLE001 - whoever waits for the row decides what it means
            await self._commit_apart(batch, exc)
            return
        for run_id, _rows, safe in batch:
            if safe.done():  # its run was cancelled meanwhile
                continue
            if run_id in lost:
                safe.set_exception(RunLost)
            else:
                safe.set_result(None)

    async def _commit_apart(self, batch: list[_Waiting], exc: Exception) -> None:
        # One run's trouble must not become that of the others in the same transaction.
        if len(batch) == 1:
            safe = batch[0][2]
            if not safe.done():
                safe.set_exception(exc)
            return
        for waiting in batch:
            await self._commit([waiting])
