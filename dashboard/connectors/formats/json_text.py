"""Reads tables from JSON: records, columns (`{"name": {"0": …}}` or `{"name": […]}`) and lines."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from dashboard.connectors.causes import FetchCause, fetch_failure, not_a_table
from dashboard.connectors.formats.columns import check_shape, column_of, unique_names

RECORDS: Final = "json"
COLUMNS: Final = "json-columns"
LINES: Final = "jsonl"
_MOST_NODES: Final = 3_000_000
_SAFE_DIGITS: Final = 18
#: Columns by name, each with one value per row.
_Columns = dict[str, list[Any]]


def read_json(text: str, *, shape: str | None = None) -> tuple[str, pa.Table]:
    """Read JSON text; return its shape (`json`, `json-columns` or `jsonl`) and the table.

    Parameters
    ----------
    shape
        Read it as this; recognise it when None.

    Raises
    ------
    FetchFailed
        `not_a_table` with the line or the record, or `too_big`.
    """
    if text.count("{") + text.count("[") > _MOST_NODES:
        raise fetch_failure(
            FetchCause.TOO_BIG, message="The file holds more values than can be read."
        )
    if shape == LINES:
        return LINES, _table(_from_records(_lines(text)))
    value, trouble = _parsed(text)
    if trouble is not None:
        # Several values, one per line, are no single JSON text: that is what JSON lines are.
        if shape is None and text.lstrip().startswith("{") and trouble.msg == "Extra data":
            return LINES, _table(_from_records(_lines(text)))
        raise not_a_table(
            f"The file is damaged JSON: look at line {trouble.lineno}, character {trouble.colno}.",
            "Ask the source's owner for a whole file, or choose another format.",
        )
    return _from_value(value, shape)


def _from_value(value: object, shape: str | None) -> tuple[str, pa.Table]:
    if isinstance(value, list) and shape in (None, RECORDS):
        return RECORDS, _table(_from_records(value))
    if isinstance(value, dict):
        is_columns = bool(value) and all(isinstance(part, dict | list) for part in value.values())
        if shape == COLUMNS or (shape is None and is_columns):
            return COLUMNS, _table(_from_columns(value))
        return RECORDS, _table(_from_records([value]))
    raise not_a_table(
        "The file holds JSON, but neither records nor columns.",
        "A table is a list of objects, or an object with one list per column.",
    )


def _parsed(text: str) -> tuple[Any, json.JSONDecodeError | None]:
    try:
        return json.loads(text, parse_constant=_constant, parse_int=_whole), None
    except json.JSONDecodeError as error:
        return None, error


def _constant(name: str) -> float | None:
    """NaN is how pandas writes "nothing here"."""
    return None if name == "NaN" else math.copysign(math.inf, -1 if name.startswith("-") else 1)


def _whole(digits: str) -> int | str:
    """Return a number, or its digits where no column of numbers could hold it."""
    if len(digits) <= _SAFE_DIGITS:
        return int(digits)
    is_short = len(digits) <= _SAFE_DIGITS + 2
    return int(digits) if is_short and -(2**63) <= int(digits) < 2**63 else digits


def _lines(text: str) -> list[Any]:
    values = []
    # Only \n ends a line: JSON text may hold other line separators.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        value, trouble = _parsed(line)
        if trouble is not None:
            raise not_a_table(f"The file is damaged JSON: look at line {number}.")
        values.append(value)
    return values


def _from_records(records: Sequence[Any]) -> _Columns:
    names: dict[str, None] = {}
    for number, record in enumerate(records, start=1):
        if not isinstance(record, Mapping):
            raise not_a_table(
                f"Entry {number} of the file is no record.",
                "A table is a list of objects with the same names.",
            )
        names.update(dict.fromkeys(record))
        check_shape(number, len(names))
    return {name: [record.get(name) for record in records] for name in names}


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


def _table(columns: _Columns) -> pa.Table:
    rows = max((len(values) for values in columns.values()), default=0)
    check_shape(rows, len(columns))
    return pa.table([column_of(values) for values in columns.values()], unique_names(columns))
