from __future__ import annotations

from dashboard.domain.deployment import PhaseState, advance, reached
from dashboard.domain.deployment_settings import DeploymentSettings, settings_of
from dashboard.domain.pipeline import DeploymentStatus, PipelineState, Pod


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
