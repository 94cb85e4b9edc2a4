"""Since when a pipeline is deployed, as its card says it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dashboard.domain.pipeline import DeploymentStatus, Pipeline, PipelineState, PipelineVersion
from dashboard.services.watch import DeploymentView
from dashboard.views.pipeline_facts import since

NOW = datetime(2026, 11, 22, 13, tzinfo=UTC)
OLD, NEW = NOW - timedelta(days=41), NOW - timedelta(seconds=2)


def pipeline(*made_at: datetime) -> Pipeline:
    versions = tuple(PipelineVersion(number, f"v{number}", at) for number, at in enumerate(made_at))
    return Pipeline(7, "hf-summarizer", 3, "press-desk", OLD, OLD, versions=versions)


@pytest.mark.parametrize(
    ("state", "made_at", "told"),
    [
        (PipelineState.STARTING, [OLD], None),
        (PipelineState.STARTING, [NEW, OLD], NEW),
        (PipelineState.RUNNING, [OLD], OLD),
        (PipelineState.STARTING, [], None),
    ],
)
def test_the_version_before_does_not_tell_since_when_it_starts(state, made_at, told):
    view = DeploymentView(DeploymentStatus(state), started_s=1.0)
    assert since(pipeline(*made_at), view, now=NOW) == told


def test_a_start_that_was_found_under_way_has_the_time_of_its_version():
    view = DeploymentView(DeploymentStatus(PipelineState.STARTING))
    assert since(pipeline(OLD), view, now=NOW) == OLD
