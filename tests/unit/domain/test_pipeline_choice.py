from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dashboard.domain.pipeline import Pipeline, PipelineState, PipelineStep, PipelineVersion
from dashboard.domain.pipeline_choice import (
    PARAMETERS,
    PipelineChoice,
    choice_of,
    find,
    page_with,
    slug,
    state_of,
)

T0 = datetime(2026, 1, 1, tzinfo=UTC)
OFF, RUNNING = PipelineState.NOT_DEPLOYED, PipelineState.RUNNING


def pipeline(number: int, name: str, *, room: int = 1, model: str = "m") -> Pipeline:
    version = PipelineVersion(number, f"v-{number}", T0, (PipelineStep(model, "mv"),))
    return Pipeline(number, name, room, f"room-{room}", T0, T0, (version,))


PIPES = (
    pipeline(1, "zebra"),
    pipeline(2, "apple", room=2, model="hf-summarizer"),
    pipeline(3, "Mango"),
)
STATES = {1: RUNNING, 2: OFF, 3: OFF}


def names(found) -> list[str]:
    return [one.name for one in found.pipelines]


@pytest.mark.parametrize(
    "choice",
    [
        PipelineChoice(),
        PipelineChoice(pipeline=3, workspace=7, state=OFF, page=2),
        *(PipelineChoice(state=state) for state in PipelineState),
    ],
)
def test_a_choice_reads_back_from_its_address(choice):
    assert choice_of(choice.to_query()) == choice
    assert set(choice.to_query()) <= set(PARAMETERS)


@pytest.mark.parametrize("value", ["", "0", "-1", "x", "1e3", "9" * 30, "٣", "<b>"])
def test_what_an_address_cannot_mean_is_ignored(value):
    assert choice_of(dict.fromkeys(PARAMETERS, value)) == PipelineChoice()


def test_every_state_has_a_word_for_the_address():
    assert [state_of(slug(state)) for state in PipelineState] == list(PipelineState)


def test_what_uses_something_stands_first_and_the_rest_by_name():
    assert names(find(PIPES, PipelineChoice(), words="", states=STATES)) == [
        "zebra",
        "apple",
        "Mango",
    ]


def test_what_is_put_first_stands_before_what_runs():
    found = find(PIPES, PipelineChoice(), words="", states=STATES, first=[3])
    assert names(found) == ["Mango", "zebra", "apple"]


@pytest.mark.parametrize(
    ("words", "fits"),
    [("man", ["Mango"]), ("ROOM-2", ["apple"]), ("summar app", ["apple"]), ("none", [])],
)
def test_every_word_must_stand_in_a_name(words, fits):
    assert names(find(PIPES, PipelineChoice(), words=words, states=STATES)) == fits


def test_states_are_counted_as_the_other_filters_leave_them():
    found = find(PIPES, PipelineChoice(workspace=1, state=OFF), words="", states=STATES)
    assert names(found) == ["Mango"]
    assert found.by_state == {RUNNING: 1, OFF: 1}


def test_a_state_that_is_not_known_yet_counts_nowhere():
    found = find(PIPES, PipelineChoice(), words="", states={})
    assert found.by_state == {}
    assert len(found.pipelines) == 3


def test_a_link_leads_to_the_page_its_pipeline_stands_on():
    pipes = [pipeline(number, f"p-{number:03}") for number in range(1, 51)]
    found = find(pipes, PipelineChoice(), words="", states={})
    assert page_with(found, PipelineChoice(pipeline=45)) == 3
    assert page_with(found, PipelineChoice(pipeline=45, page=1)) == 1
    assert page_with(found, PipelineChoice(pipeline=999)) == 1
