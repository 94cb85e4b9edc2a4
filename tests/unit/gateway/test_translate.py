"""Platform words into domain values, hostile ones included."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from dashboard.domain.pipeline import PipelineState
from dashboard.gateway import translate


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2026-11-22T13:44:15.757191+00:00", datetime(2026, 11, 22, 13, 44, 15, 757191, UTC)),
        ("2026-11-22T15:44:15+02:00", datetime(2026, 11, 22, 13, 44, 15, tzinfo=UTC)),
        ("2026-11-22T13:44:15Z", datetime(2026, 11, 22, 13, 44, 15, tzinfo=UTC)),
        ("2026-11-22T13:44:15", datetime(2026, 11, 22, 13, 44, 15, tzinfo=UTC)),
        ("yesterday", datetime(1970, 1, 1, tzinfo=UTC)),
        (None, datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_times_are_aware_and_in_utc(given, expected):
    assert translate.moment(given) == expected
    assert translate.moment(given).tzinfo is UTC


@pytest.mark.parametrize(
    "definition",
    [
        None,
        {},
        "text",
        {"steps": None},
        {"steps": [None, {"Check": {}}, {"ModelInference": {"models": [5]}}]},
    ],
)
def test_a_definition_without_models_has_no_steps(definition):
    row = {"id": 1, "version": "v", "definition": definition}
    assert translate.pipeline_version(row).steps == ()


def test_versions_come_newest_first_whatever_the_order():
    rows = [{"id": number, "version": f"v{number}"} for number in (2, 3, 1)]
    pipeline = translate.pipeline({"id": 1, "pipeline_id": "p", "pipeline_versions": rows})
    assert [version.version for version in pipeline.versions] == ["v3", "v2", "v1"]
    rows = [{"id": number, "model_version": f"u{number}"} for number in (2, 3, 1)]
    model = translate.model({"id": 1, "name": "<b>m</b>", "models": rows}, 5)
    assert [version.version for version in model.versions] == ["u3", "u2", "u1"]
    assert model.versions[0].model_name == "<b>m</b>"


def test_a_status_tree_is_read_with_its_processes():
    pipelines = {"pipelines": [{"id": "p", "status": "Running", "version": "v-1"}]}
    tree = {
        "status": "Running",
        "details": ["Scaling"],
        "engines": [
            {"name": "e1", "status": "Running", "reason": None, "pipeline_statuses": pipelines},
            {"name": "e2", "status": "Running", "pipeline_statuses": None, "required_cpu": 4},
        ],
        "engine_lbs": [{"name": "lb", "status": "Running", "details": ["x"]}],
        "sidekicks": [{"name": "s", "status": "Failed", "reason": "CrashLoopBackOff"}],
    }
    status = translate.status(tree, wanted=True)
    assert status.state is PipelineState.DEGRADED
    assert status.running_versions == ("v-1",)
    assert status.details == ("Scaling",)
    assert status.engines[1].required_cpu == "4"
    assert status.sidekicks[0].reason == "CrashLoopBackOff"
    assert status.load_balancers[0].details == ("x",)


def test_an_unknown_status_word_is_shown_as_starting_with_the_word():
    status = translate.status({"status": "Reticulating"}, wanted=True)
    assert (status.state, status.platform_word) == (PipelineState.STARTING, "Reticulating")


def test_a_frames_row_becomes_plain_python():
    frame = pd.DataFrame(
        {
            "time": [pd.Timestamp(1795355056259, unit="ms"), pd.NaT],
            "out.score": [0.5, float("nan")],
            "metadata.elapsed": [pd.array([1, 2]).to_numpy(), None],
            "anomaly.count": [0, 1],
            "in.flag": [True, False],
        }
    )
    json_like: list[Any] = frame.to_dict("records")
    first, second = (translate.plain_row(row) for row in json_like)
    assert first == {
        "time": 1795355056259,
        "out.score": 0.5,
        "metadata.elapsed": [1, 2],
        "anomaly.count": 0,
        "in.flag": True,
    }
    assert (second["time"], second["out.score"], second["metadata.elapsed"]) == (None, None, None)
