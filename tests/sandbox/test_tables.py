from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from dashboard.sandbox.arrow_tables import answer_table, rows_of
from dashboard.sandbox.errors import EngineError
from dashboard.sandbox.tables import (
    Selection,
    flat_rows,
    nested_rows,
    rows_from_json,
    to_json,
)

METADATA = {
    "last_model": '{"model_name":"m","model_sha":"s"}',
    "pipeline_version": "v",
    "elapsed": [1, 2],
    "dropped": [],
    "partition": "engine-a",
}
ALL = [
    "time",
    "in.a",
    "in.inputs",
    "out.summary_text",
    "anomaly.count",
    "metadata.last_model",
    "metadata.pipeline_version",
    "metadata.elapsed",
    "metadata.dropped",
    "metadata.partition",
]


def selection(*include: str, exclude: tuple[str, ...] = (), separator: str = ".") -> Selection:
    pairs = [("dataset[]", each) for each in include]
    pairs += [("dataset.exclude[]", each) for each in exclude]
    return Selection.from_query([*pairs, ("dataset.separator", separator)])


def columns(chosen: Selection) -> list[str]:
    (row,) = flat_rows(
        [{"inputs": "text", "a": 1}],
        [{"summary_text": "t"}],
        time_ms=7,
        metadata=METADATA,
        selection=chosen,
    )
    return list(row)


def test_the_columns_stand_in_the_order_of_the_wire():
    assert columns(selection("*")) == ALL


def test_the_sdks_default_leaves_the_metadata_out():
    assert columns(selection("*", exclude=("metadata",))) == ALL[:5]


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        (("out",), (), ["out.summary_text"]),
        (("time", "in.inputs"), (), ["time", "in.inputs"]),
        (("metadata",), (), ALL[5:]),
        (("*", "metadata.elapsed"), ("metadata",), [*ALL[:5], "metadata.elapsed"]),
        (("*",), ("in", "metadata"), ["time", "out.summary_text", "anomaly.count"]),
        (("in",), ("in.a",), ["in.inputs"]),
        (("in", "out"), ("in", "out"), []),
        (("in.input",), (), []),
        (("nothing",), (), []),
    ],
)
def test_the_closer_of_include_and_exclude_decides(include, exclude, expected):
    assert columns(selection(*include, exclude=exclude)) == expected


def test_another_separator_joins_the_names():
    assert columns(selection("in", "out_summary_text", separator="_")) == [
        "in_a",
        "in_inputs",
        "out_summary_text",
    ]


def test_without_a_separator_the_records_are_nested():
    (row,) = nested_rows(
        [{"inputs": "text"}],
        [{"summary_text": "t"}],
        time_ms=7,
        metadata=METADATA,
        selection=Selection.from_query([]),
    )
    assert row == {
        "time": 7,
        "in": {"inputs": "text"},
        "out": {"summary_text": "t"},
        "anomaly": {"count": 0},
        "metadata": METADATA,
    }


def test_a_column_that_some_rows_lack_is_null_there():
    rows = flat_rows(
        [{"inputs": "a", "b": 1}, {"inputs": "c"}],
        [{}, {}],
        time_ms=7,
        metadata={},
        selection=selection("in"),
    )
    assert rows == [{"in.b": 1, "in.inputs": "a"}, {"in.b": None, "in.inputs": "c"}]


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (b"[]", []),
        (b"{}", []),
        (b'[{"a":1}]', [{"a": 1}]),
        (b'{"a":1}', [{"a": 1}]),
        (b'{"a":[1,2],"b":["x","y"]}', [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]),
        (b'{"tensor":[[1.0,2.0]]}', [{"tensor": [1.0, 2.0]}]),
    ],
)
def test_json_bodies_become_rows(body, rows):
    assert rows_from_json(body) == rows


@pytest.mark.parametrize(
    "body",
    [b"", b"nope", b"\xff\xfe", b"3", b'"text"', b"[1]", b"[[1]]", b'{"a":[1],"b":[]}',
     b"[" * 100_000],
)  # fmt: skip
def test_other_bodies_are_a_400(body):
    with pytest.raises(EngineError) as caught:
        rows_from_json(body)
    assert caught.value.status == 400


def test_nan_and_infinity_become_null():
    text = to_json([{"a": float("nan"), "b": [1.5, float("inf")], "c": {"d": -float("inf")}}])
    assert json.loads(text) == [{"a": None, "b": [1.5, None], "c": {"d": None}}]
    assert b"NaN" not in text


ANOMALOUS = [
    {"variable": [1.0], ".out_second.variable": [2.0], ".anomaly.low": True, ".anomaly.high": True},
    {
        "variable": [3.0],
        ".out_second.variable": [4.0],
        ".anomaly.low": False,
        ".anomaly.high": None,
    },
]


def test_anomalies_and_shadow_models_have_columns_of_their_own():
    first, second = flat_rows(
        [{"tensor": [0.5]}] * 2, ANOMALOUS, time_ms=7, metadata={}, selection=selection("*")
    )
    assert first == {
        "time": 7,
        "in.tensor": [0.5],
        "out.variable": [1.0],
        "out_second.variable": [2.0],
        "anomaly.count": 2,
        "anomaly.low": True,
        "anomaly.high": True,
    }
    assert list(first) == list(second)
    assert (second["anomaly.count"], second["anomaly.high"]) == (0, None)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (("anomaly",), ["anomaly.count", "anomaly.low", "anomaly.high"]),
        (("anomaly.low",), ["anomaly.low"]),
        (("out",), ["out.variable"]),
        (("out_second",), ["out_second.variable"]),
    ],
)
def test_anomalies_and_shadow_models_are_datasets(asked, found):
    (row, _) = flat_rows(
        [{"tensor": [0.5]}] * 2, ANOMALOUS, time_ms=7, metadata={}, selection=selection(*asked)
    )
    assert list(row) == found


def test_anomalies_and_shadow_models_are_nested():
    (row, _) = nested_rows(
        [{}, {}], ANOMALOUS, time_ms=7, metadata={}, selection=Selection.from_query([])
    )
    assert row["out_second"] == {"variable": [2.0]}
    assert row["anomaly"] == {"count": 2, "low": True, "high": True}


def test_arrow_answers_have_the_types_of_the_wire():
    import pyarrow as pa

    table = answer_table(
        [{"tensor": [0.5]}] * 2,
        ANOMALOUS,
        time_ms=7,
        metadata=METADATA,
        output_types={
            "variable": "list<float32>",
            ".out_second.variable": "list<float32>",
            ".anomaly.low": "bool",
        },
        selection=selection("*"),
    )
    floats = pa.list_(pa.field("inner", pa.float32(), nullable=False))
    for name in ("out.variable", "out_second.variable"):
        assert table.schema.field(name) == pa.field(name, floats, nullable=False)
    assert table.schema.field("anomaly.count") == pa.field("anomaly.count", pa.uint32(), False)
    assert table.schema.field("anomaly.low") == pa.field("anomaly.low", pa.bool_(), False)
    assert table["anomaly.count"].to_pylist() == [2, 0]
    table.validate(full=True)


def test_a_null_inside_of_a_list_is_no_lie_in_the_type():
    table = answer_table(
        [{}],
        [{"scores": [1.0, None]}],
        time_ms=7,
        metadata={},
        output_types={"scores": "list<float32>"},
        selection=selection("*"),
    )
    assert table.schema.field("out.scores").type.value_field.nullable
    assert table["out.scores"].to_pylist() == [[1.0, None]]


@pytest.mark.parametrize("name", ["nonsense", "list<nonsense>", "float", "list<int8>"])
def test_values_that_are_not_of_their_type_are_still_given(name):
    table = answer_table(
        [{}],
        [{"x": {"deep": "text"}}],
        time_ms=7,
        metadata={},
        output_types={"x": name},
        selection=selection("*"),
    )
    assert table["out.x"].to_pylist() == [{"deep": "text"}]


def test_half_precision_numbers_are_numbers_at_any_depth():
    half = np.float16(0.5)
    nested = pa.struct([("x", pa.list_(pa.float16()))])
    table = pa.table(
        {
            "alone": pa.array([half], pa.float16()),
            "none": pa.array([None], pa.float16()),
            "list": pa.array([[half, None]], pa.list_(pa.float16())),
            "struct": pa.array([{"x": [half]}], nested),
            "text": ["half"],
        }
    )
    rows = rows_of(table)
    expected = {"alone": 0.5, "none": None, "list": [0.5, None], "struct": {"x": [0.5]}}
    assert rows == [expected | {"text": "half"}]
    assert json.loads(json.dumps(rows)) == rows
