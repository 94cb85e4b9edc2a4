"""The rows of a run on their way: what is sent for them, and what the answer says.

Only the model's own columns are sent. The summarizer takes a text and its flags; a table that
lacks the flags gets the workshop's values. Any other model takes columns as they are.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from dashboard.domain.evidence import count_unfounded
from dashboard.domain.inference import Answer
from dashboard.domain.run import RowState
from dashboard.domain.sent_value import sent_row
from dashboard.domain.table import (
    FLAG_COLUMNS,
    FLAG_DEFAULTS,
    TEXT_COLUMN,
    ColumnFacts,
    fit_of,
    is_flag_type,
)
from dashboard.errors import InvalidInput, UnexpectedAnswer
from dashboard.store.blocks import BlockSpot
from dashboard.store.run_records import SEND_AGAIN, SKIP, RowResult

if TYPE_CHECKING:
    import pyarrow as pa

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_COUNT = 2**31
_MOST_COMPARED = 50_000
_OUTPUT = "out."
#: More than any request holds.
_NO_LIMIT = 2**31


@dataclass(slots=True)
class WaitingRow:
    """One row to send.

    Parameters
    ----------
    text
        The summarizer's; None where the table has none.
    flags
        What is sent besides the text. Without a text column: everything that is sent.
    attempts
        How often a request was lost that held this row alone.
    most_together
        How many rows a request with this one may hold; halved whenever such a request failed.
    problem
        Why its values are not what the model reads; empty if they are.
    """

    index: int
    text: str | None
    flags: Mapping[str, Any]  # any value a table can hold
    again: bool
    attempts: int = 0
    most_together: int = _NO_LIMIT
    is_text: bool = True
    problem: str = ""

    @property
    def unfit(self) -> str:
        """Why it cannot be sent, in plain words; empty if it can."""
        if self.is_text and not isinstance(self.text, str):
            return "This row has no text."
        return self.problem


def check_columns(columns: Sequence[ColumnFacts], text_column: str = TEXT_COLUMN) -> None:
    """Refuse a table that the summarizer's model cannot read.

    Parameters
    ----------
    text_column
        The column to be sent as the model's text.

    Raises
    ------
    InvalidInput
        A column is missing, there twice, or of another type; the message names it.
    """
    fit = fit_of(columns, text_column)
    for name in fit.missing:
        raise InvalidInput(f"The table has no column “{name}”, which the model reads.")
    for name in fit.twice:
        raise InvalidInput(f"The table has the column “{name}” twice.")
    for column in fit.wrong_type:
        raise InvalidInput(f"The column “{column.name}” must hold texts; it holds {column.type}.")


class RowFeed:
    """Gives the rows of a run in order, reading its table a block at a time.

    Parameters
    ----------
    marks
        One byte per row, as `RunRecords.to_send` makes it.
    text_column
        The column to send as the model's text.
    columns
        The columns to send to a model that is no summarizer; empty for one that is.
    reads
        What the model reads from each of them, as `sent_row` takes it.
    read
        Reads a block, away from the event loop.
    """

    def __init__(
        self,
        spots: Sequence[BlockSpot],
        marks: bytearray,
        read: Callable[[BlockSpot], Awaitable[pa.Table]],
        text_column: str = TEXT_COLUMN,
        columns: Sequence[str] = (),
        reads: Mapping[str, str] | None = None,
    ) -> None:
        self._reads = reads or {}
        self._text_column = text_column
        self._columns = columns
        self._spots = deque(spots)
        self._marks = marks
        self._read = read
        self._ready: deque[WaitingRow] = deque()
        self._reading = asyncio.Lock()

    async def take(self, most: int) -> list[WaitingRow]:
        """Return the next rows for one request, at most so many; none when there is none left."""
        while not self._ready and self._spots:
            async with self._reading:
                if not self._ready and self._spots:
                    await self._read_next_block()
        rows: list[WaitingRow] = []
        while self._ready and len(rows) < min(most, self._ready[0].most_together):
            row = self._ready.popleft()
            most = min(most, row.most_together)
            rows.append(row)
        return rows

    def put_back(self, rows: Sequence[WaitingRow]) -> None:
        """Give rows again, before all others."""
        self._ready.extendleft(reversed(rows))

    def put_back_apart(self, rows: Sequence[WaitingRow]) -> None:
        """Give the rows of a request that failed again, in requests of half its size."""
        for row in rows:
            row.most_together = max(len(rows) // 2, 1)
        self.put_back(rows)

    async def _read_next_block(self) -> None:
        spot = self._spots[0]
        if any(self._marks[spot.first_row : spot.end_row]):
            block = await self._read(spot)
            if self._columns:
                # A block of long lists takes a while, and other runs share the event loop.
                rows = await asyncio.to_thread(lambda: list(self._values(block, spot.first_row)))
                self._ready.extend(rows)
            else:
                self._ready.extend(
                    _waiting_rows(block, spot.first_row, self._marks, self._text_column)
                )
        self._spots.popleft()

    def _values(self, block: pa.Table, first_row: int) -> Iterator[WaitingRow]:
        values = [block.column(name).to_pylist() for name in self._columns]
        for number, cells in enumerate(zip(*values, strict=True), start=first_row):
            mark = self._marks[number]
            if mark != SKIP:
                row = dict(zip(self._columns, cells, strict=True))
                yield columns_row(number, row, self._reads, again=mark == SEND_AGAIN)


def columns_row(
    index: int, values: Mapping[str, Any], reads: Mapping[str, str], *, again: bool = False
) -> WaitingRow:
    """Return a row for a model of columns.

    Parameters
    ----------
    values
        The table's, by column.
    reads
        What the model reads from each column, as `sent_row` takes it.
    """
    sent, problem = sent_row(values, reads)
    return WaitingRow(index, None, sent, again, is_text=False, problem=problem)


def payload(row: WaitingRow) -> dict[str, Any]:
    """Return what is sent for a row: the model's columns and no other."""
    return {TEXT_COLUMN: row.text, **row.flags} if row.is_text else dict(row.flags)


def answered(row: WaitingRow, answer: Answer, *, queue_ms: float) -> RowResult:
    """Return what an answer says of its row.

    Raises
    ------
    UnexpectedAnswer
        It is not one row with a summary.
    """
    fields = answer.rows[0] if len(answer.rows) == 1 else {}
    summary = fields.get("out.summary_text")
    if not isinstance(summary, str):
        raise UnexpectedAnswer("The model's answer has no summary in it.")
    return RowResult(
        index=row.index,
        state=RowState.DONE,
        summary=summary,
        anomaly_count=_count(fields.get("anomaly.count")),
        answered_at=_time(fields.get("time")) or answer.received_at,
        input_chars=len(row.text or ""),
        doubts=_doubts(summary, row.text or ""),
        timing=replace(answer.timing, queue_ms=queue_ms),
        again=row.again,
    )


def all_answered(rows: Sequence[WaitingRow], answer: Answer, *, queue_ms: float) -> list[RowResult]:
    """Return what an answer says of the rows of its request.

    Raises
    ------
    UnexpectedAnswer
        It has not one row for each of them, with an output in it.
    """
    if rows[0].is_text:
        return [answered(row, answer, queue_ms=queue_ms) for row in rows]
    if len(answer.rows) != len(rows):
        raise UnexpectedAnswer("The model's answer has not as many rows as were sent.")
    timing = replace(answer.timing, queue_ms=queue_ms, batch_rows=len(rows))
    return [
        RowResult(
            index=row.index,
            state=RowState.DONE,
            summary=_outputs_text(fields),
            anomaly_count=_count(fields.get("anomaly.count")),
            answered_at=_time(fields.get("time")) or answer.received_at,
            timing=timing,
            again=row.again,
        )
        for row, fields in zip(rows, answer.rows, strict=True)
    ]


def failed(row: WaitingRow, reason: str) -> RowResult:
    """Return the result of a row that got no usable answer, with the reason in plain words."""
    return RowResult(
        index=row.index,
        state=RowState.FAILED,
        error=reason,
        input_chars=None if row.text is None else len(row.text),
        again=row.again,
    )


def _outputs_text(fields: Mapping[str, Any]) -> str:
    outputs = {
        name.removeprefix(_OUTPUT): value
        for name, value in fields.items()
        if name.startswith(_OUTPUT)
    }
    if not outputs:
        raise UnexpectedAnswer("The model's answer has no output in it.")
    return json.dumps(outputs, default=str)


def _waiting_rows(
    block: pa.Table, first_row: int, marks: bytearray, text_column: str
) -> Iterator[WaitingRow]:
    texts = block.column(text_column).to_pylist()
    flags = {
        name: block.column(name).to_pylist()
        for name in FLAG_COLUMNS
        if name in block.column_names and is_flag_type(str(block.schema.field(name).type))
    }
    for number, text in enumerate(texts):
        mark = marks[first_row + number]
        if mark != SKIP:
            given = {name: values[number] for name, values in flags.items()}
            chosen = {
                name: default if given.get(name) is None else given[name]
                for name, default in FLAG_DEFAULTS.items()
            }
            yield WaitingRow(first_row + number, text, chosen, again=mark == SEND_AGAIN)


def _doubts(summary: str, text: str) -> int | None:
    # All runs share a thread: a text that takes long is held against its summary when it is read.
    if len(text) + len(summary) > _MOST_COMPARED:
        return None
    return count_unfounded(summary, text)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and 0 <= value < _MOST_COUNT else None


def _time(value: object) -> datetime | None:
    if not isinstance(value, int):
        return None
    try:
        return _EPOCH + timedelta(milliseconds=value)
    except OverflowError:
        return None
