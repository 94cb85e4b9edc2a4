"""The page of an edit: what it shows of what is stored, and what reaches the platform."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import runtime, session
from dashboard.connectors.base import FetchCause
from dashboard.connectors.causes import fetch_failure
from dashboard.services.jobs import Outcome
from dashboard.views import testing
from tests.app.conftest import Platform, settle, shown, words
from tests.app.test_pages import HOSTILE, heading
from tests.support.secrets import planted_details, secrets
from tests.support.source import Source, running_source
from tests.support.waiting import wait_until

FORM = "edit_connection"
SAVE, TEST, UNTESTED = f"{FORM}_save", f"{FORM}_test", f"{FORM}_save_untested"
WRITES = ("/v1/api/connections/create", "/v1/api/connections/delete")
ROOM = "workshop-workspace-summarization"


@pytest.fixture
def source() -> Iterator[Source]:
    with running_source("tok-old", "tok-new") as running:
        yield running


def connect(demo: Platform, name: str, details: object, kind: str = "HTTP") -> str:
    body = {"name": name, "type": kind, "details": details}
    return str(demo.post("/v1/api/connections/create", body)["id"])


def opened(open_page, connection_id: str) -> AppTest:
    return settle(open_page(FORM, connection=connection_id))


def press(at: AppTest, key: str) -> AppTest:
    at.button(key=key).click().run()
    current = runtime.current()
    test_id = at.session_state.get(session._TEST + FORM, "")
    wait_until(
        lambda: (
            (view := current.tests.view(current.identity(), test_id)) is None or not view.is_running
        ),
        within_s=8,
        what="the test has ended",
    )
    return settle(at.run())


def act(at: AppTest, place: int, what: str) -> AppTest:
    return at.segmented_control(key=f"{FORM}_act{place}_0").select(what).run()


def type_new(at: AppTest, place: int, value: str) -> AppTest:
    return at.text_input(key=f"{FORM}_value{place}_0").input(value).run()


def stored(demo: Platform, name: str) -> Any:
    return demo.current.gateway().read_details(demo.who, name)[1].reveal()


def error_at(at: AppTest, field: str) -> str:
    box = at.get_by_key(f"bad_{field}")
    return shown("\n".join(one.value for one in box.markdown if ":red[" in one.value))


def keys(at: AppTest) -> list[str]:
    return [str(button.key) for button in at.button]


def everything_kept(at: AppTest) -> str:
    inner = at.session_state._state._state
    return repr((at.session_state, inner._old_state, inner._new_session_state))


def count_writes(demo: Platform) -> None:
    for route in WRITES:
        demo.post("/_sandbox/faults", {"route": route, "delay_s": 0.0})


def writes(demo: Platform) -> int:
    listed = demo._request("GET", "/_sandbox/faults").json()["faults"]
    return sum(fault["consumed"] for fault in listed)


# What is shown


@pytest.mark.parametrize("kind", ["HTTP", "MONGODB"])
def test_no_stored_secret_is_on_the_page_or_in_the_session(demo, open_page, kind):
    at = opened(open_page, connect(demo, "planted", planted_details(), kind=kind))
    assert heading(at) == ["Edit planted"]
    assert all(field.value == "" for field in (*at.text_input, *at.text_area))
    for place in range(len(at.segmented_control)):
        act(at, place, "Replace")
    assert all(field.value == "" for field in (*at.text_input, *at.text_area))
    told = words(at) + everything_kept(at) + repr(at.main)
    assert [place for place, secret in secrets().items() if secret in told] == []
    assert "•" not in told


def test_each_detail_is_told_in_words(demo, open_page, source):
    details = {"url": source.link(), "token": "tok-old", "headers": {"X-Key": "k"}, "note": ""}
    at = opened(open_page, connect(demo, "told", details))
    told = shown(words(at))
    assert f"host 127.0.0.1, port {source.port}, file week.json · set" in told
    assert re.search(r"\*\*Token\*\*\s+:small\[:gray\[ set just now", told)
    assert "**Header X-Key**" in told
    assert "**Other details**" in told
    assert "text, not set" in told
    press(at, TEST)
    assert "set" in words(at)
    assert "file week.json · set just now, last worked just now" in shown(words(at))
    assert "used at the last successful test just now" in shown(words(at))


def test_what_is_required_cannot_be_removed(demo, open_page, source):
    at = opened(open_page, connect(demo, "mine", {"url": source.link(), "token": "tok-old"}))
    assert list(at.segmented_control(key=f"{FORM}_act0_0").options) == ["Keep", "Replace"]
    assert list(at.segmented_control(key=f"{FORM}_act1_0").options) == [
        "Keep",
        "Replace",
        "Remove",
    ]


@pytest.mark.parametrize("key", HOSTILE)
def test_hostile_keys_and_names_are_text(demo, open_page, key):
    at = opened(open_page, connect(demo, key, {key: "v", "n": {key: 1}}, kind=key))
    act(at, 0, "Replace")
    act(at, 1, "Replace")
    for told in (words(at), *(str(field.label) for field in at.text_input), *heading(at)):
        assert not re.search(r"(?<!\\)(<img|<b>|!\[|\]\(|\*\*bold|\$x|`code|:red\[x)", told)
    act(at, 1, "Keep")
    type_new(at, 0, "new")
    press(at, SAVE)
    assert stored(demo, key) == {key: "new", "n": {key: 1}}


def test_many_details_are_found_by_search_and_what_is_typed_stays(demo, open_page):
    details = {f"key-{number:03}": number for number in range(250)}
    at = opened(open_page, connect(demo, "large", details, kind="KAFKA"))
    assert len(at.segmented_control) == 40
    assert "210 more details not shown and kept" in words(at)
    act(at, 3, "Replace")
    type_new(at, 3, "333")
    at.text_input(key=f"{FORM}_search_0").input("key-24").run()
    assert len(at.segmented_control) == 11
    act(at, 249, "Remove")
    at.text_input(key=f"{FORM}_search_0").input("").run()
    press(at, SAVE)
    expected = {**details, "key-003": 333}
    del expected["key-249"]
    assert stored(demo, "large") == expected


# What reaches the platform


def test_saving_without_a_change_sends_nothing(demo, open_page, source):
    connection_id = connect(demo, "kept", {"url": source.link(), "token": "tok-old"})
    at = opened(open_page, connection_id)
    count_writes(demo)
    assert "Nothing is changed yet" in words(at)
    press(at, SAVE)
    assert heading(at) == ["Edit kept"]
    assert any("Nothing to change" in shown(one.value) for one in at.success)
    assert (writes(demo), len(source.asked)) == (0, 0)
    assert demo.current.gateway().get_connection(demo.who, "kept").connection_id == connection_id


def test_one_replaced_secret_reaches_the_platform_with_all_else_equal(demo, open_page, source):
    details = {"url": source.link(), "token": "tok-old", "headers": {"X-Key": "k", "Y": "2"}}
    details |= {"n": 1.0, "deep": {"a": [1, None, True]}}
    old_id = connect(demo, "rotated", details)
    demo.link("rotated", ROOM)
    demo.current.reads.forget(demo.who.key)
    at = opened(open_page, old_id)
    act(at, 1, "Replace")
    type_new(at, 1, "tok-new")
    assert f"the link to {ROOM} is kept" in shown(words(at))
    press(at, SAVE)
    assert heading(at) == ["Connections"]
    after = stored(demo, "rotated")
    assert after == {**details, "token": "tok-new"}
    assert isinstance(after["n"], float)
    new = demo.current.gateway().get_connection(demo.who, "rotated")
    assert new.connection_id != old_id
    assert new.workspace_names == (ROOM,)
    assert at.query_params["connection"] == new.connection_id
    assert source.asked[-1]["authorization"] == "Bearer tok-new"
    assert "tok-new" not in everything_kept(at) + words(at)


def test_a_failed_test_writes_nothing_and_stands_at_its_line(demo, open_page, source):
    old_id = connect(demo, "refused", {"url": source.link(), "token": "tok-old"})
    at = opened(open_page, old_id)
    count_writes(demo)
    act(at, 1, "Replace")
    type_new(at, 1, "tok-wrong")
    press(at, SAVE)
    assert heading(at) == ["Edit refused"]
    assert "rejected the token" in error_at(at, "row_1")
    assert at.text_input(key=f"{FORM}_value1_0").value == "tok-wrong"
    assert writes(demo) == 0
    assert UNTESTED in keys(at)
    press(at, UNTESTED)
    assert stored(demo, "refused") == {"url": source.link(), "token": "tok-wrong"}


def test_a_failure_at_a_kept_line_offers_to_replace_it(demo, open_page, source):
    at = opened(open_page, connect(demo, "expired", {"url": source.link(), "token": "tok-gone"}))
    press(at, TEST)
    assert "rejected the token" in error_at(at, "row_1")
    at.button(key="correct_keep_1").click().run()
    assert at.text_input(key=f"{FORM}_value1_0").value == ""


@pytest.mark.parametrize(
    "cause", [one for one in FetchCause if fetch_failure(one).field not in (None, "type")]
)
@pytest.mark.parametrize("key", ["url", "host"])
def test_every_cause_of_a_failed_test_stands_at_its_line(demo, open_page, monkeypatch, cause, key):
    failure = fetch_failure(cause, host="files.example.org", detail="401")
    monkeypatch.setattr(testing, "failure_of", lambda _form: failure)
    details = {key: "https://files.example.org/a.csv"}
    at = opened(open_page, connect(demo, "failing", details))
    place = "row_0" if failure.field == "url" else failure.field or ""
    assert shown(failure.message)[:30] in error_at(at, place)
    assert len(re.findall(r":small\[:red\[", words(at))) == 1


def test_an_incomplete_line_is_told_there_and_nothing_is_sent(demo, open_page, source):
    at = opened(open_page, connect(demo, "half", {"url": source.link(), "token": "tok-old"}))
    count_writes(demo)
    act(at, 1, "Replace")
    for key in (SAVE, TEST):
        press(at, key)
        assert "Type the new value" in error_at(at, "row_1")
    assert (writes(demo), len(source.asked)) == (0, 0)


def test_a_double_click_replaces_once(demo, open_page, source):
    at = opened(open_page, connect(demo, "twice", {"url": source.link(), "token": "tok-old"}))
    act(at, 1, "Replace")
    type_new(at, 1, "tok-new")
    button = at.button(key=SAVE)
    button.click().run()
    if SAVE in keys(at) and not at.button(key=SAVE).disabled:
        button.click().run()
    settle(at)
    assert stored(demo, "twice") == {"url": source.link(), "token": "tok-new"}
    assert len(source.asked) == 1


# Changing the host


def test_a_new_host_drops_the_secrets_and_asks_for_them_anew(demo, open_page, source):
    details = {"url": "https://files.example.org/a.csv", "token": "tok-old", "pat": "p-1"}
    at = opened(open_page, connect(demo, "moving", details))
    act(at, 0, "Replace")
    type_new(at, 0, source.link())
    told = shown(words(at))
    assert "The host changes: Token, pat were typed for files.example.org and are dropped" in told
    assert told.count("Goes with the host") == 2
    type_new(at, 1, "tok-new")
    assert shown(words(at)).count("Goes with the host") == 1
    assert "pat was typed for files.example.org and is dropped" in shown(words(at))
    press(at, SAVE)
    assert stored(demo, "moving") == {"url": source.link(), "token": "tok-new"}
    assert all("tok-old" not in str(asked) for asked in source.asked)


def test_what_is_dropped_is_told_before_anything_is_sent(demo, open_page, source):
    connection_id = connect(demo, "moving", {"url": "https://old.example.org/", "token": "t-1"})
    at = opened(open_page, connection_id)
    count_writes(demo)
    act(at, 0, "Replace")
    # The click comes with the text: nobody has read yet what goes.
    at.text_input(key=f"{FORM}_value0_0").input(source.link())
    press(at, SAVE)
    assert "The host changes" in words(at)
    assert (writes(demo), len(source.asked)) == (0, 0)


def test_another_file_of_the_same_host_keeps_the_secrets(demo, open_page, source):
    at = opened(open_page, connect(demo, "same", {"url": source.link(), "token": "tok-old"}))
    act(at, 0, "Replace")
    type_new(at, 0, source.link("/other.json"))
    assert "The host changes" not in words(at)
    press(at, SAVE)
    assert stored(demo, "same") == {"url": source.link("/other.json"), "token": "tok-old"}


def test_a_broken_link_is_corrected_without_going_back_to_the_browser(demo, open_page, source):
    at = opened(open_page, connect(demo, "fixed", {"url": source.link(), "token": "tok-old"}))
    act(at, 0, "Replace")
    type_new(at, 0, source.link("/hook-77/b.json").replace("http:", "http"))
    press(at, SAVE)
    if "The host changes" in words(at):
        press(at, SAVE)
    assert "colon after http is missing" in error_at(at, "row_0")
    assert (
        shown(at.button(key="correct_row_0").label)
        == "Change it to http://127.0.0.1/… and try again"
    )
    press(at, "correct_row_0")
    assert stored(demo, "fixed")["url"] == source.link("/hook-77/b.json")


# Adding and removing


def test_a_sign_in_is_added_where_there_is_none(demo, open_page, source):
    at = opened(open_page, connect(demo, "open", {"url": source.link()}))
    at.selectbox(key=f"{FORM}_sign_in_0").select("bearer").run()
    press(at, SAVE)
    assert "Type the token" in error_at(at, "newtoken")
    at.text_input(key=f"{FORM}_newtoken_0").input("tok-new").run()
    press(at, SAVE)
    assert stored(demo, "open") == {"url": source.link(), "token": "tok-new"}


def test_a_removed_token_makes_room_for_another_sign_in(demo, open_page, source):
    source.tokens = set()
    at = opened(open_page, connect(demo, "other", {"url": source.link(), "token": "tok-old"}))
    assert f"{FORM}_sign_in_0" not in [box.key for box in at.selectbox]
    act(at, 1, "Remove")
    at.selectbox(key=f"{FORM}_sign_in_0").select("basic").run()
    at.text_input(key=f"{FORM}_newusername_0").input("ann").run()
    at.text_input(key=f"{FORM}_newpassword_0").input("pw-1").run()
    press(at, SAVE)
    assert stored(demo, "other") == {
        "url": source.link(),
        "username": "ann",
        "password": "pw-1",
    }


def test_format_and_headers_are_changed_and_added(demo, open_page, source):
    details = {"url": source.link(), "token": "tok-old", "format": "csv", "headers": {"A": "1"}}
    at = opened(open_page, connect(demo, "headed", details))
    assert at.selectbox(key=f"{FORM}_format_0").value == "csv"
    at.selectbox(key=f"{FORM}_format_0").select("auto").run()
    at.text_area(key=f"{FORM}_newheaders_0").input("a: 2").run()
    press(at, SAVE)
    assert "there already" in error_at(at, "headers")
    at.text_area(key=f"{FORM}_newheaders_0").input("B: 2").run()
    press(at, SAVE)
    assert stored(demo, "headed") == {
        "url": source.link(),
        "token": "tok-old",
        "headers": {"A": "1", "B": "2"},
    }


def test_leaves_of_any_kind_are_replaced_by_json_and_values_added(demo, open_page):
    details = {"s": "a", "n": 1, "t": True, "z": None, "l": [], "deep": [{"x": "y"}]}
    at = opened(open_page, connect(demo, "tree", details, kind="KAFKA"))
    act(at, 1, "Replace")
    type_new(at, 1, "{not json")
    assert "This is not JSON: look at line 1, character 2." in shown(words(at))
    type_new(at, 1, "8080.0")
    act(at, 3, "Remove")
    act(at, 4, "Replace")
    at.text_area(key=f"{FORM}_value4_0").input('["b"]').run()
    act(at, 5, "Replace")
    type_new(at, 5, "{text as it is")
    at.button(key=f"{FORM}_add").click().run()
    at.text_input(key=f"{FORM}_addedname0_0").input("s").run()
    at.text_input(key=f"{FORM}_addedvalue0_0").input("false").run()
    press(at, SAVE)
    assert "one of this name already" in error_at(at, "added_0")
    at.text_input(key=f"{FORM}_addedname0_0").input("new key").run()
    press(at, SAVE)
    assert stored(demo, "tree") == {
        "s": "a",
        "n": 8080.0,
        "t": True,
        "l": ["b"],
        "deep": [{"x": "{text as it is"}],
        "new key": False,
    }


def test_a_text_may_have_several_lines(demo, open_page):
    at = opened(open_page, connect(demo, "pem", {"key": "old"}, kind="KAFKA"))
    act(at, 0, "Replace")
    at.toggle(key=f"{FORM}_lines0_0").set_value(True).run()
    at.text_area(key=f"{FORM}_value0_0").input("-----BEGIN\nabc\n-----END\n").run()
    press(at, SAVE)
    assert stored(demo, "pem") == {"key": "-----BEGIN\nabc\n-----END\n"}


def test_everything_can_be_typed_anew(demo, open_page):
    at = opened(open_page, connect(demo, "anew", ["no", "group"], kind="KAFKA"))
    at.toggle(key=f"{FORM}_anew_0").set_value(True).run()
    press(at, SAVE)
    assert "Type the details as JSON." in error_at(at, "everything")
    at.text_area(key=f"{FORM}_everything_0").input('{"a": 1}').run()
    press(at, SAVE)
    assert stored(demo, "anew") == {"a": 1}


# Elsewhere


def test_an_unknown_connection_is_told_calmly(demo, open_page):
    at = opened(open_page, "gone")
    assert "This connection does not exist any more" in words(at)
    settle(at.button(key=f"{FORM}_back").click().run())
    assert heading(at) == ["Connections"]


def test_one_made_a_moment_ago_is_found_although_the_list_is_older(demo, open_page, source):
    settle(open_page("connections"))
    at = opened(open_page, connect(demo, "fresh", {"url": source.link()}))
    assert heading(at) == ["Edit fresh"]


def swap(demo: Platform, name: str, details: object, kind: str = "HTTP") -> str:
    demo.current.gateway().delete_connection(demo.who, name)
    new_id = connect(demo, name, details, kind=kind)
    demo.current.reads.invalidate(demo.who.key)
    return new_id


@pytest.mark.parametrize("same_places", [True, False])
def test_a_change_elsewhere_is_told_and_what_is_typed_kept_where_it_fits(
    demo, open_page, source, same_places
):
    at = opened(open_page, connect(demo, "raced", {"url": source.link(), "token": "tok-old"}))
    act(at, 1, "Replace")
    type_new(at, 1, "tok-new")
    details = {"url": source.link("/b.json"), "token": "tok-else"}
    new_id = swap(demo, "raced", details if same_places else {"pat": "p", **details})
    settle(at.run())
    assert "elsewhere meanwhile" in words(at)
    assert at.button(key=SAVE).disabled
    settle(at.button(key=f"{FORM}_newer").click().run())
    assert at.query_params["connection"] == new_id
    assert "elsewhere meanwhile" not in words(at)
    if same_places:
        press(at, SAVE)
        assert stored(demo, "raced") == {**details, "token": "tok-new"}
    else:
        assert "tok-new" not in everything_kept(at)


def test_a_deleted_one_is_told_above_what_is_typed(demo, open_page, source):
    at = opened(open_page, connect(demo, "lost", {"url": source.link(), "token": "tok-old"}))
    act(at, 1, "Replace")
    type_new(at, 1, "tok-new")
    demo.current.gateway().delete_connection(demo.who, "lost")
    demo.current.reads.invalidate(demo.who.key)
    settle(at.run())
    assert "replaced or deleted elsewhere meanwhile" in words(at)
    assert f"{FORM}_back" in keys(at)
    assert at.text_input(key=f"{FORM}_value1_0").value == "tok-new"


def test_a_conflict_is_told_once_above_the_form(demo, open_page, source):
    at = opened(open_page, connect(demo, "raced", {"url": source.link(), "token": "tok-old"}))
    act(at, 1, "Replace")
    type_new(at, 1, "tok-new")
    demo.current.gateway().delete_connection(demo.who, "raced")
    connect(demo, "raced", {"url": source.link(), "token": "tok-else"})
    press(at, SAVE)
    assert told_of_change(at) == ["raced was replaced elsewhere meanwhile"]
    assert at.button(key=SAVE).disabled
    assert at.button(key=f"{FORM}_newer").proto.type == "primary"
    # However often the page is drawn, the details are not there to be read again.
    demo.current.reads.invalidate(demo.who.key)
    settle(at.run())
    assert told_of_change(at) == ["raced was replaced elsewhere meanwhile"]


def told_of_change(at: AppTest) -> list[str]:
    some: list[Any] = [*at.markdown, *at.error, *at.info, *at.success, *at.warning]
    told = shown("\n".join(one.value for one in some))
    return re.findall(r"raced[^.*\n]* (?:meanwhile|by now|any more)", told)


# One's own edit, seen from another run of the page


def messages(at: AppTest) -> list[str]:
    return [shown(one.value) for one in (*at.success, *at.info, *at.warning, *at.error)]


@pytest.fixture
def held(demo, monkeypatch) -> Iterator[threading.Event]:
    """An event until which no edit gets further than its beginning."""
    go_on = threading.Event()
    replace = demo.current.replacing.replace

    def waiting(*args: object, **options: object) -> Outcome:
        assert go_on.wait(20)
        outcome: Outcome = replace(*args, **options)
        return outcome

    monkeypatch.setattr(demo.current.replacing, "replace", waiting)
    yield go_on
    go_on.set()


def begin_edit(at: AppTest, new: str = "tok-new") -> AppTest:
    act(at, 1, "Replace")
    type_new(at, 1, new)
    return at.button(key=SAVE).click().run()


def test_a_page_loaded_again_while_its_edit_runs_waits_and_ends_at_the_new_one(
    demo, open_page, source, held
):
    old_id = connect(demo, "reloaded", {"url": source.link(), "token": "tok-old"})
    begin_edit(opened(open_page, old_id))
    at = open_page(FORM, connection=old_id)
    assert "Your edit of reloaded is under way" in shown(words(at))
    assert SAVE not in keys(at)
    held.set()
    settle(at)
    new_id = demo.current.gateway().get_connection(demo.who, "reloaded").connection_id
    assert heading(at) == ["Connections"]
    assert at.query_params["connection"] == new_id != old_id
    assert messages(at) == ["Your edit of reloaded is done. Changed: token."]
    assert "somebody else" not in words(at)


def test_a_page_loaded_again_tells_why_its_edit_failed(demo, open_page, source, held):
    old_id = connect(demo, "failing", {"url": source.link(), "token": "tok-old"})
    begin_edit(opened(open_page, old_id), "tok-wrong")
    at = open_page(FORM, connection=old_id)
    held.set()
    settle(at)
    assert heading(at) == ["Edit failing"]
    assert len(messages(at)) == 1
    assert "rejected the token" in messages(at)[0]
    assert not at.button(key=SAVE).disabled


def test_what_is_typed_in_another_window_is_kept_while_an_edit_runs_and_after_it(
    demo, open_page, source, held
):
    old_id = connect(demo, "twofold", {"url": source.link(), "token": "tok-old"})
    first, second = opened(open_page, old_id), opened(open_page, old_id)
    act(second, 1, "Replace")
    type_new(second, 1, "tok-old")
    begin_edit(first)
    # A click that comes before this window knows of the other one's edit begins none.
    second.button(key=SAVE).click().run()
    assert "Your edit of twofold is under way" in shown(words(second))
    assert second.button(key=SAVE).disabled
    held.set()
    settle(first)
    settle(second.run())
    assert messages(first) == ["Your edit of twofold is done. Changed: token."]
    assert "You have edited twofold in another window meanwhile" in shown(words(second))
    assert second.text_input(key=f"{FORM}_value1_0").value == "tok-old"
    settle(second.button(key=f"{FORM}_newer").click().run())
    press(second, SAVE)
    assert stored(demo, "twofold")["token"] == "tok-old"  # noqa: S105 - the test's own


def test_an_idle_window_on_the_edited_one_follows_it(demo, open_page, source):
    old_id = connect(demo, "followed", {"url": source.link(), "token": "tok-old"})
    first, second = opened(open_page, old_id), opened(open_page, old_id)
    settle(begin_edit(first))
    settle(second.run())
    assert heading(second) == ["Connections"]
    assert messages(second) == ["Your edit of followed is done. Changed: token."]


def test_going_back_to_the_page_of_a_finished_edit_does_not_bounce(demo, open_page, source):
    old_id = connect(demo, "moved", {"url": source.link(), "token": "tok-old"})
    at = settle(begin_edit(opened(open_page, old_id)))
    assert heading(at) == ["Connections"]
    at.switch_page("../pages/edit_connection.py")
    at.query_params["connection"] = old_id
    settle(at.run())
    at._page_hash = ""
    assert "Your edit of moved is done" in shown(words(at))
    settle(at.button(key=f"{FORM}_newer").click().run())
    assert heading(at) == ["Edit moved"]
    assert not at.button(key=SAVE).disabled


def test_nothing_typed_for_one_goes_over_to_another(demo, open_page, source):
    first = connect(demo, "first", {"url": source.link(), "token": "tok-old"})
    second = connect(demo, "second", {"url": source.link(), "token": "tok-old"})
    at = opened(open_page, first)
    act(at, 1, "Replace")
    type_new(at, 1, "tok-typed")
    at.query_params["connection"] = second
    settle(at.run())
    assert heading(at) == ["Edit second"]
    assert "tok-typed" not in everything_kept(at)


def test_leaving_the_page_drops_what_was_typed(demo, open_page, source):
    at = opened(open_page, connect(demo, "left", {"url": source.link(), "token": "tok-old"}))
    act(at, 1, "Replace")
    type_new(at, 1, "tok-typed")
    at.switch_page("../pages/workspaces.py").run()
    settle(at)
    assert "tok-typed" not in everything_kept(at)


def test_the_page_without_its_platform_says_so(demo, open_page):
    with demo.down():
        at = opened(open_page, "any")
        assert "We cannot show this connection" in words(at)
