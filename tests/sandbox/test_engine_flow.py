"""The stages of a pipeline in a worker: chains, splits, shadows and validations."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dashboard.sandbox.engine.flow import Flow, Passage
from dashboard.sandbox.engine.runtimes.base import InputError, require
from dashboard.sandbox.engine.stages import Stage, StageKind, chain
from dashboard.sandbox.engine.validations import (
    BadExpressionError,
    ValidationError,
    Validations,
    name_of,
)

Rows = list[dict[str, Any]]  # Any: model output


@dataclass
class Times:
    """A model that multiplies its one column."""

    factor: float
    output: str = "price"
    sole_column: str | None = "tensor"
    output_types: Mapping[str, str] = field(default_factory=dict)
    batches: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.output_types = {self.output: "list<float32>"}

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> Rows:  # Any: user data
        require(rows, "tensor", (list,), "list")
        self.batches.append(len(rows))
        return [{self.output: [self.factor * row["tensor"][0]]} for row in rows]


def run(
    models: Sequence[Times],
    stages: Sequence[Stage],
    rows: Rows,
    draw: float = 0.0,
) -> Passage:
    checks = {
        place: Validations(stage.expressions)
        for place, stage in enumerate(stages)
        if stage.kind is StageKind.CHECK
    }
    names = [f"m{number}" for number in range(len(models))]
    return Flow(models, names, stages, checks).run(rows, draw=draw, started_ns=0)


ONE: Rows = [{"tensor": [1.0]}]


def test_a_chain_feeds_a_lone_output_to_a_lone_input():
    passage = run([Times(2), Times(3, "total")], chain(2), ONE)
    assert passage.rows == [{"total": [6.0]}]
    assert passage.types == {"total": "list<float32>"}
    assert (len(passage.elapsed_ns), passage.ran) == (2, [0, 1])


@dataclass
class Broken(Times):
    """A model that refuses every input."""

    factor: float = 0
    failure: Exception = field(default_factory=lambda: InputError("not for me", row=0))

    def predict(self, _rows: Sequence[Mapping[str, Any]]) -> Rows:  # Any: user data
        raise self.failure


def test_a_model_of_several_inputs_takes_the_outputs_before_it_by_name():
    with pytest.raises(InputError, match="missing column 'tensor'"):
        run([Times(2), Times(3, sole_column=None)], chain(2), ONE)
    passage = run([Times(2, "tensor"), Times(3, sole_column=None)], chain(2), ONE)
    assert passage.rows == [{"price": [6.0]}]


SHADOW = (Stage(StageKind.MODELS, steps=(0, 1, 2)), Stage(StageKind.ALL))


@pytest.mark.parametrize("stages", [SHADOW, SHADOW[:1]], ids=["shadow", "several models"])
def test_shadow_models_answer_beside_the_champion(stages):
    passage = run([Times(1), Times(2), Times(3)], stages, ONE)
    assert passage.rows == [
        {"price": [1.0], ".out_m1.price": [2.0], ".out_m2.price": [3.0]},
    ]
    assert set(passage.types.values()) == {"list<float32>"}
    assert (len(passage.elapsed_ns), passage.ran[-1]) == (1, 0)


@pytest.mark.parametrize("failure", [InputError("not for me", row=0), ZeroDivisionError("1/0")])
def test_the_champions_answer_stands_when_a_challenger_fails(failure, capsys):
    models = [Times(1), Broken(failure=failure), Times(3)]
    passage = run(models, SHADOW, ONE * 2)
    assert (
        passage.rows
        == [
            {"price": [1.0], ".out_m1.price": None, ".out_m2.price": [3.0]},
        ]
        * 2
    )
    assert set(passage.types.values()) == {"list<float32>"}
    assert passage.ran == [2, 0]
    said = "not for me" if isinstance(failure, InputError) else "ZeroDivisionError"
    assert capsys.readouterr().err == f"model 'm1' failed beside the first one: {said}\n"


@pytest.mark.parametrize(
    ("places", "after"),
    [
        ((1, 0), (Stage(StageKind.ALL),)),
        ((0, 1), ()),
        ((0, 1), (Stage(StageKind.SELECT, index=1),)),
    ],
    ids=["the champion", "one of several", "the selected one"],
)
def test_a_failure_of_a_model_that_is_to_answer_is_the_requests(places, after):
    stages = (Stage(StageKind.MODELS, steps=places), *after)
    with pytest.raises(InputError, match="not for me"):
        run([Times(1), Broken()], stages, ONE)


def test_a_model_that_is_not_selected_may_fail():
    stages = (Stage(StageKind.MODELS, steps=(0, 1)), Stage(StageKind.SELECT, index=0))
    assert run([Times(1), Broken()], stages, ONE).rows == [{"price": [1.0]}]


def test_the_champion_alone_feeds_the_next_model():
    stages = (*SHADOW, Stage(StageKind.MODELS, steps=(3,)))
    passage = run([Times(1), Times(2), Times(3), Times(10, "end")], stages, ONE)
    assert passage.rows == [{"end": [10.0]}]


def test_one_of_several_outputs_is_selected():
    stages = (SHADOW[0], Stage(StageKind.SELECT, index=2))
    passage = run([Times(1), Times(2), Times(3)], stages, ONE)
    assert (passage.rows, passage.ran[-1]) == ([{"price": [3.0]}], 2)


SPLIT = Stage(StageKind.SPLIT, steps=(0, 1), labels=("A", "B"), weights=(2.0, 1.0))


@pytest.mark.parametrize(("draw", "label"), [(0.0, "A"), (0.66, "A"), (0.67, "B"), (0.999, "B")])
def test_a_draw_sends_a_whole_request_to_one_model_by_weight(draw, label):
    models = [Times(1), Times(2)]
    passage = run(models, [SPLIT], ONE * 3, draw)
    assert [row["_model_split"] for row in passage.rows] == [[label]] * 3
    assert passage.types["_model_split"] == "list<string>"
    assert sorted(len(model.batches) for model in models) == [0, 1]


@pytest.mark.parametrize("draw", [0.0, 0.5, 1.0])
def test_a_model_without_weight_is_never_drawn(draw):
    stage = Stage(StageKind.SPLIT, steps=(0, 1, 2), labels=("A", "B", "C"), weights=(0, 1, 0))
    assert run([Times(1), Times(2), Times(3)], [stage], ONE, draw).rows[0]["_model_split"] == ["B"]


def test_a_hash_key_in_the_rows_decides_instead_of_the_draw():
    stage = Stage(StageKind.SPLIT, (0, 1), ("A", "B"), (1.0, 1.0), key="k")
    rows: Rows = [
        {"tensor": [1.0], "k": 0.4},
        {"tensor": [2.0], "k": 0.6},
        {"tensor": [3.0], "k": 0},
        {"tensor": [4.0]},
    ]
    passage = run([Times(10), Times(100)], [stage], rows, 0.9)
    assert [row["price"] for row in passage.rows] == [[10.0], [200.0], [30.0], [400.0]]
    people: Rows = [{"tensor": [1.0], "k": f"user {number}"} for number in range(200)]
    labels = [row["_model_split"][0] for row in run([Times(1), Times(2)], [stage], people).rows]
    assert 60 < labels.count("A") < 140
    again = run([Times(1), Times(2)], [stage], people, 0.9).rows
    assert [row["_model_split"][0] for row in again] == labels


def test_a_key_routes_each_row_and_the_rest_goes_to_the_default():
    stage = Stage(StageKind.KEY_SPLIT, (0, 1, 2), ("D", "G", "7"), key="card", routes=("gold", "7"))
    cards: list[object] = ["gold", "silver", None, 7, 7.0, ["gold"]]
    rows: Rows = [{"tensor": [1.0], "card": card} for card in cards]
    passage = run([Times(1), Times(2), Times(3)], [stage], rows)
    labels = [row["_model_split"][0] for row in passage.rows]
    assert labels == ["G", "D", "D", "7", "7", "G"]
    assert [row["price"] for row in passage.rows] == [[2.0], [1.0], [1.0], [3.0], [3.0], [2.0]]


def test_a_bad_row_behind_a_split_is_named_by_its_place_in_the_request():
    stage = Stage(StageKind.KEY_SPLIT, (0, 1), ("A", "B"), key="k", routes=("b",))
    rows: Rows = [
        {"tensor": [1.0], "k": "a"},
        {"tensor": [1.0], "k": "b"},
        {"tensor": None, "k": "b"},
    ]
    with pytest.raises(InputError, match="found null") as caught:
        run([Times(1), Times(2)], [stage], rows)
    assert caught.value.row == 2


def test_models_that_disagree_on_a_type_leave_it_open():
    models = [Times(1), Times(2)]
    models[1].output_types = {"price": "list<int64>"}
    stage = Stage(StageKind.KEY_SPLIT, (0, 1), ("A", "B"), key="k", routes=("b",))
    rows: Rows = [{"tensor": [1.0], "k": "a"}, {"tensor": [1.0], "k": "b"}]
    assert "price" not in run(models, [stage], rows).types


def rule(**expressions: pl.Expr) -> Stage:
    texts = tuple(each.alias(name).meta.write_json() for name, each in expressions.items())
    return Stage(StageKind.CHECK, expressions=texts)


PRICE = pl.col("out.price").list.get(0)


def test_validations_speak_up_by_row_without_touching_the_outputs():
    stages = (*chain(1), rule(high=PRICE > 5, both=(PRICE > 1) & (pl.col("in.n") == 1)))
    rows: Rows = [{"tensor": [3.0], "n": 1}, {"tensor": [1.0], "n": 1}, {"tensor": [0.0], "n": 0}]
    passage = run([Times(2)], stages, rows)
    assert [row["price"] for row in passage.rows] == [[6.0], [2.0], [0.0]]
    assert [row[".anomaly.high"] for row in passage.rows] == [True, False, False]
    assert [row[".anomaly.both"] for row in passage.rows] == [True, True, False]
    assert passage.types[".anomaly.high"] == "bool"
    assert len(passage.elapsed_ns) == 1


def test_a_validation_may_read_what_shadow_models_say():
    stages = (*SHADOW, rule(apart=pl.col("out_m1.price").list.get(0) - PRICE > 0.5))
    passage = run([Times(1), Times(2), Times(3)], stages, ONE)
    assert passage.rows[0][".anomaly.apart"] is True


@pytest.mark.parametrize(
    "expression",
    [
        PRICE.is_in([2.0, 3.0]),
        PRICE.is_null() | PRICE.is_nan() | (PRICE.abs() > 1),
        PRICE.cast(pl.Int64) == 2,
        pl.when(PRICE > 1).then(pl.lit(True)).otherwise(pl.lit(False)),  # polars
        pl.col("in.text").str.contains("a") & pl.col("in.text").str.starts_with("a"),
        PRICE.is_between(1, 3),
        PRICE.mean() > 1,
        pl.lit(True),  # polars
    ],
)
def test_expressions_as_people_write_them_are_evaluated(expression):
    passage = run(
        [Times(2)], (*chain(1), rule(found=expression)), [{"tensor": [1.0], "text": "ab"}]
    )
    assert passage.rows[0][".anomaly.found"] is True


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        (pl.col("out.other") > 1, "validation v cannot be evaluated: .*out.other"),
        (PRICE + 1, "validation v gives Float32 and not true or false"),
        (pl.col("out.price") > 1, "validation v"),
    ],
)
def test_a_validation_that_cannot_be_evaluated_is_named(expression, reason):
    with pytest.raises(ValidationError, match=reason):
        run([Times(2)], (*chain(1), rule(v=expression)), ONE)


def planted(path: Path) -> str:
    """Return an expression with a pickle inside that would make a file, as polars writes them."""

    class Trap:
        def __reduce__(self):
            return (Path.touch, (path,))

    function = pl.col("out.price").map(Trap())  # type: ignore[arg-type]  # it is never called
    return function.alias("trap").meta.write_json()


def test_a_pickle_in_an_expression_is_refused_unopened(tmp_path):
    path = tmp_path / "opened"
    expression = planted(path)
    assert "AnonymousFunction" in expression
    with pytest.raises(BadExpressionError, match="trap has a part that the sandbox does not"):
        name_of(expression)
    with pytest.raises(BadExpressionError, match="trap has a part that the sandbox does not"):
        Validations([expression])
    assert not path.exists()
    pl.Expr.from_json(expression)
    assert path.exists(), "polars itself would have opened it"


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("no json", "is not JSON"),
        ("[" * 5000, "is not JSON"),
        ("{}", "has no name"),
        ("5", "has no name"),
        ('{"Alias": [{"Column": "a"}, "count"]}', "cannot be called 'count'"),
        ('{"Alias": [{"Column": "a"}, "a b"]}', "cannot be called 'a b'"),
        ('{"Alias": [{"Python": []}, "a"]}', "does not evaluate: Python"),
        (json.dumps({"Alias": [{"Column": "a" * 300_000}, "a"]}), "is too long"),
    ],
)
def test_what_is_no_expression_is_refused(expression, reason):
    with pytest.raises(BadExpressionError, match=reason):
        name_of(expression)


@pytest.mark.parametrize(
    "tree", [{"Column": 5}, {"BinaryExpr": {}}, {"Literal": {"Int32": "x"}}, {}, []]
)
def test_known_parts_in_a_wrong_order_are_no_polars_expression(tree):
    expression = json.dumps({"Alias": [tree, "v"]})
    with pytest.raises(BadExpressionError, match="v is no polars expression"):
        Validations([expression])
