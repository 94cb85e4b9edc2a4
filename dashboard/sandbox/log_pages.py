"""What goes into a log and what is read back: a request's rows, and pages of rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dashboard.sandbox.metrics import Count

#: Values of one log row by wire group: `in` and `out` columns without their prefix.
Row = tuple[Mapping[str, Any], Mapping[str, Any]]  # Any: user data


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
    types
        Column with its prefix → Arrow type name, where that is known.
    error
        Why the request failed; empty for one that was answered.
    counts
        What the metrics count of it.
    """

    topics: tuple[str, ...]
    time_ms: int
    rows: Sequence[Row]
    metadata: Mapping[str, Any]  # Any: the wire's metadata
    types: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    counts: Sequence[Count] = ()


@dataclass(frozen=True, slots=True)
class LogRow:
    """One row as it is read back. `offset` counts the topic's rows from 0."""

    offset: int
    time_ms: int
    inputs: Mapping[str, Any]  # Any: user data
    outputs: Mapping[str, Any]  # Any: user data
    metadata: Mapping[str, Any]  # Any: the wire's metadata
    types: Mapping[str, str] = field(default_factory=dict)
    error: str = ""

    def fits_with(self, other: LogRow) -> bool:
        """Tell whether both may stand in one table: the same outputs, of inputs in common.

        A column that only some callers send, such as an index, makes no new schema.
        """
        if self.outputs.keys() != other.outputs.keys():
            return False
        if self.types is not other.types and not self._has_types_of(other):
            return False
        return self.inputs.keys() == other.inputs.keys() or not self.inputs.keys().isdisjoint(
            other.inputs
        )

    def _has_types_of(self, other: LogRow) -> bool:
        """Tell whether the outputs are of the same types as far as both are known.

        Inputs are left out: the same values come typed in Arrow and untyped in JSON.
        """
        return all(
            other.types.get(column, name) == name
            for column, name in self.types.items()
            if not column.startswith("in.")
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


def page_statement(
    reader: sqlite3.Connection, topic_id: int, query: Query
) -> tuple[str, list[int]]:
    """Return the statement that finds the blocks of a page by the index alone."""
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
        place = reader.execute(
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


def is_passed(offset: int, first_offset: int, row_count: int, query: Query) -> bool:
    """Tell whether a row of the page's first block was on the page before."""
    start = query.from_offset
    if start is None or not first_offset <= start < first_offset + row_count:
        return False
    return offset > start if query.newest_first else offset < start


def collect(rows: Iterator[tuple[LogRow, int]], query: Query) -> Page:
    """Return the page that begins with the first of `rows`, each with its size in bytes."""
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
