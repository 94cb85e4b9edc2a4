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
from dashboard.domain.table import (
    FLAG_COLUMNS,
    FLAG_DEFAULTS,
    TEXT_COLUMN,
    ColumnFacts,
    fit_of,
    is_flag_type,
    is_text_type,
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
    """

    index: int
    text: str | None
    flags: Mapping[str, Any]  # any value a table can hold
    again: bool
    attempts: int = 0
    most_together: int = _NO_LIMIT
    is_text: bool = True

    @property
    def lacks_text(self) -> bool:
        """Whether there is nothing to send."""
        return self.is_text and not isinstance(self.text, str)


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


def columns_to_send(
    columns: Sequence[ColumnFacts], reads: Sequence[ColumnFacts] = ()
) -> tuple[str, ...]:
    """Return the columns of a table to send to a model that is no summarizer.

    Parameters
    ----------
    reads
        What the model reads, as far as the platform tells; without it every column is sent. Only
        texts are told from other types: the engine fits numbers to what the model wants.

    Raises
    ------
    InvalidInput
        A column is missing, there twice, or of another type; the message names it.
    """
    types = {column.name: column.type for column in columns}
    wanted = tuple(column.name for column in reads) or tuple(types)
    check_sent(columns, wanted)
    for column in reads:
        if column.type and is_text_type(column.type) != is_text_type(types[column.name]):
            held = types[column.name]
            raise InvalidInput(
                f"The model reads {column.type} from “{column.name}”; the table holds {held} there."
            )
    return wanted


def check_sent(columns: Sequence[ColumnFacts], names: Sequence[str]) -> None:
    """Refuse a table that has not each of these columns once. Raises InvalidInput."""
    known = [column.name for column in columns]
    for name in names:
        if name not in known:
            raise InvalidInput(f"The table has no column “{name}”, which the model reads.")
        if known.count(name) > 1:
            raise InvalidInput(f"The table has the column “{name}” twice.")


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
    ) -> None:
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
            self._ready.extend(
                _waiting_values(block, spot.first_row, self._marks, self._columns)
                if self._columns
                else _waiting_rows(block, spot.first_row, self._marks, self._text_column)
            )
        self._spots.popleft()


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


def _waiting_values(
    block: pa.Table, first_row: int, marks: bytearray, columns: Sequence[str]
) -> Iterator[WaitingRow]:
    values = [block.column(name).to_pylist() for name in columns]
    for number, cells in enumerate(zip(*values, strict=True)):
        mark = marks[first_row + number]
        if mark != SKIP:
            sent = dict(zip(columns, cells, strict=True))
            again = mark == SEND_AGAIN
            yield WaitingRow(first_row + number, None, sent, again, is_text=False)


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
