"""Arrow IPC files on the wire: inference tables in and out, and pages of the log.

pyarrow is imported inside the functions: it takes 0.3 to 0.7 s, which must not delay the start.
Everything here blocks and belongs in a thread.
"""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING, Any

from dashboard.sandbox.errors import EngineError
from dashboard.sandbox.tables import (
    Json,
    Row,
    anomaly_count,
    as_text,
    metadata_columns,
    output_name,
    split_outputs,
    union_of_columns,
    without_nan,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dashboard.sandbox.logstore import LogRow
    from dashboard.sandbox.tables import Selection

#: pyarrow has no type hints: its tables, arrays and types are all Any here.
Arrow = Any

#: Arrow's name of a half-precision number, alone and inside of other types.
_HALF = "halffloat"
_ZONED = re.compile(r"timestamp\[(s|ms|us|ns), tz=(.+)\]")


def import_pyarrow() -> Arrow:
    """Return the pyarrow module."""
    import pyarrow
    import pyarrow.ipc

    return pyarrow


def warm_up() -> None:
    """Import what the first Arrow request needs (pandas comes along), so that it need not wait."""
    to_ipc(import_pyarrow().table({"warm": ["up"]}))


def table_from_ipc(body: bytes) -> Arrow:
    """Read an Arrow IPC file (or stream).

    Raises
    ------
    EngineError
        400 when the body is neither, or the table is damaged or ambiguous.
    """
    pa = import_pyarrow()
    try:
        is_file = body[:6] == b"ARROW1"
        opened = pa.ipc.open_file(body) if is_file else pa.ipc.open_stream(body)
        table = opened.read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, TypeError) as exc:
        raise EngineError(400, "the request body is not a valid Arrow IPC file") from exc
    if len(set(table.column_names)) != table.num_columns:
        raise EngineError(400, "the request's table has two columns of the same name")
    return table


def rows_of(table: Arrow) -> list[Row]:
    """Return the table's rows as Python values.

    Raises
    ------
    EngineError
        400 when a text is not valid UTF-8 or a value has no Python form.
    """
    pa = import_pyarrow()
    try:
        rows: list[Row] = table.to_pylist()
    except (pa.ArrowException, ValueError, OverflowError) as exc:
        raise EngineError(400, "the request's table holds values that cannot be read") from exc
    for field in table.schema:
        if _HALF in str(field.type):
            for row in rows:
                row[field.name] = _without_halves(row[field.name])
    return rows


def _without_halves(value: Json) -> Json:
    """Return half-precision numbers, which arrive as numpy's own, as Python's floats."""
    if isinstance(value, list):
        return [_without_halves(item) for item in value]
    if isinstance(value, dict):
        return {name: _without_halves(item) for name, item in value.items()}
    return value.item() if hasattr(value, "item") else value


def type_names(table: Arrow) -> dict[str, str]:
    """Return the types of a table's columns by name, as far as `log_table` can give them back."""
    pa = import_pyarrow()
    found = ((field.name, _name_of(pa, field.type)) for field in table.schema)
    return {column: name for column, name in found if name is not None}


def schema_columns(message: bytes) -> dict[str, str]:
    """Return the columns of an Arrow IPC schema message with the names of their types.

    Raises
    ------
    ValueError
        If it is no such message.
    """
    pa = import_pyarrow()
    try:
        schema = pa.ipc.read_schema(pa.py_buffer(message))
        return {field.name: str(field.type) for field in schema}
    except (pa.ArrowException, OSError, EOFError, UnicodeError) as exc:
        raise ValueError("not an Arrow schema") from exc


def answer_table(
    inputs: Sequence[Mapping[str, Any]] | Arrow,  # Any: user data
    outputs: Sequence[Mapping[str, Any]],  # Any: model output
    *,
    time_ms: int,
    metadata: Mapping[str, Any],  # Any: the wire's metadata
    output_types: Mapping[str, str],
    selection: Selection,
) -> Arrow:
    """Return an inference's answer: `in.*` as sent, `out.*` typed and not null.

    Parameters
    ----------
    inputs
        The table that was sent, or its rows when JSON was sent.
    """
    pa = import_pyarrow()
    columns = _Columns(pa, selection)
    columns.add("time", [time_ms] * len(outputs), pa.int64())
    if isinstance(inputs, pa.Table):
        for name in sorted(inputs.column_names):
            columns.add_array(f"in.{name}", inputs.column(name))
    else:
        for name in sorted(union_of_columns(inputs)):
            columns.add(f"in.{name}", [row.get(name) for row in inputs], nullable=True)
    columns.add_outputs(outputs, output_types)
    columns.add_metadata([metadata] * len(outputs))
    return columns.table()


def log_table(rows: Sequence[LogRow], selection: Selection, status: Mapping[str, Any]) -> Arrow:
    """Return a page of the log; `status` goes into the schema's metadata.

    An empty page has no `metadata.dropped`: the SDK reads its first row.
    """
    pa = import_pyarrow()
    columns = _Columns(pa, selection)
    types = _common_types([row.types for row in rows])
    columns.add("time", [row.time_ms for row in rows], pa.int64())
    for name in sorted(union_of_columns([row.inputs for row in rows])):
        values = [row.inputs.get(name) for row in rows]
        columns.add(f"in.{name}", values, _type_named(pa, types.get(f"in.{name}")), nullable=True)
    # All may be null, so that the pages of an export have one schema.
    columns.add_outputs(
        [row.outputs for row in rows],
        {column: types[output_name(column)]
         for column in union_of_columns([row.outputs for row in rows])
         if output_name(column) in types},
        nullable=True,
    )  # fmt: skip
    if any(row.error for row in rows):
        columns.add("error", [row.error for row in rows], pa.string(), nullable=True)
    columns.add_metadata([row.metadata for row in rows])
    table: Arrow = columns.table()
    return table.replace_schema_metadata({"status": json.dumps(status)})


def _common_types(types_per_row: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the types that no row contradicts."""
    found: dict[str, set[str]] = {}
    # Rows of a block share one mapping.
    for types in {id(types): types for types in types_per_row}.values():
        for column, name in types.items():
            found.setdefault(column, set()).add(name)
    return {column: names.pop() for column, names in found.items() if len(names) == 1}


def to_ipc(table: Arrow) -> bytes:
    """Return the table as an Arrow IPC file of one record batch."""
    pa = import_pyarrow()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        # One batch: the SDK looks at the first chunk only.
        writer.write_table(table.combine_chunks())
    body: bytes = sink.getvalue().to_pybytes()
    return body


class _Columns:
    """Collects the columns that were asked for; without a separator, by group."""

    def __init__(self, pa: Arrow, selection: Selection) -> None:
        self._pa = pa
        self._selection = selection
        self._groups: dict[str, list[tuple[Arrow, Arrow]]] = {}

    def add(
        self,
        column: str,
        values: list[Any],  # Any: user data
        arrow_type: Arrow = None,
        *,
        nullable: bool = False,
    ) -> None:
        """Add a column; what holds a null is nullable in any case."""
        if self._selection.wants(column):
            array = _array(self._pa, values, arrow_type)
            self._append(column, array, nullable=nullable or array.null_count > 0)

    def add_array(self, column: str, array: Arrow) -> None:
        """Add a column of a table that was sent."""
        if self._selection.wants(column):
            self._append(column, array.combine_chunks(), nullable=True)

    def add_outputs(
        self,
        outputs: Sequence[Mapping[str, Any]],  # Any: model output
        types: Mapping[str, str],
        *,
        nullable: bool = False,
    ) -> None:
        """Add what the models said, and the anomalies."""
        pa = self._pa
        plain, anomalies = split_outputs(union_of_columns(outputs) or types)
        for column in (*plain, ".anomaly.count", *anomalies):
            if column == ".anomaly.count":
                self.add("anomaly.count", [anomaly_count(row) for row in outputs], pa.uint32())
                continue
            arrow_type = _type_named(pa, types.get(column), inner="inner")
            values = [row.get(column) for row in outputs]
            self.add(output_name(column), values, arrow_type, nullable=nullable)

    def add_metadata(self, metadata_per_row: Sequence[Mapping[str, Any]]) -> None:  # Any: metadata
        """Add the metadata; nothing when there is no row."""
        pa = self._pa
        types = {"elapsed": pa.list_(pa.uint64()), "dropped": pa.list_(pa.string())}
        for column in metadata_columns(metadata_per_row[0]) if metadata_per_row else ():
            name = column.partition(".")[2]
            values = [row.get(name) for row in metadata_per_row]
            self.add(column, values, types.get(name, pa.string()))

    def table(self) -> Arrow:
        """Return the table."""
        pa = self._pa
        fields, arrays = [], []
        for group, members in self._groups.items():
            for field, array in members:
                if self._selection.separator or not field.name:
                    fields.append(field if field.name else field.with_name(group))
                    arrays.append(array)
            if not self._selection.separator and members[0][0].name:
                struct = pa.StructArray.from_arrays(
                    [array for _, array in members], fields=[field for field, _ in members]
                )
                fields.append(pa.field(group, struct.type, nullable=False))
                arrays.append(struct)
        return pa.table(arrays, schema=pa.schema(fields))

    def _append(self, column: str, array: Arrow, *, nullable: bool) -> None:
        group, dot, rest = column.partition(".")
        name = (self._selection.name(column) if self._selection.separator else rest) if dot else ""
        field = self._pa.field(_utf8(name), array.type, nullable=nullable)
        self._groups.setdefault(_utf8(group), []).append((field, array))


def _array(pa: Arrow, values: list[Any], arrow_type: Arrow) -> Arrow:  # Any: user data
    """Return an Arrow array; values that fit no common type are given as their JSON text."""
    failures = (pa.ArrowException, OverflowError, UnicodeError, ValueError, TypeError)
    if arrow_type is not None:
        with contextlib.suppress(*failures):
            return _without_false_nulls(pa, pa.array(values, arrow_type))
        # What JSON does not know, such as a time, was kept as text.
        with contextlib.suppress(*failures):
            return pa.array(values, pa.string()).cast(arrow_type)
    with contextlib.suppress(*failures):
        return pa.array(values)
    texts = [None if value is None else _text(value) for value in values]
    return pa.array(texts, pa.string())


def _without_false_nulls(pa: Arrow, array: Arrow) -> Arrow:
    """Return `array` with a type that admits the nulls inside of its lists."""
    if not pa.types.is_list(array.type) or array.type.value_field.nullable:
        return array
    if array.flatten().null_count == 0:
        return array
    return array.cast(pa.list_(pa.field("inner", array.type.value_type)))


def _text(value: object) -> str:
    return _utf8(
        value if isinstance(value, str) else json.dumps(without_nan(value), default=as_text)
    )


def _utf8(text: str) -> str:
    # A lone surrogate is legal in JSON, but not in Arrow.
    return text.encode("utf-8", "replace").decode()


def _name_of(pa: Arrow, arrow_type: Arrow) -> str | None:
    """Return the name from which `_type_named` makes this type; None when it cannot."""
    if pa.types.is_list(arrow_type):
        inner = _name_of(pa, arrow_type.value_type)
        return None if inner is None else f"list<{inner}>"
    name = str(arrow_type)
    return name if _type_named(pa, name) == arrow_type else None


def _type_named(pa: Arrow, name: str | None, *, inner: str | None = None) -> Arrow:
    """Return the Arrow type of a runtime's name for it, such as `string` or `list<float32>`.

    Parameters
    ----------
    inner
        What a list's values are called, which are then never null; None for the usual name.
    """
    if name is None:
        return None
    if name.startswith("list<") and name.endswith(">"):
        value_type = _type_named(pa, name[5:-1], inner=inner)
        if value_type is None:
            return None
        return pa.list_(pa.field(inner, value_type, nullable=False) if inner else value_type)
    if zoned := _ZONED.fullmatch(name):
        return pa.timestamp(zoned[1], tz=zoned[2])
    try:
        return pa.type_for_alias(name)
    except ValueError:
        return None
