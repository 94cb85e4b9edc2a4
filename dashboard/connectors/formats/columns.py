"""Makes plain, sane Arrow columns: one type each, valid text, nested values as JSON text."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Sequence
from enum import Flag, auto
from typing import Any, Final

import pyarrow as pa

from dashboard.connectors.causes import too_long

MOST_ROWS: Final = 1_000_000
MOST_COLUMNS: Final = 1_000
MOST_CELLS: Final = 10_000_000
_LONGEST_NAME: Final = 200
_EXACT_FLOAT: Final = 2**53
_PANDAS_INDEX: Final = re.compile(r"__index_level_\d+__")


def check_shape(rows: int, columns: int) -> None:
    """Raise FetchFailed (`too_big`) for a table that nobody could look at."""
    limits = ((rows, MOST_ROWS, "rows"), (columns, MOST_COLUMNS, "columns"))
    for count, most, word in (*limits, (rows * columns, MOST_CELLS, "cells")):
        if count > most:
            raise too_long(f"The table has over {most:,} {word}.")


def valid_text(text: str) -> str:
    """Return `text` with surrogate pairs joined and lone surrogates replaced."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def unique_names(names: Iterable[str]) -> list[str]:
    """Return `names` made unique: a second `text` becomes `text (2)`, an empty one `column 3`."""
    taken: set[str] = set()
    result = []
    for place, given in enumerate(names, start=1):
        name = valid_text(given)[:_LONGEST_NAME] or f"column {place}"
        candidate, number = name, 2
        while candidate in taken:
            candidate, number = f"{name} ({number})", number + 1
        taken.add(candidate)
        result.append(candidate)
    return result


def json_text(value: object) -> str | None:
    """Return a value as JSON text; text stays as it is and null stays null."""
    if value is None:
        return None
    if isinstance(value, str):
        return valid_text(value)
    return valid_text(json.dumps(value, ensure_ascii=False, default=str))


class Kinds(Flag):
    """What was seen in a column of JSON values, besides nothing."""

    FLAG = auto()
    WHOLE = auto()
    #: A whole number that a floating-point number cannot hold exactly.
    LONG = auto()
    FRACTION = auto()
    OTHER = auto()


_KIND_OF: Final = {bool: Kinds.FLAG, int: Kinds.WHOLE, float: Kinds.FRACTION}


def kinds_in(values: Sequence[Any]) -> Kinds:  # any JSON values
    """Return the kinds of values there are."""
    found = Kinds(0)
    types = {type(value) for value in values}
    for one in types - {type(None)}:
        found |= _KIND_OF.get(one, Kinds.OTHER)
    if int in types and any(type(one) is int and abs(one) > _EXACT_FLOAT for one in values):
        found |= Kinds.LONG
    return found


def type_of(kinds: Kinds) -> pa.DataType:
    """Return the one type of a column of such values; values of several kinds all become text."""
    if kinds == Kinds.FLAG:
        return pa.bool_()
    if kinds and kinds in Kinds.WHOLE | Kinds.LONG:
        return pa.int64()
    if kinds and kinds in Kinds.WHOLE | Kinds.FRACTION:
        return pa.float64()
    return pa.string()


def column_as(values: Sequence[Any], kind: pa.DataType) -> pa.Array:  # any JSON values
    """Make a column of one of the types that `type_of` gives."""
    if pa.types.is_string(kind):
        if {type(value) for value in values} <= {str, type(None)}:
            with contextlib.suppress(UnicodeError):  # lone surrogates
                return pa.array(values, kind)
        return pa.array([json_text(value) for value in values], kind)
    if pa.types.is_floating(kind):
        return pa.array([None if value is None else float(value) for value in values], kind)
    return pa.array(values, kind)


def tidy(table: pa.Table) -> pa.Table:
    """Return `table` with unique names and plain types, without metadata or pandas' index."""
    kept = [
        place for place, name in enumerate(table.schema.names) if not _PANDAS_INDEX.fullmatch(name)
    ]
    names = unique_names(table.schema.names[place] for place in kept)
    columns = [_plain(table.column(place)) for place in kept]
    return pa.table(columns, names=names)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of a type that pages and stores understand."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        column = pa.chunked_array(
            [chunk.storage for chunk in column.chunks], type=kind.storage_type
        )
        kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_null(kind):
        return column.cast(pa.string())
    if pa.types.is_nested(kind):
        return pa.chunked_array([[json_text(value) for value in column.to_pylist()]], pa.string())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return pa.chunked_array([[_shown_bytes(cell.as_py()) for cell in column]], pa.string())
    if pa.types.is_fixed_size_binary(kind) and not pa.types.is_decimal(kind):
        return pa.chunked_array([[_shown_bytes(cell.as_py()) for cell in column]], pa.string())
    return column


def _shown_bytes(value: bytes | None) -> str | None:
    """Return bytes as the text they hold (older writers marked no text as such), else as hex."""
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.hex()
