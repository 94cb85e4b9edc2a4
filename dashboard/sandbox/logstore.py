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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from dashboard.vault import Vault

#: Values of one log row by wire group: `in` and `out` columns without their prefix.
Row = tuple[Mapping[str, Any], Mapping[str, Any]]  # Any: user data

_BLOCK_ROWS = 256
_SCHEMA = """
CREATE TABLE IF NOT EXISTS topic (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL,
    row_count INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS block (id INTEGER PRIMARY KEY, sealed BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS entry (topic_id INTEGER NOT NULL, time_ms INTEGER NOT NULL,
    first_offset INTEGER NOT NULL, row_count INTEGER NOT NULL, block_id INTEGER NOT NULL,
    PRIMARY KEY (topic_id, time_ms, first_offset)) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS entry_by_offset ON entry (topic_id, first_offset);
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of one request.

    Parameters
    ----------
    topics
        The logs the rows belong to: the pipeline's, and its model's.
    time_ms
        Epoch ms, the same as in the answer.
    metadata
        What all rows share: `last_model`, `pipeline_version`, `elapsed`, `dropped`, `partition`.
    """

    topics: tuple[str, ...]
    time_ms: int
    rows: Sequence[Row]
    metadata: Mapping[str, Any]  # Any: the wire's metadata


@dataclass(frozen=True, slots=True)
class LogRow:
    """One row as it is read back. `offset` counts the topic's rows from 0."""

    offset: int
    time_ms: int
    inputs: Mapping[str, Any]  # Any: user data
    outputs: Mapping[str, Any]  # Any: user data
    metadata: Mapping[str, Any]  # Any: the wire's metadata

    def fits_with(self, other: LogRow) -> bool:
        """Tell whether both may stand in one table: the same outputs, of inputs in common.

        A column that only some callers send, such as an index, makes no new schema.
        """
        return self.outputs.keys() == other.outputs.keys() and (
            self.inputs.keys() == other.inputs.keys()
            or not self.inputs.keys().isdisjoint(other.inputs)
        )


@dataclass(frozen=True, slots=True)
class Query:
    """Which rows to read.

    Parameters
    ----------
    start_ms, end_ms
        Both ends included; None for no bound.
    from_offset
        Row to go on with (see `Page.next_offset`); None for the beginning.
    """

    newest_first: bool
    page_size: int
    start_ms: int | None = None
    end_ms: int | None = None
    from_offset: int | None = None
    max_bytes: int = 10 * 2**20


@dataclass(frozen=True, slots=True)
class Page:
    """A page of rows that fit into one table.

    Parameters
    ----------
    status
        `All`, or why it ended early: `RecordLimited`, `ByteLimited`, `SchemaChange`.
    next_offset
        Offset of the first row after the page, None when there is none.
    """

    rows: list[LogRow]
    status: str
    next_offset: int | None = None


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
        writer.executescript(_SCHEMA)
        self._reader = self._connect(path)
        self._reader_lock = threading.Lock()
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
        with self._reader_lock:
            self._reader.close()

    def row_count(self, topic: str) -> int:
        """Return how many rows a topic has; 0 for an unknown one."""
        with self._reader_lock:
            found = self._reader.execute(
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
        with self._reader_lock:
            return _collect(self._rows(topic, query), query)

    @staticmethod
    def _connect(path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        # Written rows survive the death of every process; only a power cut may cost the last ones.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA busy_timeout = 5000")
        return connection

    # --- reading -----------------------------------------------------------------------------

    def _rows(self, topic: str, query: Query) -> Iterator[tuple[LogRow, int]]:
        """Yield rows in order, each with its approximate size in bytes."""
        found = self._reader.execute("SELECT id FROM topic WHERE name = ?", (topic,)).fetchone()
        if found is None:
            return
        sql, values = self._statement(int(found[0]), query)
        for time_ms, first_offset, block_id, sealed in self._reader.execute(sql, values):
            plain = self._vault.open(sealed, bound_to=_binding(block_id))
            block = json.loads(plain)
            pairs = list(enumerate(block["rows"], start=first_offset))
            size_bytes = len(plain) // max(1, len(pairs))
            for offset, (inputs, outputs) in reversed(pairs) if query.newest_first else pairs:
                if not _is_passed(offset, first_offset, len(pairs), query):
                    yield LogRow(offset, time_ms, inputs, outputs, block["metadata"]), size_bytes

    def _statement(self, topic_id: int, query: Query) -> tuple[str, list[int]]:
        conditions, values = ["topic_id = ?"], [topic_id]
        if query.start_ms is not None:
            conditions.append("time_ms >= ?")
            values.append(query.start_ms)
        if query.end_ms is not None:
            conditions.append("time_ms <= ?")
            values.append(query.end_ms)
        if query.from_offset is not None:
            # Offsets are in the order of writing, pages in that of time: go on from the place in
            # time of the block that holds the offset.
            place = self._reader.execute(
                "SELECT time_ms, first_offset FROM entry WHERE topic_id = ? AND first_offset <= ?"
                " ORDER BY first_offset DESC LIMIT 1",
                (topic_id, query.from_offset),
            ).fetchone()
            comparison = "<=" if query.newest_first else ">="
            conditions.append(f"(time_ms, first_offset) {comparison} (?, ?)")
            values += place or (0, 0)
        direction = "DESC" if query.newest_first else "ASC"
        sql = (
            "SELECT time_ms, first_offset, block_id, sealed FROM entry"  # noqa: S608  constants only
            f" JOIN block ON block.id = entry.block_id WHERE {' AND '.join(conditions)}"
            f" ORDER BY time_ms {direction}, first_offset {direction}"
        )
        return sql, values

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
        for first in range(0, len(batch.rows), _BLOCK_ROWS):
            rows = batch.rows[first : first + _BLOCK_ROWS]
            block_id = self._insert_block(connection, rows, batch.metadata)
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
        self, connection: sqlite3.Connection, rows: Sequence[Row], metadata: Mapping[str, Any]
    ) -> int:
        # The row's id goes into the seal, so it must be known before: a sealed block that was
        # moved to another row does not open.
        found = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM block").fetchone()
        block_id = int(found[0])
        plain = json.dumps({"rows": rows, "metadata": metadata}, separators=(",", ":"), default=str)
        sealed = self._vault.seal(plain.encode(), bound_to=_binding(block_id))
        connection.execute("INSERT INTO block VALUES (?, ?)", (block_id, sealed))
        return block_id


def _binding(block_id: int) -> str:
    return f"inference-log/{block_id}"


def _is_passed(offset: int, first_offset: int, row_count: int, query: Query) -> bool:
    """Tell whether a row of the page's first block was on the page before."""
    start = query.from_offset
    if start is None or not first_offset <= start < first_offset + row_count:
        return False
    return offset > start if query.newest_first else offset < start


def _collect(rows: Iterator[tuple[LogRow, int]], query: Query) -> Page:
    page: list[LogRow] = []
    size_bytes = 0
    for row, row_bytes in rows:
        if len(page) >= query.page_size:
            return Page(page, "RecordLimited", row.offset)
        if page and size_bytes + row_bytes > query.max_bytes:
            return Page(page, "ByteLimited", row.offset)
        if page and not row.fits_with(page[0]):
            return Page(page, "SchemaChange", row.offset)
        page.append(row)
        size_bytes += row_bytes
    return Page(page, "All")


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
    for table in ("entry", "block", "topic"):
        connection.execute(f"DELETE FROM {table}")  # noqa: S608  constants of this module
