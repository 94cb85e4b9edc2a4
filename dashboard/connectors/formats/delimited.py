"""Reads CSV. Text stays text: `007`, dates and numbers are not reinterpreted.

The one exception are columns that hold nothing but true and false, which become booleans, since
models demand them.
"""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as pa_csv

from dashboard.connectors.causes import FetchCause, fetch_failure, not_a_table, too_long
from dashboard.connectors.formats.columns import check_shape, unique_names
from dashboard.connectors.formats.content import ContentFile
from dashboard.connectors.formats.pieces import Pieces
from dashboard.connectors.formats.utf8 import Utf8

_DELIMITERS: Final = (",", ";", "\t", "|")
_SAMPLE_CHARACTERS: Final = 64 * 1024
_SAMPLE_ROWS: Final = 50
_UNEVEN_SHARE: Final = 0.1
_NO_DELIMITER: Final = "\x1f"
_MOST_LINES: Final = 5_000_000
_BLOCK_BYTES: Final = 250_000
_FLAG_WORDS: Final = frozenset({"true", "false", ""})
#: A header of one column must look like a name, or any prose would be a table.
_NAME: Final = re.compile(r"\w[\w.-]{0,63}")


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a reading found for the next one.

    Parameters
    ----------
    flags
        For each column whether it holds nothing but true and false; empty if that is not known.
    block_bytes
        How much is looked at at once; at least the longest row.
    """

    flags: tuple[bool, ...] = ()
    block_bytes: int = _BLOCK_BYTES


Reader = Callable[[_Plan | None], Pieces[_Plan]]


def reader(text: Utf8, *, forced: bool = False) -> Reader:
    """Return what reads the table of CSV text with one header row.

    Parameters
    ----------
    forced
        Take it for CSV although it may not look like it.

    Raises
    ------
    FetchFailed
        `not_a_table` when it does not look like CSV or a row has more or fewer fields than the
        header; `too_big`. So does the reader.
    """
    head = text.head(_SAMPLE_CHARACTERS + 1)
    delimiter, header = _sniffed(head)
    if not forced and not _looks_like_csv(text, head, header):
        raise fetch_failure(FetchCause.NOT_A_TABLE)
    check_shape(0, len(header))
    if text.count("\n\r") > _MOST_LINES:
        raise too_long("The file has more lines than can be read.")
    return lambda plan: _pieces(text, delimiter, len(header), plan or _Plan())


def first_rows(text: Utf8, most: int, *, forced: bool = False) -> pa.Table | None:
    """Return up to `most` rows of which all is in the beginning of a file; None if none are."""
    head = text.decoded()
    head = head[: head.rfind("\n") + 1]
    delimiter, header = _sniffed(head[: _SAMPLE_CHARACTERS + 1])
    if not head or not (forced or _looks_like_csv(text, head, header)):
        return None
    found: list[list[str]] = []
    # Strict, so that a row that breaks off within quotes is none.
    lines = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter, strict=True)
    with contextlib.suppress(csv.Error):
        for row in itertools.islice(filter(None, lines), most + 1):
            if len(row) != len(header):
                break
            found.append(row)
    if len(found) < 2:
        return None
    columns = [pa.array(column, pa.string()) for column in zip(*found[1:], strict=True)]
    names = unique_names(name.strip() for name in found[0])
    piece = pa.record_batch(columns, [str(place) for place in range(len(columns))])
    return _table(piece, names, [_holds_flags(column, None) is True for column in columns])


def _sniffed(head: str) -> tuple[str, list[str]]:
    """Return the delimiter that makes even rows, the most columns first, and the header."""
    best: tuple[tuple[bool, int], str, list[str]] | None = None
    for delimiter in _DELIMITERS:
        rows = _sample(head, delimiter)
        if not rows or len(rows[0]) < 2:
            continue
        uneven = sum(len(row) != len(rows[0]) for row in rows)
        if uneven > max(1, _UNEVEN_SHARE * len(rows)):
            continue
        score = (uneven == 0, len(rows[0]))
        if best is None or score > best[0]:
            best = (score, delimiter, rows[0])
    if best is not None:
        return best[1:]
    # One column: its texts may hold any of the usual separators.
    return _NO_DELIMITER, [head.lstrip().split("\n", 1)[0].strip()]


def _sample(head: str, delimiter: str) -> list[list[str]]:
    rows: list[list[str]] = []
    reader = csv.reader(io.StringIO(head[:_SAMPLE_CHARACTERS], newline=""), delimiter=delimiter)
    is_whole = len(head) <= _SAMPLE_CHARACTERS
    try:
        for row in reader:
            if row:
                rows.append(row)
            if len(rows) > _SAMPLE_ROWS:
                is_whole = True
                break
    except csv.Error:
        return []
    return rows if is_whole or len(rows) < 2 else rows[:-1]


def _looks_like_csv(text: Utf8, head: str, header: list[str]) -> bool:
    if "\x00" in head:
        return False
    if len(header) > 1:
        return True
    first_end = text.find(b"\n", text.start)
    has_rows = first_end >= 0 and text.not_blank(first_end) is not None
    return has_rows and _NAME.fullmatch(header[0].strip().strip('"')) is not None


def _pieces(text: Utf8, delimiter: str, width: int, plan: _Plan) -> Pieces[_Plan]:
    source = ContentFile(text.content, text.start)
    names: list[str] | None = None
    seen: list[bool | None] = list(plan.flags)
    told: list[bool] | None = None
    rows, holds = 0, True
    try:
        for block in _blocks(source, delimiter, width, plan.block_bytes):
            piece = block
            if names is None:
                # The header is read as a row of text, so that equal names do no harm.
                names = unique_names(str(column[0].as_py() or "").strip() for column in piece)
                seen = seen or [None] * len(names)
                piece = piece.slice(1)
            rows += piece.num_rows
            check_shape(rows, len(names))
            if not plan.flags:
                seen = [_holds_flags(piece.column(at), was) for at, was in enumerate(seen)]
            are_flags = [one is True for one in seen]
            holds = holds and told in (None, are_flags)
            told = are_flags
            if holds:
                yield _table(piece, names, are_flags)
    except _RowTooLongError:
        return _Plan(plan.flags, min(plan.block_bytes * 4, source.size() + 1))
    return None if holds else _Plan(tuple(one is True for one in seen), plan.block_bytes)


class _RowTooLongError(Exception):
    """A row is longer than what is looked at at once."""


def _blocks(
    source: ContentFile, delimiter: str, width: int, block_bytes: int
) -> Iterator[pa.RecordBatch]:
    ragged: list[Any] = []  # pyarrow's InvalidRow

    def remember(row: object) -> str:
        ragged.append(row)
        return "skip" if len(ragged) == 1 else "error"

    try:
        reader = pa_csv.open_csv(
            pa.PythonFile(source, "r"),
            read_options=pa_csv.ReadOptions(
                block_size=block_bytes, use_threads=False, autogenerate_column_names=True
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=remember
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types={f"f{place}": pa.string() for place in range(width)},
                strings_can_be_null=False,
            ),
        )
        for block in reader:
            _check_ragged(ragged)
            yield block
    except pa.ArrowInvalid as error:
        _check_ragged(ragged)
        if block_bytes <= source.size() and "straddling" in str(error):
            raise _RowTooLongError from None
        raise
    _check_ragged(ragged)


def _check_ragged(ragged: list[Any]) -> None:  # as above
    if ragged:
        row = ragged[0]
        raise not_a_table(
            f"Row {row.number or '?'} of the file has {row.actual_columns} fields, "
            f"the header has {row.expected_columns}.",
            "Correct that row, or put texts that hold the separator in quotes.",
        )


def _holds_flags(column: pa.Array, was: bool | None) -> bool | None:
    """Whether a column still holds nothing but true and false; None while it holds nothing."""
    if was is False:
        return False
    words = set(pc.unique(_words(column.slice(0, 100))).to_pylist())
    if words <= _FLAG_WORDS and len(column) > 100:
        words = set(pc.unique(_words(column)).to_pylist())
    if not words <= _FLAG_WORDS:
        return False
    return True if words & {"true", "false"} else was


def _words(column: pa.Array) -> pa.Array:
    return pc.utf8_lower(pc.utf8_trim_whitespace(column))


def _table(piece: pa.RecordBatch, names: list[str], are_flags: list[bool]) -> pa.Table:
    columns = []
    for column, is_flag in zip(piece.columns, are_flags, strict=True):
        words = _words(column) if is_flag else None
        columns.append(
            column
            if words is None
            else pc.if_else(pc.equal(words, ""), None, pc.equal(words, "true"))
        )
    return pa.table(columns, names)
