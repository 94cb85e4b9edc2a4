from __future__ import annotations

from concurrent.futures import Executor, Future
from datetime import UTC, datetime

import pytest

from dashboard.domain.deployment import PhaseState
from dashboard.domain.identity import Identity
from dashboard.domain.pipeline import DeploymentStatus, Pipeline, PipelineState, Pod
from dashboard.errors import PlatformUnreachable, UnexpectedAnswer
from dashboard.services.watch import DeploymentWatch

WHO = Identity("me", "1", "")
T0 = datetime(2026, 1, 1, tzinfo=UTC)
PIPE = Pipeline(7, "hf-summarizer", 1, "room", T0, T0)
OFF = DeploymentStatus(PipelineState.NOT_DEPLOYED)
RUNNING = DeploymentStatus(PipelineState.RUNNING, "Running")
PENDING = DeploymentStatus(
    PipelineState.STARTING, "Starting", engines=(Pod("engine-1", "Pending"),)
)


class Inline(Executor):
    def submit(self, fn, /, *args, **kwargs):
        fn(*args, **kwargs)
        return Future()


class Platform:
    def __init__(self) -> None:
        self.answer = OFF
        self.asked = 0

    def status(self, _who, _pipeline):
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Now:
    s = 100.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def now():
    return Now()


@pytest.fixture
def platform():
    return Platform()


@pytest.fixture
def watch(platform, now):
    return DeploymentWatch(
        Inline(), platform.status, clock=now, on_unexpected=lambda exc: UnexpectedAnswer(str(exc))
    )


def test_a_start_is_said_from_the_moment_it_was_asked_for(watch, platform, now):
    assert watch.look(WHO, PIPE).state is PipelineState.NOT_DEPLOYED
    watch.expect(WHO, PIPE, PipelineState.STARTING)
    assert watch.look(WHO, PIPE).state is PipelineState.STARTING
    watch.confirm(WHO, PIPE)
    platform.answer = PENDING
    now.s += 1
    watch.tick()
    assert watch.look(WHO, PIPE).state is PipelineState.STARTING
    platform.answer = RUNNING
    now.s += 1
    watch.tick()
    view = watch.look(WHO, PIPE)
    assert view.state is PipelineState.RUNNING
    assert view.phases[-1].state is PhaseState.DONE
    assert view.usual_start_s == 2


def test_stopping_is_said_until_the_platform_has_no_deployment(watch, platform, now):
    platform.answer = RUNNING
    watch.look(WHO, PIPE)
    watch.expect(WHO, PIPE, PipelineState.STOPPING)
    watch.confirm(WHO, PIPE)
    now.s += 1
    watch.tick()
    assert watch.look(WHO, PIPE).state is PipelineState.STOPPING
    platform.answer = OFF
    now.s += 1
    watch.tick()
    assert watch.look(WHO, PIPE).state is PipelineState.NOT_DEPLOYED


def test_a_refused_start_is_taken_back(watch):
    watch.look(WHO, PIPE)
    watch.expect(WHO, PIPE, PipelineState.STARTING)
    watch.give_up_expecting(WHO, PIPE)
    assert watch.look(WHO, PIPE).state is PipelineState.NOT_DEPLOYED


def test_what_moves_is_asked_for_every_half_second_and_what_rests_is_not(watch, platform, now):
    platform.answer = PENDING
    watch.look(WHO, PIPE)
    for _ in range(4):
        now.s += 0.5
        watch.tick()
    assert platform.asked == 5
    platform.answer = RUNNING
    now.s += 0.5
    watch.tick()
    asked = platform.asked
    now.s += 1
    watch.tick()
    assert platform.asked == asked


def test_nobody_looking_at_a_resting_pipeline_leaves_the_platform_in_peace(watch, platform, now):
    platform.answer = RUNNING
    watch.look(WHO, PIPE)
    now.s += 60
    asked = platform.asked
    watch.tick()
    assert platform.asked == asked


def test_many_viewers_cause_one_question(watch, platform):
    for _ in range(20):
        watch.look(WHO, PIPE)
    assert platform.asked == 1


def test_a_platform_that_cannot_be_asked_keeps_the_last_state_and_says_why(watch, platform, now):
    platform.answer = RUNNING
    watch.look(WHO, PIPE)
    platform.answer = PlatformUnreachable("down")
    now.s += 6
    view = watch.look(WHO, PIPE)
    view = watch.look(WHO, PIPE)
    assert view.state is PipelineState.RUNNING
    assert isinstance(view.error, PlatformUnreachable)


def test_what_the_platform_said_before_it_took_the_start_is_of_the_past(watch, platform, now):
    watch.look(WHO, PIPE)
    watch.expect(WHO, PIPE, PipelineState.STARTING)
    platform.answer = RUNNING
    now.s += 1
    watch.tick()
    assert watch.look(WHO, PIPE).state is PipelineState.STARTING


def test_deploying_again_what_serves_tells_no_start_and_spoils_no_figure(watch, platform, now):
    platform.answer = RUNNING
    watch.look(WHO, PIPE)
    watch.expect(WHO, PIPE, PipelineState.STARTING)
    watch.confirm(WHO, PIPE)
    now.s += 0.3
    watch.tick()
    view = watch.look(WHO, PIPE)
    assert (view.phases, view.usual_start_s) == ((), None)


def test_an_intent_is_given_up_when_the_platform_cannot_be_asked_for_long(watch, platform, now):
    platform.answer = RUNNING
    watch.look(WHO, PIPE)
    watch.expect(WHO, PIPE, PipelineState.STOPPING)
    watch.confirm(WHO, PIPE)
    platform.answer = PlatformUnreachable("down")
    now.s += 200
    watch.tick()
    assert watch.look(WHO, PIPE).state is PipelineState.RUNNING
