"""Rows of user data to tensors, and tensors to rows; what does not fit is named with its row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dashboard.sandbox.engine.runtimes.base import InputError

#: Sizes of one row's tensor; None where any size will do.
Dims = tuple[int | None, ...]
Array = np.ndarray[Any, Any]  # Any: shape and type are the model's

_NUMBERS = "biuf"
_KINDS = {"b": "bool", "i": "int64", "u": "uint64", "f": "float64", "U": "string", "S": "string"}


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """What a model's input takes of each row.

    Parameters
    ----------
    dtype
        The numpy type; `object` for texts.
    type_name
        As people read it, such as `float32` or `string`.
    dims
        Shape of one row without the batch dimension; None when the model does not say.
    """

    dtype: np.dtype[Any]
    type_name: str
    dims: Dims | None

    @property
    def expected_type(self) -> str:
        """The column's type in the words of a table."""
        return self.type_name if self.dims == () else f"list<{self.type_name}>"


def stack(values: Sequence[object], spec: TensorSpec, column: str) -> Array | list[Array]:
    """Return the values as one array whose first dimension counts the rows.

    Rows may be nested as the model's shape, or flat. When they differ in their free dimensions,
    the answer is a list: one array per row, without a batch dimension.

    Raises
    ------
    InputError
        Naming the column, what was expected and found, and the first bad row.
    """
    whole = _plain_array(values, spec)
    if whole is not None and whole.ndim:
        shape = _fit(whole.shape[1:], spec.dims)
        if shape is not None:
            return _cast(whole, spec, column).reshape(len(values), *shape)
    rows = [_row(value, spec, column, index) for index, value in enumerate(values)]
    if len({row.shape for row in rows}) == 1:
        return np.stack(rows)
    return rows


def row_lists(array: Array, row_count: int) -> list[list[Any]] | None:  # Any: numbers or texts
    """Return one flat list per row, or None when the array does not have `row_count` rows.

    The tensor of a single row is taken whole: it may come without a batch dimension.
    """
    if row_count != 1 and (array.ndim == 0 or array.shape[0] != row_count):
        return None
    return [_plain(row) for row in array.reshape(row_count, -1)]


def _plain(flat: Array) -> list[Any]:  # Any: numbers or texts
    if flat.dtype == np.float16:  # no table of the wire holds such numbers
        flat = flat.astype(np.float32)
    if flat.dtype == np.float32:
        # The shortest decimal that is this very number: 0.123 and not 0.12300000339746475.
        return [float(str(value)) for value in flat]
    values: list[Any] = flat.tolist()
    return values


def _row(value: object, spec: TensorSpec, column: str, index: int) -> Array:
    array = _plain_array(value, spec)
    if array is None:
        found = _type_found(value)
        raise InputError(
            f"column '{column}' has the wrong type: expected {spec.expected_type}, found {found}",
            row=index,
        )
    shape = _fit(array.shape, spec.dims)
    if shape is None:
        raise InputError(
            f"column '{column}' has the wrong shape: "
            f"expected {_shape_text(spec.dims or ())}, found {_shape_text(array.shape)}",
            row=index,
        )
    return _cast(array, spec, column, row=index).reshape(shape)


def _plain_array(value: object, spec: TensorSpec) -> Array | None:
    """Return numbers (or texts) as numpy sees them; None if the value is anything else."""
    if spec.dtype == object:
        # Of lists of different lengths numpy would make texts that are lists.
        is_even = not (isinstance(value, list) and _is_uneven(value))
        return np.array(value, dtype=object) if is_even and _all_texts(value) else None
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError):  # lists of different lengths
        return None
    is_fitting = array.dtype.kind in (_NUMBERS if spec.dtype != bool else "b")
    return array if is_fitting or array.size == 0 else None


def _all_texts(value: object) -> bool:
    return all(isinstance(leaf, str) for leaf in _leaves(value))


def _cast(array: Array, spec: TensorSpec, column: str, row: int | None = None) -> Array:
    if spec.dtype in (object, array.dtype):
        return array
    with np.errstate(over="ignore", invalid="ignore"):
        cast = array.astype(spec.dtype)
    if spec.dtype.kind in "iu" and not np.array_equal(cast, array):
        bad = row if row is not None else _first_different(cast, array)
        raise InputError(f"column '{column}' holds a number that is no {spec.type_name}", row=bad)
    return cast


def _first_different(left: Array, right: Array) -> int:
    return int(np.argwhere(left != right)[0][0])


def _fit(found: tuple[int, ...], dims: Dims | None) -> tuple[int, ...] | None:
    """Return the shape a value of shape `found` takes, or None if it does not fit `dims`."""
    if dims is None:
        return found
    if len(found) == len(dims) and _matches(found, dims):
        return found
    if len(found) == len(dims) + 1 and found[0] == 1 and _matches(found[1:], dims):
        return found[1:]
    return _unflattened(math.prod(found), dims) if len(found) <= 1 else None


def _matches(found: tuple[int, ...], dims: Dims) -> bool:
    return all(size in (None, number) for number, size in zip(found, dims, strict=True))


def _unflattened(count: int, dims: Dims) -> tuple[int, ...] | None:
    known = math.prod(size for size in dims if size is not None)
    free = [size for size in dims if size is None]
    if not free:
        return tuple(size or 0 for size in dims) if count == known else None
    if len(free) > 1 or not known or count % known:
        return None
    return tuple(count // known if size is None else size for size in dims)


def _type_found(value: object) -> str:
    kinds = {_kind_of(leaf) for leaf in _leaves(value)}
    for telling in ("null", "struct", "a number that is too large"):
        if telling in kinds:
            return telling
    if len(kinds) > 1 and not kinds <= {"bool", "int64", "uint64", "float64"}:
        return "a mix of types"
    if isinstance(value, list) and _is_uneven(value):
        return "lists of different lengths"
    name = next((kind for kind in ("float64", *sorted(kinds)) if kind in kinds), "nothing")
    depth = 0
    while isinstance(value, list) and value:
        value, depth = value[0], depth + 1
    return "list<" * depth + name + ">" * depth


def _kind_of(leaf: object) -> str:
    if leaf is None:
        return "null"
    if isinstance(leaf, dict):
        return "struct"
    return _KINDS.get(np.asarray(leaf).dtype.kind, "a number that is too large")


def _is_uneven(value: list[object]) -> bool:
    inner = [item for item in value if isinstance(item, list)]
    if inner and (len(inner) < len(value) or len({len(item) for item in inner}) > 1):
        return True
    return any(_is_uneven(item) for item in inner)


def _leaves(value: object) -> list[object]:
    if not isinstance(value, list):
        return [value]
    return [leaf for item in value for leaf in _leaves(item)]


def _shape_text(shape: Sequence[int | None]) -> str:
    return f"[{', '.join('?' if size is None else str(size) for size in shape)}]"
