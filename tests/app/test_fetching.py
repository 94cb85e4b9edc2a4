"""Fetching on the page Summarize: progress, cancel, paging, what was fetched before, misfits."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import streamlit as st
from streamlit.testing.v1 import AppTest

from tests.app.conftest import settle, shown, words
from tests.support.source import held_source, running_source
from tests.support.waiting import wait_until

ROOM = "workshop-workspace-summarization"


def column(at: AppTest, name: str) -> list[Any]:
    # Not by way of pandas, whose version here makes Arrow's reader warn.
    with pa.ipc.open_stream(at.dataframe[0].proto.arrow_data.data) as reader:
        values: list[Any] = reader.read_all().column(name).to_pylist()
    return values


def body(rows: int, **more: Any) -> bytes:
    return json.dumps(
        [{"inputs": f"Text {number}. " * 200, **more} for number in range(rows)]
    ).encode()


def fetched(platform, open_page, source, name: str) -> AppTest:
    connection_id = platform.connect(name, url=source.link())
    platform.link(name, ROOM)
    at = settle(open_page("summarize", connection=connection_id))
    return fetch(at)


def fetch(at: AppTest) -> AppTest:
    return settle(at.button(key="summarize_fetch").click().run())


def keys(at: AppTest) -> list[str]:
    return [str(button.key) for button in at.button]


def test_a_long_table_is_shown_page_by_page(demo, open_page, monkeypatch):
    # AppTest cannot turn the pages of a pagination, but it can type a number.
    def number(pages: int, *, key: str, **_options: object) -> None:
        st.number_input("Page", 1, pages, key=key)

    monkeypatch.setattr(st, "pagination", number)
    with running_source() as source:
        source.body = body(250)
        at = fetched(demo, open_page, source, "paged")
    assert "Rows 1–100 of 250." in words(at)
    assert len(column(at, "inputs")) == 100
    assert max(map(len, column(at, "inputs"))) == 400
    settle(at.number_input[0].set_value(3).run())
    assert "Rows 201–250 of 250." in words(at)
    assert [text.split(". ")[0] for text in column(at, "inputs")] == [
        f"Text {number}" for number in range(200, 250)
    ]


def test_a_second_fetch_says_what_changed_since_the_first(demo, open_page):
    with running_source() as source:
        source.body = body(3)
        at = fetched(demo, open_page, source, "changing")
        assert "From **changing** (127.0.0.1" in shown(words(at))
        assert "Unchanged for" not in words(at)
        fetch(at)
        assert "Unchanged for" in words(at)
        source.body = body(15, lang="de")
        fetch(at)
    told = shown(words(at))
    assert "12 rows more than a moment ago" in told
    assert "column **lang** is new." in told


def test_what_was_fetched_before_can_be_used_without_the_source(demo, open_page):
    with running_source() as source:
        source.body = body(3)
        at = fetched(demo, open_page, source, "read-by-many")
        table_id, connection_id = at.query_params["table"], at.query_params["connection"]
        asked = len(source.asked)
        again = settle(open_page("summarize", connection=connection_id))
        (use,) = [one for one in again.button if one.key == "summarize_use"]
        assert use.label.startswith("Use the table fetched ")
        settle(use.click().run())
        assert again.query_params["table"] == table_id
        assert "3 rows, all shown." in words(again)
        assert len(source.asked) == asked
        fetch(again)
        assert f"summarize_use_{table_id}" in keys(again)


def test_a_setting_of_another_type_is_told_before_the_run(demo, open_page):
    with running_source() as source:
        source.body = body(2, return_text="yes")
        at = fetched(demo, open_page, source, "texts-for-flags")
    told = "**return_text** holds string, not true or false: it is left out, and true is sent."
    assert told in shown(words(at))
    assert "Fits the model" in words(at)


def test_a_fetch_that_takes_long_is_shown_and_can_be_cancelled(demo, open_page):
    with held_source() as source:
        connection_id = demo.connect("slow-source", url=source.link)
        demo.link("slow-source", ROOM)
        at = settle(open_page("summarize", connection=connection_id))
        at.button(key="summarize_fetch").click().run()

        def is_told() -> bool:
            at.run()
            return "summarize_fetch_cancel" in keys(at)

        wait_until(is_told, within_s=10, what="the fetch is told of")
        (progress,) = at.get("progress")
        assert progress.proto.text.startswith("Read · ")
        settle(at.button(key="summarize_fetch_cancel").click().run())
    told = [shown(one.value) for one in at.success]
    assert any("Fetching from slow-source was cancelled." in one for one in told)
    assert "table" not in at.query_params
    assert not at.button(key="summarize_fetch").disabled


def test_the_first_rows_are_shown_while_the_source_still_sends(demo, open_page):
    lines = b"".join(
        json.dumps({"id": number, "inputs": f"Text {number}. " * 50}).encode() + b"\n"
        for number in range(60)
    )
    with held_source(lines) as source:
        connection_id = demo.connect("dripping", url=source.link)
        demo.link("dripping", ROOM)
        at = settle(open_page("summarize", connection=connection_id))
        at.button(key="summarize_fetch").click().run()

        def has_rows() -> bool:
            at.run()
            return bool(at.dataframe)

        wait_until(has_rows, within_s=10, what="the first rows are shown")
        assert [text[:8] for text in column(at, "inputs")] == [
            f"Text {number}. "[:8] for number in range(20)
        ]
        assert max(map(len, column(at, "inputs"))) <= 400
        assert "The first 20 rows from **dripping**." in shown(words(at))
        assert "Fits the model" not in words(at)
        settle(at.button(key="summarize_fetch_cancel").click().run())
        assert not at.dataframe
        assert "table" not in at.query_params
        source.let_go.set()
        fetch(at)
    assert len(column(at, "inputs")) == 60
    assert "The first 20 rows" not in words(at)
    assert "60 rows, all shown." in words(at)


def test_a_fetch_that_fails_leaves_no_first_rows_on_the_page(demo, open_page):
    lines = b'{"inputs": "A text."}\n' * 50
    with held_source(lines + b"x" * len(lines)) as source:
        connection_id = demo.connect("breaking", url=source.link)
        demo.link("breaking", ROOM)
        at = settle(open_page("summarize", connection=connection_id))
        at.button(key="summarize_fetch").click().run()

        def has_rows() -> bool:
            at.run()
            return bool(at.dataframe)

        wait_until(has_rows, within_s=10, what="the first rows are shown")
        source.let_go.set()
        settle(at)
    assert not at.dataframe
    assert "look at line 51" in shown(words(at))


def test_a_file_above_the_cap_names_the_cap_and_who_can_raise_it(demo, open_page):
    with running_source() as source:
        source.body = b"[" + b" " * 25_000_001
        at = fetched(demo, open_page, source, "too-big")
    told = shown(words(at))
    assert "The file is larger than 25 MB." in told
    assert "Whoever runs the dashboard can raise WALLAROO_DASHBOARD_FETCH_MAX_MB." in told


def test_a_new_run_begins_at_the_connection_of_the_run_before(demo, open_page):
    with running_source() as source:
        source.body = body(3)
        first_id = demo.connect("first-choice", url=source.link())
        demo.link("first-choice", ROOM)
        other_id = fetched(demo, open_page, source, "default-choice").selectbox[1].value
        at = fetch(settle(open_page("summarize", connection=first_id)))
    query = {"table": at.query_params["table"], "workspace": str(at.selectbox[0].value)}
    # As the button of a run writes it: by name, in a page of its own.
    at = settle(open_page("summarize", **query, connection="first-choice"))
    assert "From **first-choice**" in shown(words(at))
    assert at.selectbox[1].value == first_id
    assert at.query_params["connection"] == first_id
    # The table alone tells it as well.
    at = settle(open_page("summarize", **query))
    assert at.selectbox[1].value == first_id
    # Another choice leaves the table.
    settle(at.selectbox[1].set_value(other_id).run())
    assert "table" not in at.query_params
    assert at.selectbox[1].value == other_id
