from __future__ import annotations

from dashboard.domain.story import StepKey, StepState, StoryFacts, steps


def test_on_a_first_visit_the_first_step_is_next_and_the_others_are_later():
    told = steps(StoryFacts())
    assert [step.state for step in told] == [StepState.NEXT] + [StepState.LATER] * 4


def test_the_first_step_that_is_not_done_is_next():
    told = steps(StoryFacts(connection="a", workspace="room"))
    assert [step.key for step in told if step.state is StepState.NEXT] == [StepKey.DEPLOY]


def test_a_later_step_can_be_done_before_an_earlier_one():
    told = steps(StoryFacts(connection="a", workspace="room", run="1 row"))
    assert [step.state for step in told][2:4] == [StepState.NEXT, StepState.DONE]


def test_when_all_is_done_nothing_is_next():
    told = steps(StoryFacts("a", "room", "runs", "1 row", timing_seen=True))
    assert {step.state for step in told} == {StepState.DONE}
