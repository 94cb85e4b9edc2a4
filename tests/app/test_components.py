"""Components alone, each in the states that a page can bring it to."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from components.error_panel import WayBack
from components.home_cards import HomeIntent
from components.pipeline_card import PipelineAct
from dashboard import strings
from dashboard.domain.check import Check, CheckKind, health_of
from dashboard.domain.pipeline import DeploymentStatus, PipelineState, Pod
from dashboard.domain.run import RunState
from dashboard.domain.story import StepKey, StoryFacts
from dashboard.errors import PlatformUnreachable, UnexpectedAnswer
from tests.app import stories
from tests.app.conftest import shown, words
from tests.app.stories import draw

DONE = StoryFacts("week-47", "press-desk", "hf-summarizer is running", "24 of 24 rows done", True)


def asked(at: AppTest) -> object:
    return at.session_state.get("asked")


def labels(at: AppTest) -> list[str]:
    return [button.label for button in at.button]


def no_markup(at: AppTest) -> bool:
    return re.search(r"(?<!\\)<img", words(at)) is None


# The steps


@pytest.mark.parametrize(
    ("facts", "next_step"),
    [
        (StoryFacts(), StepKey.CONNECT),
        (StoryFacts("week-47"), StepKey.LINK),
        (StoryFacts("week-47", "press-desk"), StepKey.DEPLOY),
        (StoryFacts("week-47", "press-desk", "it is running"), StepKey.SUMMARIZE),
        (StoryFacts("week-47", "press-desk", "it is running", "24 rows"), StepKey.LATENCY),
    ],
)
def test_the_first_step_not_done_is_the_one_with_the_button(facts, next_step):
    at = draw(stories.draw_steps, facts)
    assert labels(at) == [strings.STEP_ACTIONS[next_step]]
    assert words(at).count(":primary[") == 1
    assert words(at).count(":green[") == list(StepKey).index(next_step)
    at.button[0].click().run()
    assert asked(at) is next_step


def test_all_steps_done_leave_no_button_and_show_their_results():
    at = draw(stories.draw_steps, DONE)
    assert labels(at) == []
    assert words(at).count(":green[") == 5
    assert "24 of 24 rows done" in words(at)


def test_a_step_done_out_of_order_is_ticked_and_the_gap_is_next():
    at = draw(stories.draw_steps, StoryFacts("week-47", "press-desk", "", "24 rows"))
    assert labels(at) == [strings.STEP_ACTIONS[StepKey.DEPLOY]]
    assert words(at).count(":green[") == 3


def test_a_long_hostile_result_of_a_step_is_cut_text():
    at = draw(stories.draw_steps, StoryFacts(stories.IMG + "n" * 200))
    assert no_markup(at)
    assert stories.IMG in shown(words(at))
    assert "n" * 60 not in words(at)


# Errors and empty states


@pytest.mark.parametrize("can_start", [True, False])
def test_the_error_panel_says_what_is_lost_and_why_and_offers_the_ways_back(can_start):
    error = PlatformUnreachable("Nothing answers.", hint="Look at the cable.")
    at = draw(stories.draw_error, error, can_start=can_start)
    told = shown(words(at))
    for part in ("The platform is not answering", "your connections", "Look at the cable."):
        assert part in told
    assert "PlatformUnreachable" in told
    assert labels(at) == (["Start it again"] if can_start else []) + ["Try once more"]
    at.button(key="panel_try_again").click().run()
    assert asked(at) is WayBack.TRY_AGAIN
    if can_start:
        at.button(key="panel_start_again").click().run()
        assert asked(at) is WayBack.START_AGAIN


def test_an_unexpected_error_names_its_log_entry():
    error = UnexpectedAnswer("That went wrong.", error_id="0badcafe")
    assert "0badcafe" in words(draw(stories.draw_error, error, can_start=False))


def test_the_text_of_an_error_is_text():
    at = draw(stories.draw_error, PlatformUnreachable(stories.IMG), can_start=False)
    assert no_markup(at)
    assert stories.IMG in shown(words(at))


@pytest.mark.parametrize(
    ("age_s", "told"), [(None, "what was known before"), (130.0, "what was known 2 min ago")]
)
def test_the_notice_above_a_page_says_how_old_what_it_shows_is(age_s, told):
    at = draw(stories.draw_stale, PlatformUnreachable("Nothing answers."), age_s=age_s)
    assert f"Shown is {told}" in words(at)
    at.button(key="stale_try_again").click().run()
    assert asked(at) is WayBack.TRY_AGAIN


def test_an_empty_state_explains_and_its_first_way_is_the_primary():
    at = draw(stories.draw_empty, f"Nothing in {stories.IMG}", "It is a thing. You make it.")
    assert no_markup(at)
    assert "It is a thing. You make it." in shown(words(at))
    assert [button.proto.type for button in at.button] == ["primary", "secondary"]
    at.button(key="second").click().run()
    assert asked(at) == "second"


# A pipeline's card

_BUTTONS = {
    None: [],
    PipelineState.NOT_DEPLOYED: ["Deploy…"],
    PipelineState.STARTING: ["Cancel and undeploy"],
    PipelineState.RUNNING: ["Summarize", "Deploy again…", "Undeploy…"],
    PipelineState.DEGRADED: ["Summarize", "Deploy again…", "Undeploy…"],
    PipelineState.ERROR: ["Deploy again…", "Undeploy…"],
    PipelineState.STOPPING: [],
}
_WORDS = {
    None: "Asking the platform…",
    PipelineState.NOT_DEPLOYED: "Uses nothing now.",
    PipelineState.STARTING: "Starting, 42 s",
    PipelineState.RUNNING: "Running for 42 s",
    PipelineState.DEGRADED: "Degraded: 1 of 2 replicas answers",
    PipelineState.ERROR: "Error, may recover",
    PipelineState.STOPPING: "Stopping, 42 s",
}


def test_every_state_of_a_pipeline_is_covered_here():
    assert set(_WORDS) == set(_BUTTONS) == {None, *PipelineState}


@pytest.mark.parametrize("state", _WORDS)
def test_a_card_says_the_state_and_offers_what_can_be_done(state):
    at = draw(stories.draw_pipeline, stories.card(state))
    assert _WORDS[state] in shown(words(at))
    assert labels(at) == _BUTTONS[state]
    uses = state is not None and state.uses_resources
    assert ("**Uses** :gray[until undeployed]" in words(at)) is uses
    assert ("2.5 CPU, 10 GiB, 2 replicas" in words(at)) is uses


@pytest.mark.parametrize(
    ("state", "label", "act"),
    [
        (PipelineState.NOT_DEPLOYED, "Deploy…", PipelineAct.DEPLOY),
        (PipelineState.STARTING, "Cancel and undeploy", PipelineAct.UNDEPLOY),
        (PipelineState.RUNNING, "Summarize", PipelineAct.SUMMARIZE),
        (PipelineState.DEGRADED, "Undeploy…", PipelineAct.UNDEPLOY),
        (PipelineState.ERROR, "Deploy again…", PipelineAct.DEPLOY),
    ],
)
def test_a_button_of_a_card_asks_for_its_act(state, label, act):
    at = draw(stories.draw_pipeline, stories.card(state))
    next(button for button in at.button if button.label == label).click().run()
    assert asked(at) is act


def test_a_card_under_change_can_only_be_summarized_with():
    at = draw(stories.draw_pipeline, stories.card(PipelineState.RUNNING), is_busy=True)
    assert [button.disabled for button in at.button] == [False, True, True]


def test_a_starting_card_shows_its_phases_and_the_usual_time():
    facts = stories.card(PipelineState.STARTING, usual_start_s=60.0)
    at = draw(stories.draw_pipeline, facts)
    assert "Starting, 42 s of about 60 s" in shown(words(at))
    assert [(one.label.split(":")[0].strip(), one.state) for one in at.status] == [
        ("Settings accepted", "complete"),
        ("Room found on the platform", "complete"),
        ("Engine ready", "running"),
    ]


def test_an_error_older_than_ten_minutes_is_final():
    at = draw(stories.draw_pipeline, stories.card(PipelineState.ERROR, started_s=601.0))
    assert "Error, final" in shown(words(at))


def test_a_final_error_does_not_promise_to_recover():
    at = draw(stories.draw_pipeline, stories.card(PipelineState.ERROR, started_s=601.0))
    assert not re.search("[Mm]ay recover|keeps trying", shown(words(at)))


def test_a_card_says_what_the_platform_has_no_room_for():
    lacking = Pod("engine-0", "Pending", "Insufficient cpu", required_cpu="64")
    status = DeploymentStatus(PipelineState.ERROR, "Error", engines=(lacking,))
    at = draw(stories.draw_pipeline, stories.card(PipelineState.ERROR, status=status))
    assert "no room for it: hf-summarizer needs 64 CPU" in shown(words(at))


def test_hostile_names_reasons_and_problems_on_a_card_are_text():
    pod = Pod(stories.IMG, "Pending", stories.IMG, (stories.IMG,))
    status = DeploymentStatus(PipelineState.ERROR, stories.IMG, engines=(pod,))
    named = stories.pipeline(name=stories.IMG)
    facts = stories.card(PipelineState.ERROR, status=status, pipeline=named, problem=stories.IMG)
    at = draw(stories.draw_pipeline, facts)
    assert no_markup(at)
    assert shown(words(at)).count(stories.IMG) >= 5


# A table's card

_ROW = {"inputs": "A text.", "return_text": True, "id": 7}


def test_a_table_that_fits_says_so_and_what_is_not_sent():
    known = stories.passport(("inputs", "string"), ("return_text", "bool"), ("id", "int64"))
    at = draw(stories.draw_table, known, [_ROW] * 3)
    assert "Fits the model" in words(at)
    assert "Not read by the model, so not sent: id." in shown(words(at))
    metrics = {one.label: one.value for one in at.metric}
    assert metrics["Rows"] == "3"
    assert metrics["Size"] == "31.4 kB"
    assert metrics["Longest text"] == "640 words"
    assert metrics["Fingerprint"] == "ab12 cd34"
    assert "3 rows, all shown." in words(at)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ([("text", "string")], "The column **inputs** is missing. The table has **text**."),
        ([], "The table has no columns."),
        ([("inputs", "int64")], "The column **inputs** must hold text; it holds int64."),
        ([(stories.IMG, "string")], f"The table has **{stories.IMG}**."),
    ],
)
def test_a_table_that_does_not_fit_says_which_column_is_wrong(columns, told):
    at = draw(stories.draw_table, stories.passport(*columns), [])
    assert "Does not fit the model" in words(at)
    assert told in shown(words(at)).replace("]", "")
    assert no_markup(at)


def test_a_table_of_more_rows_than_are_shown_says_which_are():
    known = stories.passport(("inputs", "string"), rows=1_234)
    at = draw(stories.draw_table, known, [{"inputs": "A text."}] * 100)
    assert "Rows 1–100 of 1,234." in words(at)
    assert [one.proto.num_pages for one in at.get("pagination")] == [13]


def test_a_column_of_another_type_than_a_setting_is_left_out_and_told():
    columns = [("inputs", "string"), ("return_text", "string")]
    at = draw(stories.draw_table, stories.passport(*columns), [])
    assert "Fits the model" in words(at)
    told = "**return_text** holds string, not true or false: it is left out, and true is sent."
    assert told in shown(words(at))


def test_a_table_says_where_it_is_from_and_what_changed():
    known = stories.passport(("inputs", "string"), ("lang", "string"), rows=15)
    before = dataclasses.replace(stories.passport(("inputs", "string")), fingerprint="0" * 64)
    at = draw(stories.draw_table, known, [_ROW], before=before, host="files.example.org")
    told = shown(words(at))
    assert "From **week-47** (files.example.org). 12 rows more than" in told
    assert "column **lang** is new." in told


def preview(at: AppTest) -> dict[str, list[Any]]:
    # Not by way of pandas, whose version here makes Arrow's reader warn.
    with pa.ipc.open_stream(at.dataframe[0].proto.arrow_data.data) as reader:
        columns: dict[str, list[Any]] = reader.read_all().to_pydict()
    return columns


def test_columns_that_only_hidden_signs_tell_apart_are_all_shown():
    names = ["inputs", "inputs\u202e", "", "_index", stories.IMG]
    known = stories.passport(*[(name, "string") for name in names], rows=1)
    at = draw(stories.draw_table, known, [dict.fromkeys(names, "x" * 5_000)])
    shown_columns = preview(at)
    labels = ["inputs", "inputs (2)", "(no name)", "_index", stories.IMG]
    assert list(shown_columns) == labels
    assert [len(shown_columns[label][0]) for label in labels] == [400] * 5
    assert no_markup(at)


def test_of_very_many_columns_the_first_are_shown():
    names = [f"c{number}" for number in range(200)]
    known = stories.passport(*[(name, "int64") for name in names], rows=1)
    at = draw(stories.draw_table, known, [dict.fromkeys(names, 1)])
    assert list(preview(at)) == names[:40]
    assert "40 of 200 columns are shown." in words(at)


# The cards of the home page


def states(*kinds: PipelineState) -> list[tuple[object, PipelineState, float]]:
    return [
        (stories.pipeline(number, f"pipe-{number}"), state, 90.0)
        for number, state in enumerate(kinds, start=1)
    ]


def test_home_cards_of_nothing_say_that_nothing_is_in_use():
    at = draw(stories.draw_home, [], [], None)
    told = shown(words(at))
    assert "Nothing is deployed. No CPU or memory is in use." in told
    assert "None yet." in told
    assert "No run yet." in told
    assert labels(at) == ["See connections", "See pipelines"]
    at.button(key="home_see_pipelines").click().run()
    assert asked(at) == HomeIntent("pipelines")


def test_home_counts_connections_by_health_and_names_the_one_to_mend():
    failed = Check("id-b", CheckKind.TEST, stories.NOW, passed=False)
    works = Check("id-a", CheckKind.USE, stories.NOW, passed=True)
    connections = [
        dataclasses.replace(stories.connection(name), connection_id=f"id-{name[0]}")
        for name in ("a", f"b {stories.IMG}", "c")
    ]
    health = {"id-b": health_of([failed], stories.NOW), "id-a": health_of([works], stories.NOW)}
    at = draw(stories.draw_home, connections, [], None, health=health)
    told = shown(words(at))
    for state in ("1 healthy", "1 failing", "1 not tested"):
        assert state in told
    assert "stale" not in told
    at.button(key="home_fix_connection").click().run()
    assert asked(at) == HomeIntent("connections", {"connection": "id-b"})
    assert no_markup(at)


def test_home_cards_of_three_running_offer_to_undeploy_each():
    running = states(PipelineState.RUNNING, PipelineState.STARTING, PipelineState.ERROR)
    linked = [stories.connection("a", "press-desk"), stories.connection("b")]
    at = draw(stories.draw_home, linked, running, stories.run(failed=2))
    told = shown(words(at))
    for part in ("pipe-1", "pipe-2", "pipe-3", "Running for", "Starting for", "Error for"):
        assert part in told
    assert "more on the page Pipelines" not in told
    assert labels(at).count("Undeploy…") == 3
    assert "2 of 24 failed" in told
    at.button(key="home_undeploy_2").click().run()
    assert asked(at) == HomeIntent(undeploy=2)
    at.button(key="home_time_last").click().run()
    assert asked(at) == HomeIntent("latency", {"run": "r1"})


def test_home_cards_of_five_running_name_three_and_count_the_others():
    at = draw(stories.draw_home, [], states(*[PipelineState.RUNNING] * 5), None)
    assert labels(at).count("Undeploy…") == 3
    assert "and 2 more on the page Pipelines" in words(at)


@pytest.mark.parametrize("state", RunState)
def test_the_last_run_is_told_in_each_of_its_states(state):
    at = draw(stories.draw_home, [], [], stories.run(state, name=stories.IMG))
    assert state.value in words(at)
    assert no_markup(at)
