"""The runtime of ONNX models by itself: what goes in, what comes out, and what is refused."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto

from dashboard.sandbox.engine import onnx_file
from dashboard.sandbox.engine.runtimes.base import InputError, LoadError, StepSpec
from dashboard.sandbox.engine.runtimes.onnx_models import OnnxModel, load
from tests.sandbox import onnx_models

WHOLE = onnx_models.two_in_two_out()
Loader = Callable[..., OnnxModel]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory) -> Loader:
    folder = tmp_path_factory.mktemp("models")
    numbers = itertools.count()

    def make(content: bytes, **changes: Any) -> OnnxModel:  # Any: fields of a step
        path = folder / str(next(numbers))
        path.write_bytes(content)
        spec: dict[str, Any] = {
            "model_name": "m",
            "framework": "onnx",
            "runtime": "onnx",
            "sha": "",
            "artefact": str(path),
            "input_schema": None,
            "output_schema": None,
            "tensor_fields": None,
        }
        return load(StepSpec(**(spec | changes)))

    return make


def test_rows_are_answered_in_order_with_the_shortest_float32(loaded):
    model = loaded(onnx_models.linear(factor=0.123))
    rows = [{"tensor": [1, 0, 0, 0]}, {"tensor": [1.0, 1.0, 1.0, 1.0]}]
    assert json.dumps(model.predict(rows)) == '[{"variable": [0.123]}, {"variable": [0.492]}]'
    assert model.output_types == {"variable": "list<float32>"}


@pytest.mark.parametrize("column", ["tensor", "input"])
def test_a_lone_input_is_the_column_tensor_or_its_own_name(loaded, column):
    rows = [{column: [1, 2, 3, 4], "index": 7}]
    assert loaded(onnx_models.linear()).predict(rows) == [{"variable": [20.0]}]


def test_tensor_fields_name_the_columns_in_the_order_of_the_inputs(loaded):
    model = loaded(onnx_models.two_in_two_out(), tensor_fields=["a", "b"])
    rows = [{"b": [1, 1], "a": [5, 7]}, {"b": [2, 2], "a": [0, 0]}]
    assert model.predict(rows) == [
        {"sum": [6.0, 8.0], "difference": [4.0, 6.0]},
        {"sum": [2.0, 2.0], "difference": [-2.0, -2.0]},
    ]
    with pytest.raises(InputError, match="missing column 'b': expected type list<float32>"):
        model.predict([{"a": [1, 2], "right": [1, 2]}])


def test_tensor_fields_of_another_number_fail_the_loading(loaded):
    with pytest.raises(LoadError, match="has 2 inputs, and its tensor_fields name 1 columns"):
        loaded(onnx_models.two_in_two_out(), tensor_fields=["tensor"])


@pytest.mark.parametrize(
    "value",
    [
        list(range(24)),
        [[list(range(4)), list(range(4, 8))]] * 3,
        [[[list(range(4)), list(range(4, 8))]] * 3],
    ],
    ids=["flat", "nested", "nested with a batch of one"],
)
def test_a_picture_may_come_flat_or_nested_and_goes_out_flat(loaded, value):
    (row,) = loaded(onnx_models.picture()).predict([{"tensor": value}])
    assert len(row["mean"]) == 3
    assert row["mean"][0] == 3.5


def test_a_model_of_one_row_gets_row_by_row(loaded):
    rows = [{"tensor": [number, 0, 0, 0]} for number in range(3)]
    expected = [{"variable": [2.0 * number]} for number in range(3)]
    assert loaded(onnx_models.linear(batch=1)).predict(rows) == expected
    assert loaded(onnx_models.linear(), batch_config="single").predict(rows) == expected


def test_a_model_of_one_plain_list_gets_row_by_row(loaded):
    model = loaded(onnx_models.identity(shape=[3]))
    assert model.predict([{"tensor": [1, 2, 3]}]) == [{"y": [1.0, 2.0, 3.0]}]
    assert model.predict([{"tensor": [1, 2, 3]}] * 2) == [{"y": [1.0, 2.0, 3.0]}] * 2


def test_a_model_of_a_fixed_number_of_rows_names_it(loaded):
    model = loaded(onnx_models.linear(batch=2))
    rows = [{"tensor": [1, 2, 3, 4]}]
    assert model.predict(rows * 2) == [{"variable": [20.0]}] * 2
    with pytest.raises(InputError, match=r"the model refuses this input: .*Got: 3 Expected: 2"):
        model.predict(rows * 3)


def test_rows_of_different_lengths_fit_a_model_of_free_lengths(loaded):
    model = loaded(onnx_models.identity(shape=["n", "m"]))
    assert model.predict([{"tensor": [1, 2]}, {"tensor": [3]}]) == [{"y": [1.0, 2.0]}, {"y": [3.0]}]


def test_scalars_fit_inputs_of_one_number(loaded):
    assert loaded(onnx_models.identity(shape=["n"])).predict([{"x": 1}]) == [{"y": [1.0]}]
    assert loaded(onnx_models.identity(shape=["n", 1])).predict([{"x": 2}]) == [{"y": [2.0]}]


@pytest.mark.parametrize(
    ("kind", "values", "answer"),
    [
        (TensorProto.FLOAT16, [0.1, 2], [0.099975586, 2.0]),
        (TensorProto.FLOAT, [0.1, 2], [0.1, 2.0]),
        (TensorProto.DOUBLE, [0.1, 2], [0.1, 2.0]),
        (TensorProto.INT8, [-128, 3.0], [-128, 3]),
        (TensorProto.INT16, [-1, 2], [-1, 2]),
        (TensorProto.INT32, [1, 2], [1, 2]),
        (TensorProto.INT64, [2**60, 2], [2**60, 2]),
        (TensorProto.UINT8, [0, 255], [0, 255]),
        (TensorProto.UINT64, [2**63, 1], [2**63, 1]),
        (TensorProto.BOOL, [True, False], [True, False]),
        (TensorProto.STRING, ["a", "é\0"], ["a", "é\0"]),
    ],
)
def test_every_type_of_a_table_goes_in_and_out(loaded, kind, values, answer):
    model = loaded(onnx_models.identity(kind))
    (row,) = model.predict([{"tensor": values}])
    assert row["y"] == answer
    assert [type(value) for value in row["y"]] == [type(value) for value in answer]


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (None, "wrong type: expected list<float32>, found null"),
        ([1, None, 3, 4], "wrong type: expected list<float32>, found null"),
        (["a"] * 4, "wrong type: expected list<float32>, found list<string>"),
        ([1, "a", 3, 4], "wrong type: expected list<float32>, found a mix of types"),
        ([[1], [2, 3]], "wrong type: expected list<float32>, found lists of different lengths"),
        ({"a": 1}, "wrong type: expected list<float32>, found struct"),
        ([2**70] * 4, "wrong type: expected list<float32>, found a number that is too large"),
        ([1, 2, 3], r"wrong shape: expected \[4\], found \[3\]"),
        ([], r"wrong shape: expected \[4\], found \[0\]"),
        (5, r"wrong shape: expected \[4\], found \[\]"),
        ([[1, 2], [3, 4]], r"wrong shape: expected \[4\], found \[2, 2\]"),
    ],
)
def test_a_value_that_does_not_fit_names_column_expectation_and_row(loaded, value, error):
    good = {"tensor": [1, 2, 3, 4]}
    with pytest.raises(InputError, match=f"column 'tensor' has the {error}") as caught:
        loaded(onnx_models.linear()).predict([good, good, {"tensor": value}])
    assert caught.value.row == 2


@pytest.mark.parametrize(
    ("kind", "values", "error"),
    [
        (TensorProto.INT8, [1, 300], "holds a number that is no int8"),
        (TensorProto.INT64, [1.5, 1], "holds a number that is no int64"),
        (TensorProto.UINT8, [-1, 1], "holds a number that is no uint8"),
        (TensorProto.BOOL, [1, 0], "expected list<bool>, found list<int64>"),
        (TensorProto.STRING, [1, 2], "expected list<string>, found list<int64>"),
    ],
)
def test_no_number_is_bent_to_fit(loaded, kind, values, error):
    with pytest.raises(InputError, match=error) as caught:
        loaded(onnx_models.identity(kind)).predict([{"tensor": values}])
    assert caught.value.row == 0


def test_a_converted_classifier_gives_labels_and_probabilities(loaded):
    model = loaded(onnx_models.classifier())
    rows = model.predict([{"tensor": [0, 0]}, {"tensor": [0, 30]}])
    assert [row["label"] for row in rows] == [[0], [1]]
    assert rows[0]["probabilities"] == [0.5, 0.5]
    assert model.output_types == {"label": "list<int64>", "probabilities": "list<float32>"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (onnx_models.sequences(), r"output 'parts' is a seq\(tensor\(float\)\), which no table"),
        (onnx_models.identity(TensorProto.BFLOAT16), "input 'x' is a tensor.bfloat16., which no"),
        (onnx_models.custom_operator(), "failed to load: .*example.com"),
        (onnx_models.with_weights_outside("../secret"), "keeps weights in other files"),
        (onnx_models.nested(b"/etc/passwd"), "keeps weights in other files"),
        (b"junk", "is not an ONNX model"),
    ],
)
def test_what_cannot_run_fails_the_loading_with_a_reason(loaded, content, reason):
    with pytest.raises(LoadError, match=reason) as caught:
        loaded(content)
    assert "/" not in str(caught.value), "the reason shows no path"


def test_an_output_without_one_entry_per_row_asks_for_single_rows(loaded):
    content = onnx_models.reduced()
    assert loaded(content).predict([{"tensor": [1, 2]}]) == [{"y": [3.0]}]
    with pytest.raises(InputError, match='configure batch_config="single"'):
        loaded(content).predict([{"tensor": [1, 2]}] * 3)
    single = loaded(content, batch_config="single")
    assert single.predict([{"tensor": [1, 2]}] * 2) == [{"y": [3.0]}] * 2


@given(
    st.binary(max_size=200)
    | st.tuples(
        st.integers(0, len(WHOLE) - 1), st.integers(0, 255), st.integers(0, len(WHOLE))
    ).map(
        lambda change: (WHOLE[: change[0]] + bytes([change[1]]) + WHOLE[change[0] + 1 :])[
            : change[2]
        ]
    )
)
def test_any_bytes_are_a_model_or_refused_and_never_anything_else(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.onnx"
    path.write_bytes(content)
    with contextlib.suppress(onnx_file.BadOnnxError):
        onnx_file.check(path)


def test_every_model_of_these_tests_passes_the_check_of_the_upload(tmp_path):
    path = tmp_path / "m"
    made = (onnx_models.linear(), onnx_models.classifier(), onnx_models.nested(), WHOLE)
    for content in made:
        path.write_bytes(content)
        onnx_file.check(path)
