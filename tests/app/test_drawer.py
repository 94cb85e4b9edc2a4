"""The drawer of a connection: its states, its sections, and what happened to it meanwhile."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from components.connection_details import set_since, set_words, with_one_host
from components.connection_log import act_words
from dashboard import runtime
from dashboard.connectors.base import TestResult
from dashboard.connectors.causes import FetchCause, fetch_failure
from dashboard.domain.activity import Act, Activity, ActResult
from dashboard.domain.check import Stage, StageResult, StageState
from dashboard.domain.connection import DetailPart
from dashboard.domain.detail_tree import Change, ChangeAct, Leaf, ValueKind
from dashboard.masking import Secret
from dashboard.store.check_records import CheckRecords, path_mark
from dashboard.views import connection_sections
from tests.app.conftest import settle, shown, words

NOW = datetime(2026, 11, 22, 14, 2, tzinfo=UTC)
IMG = "<img src=x onerror=alert(1)>"
ASKED = TestResult(
    (
        *(StageResult(one, StageState.DONE, 1.0) for one in (Stage.RESOLVE, Stage.CONNECT)),
        StageResult(Stage.AUTHORISE, StageState.FAILED, 1.0),
    ),
    failure=fetch_failure(FetchCause.UNAUTHORISED),
)
PASSED = TestResult(
    tuple(StageResult(stage, StageState.DONE, 12.0) for stage in Stage),
    format="CSV",
    rows=24,
)
REFUSED = TestResult(
    (
        StageResult(Stage.RESOLVE, StageState.DONE, 12.0),
        StageResult(Stage.CONNECT, StageState.DONE, 94.0),
        StageResult(Stage.AUTHORISE, StageState.FAILED, 131.0),
        StageResult(Stage.READ, StageState.NOT_REACHED),
        StageResult(Stage.RECOGNISE, StageState.NOT_REACHED),
    ),
    fetch_failure(FetchCause.UNAUTHORISED, detail="401"),
)


def opened(open_page: Any, connection_id: str, section: str = "Overview") -> Any:
    at = settle(open_page("connections", connection=connection_id))
    if section != "Overview":
        at.segmented_control(key=f"drawer_section_{connection_id}").set_value(section).run()
        settle(at)
    return at


def make(platform: Any, name: str, details: object, kind: str = "HTTP") -> str:
    body = {"name": name, "type": kind, "details": details}
    return str(platform.post("/v1/api/connections/create", body)["id"])


# Overview


def test_an_untested_connection_says_so_and_since_when_each_part_is_set(empty, open_page):
    details = {"url": "https://h.example:8443/x/a.csv", "token": "t-0p-secret", "password": ""}
    at = opened(open_page, make(empty, "week-47", details))
    told = shown(words(at))
    assert ":gray-badge[:material/help: Not tested]" in told
    assert "only the parts that are safe to show" in told
    assert "h.example, port 8443, https" in told
    assert "**set** just now, not known to work" in told
    assert "**not set**" in told
    assert "t-0p-secret" not in str(at.main) + told
    assert not at.button(key="drawer_test").disabled


def test_a_new_token_leaves_the_dates_of_all_other_details_alone(empty, open_page):
    details = {"url": "https://h.example/folder/a.csv", "token": "t-old", "password": "p"}
    connection_id, current = make(empty, "week-47", details), runtime.current()
    long_ago = datetime.now(UTC) - timedelta(hours=5)
    times = {path_mark((key,)): long_ago for key in details}
    CheckRecords(current._store).carry("none", connection_id, times=times)
    stored = current.gateway().get_connection(empty.who, "week-47")
    change = Change(("token",), ChangeAct.REPLACE, Secret("t-new"))
    made = current.replacing.replace(empty.who, stored, [change]).result
    told = shown(words(opened(open_page, made)))
    assert told.count("**set** 5 h ago") == 2
    assert told.count("**set** just now") == 1


def test_a_healthy_connection_shows_its_stages_and_that_its_secret_worked(empty, open_page):
    connection_id = make(empty, "week-47", {"url": "https://h.example/a.csv", "token": "t"})
    runtime.current().checks.note_test(connection_id, PASSED)
    at = opened(open_page, connection_id)
    told = shown(words(at))
    assert ":green-badge[:material/check_circle: Healthy, tested just now]" in told
    assert "used at the last successful test just now" in told
    runtime.current().checks.note_test(connection_id, ASKED)
    runtime.current().checks.note_test(connection_id, PASSED)
    told = shown(words(settle(at.run())))
    assert "**set** just now, last worked just now" in told
    assert "used at the last" not in told
    for stage in ("Find the host", "Connect", "Sign in", "Read", "Recognise a table"):
        assert f":green[:material/check:] {stage}" in told
    assert "**Works:** 24 rows, CSV" in told


def test_a_failing_connection_says_since_when_why_and_what_to_do(empty, open_page):
    connection_id = empty.connect("week-47")
    runtime.current().checks.note_test(connection_id, REFUSED)
    at = opened(open_page, connection_id)
    told = shown(words(at))
    assert re.search(r":red-badge\[:material/cancel: Failing for under 1 min: 401\]", told)
    assert ":red[:material/close:] **Sign in**" in told
    assert "Add a token" in told


def test_a_used_connection_tells_its_last_fetch_besides_its_last_test(empty, open_page):
    connection_id = empty.connect("week-47")
    checks = runtime.current().checks
    checks.note_test(connection_id, REFUSED)
    checks.note_use(connection_id, rows=3, format="CSV")
    at = opened(open_page, connection_id)
    assert "Healthy, used just now" in shown(words(at))
    assert "Last fetch: just now. Last run: never." in words(at)
    assert ":red[:material/close:] **Sign in**" in words(at)


def test_the_last_run_over_its_table_is_told(demo, open_page):
    demo.keep_run(["a", "b"])
    connection_id = demo.connect("week-47")
    assert "2 rows through hf\\-summarizer" in words(opened(open_page, connection_id))


def test_a_type_that_cannot_be_read_is_neither_tested_nor_fetched(empty, open_page):
    at = opened(open_page, make(empty, "bucket", {"key": "k"}, kind="S3"))
    assert at.button(key="drawer_test").disabled
    assert at.button(key="drawer_fetch").disabled
    assert "cannot be tested here" in words(at)


@pytest.mark.parametrize("section", ["Overview", "Activity", "Code"])
def test_hostile_names_types_and_keys_are_text_in_every_section(empty, open_page, section):
    connection_id = make(empty, IMG, {IMG: {IMG: 1}, "[x](javascript:a)": "v"}, kind=IMG)
    runtime.current().activity.note(
        empty.who,
        Act.EDITED,
        connection_id=connection_id,
        connection_name=IMG,
        fields=(IMG,),
        note=IMG,
    )
    at = opened(open_page, connection_id, section)
    assert not re.search(r"(?<!\\)(<img|\]\(javascript)", words(at))
    assert IMG in shown(words(at))


def test_many_details_do_not_bury_the_actions(empty, open_page):
    details = {f"option_{number}": number for number in range(30)}
    at = opened(open_page, make(empty, "wide", details, kind="S3"))
    assert [one.label for one in at.expander if "more" in one.label] == ["20 more fields"]


def test_details_that_cannot_be_read_cost_only_their_times(empty, open_page):
    connection_id = make(empty, "week-47", {"url": "https://h.example/a.csv", "token": "t"})
    route = {"route": "/v1/api/connections/get", "status": 500}
    at = opened(open_page, connection_id)
    assert "Since when they are set is not known" not in words(at)
    empty.post("/_sandbox/faults", route)
    runtime.current().reads.forget(empty.who.key, "outline")
    at = settle(at.run())
    assert "Since when they are set is not known" in words(at)
    assert "**set**" in words(at)
    assert at.get("dialog")


def test_a_test_from_the_drawer_runs_and_becomes_the_connections_health(demo, open_page):
    at = opened(open_page, demo.connect("gone", url=f"{demo.sandbox.url}/nothing.csv"))
    at.button(key="drawer_test").click().run()
    tests = runtime.current().tests
    form = next(key for key in at.session_state if str(key).startswith("_test_drawer_"))
    for _ in range(200):
        view = tests.view(demo.who, at.session_state[form])
        if view is not None and not view.is_running:
            break
        at.run()
    settle(at.run())
    assert "Failing for" in words(at)
    assert ":red[:material/close:]" in words(at)


def test_links_are_changed_from_the_drawer(demo, open_page):
    connection_id = demo.connect("week-47")
    at = opened(open_page, connection_id)
    field = next(one for one in at.multiselect if str(one.key).startswith("drawer_links_"))
    room, *_ = demo.current.gateway().list_workspaces(demo.who)
    field.select(room.workspace_id).run()
    settle(at.button(key="drawer_save_links").click().run())
    assert "1 workspace" in words(at)
    assert any(f"Linked week-47 to {room.name}" in shown(one.value) for one in at.success)


@pytest.mark.parametrize(
    ("key", "dialog_or_page"),
    [("drawer_delete", "delete_connections"), ("drawer_export", "export_connections")],
)
def test_an_action_that_asks_first_opens_its_dialog(demo, open_page, key, dialog_or_page):
    connection_id = demo.connect("week-47")
    at = opened(open_page, connection_id)
    at.button(key=key).click().run()
    assert at.session_state["_dialog"] == (dialog_or_page, connection_id)


@pytest.mark.parametrize(
    ("key", "query"), [("drawer_edit", "connection"), ("drawer_duplicate", "from")]
)
def test_edit_and_duplicate_go_to_a_page_with_the_connections_id(demo, open_page, key, query):
    connection_id = demo.connect("week-47")
    at = opened(open_page, connection_id)
    at.button(key=key).click().run()
    assert at.query_params[query] == connection_id


# Activity and code


def test_the_activity_tells_who_did_what_and_marks_a_failure(empty, open_page):
    connection_id = empty.connect("week-47")
    log = runtime.current().activity
    about = {"connection_id": connection_id, "connection_name": "week-47"}
    log.note(empty.who, Act.EDITED, fields=("token",), **about)
    log.note(empty.who, Act.LINKED, workspace="press-desk", **about)
    log.note(empty.who, Act.TESTED, result=ActResult.FAILED, note="It was not found.", **about)
    log.note(empty.who, Act.EDITED, connection_name="another")
    told = shown(words(opened(open_page, connection_id, "Activity")))
    assert ":gray[just now, you:] Edited **token**" in told
    assert "Linked to **press-desk**" in told
    assert ":red[:material/close:] :gray[just now, you:] Tested, :red[failed]" in told
    assert "It was not found." in told
    assert "another" not in told


def test_no_activity_yet_is_said(empty, open_page):
    at = opened(open_page, empty.connect("quiet-one"), "Activity")
    assert "Nothing was done to it from here yet" in words(at)


def test_the_code_holds_names_and_no_value(empty, open_page):
    connection_id = make(empty, "week-47", {"url": "https://h.example/a.csv", "token": "t-0p"})
    at = opened(open_page, connection_id, "Code")
    use, create = [one.value for one in at.code]
    assert "get_connection('week-47')" in use
    assert "getpass" in create
    assert "t-0p" not in use + create


def test_only_the_chosen_section_is_read(empty, open_page, monkeypatch):
    connection_id = empty.connect("week-47")
    read: list[str] = []
    for name in ("overview", "activity", "code"):
        monkeypatch.setattr(connection_sections, name, lambda *_args, name=name: read.append(name))
    at = settle(open_page("connections", connection=connection_id))
    assert set(read) == {"overview"}
    read.clear()
    at.segmented_control(key=f"drawer_section_{connection_id}").set_value("Code").run()
    assert set(read) == {"code"}


# Two people at once


def test_a_connection_that_was_replaced_meanwhile_is_followed_to_the_new_one(demo, open_page):
    old_id = demo.connect("week-47")
    at = opened(open_page, old_id)
    gateway = demo.current.gateway()
    gateway.delete_connection(demo.who, "week-47")
    new_id = demo.connect("week-47")
    demo.current.reads.invalidate(demo.who.key)
    at = settle(at.run())
    assert at.query_params["connection"] == new_id
    assert "was replaced meanwhile: this is the new one" in words(at)
    assert at.get("dialog")


def test_a_connection_that_was_deleted_meanwhile_is_told_by_name(demo, open_page):
    at = opened(open_page, demo.connect("week-47"))
    demo.current.gateway().delete_connection(demo.who, "week-47")
    demo.current.reads.invalidate(demo.who.key)
    at = settle(at.run())
    assert "connection" not in at.query_params
    assert [shown(one.value) for one in at.info] == ["week-47 was deleted meanwhile."]
    assert not at.get("dialog")


def test_a_pasted_address_waits_for_the_list(demo, open_page):
    connection_id = demo.connect("week-47")
    with demo.frozen():
        at = open_page("connections", connection=connection_id)
        assert at.query_params["connection"] == connection_id
        assert not at.info
    assert settle(at).get("dialog")


# Words


@pytest.mark.parametrize(
    ("set_days_ago", "passed_days_ago", "told"),
    [
        (None, 1, "**set**"),
        (10, 0, "**set** 12 Nov, last worked just now"),
        (10, None, "**set** 12 Nov, not known to work"),
        # What worked was another value.
        (1, 10, "**set** yesterday, not known to work"),
    ],
)
def test_a_secret_is_told_in_words(set_days_ago, passed_days_ago, told):
    set_at, passed_at = (
        None if days is None else NOW - timedelta(days=days)
        for days in (set_days_ago, passed_days_ago)
    )
    part = DetailPart("token", "token", None, is_set=True)
    assert set_words(part, set_at, passed_at, now=NOW, zone=UTC) == told


def test_of_a_token_that_nobody_asked_for_it_is_not_said_that_it_works():
    part, at = DetailPart("token", "token", None, is_set=True), NOW - timedelta(days=10)
    told = set_words(part, at, NOW, is_proven=False, now=NOW, zone=UTC)
    assert told == "**set** 12 Nov, used at the last successful test just now"


def test_of_what_no_test_uses_nobody_says_that_it_works():
    part = DetailPart("note", "note", None, is_set=True)
    told = set_words(part, NOW - timedelta(days=10), NOW, is_used=False, now=NOW, zone=UTC)
    assert told == "**set** 12 Nov"


def test_a_part_is_as_old_as_the_newest_leaf_it_stands_for():
    day = timedelta(days=1)
    leaves = [
        Leaf(("url",), ValueKind.TEXT, is_set=True, set_at=NOW - 3 * day),
        Leaf(("keys", 0), ValueKind.TEXT, is_set=True, set_at=NOW - 2 * day),
        Leaf(("keys", 1), ValueKind.TEXT, is_set=True, set_at=NOW - day),
        Leaf(("keyring",), ValueKind.TEXT, is_set=True, set_at=NOW),
    ]

    def since(key: str) -> datetime | None:
        return set_since(DetailPart(key, key, None, is_set=True), leaves, NOW)

    assert since("keys") == NOW - day
    assert since("url.path") == NOW - 3 * day
    assert since("nothing") is None


def test_a_link_without_a_host_is_not_summed_up():
    parts = [DetailPart("bucket", "bucket", None, is_set=True)]
    assert with_one_host(parts) == parts


def test_many_fields_of_one_edit_are_summed_up():
    fields = tuple(f"field_{number}" for number in range(40))
    told = act_words(Activity(NOW, "u", "", Act.EDITED, fields=fields))
    assert told.count("**") == 12
    assert told.endswith("34 more")
