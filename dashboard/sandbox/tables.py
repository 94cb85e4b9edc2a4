"""Inference tables on the wire: which columns are asked for, JSON in, JSON records out.

Arrow has a module of its own (`arrow_tables`), because importing it takes long.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Any

from dashboard.sandbox.errors import EngineError

#: One row: column → value, with or without its `in.`/`out.` prefix, as said where it is used.
Row = dict[str, Any]  # Any: user data
#: JSON of any shape.
Json = Any

_METADATA = ("last_model", "pipeline_version", "elapsed", "dropped", "partition")
#: A model's output column that begins with this tells of an anomaly, true or false by row.
_ANOMALY = ".anomaly."
#: Deeper values are refused: every step of their way would have to be proof against them.
_DEEPEST = 64


@dataclass(frozen=True, slots=True)
class Selection:
    """What a caller asks for by `dataset[]`, `dataset.exclude[]` and `dataset.separator`.

    Parameters
    ----------
    separator
        Joins the parts of a column's name; None asks for nested records.
    """

    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    separator: str | None = None

    @classmethod
    def from_query(cls, items: Iterable[tuple[str, str]]) -> Selection:
        """Read the parameters from a query string's items; without any, all columns, nested."""
        pairs = list(items)
        include = tuple(value for name, value in pairs if name == "dataset[]" and value)
        exclude = tuple(value for name, value in pairs if name == "dataset.exclude[]" and value)
        separators = [value for name, value in pairs if name == "dataset.separator" and value]
        return cls(include or ("*",), exclude, separators[-1] if separators else None)

    def wants(self, column: str) -> bool:
        """Tell whether `column` (parts joined by `.`) is asked for.

        The closer match decides: `metadata.elapsed` is given although `metadata` is excluded.
        """
        wanted = max((self._closeness(pattern, column) for pattern in self.include), default=-1)
        unwanted = max((self._closeness(pattern, column) for pattern in self.exclude), default=-1)
        return wanted >= 0 and wanted > unwanted

    def _closeness(self, pattern: str, column: str) -> int:
        if pattern == "*":
            return 0
        if self.separator and "." not in pattern:
            pattern = pattern.replace(self.separator, ".", 1)
        return len(pattern) if f"{column}.".startswith(f"{pattern}.") else -1

    def name(self, column: str) -> str:
        """Return the column's name with the separator that was asked for."""
        group, dot, rest = column.partition(".")
        return f"{group}{self.separator}{rest}" if dot and self.separator else column


def flat_rows(
    inputs: Sequence[Mapping[str, Any]],
    outputs: Sequence[Mapping[str, Any]],
    *,
    time_ms: int,
    metadata: Mapping[str, Any],
    selection: Selection,
) -> list[Row]:
    """Return the answer's records: time, in.* by name, out.*, anomaly.*, metadata.*.

    Parameters
    ----------
    inputs, outputs
        One mapping per row, without prefixes; for outputs see `output_name`.
    """
    in_columns = [
        (column, selection.name(f"in.{column}"))
        for column in sorted(_union(inputs))
        if selection.wants(f"in.{column}")
    ]
    out_columns, anomaly_columns = (
        [
            (column, selection.name(output_name(column)))
            for column in columns
            if selection.wants(output_name(column))
        ]
        for columns in split_outputs(_union(outputs))
    )
    time_part = {"time": time_ms} if selection.wants("time") else {}
    count_name = selection.name("anomaly.count") if selection.wants("anomaly.count") else None
    tail = {
        selection.name(column): value
        for column, value in metadata_columns(metadata).items()
        if selection.wants(column)
    }
    return [
        time_part
        | {name: row.get(column) for column, name in in_columns}
        | {name: output.get(column) for column, name in out_columns}
        | ({count_name: anomaly_count(output)} if count_name else {})
        | {name: output.get(column) for column, name in anomaly_columns}
        | tail
        for row, output in zip(inputs, outputs, strict=True)
    ]


def nested_rows(
    inputs: Sequence[Mapping[str, Any]],
    outputs: Sequence[Mapping[str, Any]],
    *,
    time_ms: int,
    metadata: Mapping[str, Any],
    selection: Selection,
) -> list[Row]:
    """Return the answer's records with `in`, `out`, `anomaly`, `metadata` as objects."""
    return [
        nested_row(row, output, time_ms=time_ms, metadata=metadata, selection=selection)
        for row, output in zip(inputs, outputs, strict=True)
    ]


def nested_row(
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
    *,
    time_ms: int,
    metadata: Mapping[str, Any],
    selection: Selection,
) -> Row:
    """Return one record with `in`, `out`, `anomaly`, `metadata` as objects."""
    record: Row = {"time": time_ms} if selection.wants("time") else {}
    values = [(f"in.{column}", value) for column, value in inputs.items()]
    plain, anomalies = split_outputs(outputs)
    values += [(output_name(column), outputs[column]) for column in plain]
    values.append(("anomaly.count", anomaly_count(outputs)))
    values += [(output_name(column), outputs[column]) for column in anomalies]
    values += metadata_columns(metadata).items()
    record |= {group: {} for group in ("in", "out") if selection.wants(group)}
    for column, value in values:
        if selection.wants(column):
            group, _, name = column.partition(".")
            record.setdefault(group, {})[name] = value
    return record


def output_name(column: str) -> str:
    """Return the whole name of a model's output column.

    One that begins with a dot has its whole name after it: what other models of a step say, and
    anomalies, stand beside `out`.
    """
    return column[1:] if column.startswith(".") and "." in column[1:] else f"out.{column}"


def split_outputs(columns: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the columns of models, and the columns that tell of anomalies."""
    listed = list(columns)
    anomalies = [column for column in listed if column.startswith(_ANOMALY)]
    return [column for column in listed if not column.startswith(_ANOMALY)], anomalies


def anomaly_count(outputs: Mapping[str, Any]) -> int:
    """Return how many validations a row failed."""
    return sum(value is True for column, value in outputs.items() if column.startswith(_ANOMALY))


def metadata_columns(metadata: Mapping[str, Any]) -> Row:
    """Return the metadata's columns in the order of the wire."""
    return {f"metadata.{name}": metadata[name] for name in _METADATA if name in metadata}


def union_of_columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return every column of `rows`, in order of first appearance."""
    return list(_union(rows))


def _union(rows: Sequence[Mapping[str, Any]]) -> dict[str, None]:
    columns: dict[str, None] = {}
    for row in rows:
        columns.update(dict.fromkeys(row))
    return columns


def rows_from_json(body: bytes) -> list[Row]:
    """Read an inference's JSON body: an array of records, one record, or an object of columns.

    Raises
    ------
    EngineError
        400, saying what is wrong with the body.
    """
    try:
        value = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as exc:
        raise EngineError(400, "the request body is not valid JSON") from exc
    if isinstance(value, dict):
        value = _records_of(value)
    if not isinstance(value, list):
        raise EngineError(400, "the request body must be an array of records")
    for index, row in enumerate(value):
        if not isinstance(row, dict):
            raise EngineError(400, f"record {index} of the request body is not an object")
    if _is_too_deep(value):
        raise EngineError(400, f"the request body is nested more than {_DEEPEST} levels deep")
    return value


def _is_too_deep(value: list[Row]) -> bool:
    level: list[Any] = [value]
    for _ in range(_DEEPEST):
        level = [
            inner
            for each in level
            for inner in (each.values() if isinstance(each, dict) else each)
            if isinstance(inner, list | dict)
        ]
        if not level:
            return False
    return True


def _records_of(value: dict[str, Any]) -> list[Row]:  # Any: user data
    """Turn one record, or columns of equal length, into records."""
    if not value or not all(isinstance(column, list) for column in value.values()):
        return [value] if value else []
    lengths = {len(column) for column in value.values()}
    if len(lengths) > 1:
        raise EngineError(400, "the columns of the request body differ in length")
    return [dict(zip(value, row, strict=True)) for row in zip(*value.values(), strict=True)]


def to_json(records: Sequence[Row]) -> bytes:
    """Return strict JSON, in ASCII escapes; what is not a number (NaN, infinity) becomes null."""
    try:
        text = json.dumps(records, separators=(",", ":"), allow_nan=False, default=as_text)
    except ValueError:
        finite = without_nan(records)
        text = json.dumps(finite, separators=(",", ":"), allow_nan=False, default=as_text)
    return text.encode("ascii")


def as_text(value: object) -> str:
    """Return a value that JSON does not know as text: times in ISO 8601, bytes in base64."""
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return str(value)


def without_nan(value: Json) -> Json:  # Any: JSON of any shape
    """Return `value` with every NaN and infinity replaced by None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return value
