"""The page of a new connection: every state, what it tells at which field, what it keeps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import runtime, session
from dashboard.connectors.base import FetchCause
from dashboard.connectors.causes import fetch_failure
from dashboard.domain.activity import Act
from dashboard.services.activity import ActivityFilter
from dashboard.views import testing
from tests.app.conftest import Platform, settle, shown, words
from tests.app.test_pages import HOSTILE, column, heading, names_in_table
from tests.support.secrets import planted_details, secrets
from tests.support.source import Source, running_source
from tests.support.waiting import wait_until

FORM = "new_connection"
NAME, URL, TOKEN = f"{FORM}_name_0", f"{FORM}_url_0", f"{FORM}_token_0"
KIND, TYPE, DETAILS = f"{FORM}_kind_0", f"{FORM}_type_0", f"{FORM}_details_0"
#: Never asked for: what is wrong with the form is told before.
LINK = "https://files.example.org/week.csv"
SAVE, TEST, UNTESTED = f"{FORM}_save", f"{FORM}_test", f"{FORM}_save_untested"


@pytest.fixture
def source() -> Iterator[Source]:
    with running_source() as running:
        yield running


def opened(open_page, **query: str) -> AppTest:
    return settle(open_page(FORM, **query))


def type_in(at: AppTest, *, name: str, url: str) -> AppTest:
    at.text_input(key=NAME).input(name)
    at.text_input(key=URL).input(url)
    return at


def press(at: AppTest, key: str) -> AppTest:
    """Press a button, and wait for the job or the test that follows."""
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


def error_at(at: AppTest, field: str) -> str:
    box = at.get_by_key(f"bad_{field}")
    return shown("\n".join(one.value for one in box.markdown if ":red[" in one.value))


def keys(at: AppTest) -> list[str]:
    return [str(button.key) for button in at.button]


def everything_kept(at: AppTest) -> str:
    # Also what Streamlit keeps beside the keys that a page can name.
    inner = at.session_state._state._state
    return repr((at.session_state, inner._old_state, inner._new_session_state))


def stored(demo: Platform, name: str) -> Any:
    return demo.current.gateway().read_details(demo.who, name)[1].reveal()


def connect(demo: Platform, name: str, details: object, kind: str = "HTTP") -> str:
    body = {"name": name, "type": kind, "details": details}
    return str(demo.post("/v1/api/connections/create", body)["id"])


def last_act(demo: Platform, name: str) -> Act:
    page = demo.current.activity.page(ActivityFilter(connection_name=name))
    return next(entry.act for entry in page.entries if entry.act is not Act.LINKED)


# What cannot be saved


@pytest.mark.parametrize(
    ("name", "url", "field", "told"),
    [
        ("", LINK, "name", "A connection needs a name"),
        ("   ", LINK, "name", "A connection needs a name"),
        ("week-1", "", "url", "Enter the link of the file."),
        ("week-1", "ftp://files.example.org/a.csv", "url", "not ftp://"),
        ("mongodb_atlas", LINK, "name", "mongodb_atlas exists already"),
    ],
)
def test_what_cannot_be_saved_is_told_at_its_field_and_stays_typed(
    demo, open_page, name, url, field, told
):
    at = press(type_in(opened(open_page), name=name, url=url), SAVE)
    assert heading(at) == ["New connection"]
    assert told in error_at(at, field)
    assert (at.text_input(key=NAME).value, at.text_input(key=URL).value) == (name, url)
    assert len(re.findall(r":small\[:red\[", words(at))) == 1
    assert not at.success


def test_a_taken_name_leads_to_the_connection_that_has_it(demo, open_page, source):
    at = press(type_in(opened(open_page), name="mongodb_atlas", url=source.link()), SAVE)
    settle(at.button(key="correct_name").click().run())
    assert heading(at) == ["Connections"]
    assert shown(at.get("dialog")[0].proto.dialog.title) == "mongodb_atlas"


def test_a_corrected_form_can_be_saved(demo, open_page, source):
    at = press(type_in(opened(open_page), name="mongodb_atlas", url=source.link()), SAVE)
    at.text_input(key=NAME).input("press-releases")
    press(at, SAVE)
    assert heading(at) == ["Connections"]
    assert "press-releases" in names_in_table(at)


def test_a_correction_is_offered_without_the_secret_part_and_can_be_taken(demo, open_page, source):
    broken = source.link("/hook-9xk2/a.json").replace("http:", "http")
    at = press(type_in(opened(open_page), name="corrected", url=broken), SAVE)
    offer = at.button(key="correct_url")
    assert shown(offer.label) == "Change it to http://127.0.0.1/… and try again"
    press(at, "correct_url")
    assert heading(at) == ["Connections"]
    assert stored(demo, "corrected") == {"url": source.link("/hook-9xk2/a.json")}
    assert "hook-9xk2" not in everything_kept(at) + words(at)


# Testing


def test_create_and_test_takes_one_click_and_opens_the_new_one(demo, open_page, source):
    at = press(type_in(opened(open_page), name="tested", url=source.link()), SAVE)
    assert heading(at) == ["Connections"]
    assert shown(at.get("dialog")[0].proto.dialog.title) == "tested"
    assert len(source.asked) == 1
    connection = demo.current.gateway().get_connection(demo.who, "tested")
    assert connection.workspace_names == ("workshop-workspace-summarization",)
    assert last_act(demo, "tested") is Act.CREATED


def test_a_test_alone_stores_nothing_and_says_what_it_found(demo, open_page, source):
    at = press(type_in(opened(open_page), name="only-tested", url=source.link()), TEST)
    assert heading(at) == ["New connection"]
    assert "12 rows" in shown(words(at))
    assert at.text_input(key=NAME).value == "only-tested"
    assert UNTESTED not in keys(at)
    names = [one.name for one in demo.current.gateway().list_connections(demo.who)]
    assert "only-tested" not in names


def test_a_failed_test_stands_at_its_field_and_is_corrected_there(demo, open_page, source):
    source.tokens = {"tok-1"}
    at = press(type_in(opened(open_page), name="signed", url=source.link()), SAVE)
    assert "asks for a sign-in (401)" in error_at(at, "sign_in")
    assert UNTESTED in keys(at)
    at.button(key="correct_sign_in_bearer").click().run()
    assert at.selectbox(key=f"{FORM}_sign_in_0").value == "bearer"
    at.text_input(key=TOKEN).input("wrong")
    press(at, SAVE)
    assert "rejected the token" in error_at(at, "token")
    at.text_input(key=TOKEN).input("tok-1")
    press(at, SAVE)
    assert heading(at) == ["Connections"]
    assert stored(demo, "signed") == {"url": source.link(), "token": "tok-1"}


def test_after_a_failed_test_it_can_be_saved_without(demo, open_page, source):
    source.tokens = {"tok-1"}
    at = opened(open_page)
    assert UNTESTED not in keys(at)
    press(type_in(at, name="untested", url=source.link()), SAVE)
    press(at, UNTESTED)
    assert heading(at) == ["Connections"]
    assert len(source.asked) == 1
    assert stored(demo, "untested") == {"url": source.link()}


WITH_FIELD = [cause for cause in FetchCause if fetch_failure(cause).field not in (None, "type")]


@pytest.mark.parametrize("cause", WITH_FIELD)
def test_every_cause_of_a_failed_test_stands_at_its_field(demo, open_page, monkeypatch, cause):
    failure = fetch_failure(cause, host="files.example.org", detail="401")
    monkeypatch.setattr(testing, "failure_of", lambda _form: failure)
    at = opened(open_page)
    assert shown(failure.message)[:30] in error_at(at, failure.field or "")
    assert len(re.findall(r":small\[:red\[", words(at))) == 1


@pytest.mark.parametrize("field", ["token", "password", "username"])
def test_a_failure_at_a_hidden_field_stands_at_the_choice_that_brings_it_up(
    demo, open_page, monkeypatch, field
):
    failure = fetch_failure(FetchCause.UNAUTHORISED, message="Refused.", field=field)
    monkeypatch.setattr(testing, "failure_of", lambda _form: failure)
    assert "Refused." in error_at(opened(open_page), "sign_in")


def test_a_secret_says_where_it_is_sent(demo, open_page):
    at = opened(open_page)
    at.selectbox(key=f"{FORM}_sign_in_0").select("bearer").run()
    assert "Sent to the link's host only." in shown(words(at))
    at.text_input(key=URL).input("https://ann:pw@files.example.org/hook-1/a.csv").run()
    assert "Sent to files.example.org only." in shown(words(at))
    assert "hook-1" not in words(at)
    at.text_input(key=URL).input("http://files.example.org/a.csv").run()
    assert "readable on the way" in words(at)


# What stays and what does not


def test_a_saved_form_gets_new_keys_and_leaves_no_secret_behind(demo, open_page, source):
    typed = ("usr-4410-ann", "pw-7Qx1kz9-horse", "hdr-55f1", "sig-Jw83nZxQ01")
    user, password, header, signature = typed
    at = opened(open_page)
    at.selectbox(key=f"{FORM}_sign_in_0").select("basic").run()
    type_in(at, name="signed", url=f"{source.link()}?sig={signature}")
    at.text_input(key=f"{FORM}_username_0").input(user)
    at.text_input(key=f"{FORM}_password_0").input(password)
    at.text_area(key=f"{FORM}_headers_0").input(f"X-Key: {header}")
    at.run()
    assert all(secret in everything_kept(at) for secret in typed)
    press(at, SAVE)
    assert heading(at) == ["Connections"]
    assert any("Saved signed" in shown(message.value) for message in at.success)
    kept = everything_kept(at)
    told = words(at) + repr(at.dataframe[0].proto) + repr(at.query_params)
    for secret in typed:
        assert secret not in kept
        assert secret not in told
    at.query_params.clear()
    at.switch_page("../pages/new_connection.py").run()
    assert at.text_input(key=f"{FORM}_name_1").value == ""
    assert at.text_input(key=f"{FORM}_url_1").value == ""


def test_leaving_the_page_drops_what_was_typed(demo, open_page):
    at = opened(open_page)
    at.selectbox(key=f"{FORM}_sign_in_0").select("bearer").run()
    at.text_input(key=TOKEN).input("tok-8f2b61c0d7e94").run()
    at.switch_page("../pages/workspaces.py").run()
    settle(at)
    assert "tok-8f2b61c0d7e94" not in everything_kept(at)


def test_cancelling_forgets_what_was_typed(demo, open_page):
    at = type_in(opened(open_page), name="dropped", url="https://files.example.org/a.csv")
    settle(at.button(key=f"{FORM}_cancel").click().run())
    assert heading(at) == ["Connections"]
    assert "dropped" not in everything_kept(at)
    at.switch_page("../pages/new_connection.py").run()
    assert at.text_input(key=f"{FORM}_name_1").value == ""


# Any other type


def custom(open_page, *, kind: str, details: str, name: str = "other") -> AppTest:
    at = opened(open_page)
    at.segmented_control(key=KIND).select("").run()
    at.text_input(key=NAME).input(name)
    at.text_input(key=TYPE).input(kind)
    at.text_area(key=DETAILS).input(details)
    return at.run()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_custom_connection_may_have_any_name_and_type(demo, open_page, name):
    at = custom(open_page, kind=name, details='{"host": "db", "n": [1.0, null]}', name=name)
    press(at, SAVE)
    assert heading(at) == ["Connections"]
    assert stored(demo, name) == {"host": "db", "n": [1.0, None]}
    assert demo.current.gateway().get_connection(demo.who, name).type == name.strip()


def test_wrong_json_is_told_at_its_field_with_its_place_and_never_quoted(demo, open_page):
    secret = secrets()["dsn"]
    at = custom(open_page, kind="KAFKA", details=f'{{\n  "dsn": "{secret}",\n}}')
    box = at.get_by_key("field_details")
    told = shown("\n".join(one.value for one in box.markdown))
    assert "look at line 3, character 1" in told
    assert secret not in words(at)
    press(at, SAVE)
    assert "look at line 3, character 1" in shown(words(at))
    assert len(re.findall(r":small\[:red\[", words(at))) == 1
    assert heading(at) == ["New connection"]


@pytest.mark.parametrize("details", ["[1]", '"x"', "NaN", '{"a": NaN}', '{"a": 1e999}', "{}x"])
def test_what_is_no_json_object_is_refused(demo, open_page, details):
    at = press(custom(open_page, kind="KAFKA", details=details), SAVE)
    assert ":small[:red[" in words(at)
    assert heading(at) == ["New connection"]


def test_a_type_without_a_form_cannot_be_tested_and_says_so(demo, open_page):
    at = custom(open_page, kind="KAFKA", details='{"a": 1}')
    assert at.button(key=TEST).disabled
    assert at.button(key=SAVE).label == "Save"
    assert "There is no test for this type" in shown(words(at))


def test_a_custom_connection_needs_a_type(demo, open_page):
    at = press(custom(open_page, kind=" ", details='{"a": 1}'), SAVE)
    assert "needs a type" in error_at(at, "type")


@pytest.mark.parametrize("kind", ["http", "HTTPS", " HttpFile "])
def test_a_type_that_has_a_form_leads_to_it(demo, open_page, kind):
    at = custom(open_page, kind=kind, details='{"url": "https://files.example.org/a.csv"}')
    press(at, SAVE)
    assert "has a form of its own" in error_at(at, "type")
    at.button(key="correct_type").click().run()
    assert at.segmented_control(key=KIND).value == "HTTP"
    assert at.text_input(key=NAME).value == "other"
    assert at.text_input(key=URL).value == ""


def test_types_in_use_are_offered_and_can_be_taken(demo, open_page):
    connect(demo, "one", {"a": 1}, kind=HOSTILE[2])
    at = opened(open_page)
    at.segmented_control(key=KIND).select("").run()
    pills = at.pills(key=f"{FORM}_type_in_use_0")
    (hostile,) = [one for one in pills.options if "bold" in str(one)]
    pills.select(hostile).run()
    assert at.text_input(key=TYPE).value == HOSTILE[2]


# Duplicating


def test_a_duplicate_takes_over_what_may_be_shown_and_asks_for_the_secrets(demo, open_page, source):
    source.tokens = {"tok-1"}
    details = {"url": source.link(), "format": "json", "token": "tok-stored-77"}
    details |= {"headers": {"X-Api-Key": "key-stored-88"}, "extra": "more-stored-99"}
    source_id = connect(demo, "first", details)
    connect(demo, "first copy", {"url": source.link()})
    at = opened(open_page, **{"from": source_id})
    assert at.text_input(key=NAME).value == "first copy 2"
    assert at.text_input(key=URL).value == source.link()
    assert at.selectbox(key=f"{FORM}_sign_in_0").value == "bearer"
    assert at.text_input(key=TOKEN).value == ""
    assert at.text_area(key=f"{FORM}_headers_0").value == "X-Api-Key: "
    told = shown(words(at))
    assert "Token is not copied. Type it." in told
    assert "Header X-Api-Key is not copied. Type it." in told
    assert "Not copied either: extra." in told
    assert "stored-" not in everything_kept(at) + words(at)
    press(at, SAVE)
    assert "Enter the token." in error_at(at, "token")
    at.text_input(key=TOKEN).input("tok-1")
    at.text_area(key=f"{FORM}_headers_0").input("X-Api-Key: other")
    press(at, SAVE)
    assert heading(at) == ["Connections"]
    new = stored(demo, "first copy 2")
    assert (new["token"], new["headers"]) == ("tok-1", {"X-Api-Key": "other"})
    assert "extra" not in new
    assert last_act(demo, "first copy 2") is Act.DUPLICATED


def test_a_duplicate_is_linked_to_the_workspaces_of_its_original(demo, open_page, source):
    source_id = connect(demo, "linked", {"url": source.link()})
    rooms = [room.name for room in demo.current.gateway().list_workspaces(demo.who)][:2]
    for room in rooms:
        demo.link("linked", room)
    at = opened(open_page, **{"from": source_id})
    toggle = at.toggle(key="duplicate_link")
    assert (toggle.label, toggle.value) == ("Link it to the same workspaces", True)
    assert all(f"**{room}**" in shown(words(at)) for room in rooms)
    press(at, SAVE)
    made = demo.current.gateway().get_connection(demo.who, "linked copy")
    assert set(made.workspace_names) == set(rooms)


def test_a_duplicate_of_what_is_not_linked_is_not_linked_unless_asked(demo, open_page, source):
    at = opened(open_page, **{"from": connect(demo, "alone", {"url": source.link()})})
    assert not at.toggle(key="duplicate_link").value
    press(at, SAVE)
    assert demo.current.gateway().get_connection(demo.who, "alone copy").workspace_names == ()


def test_a_duplicate_never_takes_over_a_link_with_hidden_parts(demo, open_page):
    at = opened(open_page, **{"from": connect(demo, "planted", planted_details())})
    assert at.text_input(key=URL).value == ""
    assert "Link is not copied. Type it." in shown(words(at))
    told = words(at) + everything_kept(at)
    assert [place for place, secret in secrets().items() if secret in told] == []


def test_a_custom_duplicate_keeps_the_keys_and_no_value(demo, open_page):
    details: dict[str, Any] = {
        "a": {"b": [1, {"c": "secret-c"}]},
        "<b>k</b>": "secret-k",
        "e": [],
        "f": None,
    }
    at = opened(open_page, **{"from": connect(demo, HOSTILE[0], details, kind="KAFKA")})
    assert at.text_input(key=NAME).value == f"{HOSTILE[0]} copy"
    assert at.text_input(key=TYPE).value == "KAFKA"
    typed = str(at.text_area(key=DETAILS).value)
    press(at, SAVE)
    copied = stored(demo, f"{HOSTILE[0]} copy")
    assert copied == {"a": {"b": [None, {"c": ""}]}, "<b>k</b>": "", "e": [], "f": None}
    assert "secret" not in typed


def test_what_is_typed_over_a_copy_stays(demo, open_page, source):
    source_id = connect(demo, "first", {"url": source.link()})
    at = opened(open_page, **{"from": source_id})
    at.text_input(key=NAME).input("mine").run()
    settle(at.run())
    assert at.text_input(key=NAME).value == "mine"


def test_a_copy_of_what_is_gone_begins_anew(demo, open_page):
    at = opened(open_page, **{"from": "gone"})
    assert "does not exist any more" in words(at)
    assert at.text_input(key=NAME).value == ""


def test_the_table_names_the_host_of_the_new_one(demo, open_page, source):
    at = press(type_in(opened(open_page), name="hosted", url=source.link()), SAVE)
    assert "127.0.0.1" in column(at, "Host")[names_in_table(at).index("hosted")]
