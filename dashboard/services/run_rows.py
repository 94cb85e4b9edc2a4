"""The rows of a run on their way: what is sent for one, and what its answer says.

Only the model's own columns are sent. The flags of a table that lacks them get the workshop's
values.
"""

from __future__ import annotations

import asyncio
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
)
from dashboard.errors import InvalidInput, UnexpectedAnswer
from dashboard.store.blocks import BlockSpot
from dashboard.store.run_records import SEND_AGAIN, SKIP, RowResult

if TYPE_CHECKING:
    import pyarrow as pa

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_COUNT = 2**31
_MOST_COMPARED = 50_000


@dataclass(slots=True)
class WaitingRow:
    """One row to send. `text` is None where the table has none; `attempts` counts lost requests."""

    index: int
    text: str | None
    flags: Mapping[str, bool]
    again: bool
    attempts: int = 0


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
    """Gives the rows of a run one by one, in order, reading its table a block at a time.

    Parameters
    ----------
    marks
        One byte per row, as `RunRecords.to_send` makes it.
    text_column
        The column to send as the model's text.
    read
        Reads a block, away from the event loop.
    """

    def __init__(
        self,
        spots: Sequence[BlockSpot],
        marks: bytearray,
        read: Callable[[BlockSpot], Awaitable[pa.Table]],
        text_column: str = TEXT_COLUMN,
    ) -> None:
        self._text_column = text_column
        self._spots = deque(spots)
        self._marks = marks
        self._read = read
        self._ready: deque[WaitingRow] = deque()
        self._reading = asyncio.Lock()

    async def next(self) -> WaitingRow | None:
        """Return the next row, or None when there is none left."""
        while not self._ready and self._spots:
            async with self._reading:
                if not self._ready and self._spots:
                    await self._read_next_block()
        return self._ready.popleft() if self._ready else None

    def put_back(self, row: WaitingRow) -> None:
        """Give a row again, before all others."""
        self._ready.appendleft(row)

    async def _read_next_block(self) -> None:
        spot = self._spots[0]
        if any(self._marks[spot.first_row : spot.end_row]):
            block = await self._read(spot)
            self._ready.extend(_waiting_rows(block, spot.first_row, self._marks, self._text_column))
        self._spots.popleft()


def payload(row: WaitingRow) -> dict[str, Any]:
    """Return what is sent for a row: the model's columns and no other."""
    return {TEXT_COLUMN: row.text, **row.flags}


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


def failed(row: WaitingRow, reason: str) -> RowResult:
    """Return the result of a row that got no usable answer, with the reason in plain words."""
    return RowResult(
        index=row.index,
        state=RowState.FAILED,
        error=reason,
        input_chars=None if row.text is None else len(row.text),
        again=row.again,
    )


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
