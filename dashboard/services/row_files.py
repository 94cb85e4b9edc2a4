"""Writes a run's rows as CSV, Parquet or JSON, a piece at a time: never the whole run in memory."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import IO, TYPE_CHECKING, Any, Protocol

from dashboard.domain.reading import value_text
from dashboard.domain.row_note import RowNote, Thumb
from dashboard.domain.run import RowState, RunRow
from dashboard.services.spreadsheet import safe_cell

if TYPE_CHECKING:
    import pyarrow as pa

#: The table's own columns carry this before their names, as in the platform's answers.
INPUT_PREFIX = "in."
OUTPUT_PREFIX = "out."
_LONGEST_CELL = 2**31
_THUMBS = {Thumb.UP: "up", Thumb.DOWN: "down", Thumb.NONE: None}
_TIMES = ("queue_ms", "send_ms", "wait_ms", "engine_read_ms", "model_ms", "receive_ms", "total_ms")


class RowForm(StrEnum):
    """A kind of file for rows; the value is its ending."""

    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"

    @property
    def mime(self) -> str:
        """Its media type."""
        return _MIMES[self]


_MIMES = {
    RowForm.CSV: "text/csv",
    RowForm.PARQUET: "application/vnd.apache.parquet",
    RowForm.JSON: "application/json",
}


def rows_table(
    inputs: pa.Table,
    rows: Sequence[RunRow],
    notes: Mapping[int, RowNote],
    outputs: Mapping[str, Any] | None = None,  # any value a model can answer
) -> pa.Table:
    """Put rows of a table beside what became of them.

    Parameters
    ----------
    inputs
        The table's columns for just these rows.
    notes
        What readers think of rows, by row index.
    outputs
        Of a run through a model that is no summarizer: what it answered for one row, which says
        what columns there are. None for a run of texts.

    Returns
    -------
    pa.Table
        `row` (from 1, as on the screens), `state`, `in.<name>` for each of the table's columns,
        `summary`, `error`, `anomaly_count`, `doubts`, times in ms, `engine_clock_overflowed`,
        `answered_at` (UTC), and the readers' `thumb`, `note` and `corrected_summary`. What is not
        known is null. Of a model that is no summarizer: in place of `summary` and `doubts` there
        are `out.<name>` for each output, numbers or text, `outputs` with all of them as JSON, and
        `rows_in_request`, as the times are those of the row's whole request.
    """
    import pyarrow as pa

    told = [notes.get(row.index) for row in rows]
    columns: list[tuple[str, Any]] = [  # Arrow arrays
        ("row", pa.array([row.index + 1 for row in rows], pa.int64())),
        ("state", pa.array([row.state.value for row in rows], pa.string())),
    ]
    columns += [
        (INPUT_PREFIX + name, _plain(inputs.column(place)))
        for place, name in enumerate(inputs.column_names)
    ]
    columns += _summaries(rows) if outputs is None else _outputs(rows, outputs)
    columns += [
        ("error", pa.array([row.error or None for row in rows], pa.string())),
        ("anomaly_count", pa.array([row.anomaly_count for row in rows], pa.int64())),
    ]
    if outputs is None:
        columns.append(("doubts", pa.array([row.doubts for row in rows], pa.int64())))
    columns += [
        (name, pa.array([getattr(row.timing, name) for row in rows], pa.float64()))
        for name in _TIMES
    ]
    answered = pa.array([row.answered_at for row in rows], pa.timestamp("ms", tz="UTC"))
    overflowed = pa.array([row.timing.overflow for row in rows], pa.bool_())
    columns += [
        ("engine_clock_overflowed", overflowed),
        ("answered_at", answered),
        ("thumb", pa.array([_THUMBS[one.thumb] if one else None for one in told], pa.string())),
        ("note", _texts([one.note if one else "" for one in told])),
        ("corrected_summary", _texts([one.corrected if one else "" for one in told])),
    ]
    return pa.table([column for _, column in columns], [name for name, _ in columns])


def _summaries(rows: Sequence[RunRow]) -> list[tuple[str, Any]]:  # Arrow arrays
    import pyarrow as pa

    texts = [row.summary if row.state is RowState.DONE else None for row in rows]
    return [("summary", pa.array(texts, pa.string()))]


def _outputs(rows: Sequence[RunRow], sample: Mapping[str, Any]) -> list[tuple[str, Any]]:
    import pyarrow as pa

    columns = []
    for name, value in sample.items():
        values = [row.outputs.get(name) for row in rows]
        # Every piece of a file has the same types: those of the sample.
        if _is_number(value):
            kind, cells = pa.float64(), [one if _is_number(one) else None for one in values]
        else:
            kind, cells = pa.string(), [_text(one) for one in values]
        columns.append((OUTPUT_PREFIX + name, pa.array(cells, kind)))
    whole = [json.dumps(dict(row.outputs)) if row.outputs else None for row in rows]
    together = [row.timing.batch_rows if row.outputs else None for row in rows]
    return [
        *columns,
        ("outputs", pa.array(whole, pa.string())),
        ("rows_in_request", pa.array(together, pa.int64())),
    ]


def _text(value: object) -> str | None:
    return None if value is None else value_text(value, limit=_LONGEST_CELL)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _texts(texts: Sequence[str]) -> pa.Array:
    import pyarrow as pa

    return pa.array([text or None for text in texts], pa.string())


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column that Parquet can hold."""
    import pyarrow as pa

    if pa.types.is_float16(column.type):
        # pyarrow has no cast for these.
        numbers = [None if value is None else float(value) for value in column.to_pylist()]
        return pa.chunked_array([numbers], pa.float32())
    if pa.types.is_interval(column.type):
        texts = [None if value is None else str(value) for value in column.to_pylist()]
        return pa.chunked_array([texts], pa.string())
    return column


class RowWriter(Protocol):
    """Takes the rows of a run piece by piece, all of the same columns."""

    def write(self, piece: pa.Table) -> None:
        """Write some rows."""
        ...

    def finish(self) -> None:
        """Write what belongs to the end; the file stays open."""
        ...


def row_writer(form: RowForm, file: IO[bytes]) -> RowWriter:
    """Return what writes rows of this form into `file`."""
    writers: Mapping[RowForm, Callable[[IO[bytes]], RowWriter]] = {
        RowForm.CSV: _CsvWriter,
        RowForm.PARQUET: _ParquetWriter,
        RowForm.JSON: _JsonWriter,
    }
    return writers[form](file)


class _CsvWriter:
    """CSV for people: every cell in quotes, none of them a formula, marked as UTF-8 for Excel."""

    def __init__(self, file: IO[bytes]) -> None:
        self._text = io.TextIOWrapper(file, "utf-8-sig", errors="replace", newline="")
        self._rows = csv.writer(self._text, quoting=csv.QUOTE_ALL)
        self._has_header = False

    def write(self, piece: pa.Table) -> None:
        if not self._has_header:
            self._rows.writerow([safe_cell(name) for name in piece.column_names])
            self._has_header = True
        columns = [column.to_pylist() for column in piece.columns]
        self._rows.writerows([_cell(value) for value in row] for row in zip(*columns, strict=True))

    def finish(self) -> None:
        self._text.flush()
        # Otherwise it would close the file when it goes.
        self._text.detach()


class _JsonWriter:
    """JSON records, one on each line."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._before = b"[\n"

    def write(self, piece: pa.Table) -> None:
        names = piece.column_names
        columns = [column.to_pylist() for column in piece.columns]
        for row in zip(*columns, strict=True):
            record = {name: _json_value(value) for name, value in zip(names, row, strict=True)}
            text = json.dumps(record, ensure_ascii=False, allow_nan=False)
            self._file.write(self._before + text.encode("utf-8", "replace"))
            self._before = b",\n"

    def finish(self) -> None:
        self._file.write(b"\n]\n" if self._before == b",\n" else b"[]\n")


class _ParquetWriter:
    """Parquet: types as they are."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._writer: Any = None  # pyarrow ships no types

    def write(self, piece: pa.Table) -> None:
        if self._writer is None:
            from pyarrow import parquet

            self._writer = parquet.ParquetWriter(self._file, piece.schema)
        self._writer.write_table(piece)

    def finish(self) -> None:
        if self._writer is not None:
            self._writer.close()


def _cell(value: object) -> str:
    """Return a value as a cell of CSV: texts that are no formula, everything else as it is."""
    if value is None:
        return ""
    if isinstance(value, str):
        return safe_cell(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)


def _json_value(value: object) -> object:
    """Return a value as JSON holds it; what is no finite number is null."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return str(value)
    return str(value)
