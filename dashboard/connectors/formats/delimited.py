"""Reads CSV. Text stays text: `007`, dates and numbers are not reinterpreted.

The one exception are columns that hold nothing but true and false, which become booleans, since
models demand them.
"""

from __future__ import annotations

import csv
import io
import re
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as pa_csv

from dashboard.connectors.causes import FetchCause, fetch_failure, not_a_table
from dashboard.connectors.formats.columns import check_shape, unique_names

_DELIMITERS: Final = (",", ";", "\t", "|")
_SAMPLE_CHARACTERS: Final = 64 * 1024
_SAMPLE_ROWS: Final = 50
_UNEVEN_SHARE: Final = 0.1
_NO_DELIMITER: Final = "\x1f"
_MOST_LINES: Final = 5_000_000
#: A header of one column must look like a name, or any prose would be a table.
_NAME: Final = re.compile(r"\w[\w.-]{0,63}")


def read_csv(text: str, *, forced: bool = False) -> pa.Table:
    """Read CSV text with one header row.

    Parameters
    ----------
    forced
        Take it for CSV although it may not look like it.

    Raises
    ------
    FetchFailed
        `not_a_table` when it does not look like CSV or a row has more or fewer fields than the
        header; `too_big`.
    """
    delimiter, header = _sniffed(text)
    if not forced and not _looks_like_csv(text, header):
        raise fetch_failure(FetchCause.NOT_A_TABLE)
    check_shape(0, len(header))
    lines = text.count("\n") + text.count("\r")
    if lines > _MOST_LINES:
        raise fetch_failure(FetchCause.TOO_BIG, message="The file has more lines than can be read.")
    table = _parsed(text, delimiter, len(header))
    check_shape(table.num_rows, table.num_columns)
    return _with_booleans(table)


def _sniffed(text: str) -> tuple[str, list[str]]:
    """Return the delimiter that makes even rows, the most columns first, and the header."""
    best: tuple[tuple[bool, int], str, list[str]] | None = None
    for delimiter in _DELIMITERS:
        rows = _sample(text, delimiter)
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
    return _NO_DELIMITER, [text.lstrip().split("\n", 1)[0].strip()]


def _sample(text: str, delimiter: str) -> list[list[str]]:
    rows: list[list[str]] = []
    reader = csv.reader(io.StringIO(text[:_SAMPLE_CHARACTERS], newline=""), delimiter=delimiter)
    is_whole = len(text) <= _SAMPLE_CHARACTERS
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


def _looks_like_csv(text: str, header: list[str]) -> bool:
    if not text.isprintable() and "\x00" in text[:_SAMPLE_CHARACTERS]:
        return False
    if len(header) > 1:
        return True
    has_rows = bool(text.partition("\n")[2].strip())
    return has_rows and _NAME.fullmatch(header[0].strip().strip('"')) is not None


def _parsed(text: str, delimiter: str, width: int) -> pa.Table:
    content = text.encode("utf-8", "replace")
    ragged: list[Any] = []  # pyarrow's InvalidRow

    def remember(row: object) -> str:
        ragged.append(row)
        return "skip" if len(ragged) == 1 else "error"

    # The header is read as a row of text, so that equal names do no harm.
    table = pa_csv.read_csv(
        pa.BufferReader(content),
        # One block: a field may be longer than the usual block.
        read_options=pa_csv.ReadOptions(
            block_size=len(content) + 1, use_threads=False, autogenerate_column_names=True
        ),
        parse_options=pa_csv.ParseOptions(
            delimiter=delimiter, newlines_in_values=True, invalid_row_handler=remember
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types={f"f{place}": pa.string() for place in range(width)},
            strings_can_be_null=False,
        ),
    )
    if ragged:
        row = ragged[0]
        raise not_a_table(
            f"Row {row.number or '?'} of the file has {row.actual_columns} fields, "
            f"the header has {row.expected_columns}.",
            "Correct that row, or put texts that hold the separator in quotes.",
        )
    names = [str(column[0].as_py() or "").strip() for column in table.columns]
    return table.slice(1).rename_columns(unique_names(names))


def _with_booleans(table: pa.Table) -> pa.Table:
    for place, name in enumerate(table.column_names):
        column = table.column(place)
        words = pc.utf8_lower(pc.utf8_trim_whitespace(column))
        known = {word for word in pc.unique(words.slice(0, 1000)).to_pylist() if word}
        if not known or not known <= {"true", "false"}:
            continue
        if set(pc.unique(words).to_pylist()) <= {"true", "false", ""}:
            flags = pc.if_else(pc.equal(words, ""), None, pc.equal(words, "true"))
            table = table.set_column(place, name, flags)
    return table
