"""The export dialog of a run, on the screens, over a real sandbox."""

from __future__ import annotations

import json

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard import runtime
from dashboard.errors import DashboardError
from dashboard.views import run_export as view
from tests.app import stories
from tests.app.conftest import Platform, settle, shown, words

KEYS = ["csv", "parquet", "json", "receipt_json", "receipt_page", "notebook"]


def open_dialog(open_page, run_id: str) -> AppTest:
    at = settle(open_page("summarize", run=run_id))
    return settle(at.button(key="run_export").click().run())


def downloads(at: AppTest) -> list[str]:
    return [str(one.key).removeprefix("export_run_") for one in at.get("download_button")]


def test_the_dialog_offers_rows_receipt_and_notebook(demo: Platform, open_page):
    run_id = demo.keep_run(["one", "two", "three"], failed=1)
    at = open_dialog(open_page, run_id)
    assert downloads(at) == KEYS
    told = shown(words(at))
    assert "**week-47**, 3 rows." in told
    assert "Texts are private data" in told
    assert "It holds no text and no secret" in told


def test_each_download_gives_its_file_when_it_is_asked_for(demo: Platform, open_page, monkeypatch):
    made = {}
    plain = st.download_button

    def noted(label, **options):
        made[options["key"].removeprefix("export_run_")] = options
        return plain(label, **options)

    monkeypatch.setattr(st, "download_button", noted)
    run_id = demo.keep_run(["=one", "two"], failed=1)
    open_dialog(open_page, run_id)
    assert list(made) == KEYS
    content = {key: options["data"]() for key, options in made.items()}
    assert [row["in.inputs"] for row in json.loads(content["json"])] == ["=one", "two"]
    assert b'"\'=one"' in content["csv"]
    assert content["parquet"].startswith(b"PAR1")
    assert json.loads(content["receipt_json"])["run"]["id"] == run_id
    assert content["receipt_page"].startswith("<!doctype html>")
    assert json.loads(content["notebook"])["nbformat"] == 4
    assert [options["file_name"] for options in made.values()] == [
        f"week-47-20261122-{stamp(demo)}-rows.csv",
        f"week-47-20261122-{stamp(demo)}-rows.parquet",
        f"week-47-20261122-{stamp(demo)}-rows.json",
        f"week-47-20261122-{stamp(demo)}-receipt.json",
        f"week-47-20261122-{stamp(demo)}-receipt.html",
        f"week-47-20261122-{stamp(demo)}.ipynb",
    ]


def stamp(platform: Platform) -> str:
    minutes, seconds = divmod(platform.runs_kept, 60)
    return f"14{2 + minutes:02}{seconds:02}"


def test_a_large_file_is_made_as_a_job_and_then_offered(demo: Platform, open_page, monkeypatch):
    monkeypatch.setattr(view, "MOST_ROWS_AT_ONCE", 2)
    run_id = demo.keep_run(["one", "two", "three"])
    at = open_dialog(open_page, run_id)
    assert downloads(at) == KEYS[3:]
    settle(at.button(key="export_run_make_json").click().run())
    assert "ready" in downloads(at)
    who = demo.who
    file_id, form = noted(at, run_id)
    assert form == "json"
    content = json.loads(runtime.current().exports.file(who, file_id))
    assert [row["in.inputs"] for row in content] == ["one", "two", "three"]
    assert any("ready under Export" in one.value for one in at.success)
    # Another form takes its place.
    settle(at.button(key="export_run_make_csv").click().run())
    newer_id, form = noted(at, run_id)
    assert (newer_id != file_id, form) == (True, "csv")


def noted(at: AppTest, run_id: str) -> tuple[str, str]:
    of_run, file_id, form = at.session_state["_export"]
    assert of_run == run_id
    return file_id, form


def test_a_file_that_cannot_be_made_says_why_and_can_be_asked_for_again(
    demo: Platform, open_page, monkeypatch
):
    monkeypatch.setattr(view, "MOST_ROWS_AT_ONCE", 0)
    run_id = demo.keep_run(["one"])

    def broken(*_args, **_options):
        raise DashboardError("The stored rows cannot be read.", title="No file")

    at = open_dialog(open_page, run_id)
    with monkeypatch.context() as patch:
        patch.setattr(runtime.current().exports, "write_rows", broken)
        settle(at.button(key="export_run_make_csv").click().run())
    assert "The stored rows cannot be read." in shown(words(at))
    settle(at.button(key="export_run_make_csv").click().run())
    assert "ready" in downloads(at)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("press releases/47", "press-releases-47"),
        ("../../etc/passwd", "etc-passwd"),
        ("\u202egnp.exe", "gnp-exe"),
        ("مرحبا", "run"),
        ("n" * 200, "n" * 40),
    ],
)
def test_file_names_hold_safe_characters_only(name, stem):
    assert view.file_stem(stories.run(name=name)) == f"{stem}-20261122-140200"


def test_a_run_that_is_gone_says_so(demo: Platform, open_page):
    at = settle(open_page("summarize"))
    at.session_state["_dialog"] = ("export_run", "0" * 32)
    settle(at.run())
    assert "There is no such run." in shown(words(at))
    assert downloads(at) == []
