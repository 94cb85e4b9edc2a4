"""Arrow IPC files on the wire: inference tables in and out, and pages of the log.

pyarrow is imported inside the functions: it takes 0.3 to 0.7 s, which must not delay the start.
Everything here blocks and belongs in a thread.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dashboard.sandbox.errors import EngineError
from dashboard.sandbox.tables import Row, shared_columns, union_of_columns, without_nan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dashboard.sandbox.logstore import LogRow
    from dashboard.sandbox.tables import Selection

#: pyarrow has no type hints: its tables, arrays and types are all Any here.
Arrow = Any


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
    return rows


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
    columns = _Columns(pa, selection, len(outputs))
    columns.add("time", [time_ms] * len(outputs), pa.int64())
    if isinstance(inputs, pa.Table):
        for name in sorted(inputs.column_names):
            columns.add_array(f"in.{name}", inputs.column(name))
    else:
        for name in sorted(union_of_columns(inputs)):
            columns.add(f"in.{name}", [row.get(name) for row in inputs])
    for name in union_of_columns(outputs) or output_types:
        values = [row.get(name) for row in outputs]
        columns.add(f"out.{name}", values, _type_named(pa, output_types.get(name)))
    columns.add_shared([metadata] * len(outputs))
    return columns.table()


def log_table(rows: Sequence[LogRow], selection: Selection, status: Mapping[str, Any]) -> Arrow:
    """Return a page of the log; `status` goes into the schema's metadata.

    An empty page has no `metadata.dropped`: the SDK reads its first row.
    """
    pa = import_pyarrow()
    columns = _Columns(pa, selection, len(rows))
    columns.add("time", [row.time_ms for row in rows], pa.int64())
    for name in sorted(union_of_columns([row.inputs for row in rows])):
        columns.add(f"in.{name}", [row.inputs.get(name) for row in rows])
    for name in union_of_columns([row.outputs for row in rows]):
        columns.add(f"out.{name}", [row.outputs.get(name) for row in rows])
    columns.add_shared([row.metadata for row in rows])
    table: Arrow = columns.table()
    return table.replace_schema_metadata({"status": json.dumps(status)})


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
    """Collects the columns that were asked for."""

    def __init__(self, pa: Arrow, selection: Selection, row_count: int) -> None:
        self._pa = pa
        self._selection = selection
        self._row_count = row_count
        self._fields: list[Arrow] = []
        self._arrays: list[Arrow] = []

    def add(self, column: str, values: list[Any], arrow_type: Arrow = None) -> None:  # Any: data
        if not self._selection.wants(column):
            return
        array = _array(self._pa, values, arrow_type)
        # What the platform itself writes is never null; what a user sent may be.
        nullable = column.startswith("in.") or array.null_count > 0
        self._append(column, array, nullable=nullable)

    def add_array(self, column: str, array: Arrow) -> None:
        if self._selection.wants(column):
            self._append(column, array, nullable=True)

    def add_shared(self, metadata_per_row: Sequence[Mapping[str, Any]]) -> None:  # Any: metadata
        pa = self._pa
        self.add("anomaly.count", [0] * self._row_count, pa.uint32())
        if not metadata_per_row:
            return
        types = {"elapsed": pa.list_(pa.uint64()), "dropped": pa.list_(pa.string())}
        for column in shared_columns(metadata_per_row[0]):
            group, _, name = column.partition(".")
            if group == "metadata":
                values = [row.get(name) for row in metadata_per_row]
                self.add(column, values, types.get(name, pa.string()))

    def table(self) -> Arrow:
        return self._pa.table(self._arrays, schema=self._pa.schema(self._fields))

    def _append(self, column: str, array: Arrow, *, nullable: bool) -> None:
        name = self._selection.name(column)
        self._fields.append(self._pa.field(name, array.type, nullable=nullable))
        self._arrays.append(array)


def _array(pa: Arrow, values: list[Any], arrow_type: Arrow) -> Arrow:  # Any: user data
    """Return an Arrow array; values that fit no common type are given as their JSON text."""
    try:
        return pa.array(values, arrow_type)
    except (pa.ArrowException, OverflowError, UnicodeError, ValueError, TypeError):
        texts = [None if value is None else _text(value) for value in values]
        return pa.array(texts, pa.string())


def _text(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(without_nan(value), default=str)
    # A lone surrogate is legal in JSON, but not in Arrow.
    return text.encode("utf-8", "replace").decode()


def _type_named(pa: Arrow, name: str | None) -> Arrow:
    """Return the Arrow type of a runtime's name for it, such as `string` or `list<float32>`."""
    if name is None:
        return None
    if name.startswith("list<") and name.endswith(">"):
        inner = _type_named(pa, name[5:-1])
        return pa.list_(pa.field("inner", inner, nullable=False))
    return pa.type_for_alias(name)
