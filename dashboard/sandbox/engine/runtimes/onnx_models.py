"""`onnx` by onnxruntime: any number of inputs and outputs, on the deployment's processors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Before numpy comes: its own threads would only take time from the model's.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as failures

from dashboard.sandbox.engine import onnx_file
from dashboard.sandbox.engine.runtimes.base import InputError, LoadError
from dashboard.sandbox.engine.tensors import Array, TensorSpec, row_lists, stack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dashboard.sandbox.engine.runtimes.base import Row, StepSpec

#: Column a model with a single input reads when nothing else was configured.
_TENSOR = "tensor"
_SINGLE = "single"
_ONLY_ERRORS = 3
_LONGEST_REASON = 300

#: onnxruntime's element types → ours (also the Arrow names).
_TYPES = {
    "float": "float32",
    "double": "float64",
    "float16": "float16",
    "bool": "bool",
    "string": "string",
} | {f"{sign}int{bits}": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
#: What a converted classifier gives: per row the probability of each label.
_LABELLED = ("seq(map(int64,tensor(float)))", "seq(map(string,tensor(float)))")

#: `onnxruntime` has no type hints: its sessions, options and descriptions are Any here.
Session = Any
Options = Any
Described = Any


class OnnxModel:
    """A loaded ONNX model. Each output of a row is a flat list."""

    def __init__(self, session: Session, step: StepSpec) -> None:
        self._session = session
        inputs = session.get_inputs()
        self._names = [each.name for each in inputs]
        self._specs = [_spec(each) for each in inputs]
        self._columns = _columns(self._names, step)
        self._is_batched = [not _is_vector(each) for each in inputs]
        self._row_by_row = (
            step.batch_config == _SINGLE
            or not all(self._is_batched)
            or any(each.shape and each.shape[0] == 1 for each in inputs)
        )
        self._outputs = [(each.name, _column_name(each.name)) for each in session.get_outputs()]
        self.output_types: Mapping[str, str] = {
            _column_name(each.name): _output_type(each) for each in session.get_outputs()
        }
        #: The column that the one output of a step before goes to; None with several inputs.
        self.sole_column = self._columns[0][0] if len(inputs) == 1 else None

    def predict(self, rows: Sequence[Row]) -> list[dict[str, Any]]:  # Any: the protocol's type
        """Return one row of flat lists per input row; rows are run together where that is possible.

        Raises
        ------
        InputError
            If a column is missing, or does not have the type and shape of the model's input.
        """
        stacked = [
            stack(_values(rows, columns, spec), spec, _present(rows, columns) or columns[0])
            for columns, spec in zip(self._columns, self._specs, strict=True)
        ]
        is_uneven = any(isinstance(each, list) for each in stacked)
        is_one = len(rows) == 1 and all(self._is_batched)
        if is_one or not (self._row_by_row or is_uneven):
            return self._run([np.asarray(each) for each in stacked], len(rows))
        answers: list[dict[str, Any]] = []  # Any: as above
        for index in range(len(rows)):
            try:
                answers += self._run(self._row(stacked, index), 1)
            except InputError as exc:
                raise InputError(str(exc), row=index) from exc
        return answers

    def _row(self, stacked: list[Array | list[Array]], index: int) -> list[Array]:
        return [
            each[index][np.newaxis] if is_batched else each[index]
            for each, is_batched in zip(stacked, self._is_batched, strict=True)
        ]

    def _run(self, arrays: list[Array], row_count: int) -> list[dict[str, Any]]:  # Any: as above
        try:
            values = self._session.run(None, dict(zip(self._names, arrays, strict=True)))
        except failures.InvalidArgument as exc:
            raise InputError(f"the model refuses this input: {_reason(exc)}") from exc
        columns = [
            (column, self._rows_of(value, name, row_count))
            for (name, column), value in zip(self._outputs, values, strict=True)
        ]
        return [
            {column: of_rows[index] for column, of_rows in columns} for index in range(row_count)
        ]

    def _rows_of(
        self, value: object, name: str, row_count: int
    ) -> list[list[Any]]:  # Any: as above
        if isinstance(value, list):
            array = np.array([list(each.values()) for each in value], dtype=np.float32)
        else:
            array = np.asarray(value)
        found = row_lists(array, row_count)
        if found is None:
            raise InputError(
                f"the model's output '{name}' has the shape {list(array.shape)} for "
                f'{row_count} rows: send one row, or configure batch_config="single"'
            )
        return found


def load(step: StepSpec) -> OnnxModel:
    """Load a model with what onnxruntime brings by itself: no operators or weights of others.

    Raises
    ------
    LoadError
        If it is no ONNX model, or one that cannot run here.
    """
    if step.artefact is None:
        raise LoadError(f"model '{step.model_name}' has no file")
    path = Path(step.artefact)
    try:
        onnx_file.check(path)
        session = onnxruntime.InferenceSession(
            str(path), _options(step.threads), providers=["CPUExecutionProvider"]
        )
    except onnx_file.BadOnnxError as exc:
        raise LoadError(f"model '{step.model_name}' failed to load: {exc}") from exc
    except _LOAD_FAILURES as exc:
        reason = _reason(exc).replace(str(path), "the model")
        raise LoadError(f"model '{step.model_name}' failed to load: {reason}") from exc
    return OnnxModel(session, step)


_LOAD_FAILURES = (
    failures.Fail,
    failures.InvalidArgument,
    failures.InvalidGraph,
    failures.InvalidProtobuf,
    failures.NoModel,
    failures.NoSuchFile,
    failures.NotImplemented,
    failures.RuntimeException,
)


def _options(threads: int) -> Options:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ONLY_ERRORS
    # A waiting thread must not burn the processor of the other engines.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _spec(described: Described) -> TensorSpec:
    element = described.type.removeprefix("tensor(").removesuffix(")")
    if not described.type.startswith("tensor(") or element not in _TYPES:
        raise LoadError(f"input '{described.name}' is a {described.type}, which no table can hold")
    name = _TYPES[element]
    dtype = np.dtype(object if name == "string" else name)
    sizes = [size if isinstance(size, int) and size >= 0 else None for size in described.shape]
    if _is_vector(described):
        return TensorSpec(dtype, name, tuple(sizes))
    # Without a shape, and for a scalar, onnxruntime shows the same empty list.
    return TensorSpec(dtype, name, tuple(sizes[1:]) if sizes else None)


def _is_vector(described: Described) -> bool:
    """Tell whether an input is one list of a fixed length, with no place for several rows."""
    shape = described.shape
    return len(shape) == 1 and isinstance(shape[0], int) and shape[0] > 1


def _output_type(described: Described) -> str:
    element = described.type.removeprefix("tensor(").removesuffix(")")
    if described.type in _LABELLED:
        return "list<float32>"
    if not described.type.startswith("tensor(") or element not in _TYPES:
        raise LoadError(f"output '{described.name}' is a {described.type}, which no table can hold")
    # Half-precision numbers go out as float32: see `row_lists`.
    return f"list<{_TYPES[element].replace('float16', 'float32')}>"


def _columns(names: list[str], step: StepSpec) -> list[tuple[str, ...]]:
    """Return, per input of the model, the columns it may come from; the first one is meant."""
    fields = step.tensor_fields
    if fields and len(fields) != len(names):
        raise LoadError(
            f"model '{step.model_name}' has {len(names)} inputs, and its tensor_fields name "
            f"{len(fields)} columns"
        )
    if fields:
        return [(field,) for field in fields]
    return [(_TENSOR, names[0])] if len(names) == 1 else [(name,) for name in names]


def _present(rows: Sequence[Row], columns: tuple[str, ...]) -> str | None:
    return next((column for column in columns if any(column in row for row in rows)), None)


def _values(rows: Sequence[Row], columns: tuple[str, ...], spec: TensorSpec) -> list[object]:
    column = _present(rows, columns)
    if column is None:
        raise InputError(f"missing column '{columns[0]}': expected type {spec.expected_type}")
    return [row.get(column) for row in rows]


def _column_name(output: str) -> str:
    # A leading dot marks a column of another group than `out`.
    return output.lstrip(".") or "output"


def _reason(exc: Exception) -> str:
    """Return onnxruntime's own words without its codes."""
    text = " ".join(str(exc).split()) or type(exc).__name__
    return text.rsplit(" : ", 1)[-1].strip()[:_LONGEST_REASON]
