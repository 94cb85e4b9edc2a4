"""Definitions as the SDK writes them, and as nobody should."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wallaroo.pipeline_config import (
    AuditResults,
    Check,
    MetaValueSplit,
    ModelForStep,
    ModelInference,
    ModelWeight,
    MultiOut,
    Nth,
    RandomSplit,
    Step,
)

from dashboard.sandbox import pipeline_steps
from dashboard.sandbox.engine.stages import Stage, StageKind
from dashboard.sandbox.pipeline_steps import BadDefinitionError

A, B, C = (ModelForStep(name, f"{name}-version", f"{name}-sha") for name in "abc")


def definition(*steps: Step) -> dict[str, Any]:  # Any: JSON
    return {"id": "p", "steps": [step.to_json() for step in steps]}


def test_the_steps_of_the_sdk_become_stages_that_name_their_models_by_place():
    program = pipeline_steps.read(
        definition(
            ModelInference([A]),
            ModelInference([A, B]),
            AuditResults(1),
            MultiOut(),
            RandomSplit([ModelWeight(2, A), ModelWeight(0.5, C)], "session"),
            MetaValueSplit("card", B, {"gold": C}),
            ModelInference([A, B]),
            Nth(1),
        )
    )
    assert [stub["name"] for stub in program.models] == list("aabacbcab")
    a, b, c = (json.dumps(model.to_json(), separators=(",", ":")) for model in (A, B, C))
    assert program.stages == [
        Stage(StageKind.MODELS, (0,)),
        Stage(StageKind.MODELS, (1, 2)),
        Stage(StageKind.ALL),
        Stage(StageKind.SPLIT, (3, 4), (a, c), (2.0, 0.5), "session"),
        Stage(StageKind.KEY_SPLIT, (5, 6), (b, c), (), "card", ("gold",)),
        Stage(StageKind.MODELS, (7, 8)),
        Stage(StageKind.SELECT, index=1),
    ]


def test_validations_of_the_sdk_are_kept_as_they_came():
    check = Check.from_validation_dict({"high": pl.col("out.y").list.get(0) > 1})
    program = pipeline_steps.read(definition(ModelInference([A]), check))
    assert program.stages[1] == Stage(StageKind.CHECK, expressions=tuple(check.tree))


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        ([float("nan")], "not a number from 0"),
        ([float("inf")], "not a number from 0"),
        ([True], "not a number from 0"),
        ([0, 0], "no model with a weight"),
    ],
)
def test_weights_that_nothing_can_be_drawn_by_are_refused(weights, reason):
    split = {
        "RandomSplit": {"weights": [{"model": A.to_json(), "weight": each} for each in weights]}
    }
    with pytest.raises(BadDefinitionError, match=reason):
        pipeline_steps.read({"steps": [split]})


_KEYS = (
    *("steps", "models", "model", "weights", "weight", "routes", "control", "split_key"),
    *("version", "tree", "index", "ModelInference", "RandomSplit", "MetaValueSplit"),
    *("Check", "Nth", "MultiOut", "AuditResults"),
)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(_KEYS),
            inner,
            max_size=3,
        )
    ),
    max_leaves=15,
)


@given(_json | st.builds(lambda steps: {"steps": steps}, st.lists(_json, max_size=3)))
def test_any_json_is_read_or_refused_and_never_anything_else(value):
    with contextlib.suppress(BadDefinitionError):
        program = pipeline_steps.read(value)
        assert program.models
