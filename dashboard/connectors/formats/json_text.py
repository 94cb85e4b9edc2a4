"""Reads tables from JSON: records, columns (`{"name": {"0": …}}` or `{"name": […]}`) and lines."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import pyarrow as pa

from dashboard.connectors.causes import not_a_table
from dashboard.connectors.formats.columns import (
    Kinds,
    check_shape,
    column_as,
    kinds_in,
    type_of,
    unique_names,
)
from dashboard.connectors.formats.json_scan import DECODER, check_nodes, damaged, list_values
from dashboard.connectors.formats.pieces import PIECE_BYTES, Pieces
from dashboard.connectors.formats.utf8 import Utf8
from dashboard.errors import FetchFailed

RECORDS: Final = "json"
COLUMNS: Final = "json-columns"
LINES: Final = "jsonl"
_MOST_RECORDS: Final = 5_000
#: Columns by name, each with one value per row.
_Columns = dict[str, list[Any]]
#: What is known of the columns, by their names in the file and in its order.
_Plan = dict[str, Kinds]
Reader = Callable[[_Plan | None], Pieces[_Plan]]


def reader(text: Utf8, *, shape: str | None = None) -> tuple[str, Reader]:
    """Return the shape of JSON text (`json`, `json-columns` or `jsonl`) and what reads its table.

    Parameters
    ----------
    shape
        Read it as this; recognise it when None.

    Raises
    ------
    FetchFailed
        `not_a_table` with the line or the record, or `too_big`. So does the reader.
    """
    start, first = _first_sign(text)
    if shape == LINES or (shape is None and first == b"{" and _is_lines(text, start)):
        return LINES, lambda plan: _record_pieces(_lines(text), plan)
    if shape in (None, RECORDS) and first == b"[":
        return RECORDS, lambda plan: _record_pieces(list_values(text), plan)
    return _whole(text, shape)


def first_rows(text: Utf8, most: int, *, shape: str | None = None) -> pa.Table | None:
    """Return up to `most` rows of which all is in the beginning of a file; None if none are.

    Columns (`json-columns`) have their first row complete only at the file's end.
    """
    start, first = _first_sign(text)
    if shape in (None, RECORDS) and first == b"[":
        records = list_values(text)
    elif shape == LINES or (shape is None and first == b"{" and _is_lines(text, start)):
        records = _lines(text)
    else:
        return None
    some: list[tuple[Any, int]] = []
    with contextlib.suppress(FetchFailed):  # where the beginning breaks off
        for value, _length in itertools.islice(records, most):
            some.append((value, 0))
    return next(_record_pieces(some, None))


def _first_sign(text: Utf8) -> tuple[int, bytes | bytearray]:
    """Return what the text begins with and where, white space aside."""
    start = text.not_blank(text.start)
    return (0, b"") if start is None else (start, text.content.read(start, start + 1))


def _is_lines(text: Utf8, start: int) -> bool:
    """Whether the first line is an object of its own and something stands behind it."""
    end = text.find(b"\n", start)
    if end < 0 or text.not_blank(end) is None:
        return False
    try:
        return isinstance(DECODER.decode(text.content.read(start, end).decode()), dict)
    except json.JSONDecodeError:
        return False


def _lines(text: Utf8) -> Iterator[tuple[Any, int]]:
    """Give the value of every line, which a line feed alone ends, with its length."""
    for number, given in enumerate(text.lines(), start=1):
        line = given.decode().strip()
        check_nodes(line)
        if not line:
            continue
        value, trouble = _parsed(line)
        if trouble is not None:
            raise damaged(number)
        yield value, len(line)


def _parsed(text: str) -> tuple[Any, json.JSONDecodeError | None]:
    try:
        return DECODER.decode(text), None
    except json.JSONDecodeError as error:
        return None, error


def _record_pieces(records: Iterable[tuple[Any, int]], plan: _Plan | None) -> Pieces[_Plan]:
    """Make tables of records; gone through to the end even when it must be done once more."""
    seen: _Plan = dict(plan or {})
    told: dict[str, pa.DataType] | None = None
    holds = True
    for some in _grouped(records, seen):
        columns = {name: [record.get(name) for record in some] for name in seen}
        for name, values in columns.items():
            seen[name] |= kinds_in(values)
        types = {name: type_of(kinds) for name, kinds in seen.items()}
        holds = holds and told in (None, types)
        told = types
        if holds:
            yield _table(columns, types)
    if told is None:
        yield pa.table({})
    return None if holds else seen


def _grouped(records: Iterable[tuple[Any, int]], seen: _Plan) -> Iterator[list[Mapping[str, Any]]]:
    """Group records to pieces, adding the names of new columns to `seen`."""
    some: list[Mapping[str, Any]] = []
    characters = number = 0
    for number, (record, length) in enumerate(records, start=1):
        if not isinstance(record, dict):
            raise not_a_table(
                f"Entry {number} of the file is no record.",
                "A table is a list of objects with the same names.",
            )
        if not record.keys() <= seen.keys():
            for name in record:
                seen.setdefault(name, Kinds(0))
            check_shape(number, len(seen))
        some.append(record)
        characters += length
        if characters >= PIECE_BYTES or len(some) >= _MOST_RECORDS:
            check_shape(number, len(seen))
            yield some
            some, characters = [], 0
    if some:
        check_shape(number, len(seen))
        yield some


def _table(columns: _Columns, types: Mapping[str, pa.DataType]) -> pa.Table:
    arrays = [column_as(values, types[name]) for name, values in columns.items()]
    return pa.table(arrays, unique_names(columns))


# -- what can only be read as a whole


def _whole(text: Utf8, shape: str | None) -> tuple[str, Reader]:
    decoded = text.decoded()
    check_nodes(decoded)
    value, trouble = _parsed(decoded)
    if trouble is not None:
        # Several values are no single JSON text: that is what JSON lines are.
        is_object = text.head(1000).lstrip().startswith("{")
        if shape is None and is_object and trouble.msg == "Extra data":
            return LINES, lambda plan: _record_pieces(_lines(text), plan)
        raise damaged(trouble.lineno, trouble.colno)
    if isinstance(value, list) and shape in (None, RECORDS):
        return RECORDS, lambda plan: _record_pieces(((one, 0) for one in value), plan)
    if isinstance(value, dict):
        is_columns = bool(value) and all(isinstance(part, dict | list) for part in value.values())
        if shape == COLUMNS or (shape is None and is_columns):
            return COLUMNS, lambda _plan: _column_pieces(value)
        return RECORDS, lambda plan: _record_pieces([(value, 0)], plan)
    raise not_a_table(
        "The file holds JSON, but neither records nor columns.",
        "A table is a list of objects, or an object with one list per column.",
    )


def _column_pieces(value: Mapping[str, Any]) -> Pieces[_Plan]:
    columns = _from_columns(value)
    rows = max((len(values) for values in columns.values()), default=0)
    check_shape(rows, len(columns))
    yield _table(columns, {name: type_of(kinds_in(each)) for name, each in columns.items()})
    return None


def _from_columns(columns: Mapping[str, Any]) -> _Columns:
    if all(isinstance(part, list) for part in columns.values()):
        if len({len(part) for part in columns.values()}) > 1:
            raise not_a_table("The columns of the file differ in length.")
        return {name: list(part) for name, part in columns.items()}
    if not all(isinstance(part, Mapping) for part in columns.values()):
        raise not_a_table("The columns of the file differ in form.")
    row_names: dict[str, None] = {}
    for part in columns.values():
        row_names.update(dict.fromkeys(part))
    check_shape(len(row_names), len(columns))
    return {name: [part.get(row) for row in row_names] for name, part in columns.items()}
