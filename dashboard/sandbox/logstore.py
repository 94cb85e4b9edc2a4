"""The inference logs: an SQLite file of its own, records sealed, newest or oldest page fast.

A request's rows are kept in sealed blocks; what stays in clear is the topic, the time and the
count, so that a page is found by the index alone. One thread writes, in groups: whoever waits at
the same moment shares a transaction.
"""

from __future__ import annotations

import asyncio
import json
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dashboard.sandbox import metrics
from dashboard.sandbox.log_pages import (
    Batch,
    LogRow,
    Page,
    Query,
    Row,
    collect,
    is_passed,
    page_statement,
)
from dashboard.sandbox.tables import as_text

if TYPE_CHECKING:
    from pathlib import Path

    from dashboard.sandbox.metrics import Count, Series
    from dashboard.vault import Vault

__all__ = ["Batch", "LogRow", "LogStore", "Page", "Query", "Row"]

_BLOCK_ROWS = 256
_READERS = 4
_NO_TYPES: Mapping[str, str] = {}
_SCHEMA = """
CREATE TABLE IF NOT EXISTS topic (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL,
    row_count INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS block (id INTEGER PRIMARY KEY, sealed BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS entry (topic_id INTEGER NOT NULL, time_ms INTEGER NOT NULL,
    first_offset INTEGER NOT NULL, row_count INTEGER NOT NULL, block_id INTEGER NOT NULL,
    PRIMARY KEY (topic_id, time_ms, first_offset)) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS entry_by_offset ON entry (topic_id, first_offset);
"""


#: A write and the future that tells of its end.
_Job = tuple[Callable[[sqlite3.Connection], None], Future[None]]


class LogStore:
    """The inference logs in `path`.

    Thread-safe. `append` is for coroutines; the rest blocks and belongs in a thread.
    """

    def __init__(self, path: Path, vault: Vault) -> None:
        self._vault = vault
        path.touch(mode=0o600)
        writer = self._connect(path)
        writer.executescript(_SCHEMA + metrics.SCHEMA)
        self._readers: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        for _ in range(_READERS):
            self._readers.put(self._connect(path))
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=self._write_for_ever, args=(writer,), name="log-writer", daemon=True
        )
        self._thread.start()

    async def append(self, batch: Batch) -> None:
        """Write a request's rows; on return they are visible and survive the process."""
        await asyncio.wrap_future(self.submit(batch))

    def submit(self, batch: Batch) -> Future[None]:
        """Queue a request's rows in the caller's order; the future tells when they are written."""
        return self._enqueue(lambda connection: self._insert(connection, batch))

    def reset(self) -> None:
        """Forget everything."""
        self._enqueue(_delete_everything).result()

    def close(self) -> None:
        """Write what is queued and close the file."""
        self._jobs.put(None)
        self._thread.join()
        for _ in range(_READERS):
            self._readers.get().close()

    def measure(self, counts: Sequence[Count], *, time_s: int) -> Future[None]:
        """Queue samples of metrics that belong to no request."""
        return self._enqueue(lambda connection: metrics.write(connection, counts, time_s=time_s))

    def begin_measuring(self, *, time_s: int) -> Future[None]:
        """Queue what the metrics need done when the sandbox starts."""
        return self._enqueue(lambda connection: metrics.begin(connection, time_s=time_s))

    def series(
        self,
        metric: str,
        *,
        workspace_ids: Sequence[int],
        span_s: tuple[float, float],
        wanted: Callable[[Mapping[str, str]], bool],
    ) -> list[Series]:
        """Return the series of a metric; see `metrics.read`."""
        with self._reading() as reader:
            return metrics.read(
                reader, metric, workspace_ids=workspace_ids, span_s=span_s, wanted=wanted
            )

    def row_count(self, topic: str) -> int:
        """Return how many rows a topic has; 0 for an unknown one."""
        with self._reading() as reader:
            found = reader.execute(
                "SELECT row_count FROM topic WHERE name = ?", (topic,)
            ).fetchone()
        return int(found[0]) if found else 0

    def read(self, topic: str, query: Query) -> Page:
        """Return one page of a topic; an empty one for an unknown topic.

        Raises
        ------
        VaultError
            If the file was written with another key.
        """
        with self._reading() as reader:
            return collect(self._rows(reader, topic, query), query)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection: a long page must not keep the short ones waiting."""
        reader = self._readers.get()
        try:
            yield reader
        finally:
            self._readers.put(reader)

    @staticmethod
    def _connect(path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        # Written rows survive the death of every process; only a power cut may cost the last ones.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA busy_timeout = 5000")
        return connection

    # --- reading -----------------------------------------------------------------------------

    def _rows(
        self, reader: sqlite3.Connection, topic: str, query: Query
    ) -> Iterator[tuple[LogRow, int]]:
        """Yield rows in order, each with its approximate size in bytes."""
        found = reader.execute("SELECT id FROM topic WHERE name = ?", (topic,)).fetchone()
        if found is None:
            return
        sql, values = page_statement(reader, int(found[0]), query)
        for time_ms, first_offset, block_id, sealed in reader.execute(sql, values):
            plain = self._vault.open(sealed, bound_to=_binding(block_id))
            block = json.loads(plain)
            types, error = block.get("types", _NO_TYPES), block.get("error", "")
            pairs = list(enumerate(block["rows"], start=first_offset))
            size_bytes = len(plain) // max(1, len(pairs))
            for offset, (inputs, outputs) in reversed(pairs) if query.newest_first else pairs:
                if not is_passed(offset, first_offset, len(pairs), query):
                    row = LogRow(offset, time_ms, inputs, outputs, block["metadata"], types, error)
                    yield row, size_bytes

    # --- writing -----------------------------------------------------------------------------

    def _enqueue(self, work: Callable[[sqlite3.Connection], None]) -> Future[None]:
        future: Future[None] = Future()
        self._jobs.put((work, future))
        return future

    def _write_for_ever(self, connection: sqlite3.Connection) -> None:
        is_open = True
        while is_open:
            group = [self._jobs.get()]
            while not self._jobs.empty():
                group.append(self._jobs.get())
            is_open = None not in group
            _commit_group(connection, [job for job in group if job is not None])
        connection.close()

    def _insert(self, connection: sqlite3.Connection, batch: Batch) -> None:
        topic_ids = [_topic_id(connection, topic) for topic in batch.topics]
        metrics.write(connection, batch.counts, time_s=batch.time_ms // 1000)
        for first in range(0, len(batch.rows), _BLOCK_ROWS):
            rows = batch.rows[first : first + _BLOCK_ROWS]
            block_id = self._insert_block(connection, rows, batch)
            for topic_id in topic_ids:
                connection.execute(
                    "INSERT INTO entry SELECT id, ?, row_count, ?, ? FROM topic WHERE id = ?",
                    (batch.time_ms, len(rows), block_id, topic_id),
                )
                connection.execute(
                    "UPDATE topic SET row_count = row_count + ? WHERE id = ?",
                    (len(rows), topic_id),
                )

    def _insert_block(
        self, connection: sqlite3.Connection, rows: Sequence[Row], batch: Batch
    ) -> int:
        # The row's id goes into the seal, so it must be known before: a sealed block that was
        # moved to another row does not open.
        found = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM block").fetchone()
        block_id = int(found[0])
        block: dict[str, object] = {"rows": rows, "metadata": batch.metadata}
        if batch.types:
            block["types"] = dict(batch.types)
        if batch.error:
            block["error"] = batch.error
        plain = json.dumps(block, separators=(",", ":"), default=as_text)
        sealed = self._vault.seal(plain.encode(), bound_to=_binding(block_id))
        connection.execute("INSERT INTO block VALUES (?, ?)", (block_id, sealed))
        return block_id


def _binding(block_id: int) -> str:
    return f"inference-log/{block_id}"


def _topic_id(connection: sqlite3.Connection, topic: str) -> int:
    connection.execute("INSERT OR IGNORE INTO topic (name) VALUES (?)", (topic,))
    found = connection.execute("SELECT id FROM topic WHERE name = ?", (topic,)).fetchone()
    return int(found[0])


def _commit_group(connection: sqlite3.Connection, group: Sequence[_Job]) -> None:
    """Do the jobs in one transaction; if that fails, one by one, so that none spoils another."""
    # From here on nobody can cancel a future under the writer's hands.
    waiting = [future for _, future in group if future.set_running_or_notify_cancel()]
    try:
        _commit(connection, [work for work, _ in group])
    except Exception:  # noqa: BLE001  the writer outlives any job; the error goes on below
        for work, future in group:
            error = _try_alone(connection, work)
            if future in waiting and error is None:
                future.set_result(None)
            elif future in waiting:
                future.set_exception(error)
        return
    for future in waiting:
        future.set_result(None)


def _try_alone(
    connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], None]
) -> Exception | None:
    try:
        _commit(connection, [work])
    except Exception as exc:  # noqa: BLE001  handed to whoever waits for the job
        return exc
    return None


def _commit(
    connection: sqlite3.Connection, works: Sequence[Callable[[sqlite3.Connection], None]]
) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for work in works:
            work(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _delete_everything(connection: sqlite3.Connection) -> None:
    for table in ("entry", "block", "topic", "sample", "series"):
        connection.execute(f"DELETE FROM {table}")  # noqa: S608  constants of this module
