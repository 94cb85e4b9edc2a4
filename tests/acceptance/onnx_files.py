"""Small ONNX models of the shapes that tutorials use, written to a folder by `write`.

Each is a few matrix products with known numbers, so that a script can tell what must come out.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

#: Columns of a house: bedrooms, bathrooms, square feet and so on.
HOUSE_COLUMNS = 18
FRAUD_COLUMNS = 29
_OPSET = 17


def write(folder: Path) -> None:
    """Write every model into `folder`, which is made if it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    # The price is 100 per square foot (the third number) and a base that tells the models apart.
    for name, base, entry in [
        ("rf_model", 1_000.0, "tensor"),
        ("xgb_model", 2_000.0, "input"),
        ("gbr_model", 3_000.0, "float_input"),
    ]:
        _save(folder / f"{name}.onnx", _linear(entry, HOUSE_COLUMNS, 2, 100.0, base, "variable"))
    _save(folder / "ccfraud.onnx", _fraud())
    _save(folder / "embedder.onnx", _linear("tensor", 100, 0, 2.0, 0.0, "embedding"))
    _save(folder / "sentiment.onnx", _linear("embedded", 1, 0, 1.0, 0.5, "dense_1"))
    _save(folder / "multi_io.onnx", _multi_io())
    _save(folder / "classifier.onnx", _classifier())


def _linear(
    entry: str, columns: int, column: int, factor: float, base: float, output: str
) -> onnx.ModelProto:
    """Return `factor` times one column plus `base`."""
    weight = np.zeros((columns, 1), dtype=np.float32)
    weight[column] = factor
    node = helper.make_node("Gemm", [entry, "weight", "base"], [output])
    graph = helper.make_graph(
        [node],
        "linear",
        [_value(entry, columns)],
        [_value(output, 1)],
        [
            numpy_helper.from_array(weight, "weight"),
            numpy_helper.from_array(np.array([base], dtype=np.float32), "base"),
        ],
    )
    return _model(graph)


def _fraud() -> onnx.ModelProto:
    """Return the first column's sigmoid, the likelihood of a fraud."""
    weight = np.zeros((FRAUD_COLUMNS, 1), dtype=np.float32)
    weight[0] = 1.0
    nodes = [
        helper.make_node("MatMul", ["dense_input", "weight"], ["summed"]),
        helper.make_node("Sigmoid", ["summed"], ["dense_1"]),
    ]
    graph = helper.make_graph(
        nodes,
        "fraud",
        [_value("dense_input", FRAUD_COLUMNS)],
        [_value("dense_1", 1)],
        [numpy_helper.from_array(weight, "weight")],
    )
    return _model(graph)


def _multi_io() -> onnx.ModelProto:
    """Return a model of two inputs: their sums, each in an output of its own."""
    nodes = [
        helper.make_node("ReduceSum", ["input_1", "axes"], ["output_1"], keepdims=1),
        helper.make_node("ReduceSum", ["input_2", "axes"], ["output_2"], keepdims=1),
    ]
    graph = helper.make_graph(
        nodes,
        "multi_io",
        [_value("input_1", 3), _value("input_2", 2)],
        [_value("output_1", 1), _value("output_2", 1)],
        [numpy_helper.from_array(np.array([1], dtype=np.int64), "axes")],
    )
    return _model(graph)


def _classifier() -> onnx.ModelProto:
    """Return the place of the largest of three numbers (int64), and their softmax."""
    nodes = [
        helper.make_node("ArgMax", ["float_input"], ["output_label"], axis=1, keepdims=0),
        helper.make_node("Softmax", ["float_input"], ["output_probability"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "classifier",
        [_value("float_input", 3)],
        [
            helper.make_tensor_value_info("output_label", TensorProto.INT64, [None]),
            _value("output_probability", 3),
        ],
    )
    return _model(graph)


def _value(name: str, columns: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, columns])


def _model(graph: onnx.GraphProto) -> onnx.ModelProto:
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)


def _save(path: Path, model: onnx.ModelProto) -> None:
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
