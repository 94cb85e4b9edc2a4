"""The page Connections as a list: its address, its filters, its pages, and what is ticked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import runtime, session
from dashboard.domain.check import Check, CheckKind, Health, HealthState
from dashboard.domain.connection import Connection
from dashboard.domain.replacement import Replacement, ReplaceState
from dashboard.services.jobs import Outcome
from dashboard.services.reads import Query
from tests.app import stories
from tests.app.conftest import Platform, settle, words
from tests.support.waiting import wait_until

TABLE, SEARCH = "connections_table", "connections_search"
MANY = 10_000


def column(at: AppTest, name: str) -> list[Any]:
    # Not by way of pandas, whose version here makes Arrow's reader warn.
    with pa.ipc.open_stream(at.dataframe[0].proto.arrow_data.data) as reader:
        values: list[Any] = reader.read_all().column(name).to_pylist()
    return values


def names(at: AppTest) -> list[str]:
    return column(at, "Name")


def tick(at: AppTest, *rows: int) -> AppTest:
    at.session_state[TABLE] = {"selection": {"rows": list(rows), "columns": [], "cells": []}}
    # AppTest sets the state but calls nothing: a browser's tick calls the table's callback.
    ids = [by_name()[name] for name in names(at)]
    kept = [one for one in picked(at) if one not in ids]
    at.session_state[session._TICKED] = kept + [ids[row] for row in rows]
    return at.run()


def picked(at: AppTest) -> list[str]:
    return list(at.session_state[session._TICKED]) if session._TICKED in at.session_state else []


def by_name() -> dict[str, str]:
    current = runtime.current()
    listed = current.reads.get(current.catalog.connections(current.identity())).value
    assert listed is not None
    return {one.name: one.connection_id for one in listed}


def listed(number: int) -> tuple[Connection, ...]:
    """Return that many connections, the first the oldest."""
    return tuple(
        Connection(
            f"id-{at}",
            f"{'press' if at % 4 else 'sales'}-{at:05d}",
            ("HTTP", "KAFKA")[at % 2],
            stories.NOW + timedelta(seconds=at),
            host=f"h{at % 7}.example",
        )
        for at in range(number)
    )


@pytest.fixture
def many(demo: Platform, monkeypatch) -> Sequence[Connection]:
    """Let the platform list ten thousand connections, one in ten of them failing."""
    connections = listed(MANY)
    check = Check("x", CheckKind.TEST, stories.NOW, False, "unauthorised", "It says no (401).")
    healths = {one.connection_id: Health(HealthState.FAILING, check) for one in connections[::10]}
    catalog, checks = demo.current.catalog, demo.current.checks
    monkeypatch.setattr(
        catalog, "connections", lambda who: Query((who.key, "m"), lambda: connections)
    )
    monkeypatch.setattr(checks, "health", lambda who: Query((who.key, "h"), lambda: healths))
    return connections


# Address


def test_a_pasted_address_shows_what_it_says(many, open_page):
    query = {"health": "failing", "type": "HTTP", "sort": "oldest", "page": "3"}
    at = settle(open_page("connections", **query))
    assert names(at)[:2] == ["sales-01000", "press-01010"]
    assert "101–150 of 1,000, filtered from 10,000." in words(at)
    assert at.selectbox(key="connections_type").value == "HTTP"
    assert at.selectbox(key="connections_sort").value == "oldest"


def test_what_is_chosen_stands_in_the_address_but_never_what_is_typed(many, open_page):
    at = settle(open_page("connections"))
    at.text_input(key=SEARCH).input("sales").run()
    at.selectbox(key="connections_type").select("HTTP").run()
    at.selectbox(key="connections_sort").select("name").run()
    assert dict(at.query_params) == {"type": "HTTP", "sort": "name"}
    assert at.text_input(key=SEARCH).value == "sales"


def test_an_address_of_things_there_are_not_shows_the_whole_list(many, open_page):
    query = {"health": "x", "type": "<img>", "workspace": "99999", "sort": "x", "page": "-1"}
    at = settle(open_page("connections", **query))
    assert "1–50 of 10,000." in words(at)
    assert not at.exception


def test_a_page_past_the_end_is_the_last_one(many, open_page):
    at = settle(open_page("connections", page="9999"))
    assert "9,951–10,000 of 10,000." in words(at)


def test_going_back_takes_a_filter_away_again(many, open_page):
    at = settle(open_page("connections"))
    at.selectbox(key="connections_type").select("KAFKA").run()
    assert set(column(at, "Type")) == {"KAFKA"}
    # As the browser does, once its address has been written and read.
    at.session_state[session._ADDRESSES] = at.session_state[session._ADDRESSES][-1:]
    del at.query_params["type"]
    at.run()
    assert set(column(at, "Type")) == {"HTTP", "KAFKA"}
    assert at.selectbox(key="connections_type").value is None


def test_a_run_with_the_address_of_a_moment_ago_takes_no_filter_away(many, open_page):
    at = settle(open_page("connections"))
    at.selectbox(key="connections_type").select("KAFKA").run()
    del at.query_params["type"]
    at.run()
    assert set(column(at, "Type")) == {"KAFKA"}


def test_another_filter_begins_at_its_first_page(many, open_page):
    at = settle(open_page("connections", page="4"))
    at.selectbox(key="connections_type").select("HTTP").run()
    assert "1–50 of 5,000, filtered from 10,000." in words(at)
    assert "page" not in at.query_params


def test_typing_begins_at_the_first_page(many, open_page):
    at = settle(open_page("connections", page="4"))
    at.text_input(key=SEARCH).input("sales").run()
    assert "1–50 of 2,500, filtered from 10,000." in words(at)
    assert "page" not in at.query_params


# What is shown


def test_fifty_rows_are_sent_and_no_more(many, open_page):
    at = settle(open_page("connections"))
    assert len(names(at)) == 50
    assert "10,000 connections on this platform." in words(at)


def test_health_says_what_it_rests_on(many, open_page):
    at = settle(open_page("connections", sort="health"))
    assert column(at, "Health")[0] == ["✕ Failing"]
    assert column(at, "Proof")[0].startswith("401 for ")


def test_all_columns_fit_a_window_and_name_and_health_fit_a_phone(demo, open_page):
    at = settle(open_page("connections"))
    told = json.loads(at.dataframe[0].proto.columns)
    shown = [name for name in told if name != "_index"]
    assert shown == [*("Name", "Health", "Proof", "Type", "Host", "Used by", "Last run", "Created")]
    with pa.ipc.open_stream(at.dataframe[0].proto.arrow_data.data) as reader:
        assert reader.schema.names[: len(shown)] == shown
    widths = [told[name]["width"] for name in shown]
    ticks_px, borders_px = 33, 2
    assert sum(widths) <= 980 - ticks_px - borders_px  # in a window of 1280 px, beside the rail
    assert sum(widths[:2]) <= 370 - ticks_px - borders_px  # on a phone of 400 px


def test_the_pills_count_what_the_other_filters_leave(many, open_page):
    at = settle(open_page("connections", type="HTTP"))
    (pills,) = [one for one in at.button_group if one.key == "connections_health"]
    told = [option.content for option in pills.proto.options]
    assert told[0] == "All 5,000"
    assert "Failing 1,000" in told[2]
    assert "Not tested 4,000" in told[4]


def test_a_workspace_is_chosen_by_its_id(demo, open_page):
    gateway = demo.current.gateway()
    room = next(one for one in gateway.list_workspaces(demo.who) if "john" in one.name)
    at = settle(open_page("connections", workspace=str(room.workspace_id)))
    assert all(room.name in rooms for rooms in column(at, "Used by"))
    at = settle(open_page("connections", workspace="none"))
    assert all(rooms == ["not linked"] for rooms in column(at, "Used by"))


def test_when_a_connection_was_run_last_is_told(demo, open_page):
    demo.keep_run(["a text"])
    run = stories.run()
    demo.connect(run.connection_name)
    demo.forget()
    at = settle(open_page("connections"))
    told = dict(zip(names(at), column(at, "Last run"), strict=True))
    assert told.pop(run.connection_name) != "–"
    assert set(told.values()) == {"–"}


def test_nothing_found_offers_to_clear_the_filters(demo, open_page):
    at = settle(open_page("connections", type="HTTP", sort="name"))
    at.text_input(key=SEARCH).input("no such thing").run()
    assert "No connection fits these filters" in words(at)
    assert "Tick rows" not in words(at)
    at.button(key="connections_clear").click().run()
    assert "1–6 of 6." in words(at)
    assert at.text_input(key=SEARCH).value == ""
    assert dict(at.query_params) == {"sort": "name"}


@pytest.mark.parametrize("words_typed", ["", "no such thing"])
def test_an_opened_connection_is_shown_whatever_the_filters_leave(demo, open_page, words_typed):
    connection_id = demo.connect("week-47")
    at = settle(open_page("connections", type="BIGQUERY", health="healthy"))
    assert not at.dataframe
    at.text_input(key=SEARCH).input(words_typed)
    at.query_params["connection"] = connection_id
    settle(at.run())
    assert not at.dataframe
    assert [one.proto.dialog.title for one in at.get("dialog")] == ["week\\-47"]


def test_an_empty_list_says_that_an_opened_connection_is_gone(empty, open_page):
    at = settle(open_page("connections", connection="gone"))
    assert [one.value for one in at.info] == ["This connection is not here (any more)."]


def test_an_empty_list_leads_to_the_form_and_to_the_import(empty, open_page):
    at = settle(open_page("connections"))
    assert at.button(key="connections_first").label == "Connect a file on the web"
    at.button(key="connections_first_import").click().run()
    assert [one.value for one in at.title] != ["Connections"]


def test_the_copies_of_a_replace_under_way_are_no_connections(demo, open_page, monkeypatch):
    for name in ("orders", "orders-new", "orders-old"):
        demo.connect(name)
    now = stories.NOW
    begun = Replacement(
        "r", "u", "", "orders", "HTTP", "i", now, "orders-new", "orders-old", (), (), now
    )
    told: list[Replacement] = []
    replaces = Query((demo.who.key, "replaces"), lambda: tuple(told))
    monkeypatch.setattr(demo.current.replacing, "replacements", lambda _who: replaces)
    for state, shown in ((ReplaceState.UNFINISHED, 1), (ReplaceState.NEW, 3)):
        told[:] = [Replacement(**{**_fields(begun), "state": state})]
        demo.current.reads.forget(demo.who.key, "replaces")
        at = settle(open_page("connections"))
        assert sum(name.startswith("orders") for name in names(at)) == shown


def _fields(one: Replacement) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__dataclass_fields__}


# What is ticked


def test_ticked_rows_bring_what_can_be_done_with_them(demo, open_page):
    at = settle(open_page("connections"))
    assert "Tick rows to link" in words(at)
    at = tick(at, 0, 2)
    ids = [by_name()[names(at)[row]] for row in (0, 2)]
    assert "**2 selected**" in words(at)
    for act, opened in (
        ("link", ("link_connections", set(ids))),
        ("unlink", ("link_connections", {f"unlink:{ids[0]}", *ids})),
        ("export", ("export_connections", set(ids))),
        ("delete", ("delete_connections", set(ids))),
    ):
        opened_with = _click(at, f"connections_bar_{act}")
        assert opened_with[0] == opened[0]
        subject = opened_with[1].removeprefix("unlink:")
        assert opened_with[1].startswith("unlink:") == (act == "unlink")
        assert set(subject.split(",")) == set(ids)


def test_delete_stands_last_and_far_from_clear(demo, open_page):
    at = tick(settle(open_page("connections")), 0)
    bar = [one.key for one in at.button if str(one.key).startswith("connections_bar_")]
    assert bar[0] == "connections_bar_clear"
    assert bar[-1] == "connections_bar_delete"
    assert len(bar) == 6


def _click(at: AppTest, key: str) -> tuple[str, str]:
    """Press a button, and return which dialog it opened; the dialog itself is somebody else's."""
    opened: list[tuple[str, str]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "open_dialog", lambda *asked: opened.append(asked))
        at.button(key=key).click().run()
    (only,) = opened
    return only


def test_ticks_stay_with_their_connections_when_other_rows_stand_there(demo, open_page):
    at = settle(open_page("connections"))
    at = tick(at, 0)
    (ticked,) = picked(at)
    at.selectbox(key="connections_sort").select("oldest").run()
    assert picked(at) == [ticked]
    rows = at.session_state[TABLE]["selection"]["rows"]
    assert [by_name()[names(at)[row]] for row in rows] == [ticked]
    at.text_input(key=SEARCH).input("zzz").run()
    at.text_input(key=SEARCH).input("mongo").run()
    assert at.session_state[TABLE]["selection"]["rows"] == []
    assert "(1 not here)" in words(at)


def test_clear_takes_all_ticks_away(demo, open_page):
    at = tick(settle(open_page("connections")), 0, 1)
    at.button(key="connections_bar_clear").click().run()
    assert picked(at) == []
    assert at.session_state[TABLE]["selection"]["rows"] == []
    assert "Tick rows to link" in words(at)


def test_testing_the_ticked_ones_is_one_job_over_these(demo, open_page, monkeypatch):
    asked: list[list[str]] = []

    def check(_who, connections, *, session: str) -> Outcome:
        asked.append([one.name for one in connections])
        return Outcome("Tested 2 connections.")

    monkeypatch.setattr(demo.current.tests, "check", check)
    at = tick(settle(open_page("connections")), 1, 3)
    wanted = [names(at)[row] for row in (1, 3)]
    at = settle(at.button(key="connections_bar_test").click().run())
    assert [set(one) for one in asked] == [set(wanted)]


def test_the_test_of_all_tells_how_far_it_is_and_can_be_stopped(demo, open_page, monkeypatch):
    cancelled: list[bool] = []
    tests = demo.current.tests
    monkeypatch.setattr(tests, "check_progress", lambda _who: (12, 40))
    monkeypatch.setattr(tests, "cancel_check", lambda _who: cancelled.append(True))
    at = settle(open_page("connections"))
    assert "12 of 40 checked" in words(at)
    at.button(key="connections_check_cancel").click().run()
    assert cancelled == [True]


def test_check_all_leaves_nothing_out(demo, open_page, monkeypatch):
    asked: list[int] = []

    def check(_who, connections, *, session: str) -> Outcome:
        asked.append(len(connections))
        return Outcome("Tested them.")

    monkeypatch.setattr(demo.current.tests, "check", check)
    at = settle(open_page("connections", type="HTTP"))
    at.button(key="connections_check_all").click().run()
    wait_until(lambda: bool(asked), within_s=5, what="the job has begun")
    assert asked == [6]
