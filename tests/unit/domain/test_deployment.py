from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from dashboard.domain.deployment import PhaseState, advance, deployed_at, reached
from dashboard.domain.deployment_settings import DeploymentSettings
from dashboard.domain.pipeline import (
    DeploymentStatus,
    Pipeline,
    PipelineState,
    PipelineVersion,
    Pod,
)
from dashboard.domain.settings_json import settings_of

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def status(state, *, engine="Pending", sidekick="Pending", reason=""):
    return DeploymentStatus(
        state,
        engines=(Pod("engine-1", engine, reason),),
        sidekicks=(Pod("engine-sidekick-1", sidekick),),
    )


def states(phases):
    return [phase.state for phase in phases]


def test_phases_are_reached_in_order_and_stay_reached():
    starting = PipelineState.STARTING
    phases = advance((), status(starting), elapsed_s=0.5)
    done, now, later = PhaseState.DONE, PhaseState.NOW, PhaseState.LATER
    assert states(phases) == [done, done, now, later, later]
    phases = advance(phases, status(starting, engine="Running"), elapsed_s=2.0)
    assert states(phases) == [done, done, done, now, later]
    assert phases[2].at_s == 2.0
    # A sidekick that is ready while the engine restarts does not take the engine's phase back.
    phases = advance(phases, status(starting, engine="Pending"), elapsed_s=3.0)
    assert states(phases)[2] is done
    phases = advance(phases, status(PipelineState.RUNNING), elapsed_s=4.0)
    assert states(phases) == [done] * 5


def test_phases_seen_long_after_they_were_reached_have_no_time():
    phases = advance((), status(PipelineState.STARTING, engine="Running"), elapsed_s=None)
    assert states(phases)[:3] == [PhaseState.DONE] * 3
    assert [phase.at_s for phase in phases] == [None] * 5
    phases = advance(phases, status(PipelineState.RUNNING), elapsed_s=9.0)
    assert [phase.at_s for phase in phases] == [None, None, None, 9.0, 9.0]


def test_it_was_deployed_when_the_version_that_runs_was_made():
    versions = tuple(PipelineVersion(day, f"v-{day}", T0.replace(day=day)) for day in (3, 2, 1))
    pipeline = Pipeline(1, "p", 1, "room", T0, T0, versions)
    running = DeploymentStatus(PipelineState.RUNNING, running_versions=("v-2",))
    newer = DeploymentStatus(PipelineState.RUNNING, running_versions=("v-4",))
    assert deployed_at(pipeline, running) == T0.replace(day=2)
    assert deployed_at(pipeline) == T0.replace(day=3)
    assert deployed_at(pipeline, newer) is None
    assert deployed_at(replace(pipeline, versions=())) is None


def test_no_room_on_the_platform_is_the_phase_that_fails():
    lacking = status(PipelineState.ERROR, reason="0/7 nodes are available: 7 Insufficient cpu.")
    phases = advance((), lacking, elapsed_s=1.0)
    assert phases[1].state is PhaseState.FAILED
    assert not reached(lacking)["room"]


def test_a_stored_configuration_reads_back_as_the_settings_it_was_made_of():
    config = {
        "engine": {"resources": {"requests": {"cpu": 0.25, "memory": "1Gi"}}, "replicas": 2},
        "engineAux": {"images": {"m-1": {"resources": {"requests": {"cpu": 1, "memory": "4Gi"}}}}},
    }
    assert settings_of(config) == DeploymentSettings(replicas=2)


def test_a_configuration_that_does_not_tell_is_none_and_no_exception():
    for config in ({}, {"engine": None}, {"engine": {"resources": {"requests": {"cpu": "x"}}}}):
        assert settings_of(config) is None
