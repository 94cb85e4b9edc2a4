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
from dashboard import strings
from dashboard.domain.check import Check, CheckKind, health_of
from dashboard.domain.pipeline import PipelineState
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
