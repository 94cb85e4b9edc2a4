"""Tiny ONNX models that tests upload, made on the spot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
#: Sizes of a tensor; a text names a free one.
Shape = Sequence[int | str] | None
Port = tuple[str, int, Shape]


def packed(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[Port],
    outputs: Sequence[Port | onnx.ValueInfoProto],
    constants: dict[str, np.ndarray[Any, Any]] | None = None,
) -> bytes:
    """Return a model's file."""
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info(*port) for port in inputs],
        [
            port if isinstance(port, onnx.ValueInfoProto) else helper.make_tensor_value_info(*port)
            for port in outputs
        ],
        [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=_OPSETS, ir_version=8)
    content: bytes = model.SerializeToString()
    return content


def linear(
    *,
    factor: float = 2.0,
    width: int = 4,
    batch: int | str = "n",
    entry: str = "input",
    output: str = "variable",
) -> bytes:
    """Return `factor` times the sum of `width` numbers."""
    return packed(
        [helper.make_node("MatMul", [entry, "w"], [output])],
        [(entry, TensorProto.FLOAT, [batch, width])],
        [(output, TensorProto.FLOAT, [batch, 1])],
        {"w": np.full((width, 1), factor, dtype=np.float32)},
    )


def identity(kind: int = TensorProto.FLOAT, shape: Shape = ("n", 2)) -> bytes:
    """Return what came in, of any type."""
    return packed(
        [helper.make_node("Identity", ["x"], ["y"])], [("x", kind, shape)], [("y", kind, shape)]
    )


def two_in_two_out() -> bytes:
    """Return the sum and the difference of `left` and `right`."""
    return packed(
        [
            helper.make_node("Add", ["left", "right"], ["sum"]),
            helper.make_node("Sub", ["left", "right"], ["difference"]),
        ],
        [(name, TensorProto.FLOAT, ["n", 2]) for name in ("left", "right")],
        [(name, TensorProto.FLOAT, ["n", 2]) for name in ("sum", "difference")],
    )


def picture() -> bytes:
    """Return the mean over height and width of a picture: (n, 3, 2, 4) to (n, 3, 1, 1)."""
    return packed(
        [helper.make_node("GlobalAveragePool", ["image"], ["mean"])],
        [("image", TensorProto.FLOAT, ["n", 3, 2, 4])],
        [("mean", TensorProto.FLOAT, ["n", 3, 1, 1])],
    )


def classifier() -> bytes:
    """Return a label and, as a converted classifier does, a map of probabilities."""
    probabilities = helper.make_value_info(
        "probabilities",
        helper.make_sequence_type_proto(
            helper.make_map_type_proto(
                TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, [])
            )
        ),
    )
    return packed(
        [
            helper.make_node("Softmax", ["x"], ["p"], axis=1),
            helper.make_node("ArgMax", ["p"], ["label"], axis=1, keepdims=0),
            helper.make_node(
                "ZipMap", ["p"], ["probabilities"], domain="ai.onnx.ml", classlabels_int64s=[0, 1]
            ),
        ],
        [("x", TensorProto.FLOAT, ["n", 2])],
        [("label", TensorProto.INT64, ["n"]), probabilities],
    )


def sequences() -> bytes:
    """Return a list of tensors, which no table can hold."""
    value = helper.make_tensor_sequence_value_info("parts", TensorProto.FLOAT, None)
    return packed(
        [helper.make_node("SplitToSequence", ["x"], ["parts"], axis=1)],
        [("x", TensorProto.FLOAT, ["n", 2])],
        [value],
    )


def custom_operator() -> bytes:
    """Return a model with an operator that nobody has."""
    return packed(
        [helper.make_node("Secret", ["x"], ["y"], domain="example.com")],
        [("x", TensorProto.FLOAT, ["n", 2])],
        [("y", TensorProto.FLOAT, ["n", 2])],
    )


def nested(content: bytes | None = None) -> bytes:
    """Return a model with its weights inside of a branch."""
    branch = helper.make_graph(
        [helper.make_node("Constant", [], ["out"], value=_weights(content))],
        "branch",
        [],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [2])],
    )
    return packed(
        [helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)],
        [("x", TensorProto.BOOL, [1])],
        [("y", TensorProto.FLOAT, [2])],
    )


def _weights(content: bytes | None) -> onnx.TensorProto:
    tensor = numpy_helper.from_array(np.ones(2, dtype=np.float32), "w")
    if content is not None:
        point_outside(tensor, content.decode())
    return tensor


def point_outside(tensor: onnx.TensorProto, location: str) -> None:
    """Move a tensor's numbers into a file beside the model."""
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location


def with_weights_outside(location: str) -> bytes:
    """Return the linear model with its weights in a file beside it."""
    model = onnx.load_from_string(linear())
    point_outside(model.graph.initializer[0], location)
    content: bytes = model.SerializeToString()
    return content


def exploding() -> bytes:
    """Return a model that fails when it runs: a reshape to a size that is not there."""
    return packed(
        [helper.make_node("Reshape", ["x", "shape"], ["y"])],
        [("x", TensorProto.FLOAT, ["n", 2])],
        [("y", TensorProto.FLOAT, [7])],
        {"shape": np.array([7], dtype=np.int64)},
    )


def slow(rounds: int = 40, size: int = 700) -> bytes:
    """Return a model that multiplies large matrices for a while."""
    names = ["w", *(f"m{number}" for number in range(rounds))]
    nodes = [
        helper.make_node("MatMul", [names[number], "w"], [names[number + 1]])
        for number in range(rounds)
    ]
    nodes += [
        helper.make_node("ReduceMean", [names[-1]], ["mean"], keepdims=0),
        helper.make_node("Add", ["x", "mean"], ["y"]),
    ]
    # Random, so that onnxruntime cannot fold the product into a constant: x comes in first.
    nodes.insert(0, helper.make_node("Mul", ["seed", "scale"], ["w"]))
    nodes.insert(0, helper.make_node("ReduceMean", ["x"], ["scale"], keepdims=0))
    return packed(
        nodes,
        [("x", TensorProto.FLOAT, ["n", 1])],
        [("y", TensorProto.FLOAT, ["n", 1])],
        {"seed": np.eye(size, dtype=np.float32) * 0.5},
    )


def reduced() -> bytes:
    """Return the sum of everything that came in, whatever the number of rows."""
    return packed(
        [helper.make_node("ReduceSum", ["x"], ["y"], keepdims=1)],
        [("x", TensorProto.FLOAT, ["n", 2])],
        [("y", TensorProto.FLOAT, [1, 1])],
    )
