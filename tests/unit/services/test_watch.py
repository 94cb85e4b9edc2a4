from __future__ import annotations

from concurrent.futures import Executor, Future
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dashboard.domain.deployment import PhaseState
from dashboard.domain.identity import Identity
from dashboard.domain.pipeline import (
    Deployment,
    DeploymentStatus,
    Pipeline,
    PipelineState,
    PipelineVersion,
    Pod,
)
from dashboard.errors import AccessDenied, NotFound, PlatformUnreachable, UnexpectedAnswer
from dashboard.services.watch import DeploymentWatch

WHO = Identity("me", "1", "")
OTHER = Identity("other", "2", "")
T0 = datetime(2026, 1, 1, tzinfo=UTC)
PIPE = Pipeline(7, "hf-summarizer", 1, "room", T0, T0)
OFF = DeploymentStatus(PipelineState.NOT_DEPLOYED)
RUNNING = DeploymentStatus(PipelineState.RUNNING, "Running")
FAILING = DeploymentStatus(PipelineState.ERROR, "Error", engines=(Pod("engine-1", "Failed"),))
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
        self.asked_by: list[str] = []
        self.denied: dict[str, Exception] = {}

    @property
    def asked(self):
        return len(self.asked_by)

    def status(self, who, _pipeline):
        self.asked_by.append(who.key)
        if who.key in self.denied:
            raise self.denied[who.key]
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
        Inline(),
        platform.status,
        clock=now,
        now=lambda: T0 + timedelta(seconds=now.s),
        on_unexpected=lambda exc: UnexpectedAnswer(str(exc)),
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


def test_a_refused_start_leaves_a_final_error_final(watch, platform, now):
    watch.look(WHO, PIPE)
    watch.expect(WHO, PIPE, PipelineState.STARTING)
    watch.confirm(WHO, PIPE)
    platform.answer = replace(FAILING, engines=(Pod("engine-1", "Failed", restarts=3),))
    now.s += 700
    watch.tick()
    before = watch.look(WHO, PIPE)
    assert (before.recover_left_s, before.restarts) == (0, {"engine-1": 3})
    watch.expect(WHO, PIPE, PipelineState.STARTING)
    watch.give_up_expecting(WHO, PIPE)
    assert watch.look(WHO, PIPE) == before
    now.s += 1
    watch.tick()
    assert watch.look(WHO, PIPE).recover_left_s == 0


def test_a_refused_stop_leaves_the_start_that_was_asked_for(watch, now):
    watch.look(WHO, PIPE)
    watch.expect(WHO, PIPE, PipelineState.STARTING)
    watch.confirm(WHO, PIPE)
    now.s += 2
    watch.expect(WHO, PIPE, PipelineState.STOPPING)
    watch.give_up_expecting(WHO, PIPE)
    view = watch.look(WHO, PIPE)
    assert (view.state, view.started_s) == (PipelineState.STARTING, 2)


def test_of_a_start_and_a_stop_at_a_time_the_refused_one_sticks_to_nothing(watch, platform, now):
    platform.answer = RUNNING
    watch.look(WHO, PIPE)
    watch.expect(WHO, PIPE, PipelineState.STARTING)
    watch.expect(OTHER, PIPE, PipelineState.STOPPING)
    watch.give_up_expecting(WHO, PIPE)
    watch.give_up_expecting(OTHER, PIPE)
    now.s += 1
    assert watch.look(WHO, PIPE).state is PipelineState.RUNNING


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


def listed(*, deployed: bool, made_at_s: float = 0.0) -> Pipeline:
    """Return the pipeline as a list tells it, its newest version made at a time of the clock."""
    version = PipelineVersion(1, "v-1", T0 + timedelta(seconds=made_at_s))
    return replace(PIPE, versions=(version,), deployment=Deployment(1, deployed))


# Several viewers


def test_two_people_see_the_same_truth_from_one_watcher(watch, platform, now):
    watch.look(WHO, PIPE)
    watch.look(OTHER, PIPE)
    watch.expect(WHO, PIPE, PipelineState.STARTING)
    assert watch.look(OTHER, PIPE).state is PipelineState.STARTING
    watch.confirm(WHO, PIPE)
    platform.answer = PENDING
    asked = platform.asked
    for _ in range(4):
        now.s += 0.5
        watch.look(WHO, PIPE)
        watch.look(OTHER, PIPE)
        watch.tick()
    assert platform.asked - asked == 4
    assert watch.look(OTHER, PIPE) == watch.look(WHO, PIPE)


def test_the_questions_are_asked_in_the_names_of_all_by_turns(watch, platform, now):
    platform.answer = PENDING
    watch.look(WHO, PIPE)
    watch.look(OTHER, PIPE)
    for _ in range(4):
        now.s += 0.5
        watch.tick()
    assert platform.asked_by == ["me", "other", "me", "other", "me", "other"]


def test_nobody_is_shown_what_the_platform_does_not_show_them(watch, platform, now):
    platform.answer = RUNNING
    platform.denied["other"] = NotFound("There is no such pipeline.")
    assert watch.look(WHO, PIPE).state is PipelineState.RUNNING
    view = watch.look(OTHER, PIPE)
    assert (view.status, type(view.error)) == (None, NotFound)
    assert watch.states(OTHER) == ()
    assert watch.look(WHO, PIPE).error is None


def test_who_is_put_out_of_the_workspace_stops_seeing_it(watch, platform, now):
    platform.answer = RUNNING
    watch.look(WHO, PIPE)
    watch.look(OTHER, PIPE)
    platform.denied["other"] = AccessDenied("no")
    for _ in range(4):
        now.s += 6
        watch.look(WHO, PIPE)
        watch.look(OTHER, PIPE)
    assert watch.look(OTHER, PIPE).status is None
    assert watch.look(WHO, PIPE).state is PipelineState.RUNNING


def test_who_is_let_in_again_sees_it_again(watch, platform, now):
    platform.denied["other"] = AccessDenied("no")
    watch.look(OTHER, PIPE)
    platform.denied.clear()
    platform.answer = RUNNING
    now.s += 6
    watch.look(OTHER, PIPE)
    assert watch.look(OTHER, PIPE).state is PipelineState.RUNNING


def test_a_question_that_is_refused_to_one_is_asked_in_anothers_name(watch, platform, now):
    platform.answer = PENDING
    watch.look(WHO, PIPE)
    platform.denied["other"] = NotFound("no")
    watch.look(OTHER, PIPE)
    for _ in range(6):
        now.s += 0.5
        watch.tick()
    assert platform.asked_by[2:] == ["me"] * 6


# How often the platform is asked


def test_what_the_list_says_is_not_deployed_is_not_asked_for(watch, platform, now):
    for _ in range(100):
        now.s += 10
        assert watch.look(WHO, listed(deployed=False)).state is PipelineState.NOT_DEPLOYED
        watch.tick()
    assert platform.asked == 0


def test_where_the_list_and_the_last_answer_differ_the_platform_is_asked(watch, platform, now):
    watch.look(WHO, listed(deployed=False))
    platform.answer = RUNNING
    watch.look(WHO, listed(deployed=True))
    assert watch.look(WHO, PIPE).state is PipelineState.RUNNING
    platform.answer = OFF
    now.s += 2
    watch.look(WHO, listed(deployed=False))
    assert watch.look(WHO, listed(deployed=False)).state is PipelineState.NOT_DEPLOYED


def test_what_somebody_has_open_is_asked_for_more_often(watch, platform, now):
    platform.answer = RUNNING
    watch.look(WHO, PIPE)
    for _ in range(10):
        now.s += 0.5
        watch.look(WHO, PIPE, closely=True)
    assert platform.asked >= 6


def test_what_nobody_draws_any_more_is_forgotten(watch, platform, now):
    watch.look(WHO, PIPE)
    now.s += 3601
    watch.tick()
    assert watch.states(WHO) == ()
    now.s += 1
    assert watch.look(WHO, PIPE).since_s == 0


# Errors, and starts that were asked for elsewhere


def test_an_error_that_turns_running_is_one_start(watch, platform, now):
    watch.look(WHO, PIPE)
    watch.expect(WHO, PIPE, PipelineState.STARTING)
    watch.confirm(WHO, PIPE)
    told = []
    for answer in (FAILING, FAILING, PENDING, RUNNING):
        platform.answer = answer
        now.s += 1
        watch.tick()
        told.append(watch.look(WHO, PIPE).state)
    error, starting, running = PipelineState.ERROR, PipelineState.STARTING, PipelineState.RUNNING
    assert told == [error, error, starting, running]
    view = watch.look(WHO, PIPE)
    assert (view.usual_start_s, view.started_s) == (4, 4)


def test_an_error_may_recover_until_ten_minutes_after_the_deploy_and_is_final_then(
    watch, platform, now
):
    watch.look(WHO, PIPE)
    watch.expect(WHO, PIPE, PipelineState.STARTING)
    watch.confirm(WHO, PIPE)
    platform.answer = FAILING
    now.s += 60
    watch.tick()
    view = watch.look(WHO, PIPE)
    assert (view.recover_left_s, view.is_moving) == (540, True)
    now.s += 540
    view = watch.look(WHO, PIPE)
    assert (view.recover_left_s, view.is_moving) == (0, False)
    asked = platform.asked
    now.s += 1
    watch.tick()
    assert platform.asked == asked


def test_an_error_found_long_after_its_deploy_is_final_at_once(watch, platform, now):
    now.s = 5000.0
    platform.answer = FAILING
    view = watch.look(WHO, listed(deployed=True, made_at_s=1000.0))
    assert view.recover_left_s == 0


def test_what_has_served_and_fails_later_has_ten_minutes_again(watch, platform, now):
    now.s = 5000.0
    platform.answer = RUNNING
    watch.look(WHO, listed(deployed=True))
    platform.answer = FAILING
    now.s += 5
    watch.look(WHO, listed(deployed=True))
    now.s += 60
    assert watch.look(WHO, listed(deployed=True)).recover_left_s == 540


def test_a_start_found_under_way_began_when_its_version_was_made(watch, platform, now):
    platform.answer = PENDING
    view = watch.look(WHO, listed(deployed=True, made_at_s=now.s - 20))
    assert view.started_s == 20
    assert [phase.at_s for phase in view.phases] == [None] * 5


def test_deploying_again_what_serves_tells_a_start_once_the_platform_shows_it(watch, platform, now):
    platform.answer = RUNNING
    watch.look(WHO, PIPE)
    now.s += 3600
    watch.look(WHO, PIPE)
    watch.expect(WHO, PIPE, PipelineState.STARTING)
    watch.confirm(WHO, PIPE)
    now.s += 1
    platform.answer = PENDING
    watch.tick()
    view = watch.look(WHO, PIPE)
    assert (view.state, view.started_s) == (PipelineState.STARTING, 1)
    platform.answer = RUNNING
    now.s += 3
    watch.tick()
    assert watch.look(WHO, PIPE).usual_start_s == 4


def test_a_process_that_begins_again_was_restarted(watch, platform, now):
    def with_pod(word: str) -> DeploymentStatus:
        return replace(FAILING, engines=(Pod("engine-1", word),))

    for word in ("Pending", "Failed", "Pending", "Running", "Pending", "Running", "Failed"):
        platform.answer = with_pod(word)
        now.s += 1
        watch.tick()
        watch.look(WHO, PIPE)
    assert watch.look(WHO, PIPE).restarts == {"engine-1": 2}
    platform.answer = replace(FAILING, engines=(Pod("engine-1", "Failed", restarts=7),))
    now.s += 1
    watch.tick()
    assert watch.look(WHO, PIPE).restarts == {"engine-1": 7}
