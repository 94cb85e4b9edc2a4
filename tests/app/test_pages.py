"""Every page, drawn by the real frame over a real sandbox, in each state the platform can be in."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import runtime, strings
from tests.app.conftest import settle, shown, words
from tests.support.waiting import wait_until

HEADINGS = {
    "home": "Home",
    "connections": "Connections",
    "new_connection": "New connection",
    "workspaces": "Workspaces",
    "pipelines": "Pipelines",
    "summarize": "Summarize",
    "latency": "Latency",
}
IN_DEMO = {
    "home": "**Connections** :gray[6 in all]",
    "connections": "1–6 of 6. Click a name",
    "new_connection": "**After saving**",
    "workspaces": "3 workspaces. Click a name",
    "pipelines": "**hf\\-summarizer**",
    "summarize": "Nothing is linked to workshop\\-workspace\\-summarization",
    "latency": "Nothing has run yet",
}
IN_EMPTY = {
    "home": "None yet. A connection is the address of your data.",
    "connections": "No connections yet",
    "new_connection": "once there is one",
    "workspaces": "No workspaces yet",
    "pipelines": "No pipelines here yet",
    "summarize": "No workspace yet",
    "latency": "Nothing has run yet",
}
AWAITED = {
    "home": "your connections and pipelines",
    "connections": "your connections",
    "workspaces": "your workspaces",
    "pipelines": "your pipelines",
    "summarize": "your workspaces",
    "latency": "your runs",
}
LOST = {**AWAITED, "home": "what is on the platform"}
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1)) ![x](https://evil.example/p.png)",
    "**bold** :red[x] $x^2$ `code` :smile: <b>b</b>",
    "=HYPERLINK(0)",
    "مرحبا שלום",
    "👩‍🔬🧪 déjà-vu",
    "n" * 200,
]


def heading(at: AppTest) -> list[str]:
    return [title.value for title in at.title]


def skeletons(at: AppTest) -> int:
    return len(at.get("skeleton"))


def labels(at: AppTest) -> list[str]:
    return [button.label for button in at.button]


# What a page shows


@pytest.mark.parametrize("page", HEADINGS)
def test_a_page_shows_the_workshops_state(demo, open_page, page):
    at = settle(open_page(page))
    assert heading(at) == [HEADINGS[page]]
    assert IN_DEMO[page] in words(at)
    assert skeletons(at) == 0
    assert "_error" not in " ".join(str(button.key) for button in at.button)


@pytest.mark.parametrize("page", HEADINGS)
def test_a_page_of_an_empty_platform_says_what_the_thing_is(empty, open_page, page):
    at = settle(open_page(page))
    assert heading(at) == [HEADINGS[page]]
    assert IN_EMPTY[page] in words(at)
    assert skeletons(at) == 0


@pytest.mark.parametrize("page", ["connections", "workspaces", "pipelines", "latency"])
def test_an_empty_page_offers_a_way_to_begin(empty, open_page, page):
    at = settle(open_page(page))
    begins = [one for one in at.button if str(one.key).endswith("_first")]
    assert len(begins) == 1
    settle(begins[0].click().run())
    went = heading(at) != [HEADINGS[page]]
    assert went or at.get("dialog")


@pytest.mark.parametrize("page", AWAITED)
def test_a_page_stands_before_the_platform_answers(demo, open_page, page):
    with demo.frozen():
        at = open_page(page)
        assert not at.exception
        assert heading(at) == [HEADINGS[page]]
        assert skeletons(at) == 1
        assert f"Loading {AWAITED[page]}…" in words(at)
    settle(at)
    assert skeletons(at) == 0
    assert IN_DEMO[page] in words(at)


def test_the_form_of_a_new_connection_needs_no_platform(demo, open_page):
    with demo.frozen():
        at = open_page("new_connection")
        assert not at.exception
        assert heading(at) == ["New connection"]
        assert not at.button(key="new_connection_save").disabled


def test_a_page_says_what_it_waits_for_once_that_takes_long(demo, open_page):
    demo.delay(1.3)
    at = open_page("connections")
    assert "Loading your connections…" in words(at)
    reads = runtime.current().reads
    query = runtime.current().catalog.connections(demo.who)
    wait_until(lambda: reads.get(query).loading_s > 1, within_s=5, what="a second has passed")
    at.run()
    assert "Waiting for the platform to list your connections…" in words(at)
    settle(at)
    assert IN_DEMO["connections"] in words(at)


@pytest.mark.parametrize("page", LOST)
def test_a_page_without_its_platform_says_so_and_offers_a_way_back(demo, open_page, page):
    with demo.down():
        at = settle(open_page(page))
        assert heading(at) == [HEADINGS[page]]
        assert f"We cannot show {LOST[page]}" in words(at)
        assert "Traceback" not in words(at)
        assert skeletons(at) == 0
        assert labels(at).count("Try once more") == 1
    at.button(key=f"{page}_try_again").click().run()
    settle(at)
    assert IN_DEMO[page] in words(at)


def test_the_form_of_a_new_connection_stays_without_its_platform(demo, open_page):
    with demo.down():
        at = settle(open_page("new_connection"))
        at.text_input(key="new_connection_name_0").input("kept")
        at.text_input(key="new_connection_url_0").input("https://files.example.org/a.csv")
        settle(at.button(key="new_connection_save").click().run())
        assert "Nothing answers at the platform's address" in shown(words(at))
        assert at.text_input(key="new_connection_name_0").value == "kept"
        assert at.text_input(key="new_connection_url_0").value == "https://files.example.org/a.csv"


@pytest.mark.parametrize("page", ["connections", "workspaces", "pipelines", "home"])
def test_what_was_known_stays_when_the_platform_goes_away(demo, open_page, page):
    at = settle(open_page(page))
    with demo.down():
        runtime.current().reads.invalidate(demo.who.key)
        settle(at.run())
        assert IN_DEMO[page] in words(at)
        assert "Shown is what was known" in words(at)
        assert labels(at).count("Try once more") == 1


def test_the_rail_names_the_place_and_nothing_that_runs(demo, open_page):
    at = settle(open_page("home"))
    rail = "\n".join(one.value for one in at.sidebar.markdown)
    assert "Instance" in rail
    assert "running" not in rail


def test_the_next_step_of_an_empty_platform_leads_to_a_new_connection(empty, open_page):
    at = settle(open_page("home"))
    at.button(key="home_next_connect").click().run()
    assert heading(at) == ["New connection"]


# Names are text


def names_in_table(at: AppTest) -> list[Any]:
    return column(at, "Name")


def column(at: AppTest, name: str) -> list[Any]:
    # Not by way of pandas, whose version here makes Arrow's reader warn.
    with pa.ipc.open_stream(at.dataframe[0].proto.arrow_data.data) as reader:
        values: list[Any] = reader.read_all().column(name).to_pylist()
    return values


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_text_in_the_table_and_in_the_drawer(empty, open_page, name):
    connection_id = empty.connect(name)
    at = settle(open_page("connections", connection=connection_id))
    assert names_in_table(at) == [name]
    (drawer,) = at.get("dialog")
    title = drawer.proto.dialog.title
    assert shown(title) == (name if len(name) <= 80 else name[:79] + "…")
    for told in (title, words(at)):
        assert not re.search(r"(?<!\\)(<img|<b>|!\[|\]\(|\*\*bold|\$x|`code|:red\[x)", told)
        assert ":smile:" not in told


def test_a_direction_override_in_a_name_reaches_nobody(empty, open_page):
    connection_id = empty.connect("invoice\u202efdp.exe")
    at = settle(open_page("connections", connection=connection_id))
    assert names_in_table(at) == ["invoicefdp.exe"]
    assert "\u202e" not in at.get("dialog")[0].proto.dialog.title


@pytest.mark.parametrize("page", ["home", "new_connection", "workspaces", "summarize"])
def test_other_pages_stand_a_hostile_name_and_type_too(demo, open_page, page):
    demo.connect(HOSTILE[0])
    demo.connect("typed", kind=HOSTILE[0])
    at = settle(open_page(page))
    assert heading(at) == [HEADINGS[page]]
    assert not re.search(r"(?<!\\)<img", words(at))


def test_a_hostile_type_is_text_in_the_drawer_and_cannot_be_fetched(empty, open_page):
    connection_id = empty.connect("odd", kind=HOSTILE[0])
    at = settle(open_page("connections", connection=connection_id))
    assert HOSTILE[0] in shown(words(at))
    assert not re.search(r"(?<!\\)<img", words(at))
    assert at.button(key="drawer_fetch").disabled


def test_an_address_of_a_connection_that_is_not_there_says_so(demo, open_page):
    at = settle(open_page("connections", connection="gone"))
    assert [one.value for one in at.info] == ["This connection is not here (any more)."]
    assert names_in_table(at)
    assert not at.get("dialog")


# Filters


def test_the_search_finds_by_name_host_and_workspace(demo, open_page):
    at = settle(open_page("connections"))
    at.text_input(key="connections_search").input("MONGO").run()
    assert names_in_table(at) == ["mongodb_atlas"]
    at.text_input(key="connections_search").input("cv-medical http").run()
    assert len(names_in_table(at)) == 2
    assert "1–2 of 2, filtered from 6." in words(at)
    at.text_input(key="connections_search").input("no such thing").run()
    assert "No connection fits these filters" in words(at)
    assert not at.dataframe
    assert not at.exception


def test_the_type_filter_and_the_search_narrow_together(demo, open_page):
    at = settle(open_page("connections"))
    at.selectbox(key="connections_type").select("HTTP").run()
    assert set(column(at, "Type")) == {"HTTP"}
    at.text_input(key="connections_search").input("tickets").run()
    assert names_in_table(at) == ["support-tickets-week-47"]
    assert "1–1 of 1, filtered from 6." in words(at)


# From a table to a finished run


TICKETS, ROOM = "support-tickets-week-47", "workshop-workspace-summarization"


def test_a_fetched_table_is_shown_and_the_way_on_is_to_deploy(demo, open_page):
    demo.link(TICKETS, ROOM)
    at = settle(open_page("summarize"))
    settle(at.button(key="summarize_fetch").click().run())
    assert at.query_params["table"]
    assert "Fits the model" in words(at)
    assert column(at, "inputs")[0]
    assert "summarize_run" not in [button.key for button in at.button]
    settle(at.button(key="summarize_deploy").click().run())
    assert shown(at.get("dialog")[0].proto.dialog.title) == "Deploy hf-summarizer"


def test_a_link_that_cannot_be_fetched_is_told_where_it_was_asked_for(demo, open_page):
    connection_id = demo.connect("gone", url=f"{demo.sandbox.url}/x")
    demo.link("gone", ROOM)
    at = settle(open_page("connections", connection=connection_id))
    at.button(key="drawer_fetch").click().run()
    settle(at)
    assert heading(at) == ["Summarize"]
    settle(at.button(key="summarize_fetch").click().run())
    assert ":red[:material/error:" in words(at)
    assert "Fetch the table to look at it" in words(at)


def test_an_address_of_a_table_that_is_gone_is_no_dead_end(demo, open_page):
    demo.link(TICKETS, ROOM)
    at = settle(open_page("summarize", table="gone"))
    assert ":red[:material/error:" in words(at)
    assert not at.button(key="summarize_fetch").disabled


def test_a_finished_run_is_on_home_and_leads_to_its_reading_and_its_timing(demo, open_page):
    run_id = demo.keep_run(["One text.", "Another."], failed=1)
    at = settle(open_page("home"))
    assert column(at, "Result")[0] == ["▲ 1 failed"]
    settle(at.button(key="home_time_last").click().run())
    assert heading(at) == ["Latency"]
    assert at.query_params == {"run": run_id}
    at = settle(open_page("home"))
    settle(at.button(key="home_read_last").click().run())
    assert heading(at) == ["week\\-47"]
    assert at.query_params == {"run": run_id}


def test_a_finished_run_says_what_made_it_and_offers_to_retry_what_failed(demo, open_page):
    run_id = demo.keep_run(["One text.", "Another."], failed=1)
    at = settle(open_page("summarize", run=run_id))
    assert heading(at) == ["week\\-47"]
    assert "1 of 2 rows done in 11.0 s" in shown(words(at))
    assert "Retry 1 failed row" in labels(at)
    assert strings.EMBEDDED_ENGINE in shown(words(at))


def test_a_run_of_thousands_of_rows_counts_both_in_the_same_way(demo, open_page):
    run_id = demo.keep_run(["One text."] * 1_003, failed=1)
    at = settle(open_page("summarize", run=run_id))
    assert "1,002 of 1,003 rows done" in shown(words(at))


@pytest.mark.parametrize("page", ["summarize", "latency", "home"])
def test_hostile_texts_of_a_run_raise_nothing(demo, open_page, page):
    run_id = demo.keep_run([*HOSTILE, "\u202etxet", ""], failed=3)
    at = settle(open_page(page, **({} if page == "home" else {"run": run_id})))
    assert len(at.title) == 1
    assert not re.search(r"(?<!\\)<img", words(at))


def test_the_timing_of_a_run_is_drawn_and_remembered_as_seen(demo, open_page):
    run_id = demo.keep_run([f"Text {number}." for number in range(30)])
    at = settle(open_page("latency", run=run_id))
    assert at.get("plotly_chart")
    assert "week\\-47, 30 rows" in words(at)
    at.query_params.clear()
    at.switch_page("../pages/home.py").run()
    assert "Looked at" in words(settle(at))


@pytest.mark.parametrize("page", ["summarize", "latency"])
def test_an_address_of_a_run_that_is_not_kept_is_no_dead_end(demo, open_page, page):
    at = settle(open_page(page, run="gone"))
    assert heading(at) == [HEADINGS[page]]
    told = {"summarize": "not kept any more", "latency": "Nothing has run yet"}
    assert told[page] in words(at)
    assert "Choose a table" in labels(at)


# Dialogs


def test_a_new_pipeline_needs_a_workspace(empty, open_page):
    at = settle(open_page("pipelines"))
    settle(at.button(key="pipelines_new").click().run())
    assert "It needs a workspace" in words(at)
    assert strings.PIPELINE in words(at)
