"""One SQLite file in WAL mode, used by many threads through one lock.

Every acknowledged write is in the log file before the answer leaves, so that `kill -9` loses
nothing: with synchronous=NORMAL only a power cut can take the last commits.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

#: One row of a table as a dict. Column types are those of the schema; SQLite cannot tell mypy.
Row = dict[str, Any]
Clock = Callable[[], float]


class StoreError(Exception):
    """The data file cannot be used; the text says why, in one sentence."""


class Database:
    """A SQLite file with its schema brought up to date.

    Parameters
    ----------
    path
        The file; made if absent.
    migrations
        SQL scripts; script `i` brings the schema from version `i` to `i + 1`.
    clock
        Seconds since the epoch, for the times written into rows.

    Raises
    ------
    StoreError
        If the file is not a database, or was written by a newer version.
    """

    def __init__(self, path: Path, *, migrations: Sequence[str], clock: Clock) -> None:
        self._lock = threading.RLock()
        self._clock = clock
        self._fixed_now: str | None = None
        try:
            self._connection = sqlite3.connect(
                path, check_same_thread=False, isolation_level=None, timeout=5.0
            )
            self._connection.row_factory = _as_dict
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
                self._connection.execute(f"PRAGMA {pragma}")
            self._migrate(migrations)
        except sqlite3.DatabaseError as exc:
            raise StoreError(f"the data file {path} cannot be used: {exc}") from exc

    def _migrate(self, migrations: Sequence[str]) -> None:
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)"
        )
        row = self.one("SELECT version FROM schema_version")
        version = row["version"] if row else 0
        if version > len(migrations):
            raise StoreError(
                f"the data was written by a newer version of the sandbox (schema {version}, "
                f"this one knows {len(migrations)})"
            )
        for number in range(version, len(migrations)):
            with self.transaction():
                # executescript would commit behind our back: a half-done step must roll back.
                for statement in migrations[number].split(";"):
                    if statement.strip():
                        self._connection.execute(statement)
                self._connection.execute("DELETE FROM schema_version")
                self._connection.execute("INSERT INTO schema_version VALUES (?)", (number + 1,))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the file for several statements; all of them are kept, or none."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    @contextmanager
    def steady(self) -> Iterator[None]:
        """Hold the file for several reads: nothing is written between them.

        Only for reads that wait for nothing else: everybody else waits meanwhile.
        """
        with self._lock:
            yield

    def all(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Return every row of a query."""
        with self._lock:
            return self._connection.execute(sql, parameters).fetchall()

    def one(self, sql: str, parameters: Sequence[object] = ()) -> Row | None:
        """Return the first row of a query; None if there is none."""
        with self._lock:
            row: Row | None = self._connection.execute(sql, parameters).fetchone()
            return row

    def run(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Run one writing statement and return how many rows it touched."""
        with self._lock:
            return self._connection.execute(sql, parameters).rowcount

    def insert(self, table: str, values: Row) -> int:
        """Insert a row and return its number."""
        columns = ", ".join(values)
        marks = ", ".join("?" * len(values))
        sql = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608  # names are ours
        with self._lock:
            number = self._connection.execute(sql, tuple(values.values())).lastrowid
        return int(number or 0)

    def now(self) -> str:
        """Return the time as it stands in rows and answers: ISO 8601, UTC, microseconds."""
        if self._fixed_now is not None:
            return self._fixed_now
        return datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="microseconds")

    @contextmanager
    def at(self, moment: str) -> Iterator[None]:
        """Write rows as of another time; for the seed, inside a transaction."""
        with self._lock:
            self._fixed_now = moment
            try:
                yield
            finally:
                self._fixed_now = None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()


def _as_dict(cursor: sqlite3.Cursor, values: tuple[object, ...]) -> Row:
    return dict(zip((column[0] for column in cursor.description), values, strict=True))
