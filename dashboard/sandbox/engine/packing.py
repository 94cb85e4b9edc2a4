"""Long lists of numbers go through the frames as bytes: as JSON a picture would take seconds."""

from __future__ import annotations

from array import array
from base64 import b64decode, b64encode
from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

#: Shorter lists are as quick in JSON.
SHORTEST: Final = 64
_CODES: Final = {float: "d", int: "q"}

#: Place of a value (row, column), its type code, its bytes in base64, and the shape of its lists.
Packed = list[Any]  # Any: JSON
Rows = list[dict[str, Any]]  # Any: user data


def pack(rows: Sequence[dict[str, Any]]) -> tuple[Rows, list[Packed]]:  # Any: user data
    """Return the rows without their long lists of numbers, and those lists."""
    lists: list[Packed] = []
    short_rows: Rows = []
    for place, row in enumerate(rows):
        short = row
        for column, value in row.items():
            packed = _packed(value) if type(value) is list else None
            if packed is not None:
                short = dict(row) if short is row else short
                short[column] = None
                lists.append([place, column, *packed])
        short_rows.append(short)
    return short_rows, lists


def unpack(rows: Rows, lists: Sequence[Packed]) -> None:
    """Put the long lists back into their rows."""
    for place, column, code, text, shape in lists:
        numbers = array(code)
        numbers.frombytes(b64decode(text))
        rows[place][column] = _nested(numbers.tolist(), shape)


def is_long(rows: Sequence[dict[str, Any]]) -> bool:  # Any: user data
    """Tell whether packing these rows takes long enough to be done in a thread."""
    return any(
        type(value) is list and (len(value) > 4096 or _is_nested(value))
        for row in rows
        for value in row.values()
    )


def _is_nested(value: list[Any]) -> bool:  # Any: user data
    return bool(value) and type(value[0]) is list


def _packed(value: list[Any]) -> Packed | None:  # Any: user data
    flat, shape = value, [len(value)]
    while _is_nested(flat):
        if any(type(item) is not list for item in flat):
            return None
        sizes = {len(item) for item in flat}
        if len(sizes) > 1:
            return None
        shape.append(sizes.pop())
        flat = list(chain.from_iterable(flat))
    kinds = set(map(type, flat)) if len(flat) >= SHORTEST else set()
    code = _CODES.get(kinds.pop()) if len(kinds) == 1 else None
    if code is None:
        return None
    try:
        content = array(code, flat).tobytes()
    except OverflowError:
        return None
    return [code, b64encode(content).decode("ascii"), shape]


def _nested(flat: list[Any], shape: list[int]) -> list[Any]:  # Any: numbers
    for size in reversed(shape[1:]):
        flat = [flat[first : first + size] for first in range(0, len(flat), size)]
    return flat
