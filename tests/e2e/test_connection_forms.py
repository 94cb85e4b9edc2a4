"""Creating, correcting and rotating a connection in a browser, against a source that is there."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.screens import Screens
from tests.support.launcher import RunningDashboard, running_dashboard
from tests.support.platform import signed_in
from tests.support.secrets import Witness, found_in
from tests.support.source import Source, running_source

ROOM = "workshop-workspace-summarization"

# What stood on the pages even for a moment, across a reload.
_KEEP_WHAT_IS_SAID = """(() => {
  const keep = () => {
    const said = sessionStorage.getItem('said') || '';
    const now = document.body ? document.body.innerText : '';
    if (now && !said.includes(now)) sessionStorage.setItem('said', said + now);
  };
  const all = {subtree: true, childList: true, characterData: true};
  new MutationObserver(keep).observe(document, all);
})()"""


@pytest.fixture
def source() -> Iterator[Source]:
    with running_source("tok-old-51", "tok-new-62") as running:
        yield running


@pytest.fixture
def dashboard(tmp_path) -> Iterator[RunningDashboard]:
    with running_dashboard(tmp_path, allowed_hosts="127.0.0.1") as running:
        yield running


def stored(dashboard: RunningDashboard, name: str) -> dict[str, object]:
    with signed_in(dashboard.data_dir) as platform:
        answer = platform.post("/v1/api/connections/get", json={"name": name})
        assert answer.status_code == 200
        details: dict[str, object] = answer.json()["details"]
    return details


def test_a_connection_is_created_tested_and_linked_within_four_clicks(
    page: Page, dashboard, source
):
    screens = Screens(page, dashboard.url)
    screens.go("new-connection")
    # The workspace is proposed once the platform has told which there are.
    room = page.get_by_role("combobox", name="Workspace")
    expect(room).to_have_value(ROOM)
    screens.field("Name").fill("week-47")
    screens.field("Link").fill(source.link())
    screens.choose("Sign-in", "Token")  # two clicks
    screens.field("Token").fill("tok-old-51")
    screens.save()  # the third
    expect(screens.message(f"Saved week-47 and linked it to {ROOM}")).to_be_visible()
    expect(screens.dialog().get_by_text("week-47").first).to_be_visible()
    expect(screens.dialog().get_by_text("Healthy").first).to_be_visible()
    assert stored(dashboard, "week-47") == {"url": source.link(), "token": "tok-old-51"}
    assert [asked["authorization"] for asked in source.asked] == ["Bearer tok-old-51"]


def test_a_failed_test_is_put_right_by_its_messages(page: Page, dashboard, source):
    screens = Screens(page, dashboard.url)
    screens.go("new-connection")
    # The first answer of a platform that has just started takes its time.
    room = page.get_by_role("combobox", name="Workspace")
    expect(room).to_have_value(ROOM)
    screens.field("Name").fill("put-right")
    screens.field("Link").fill(source.link().replace("http:", "http"))
    screens.save()
    wrong = screens.widget("bad_url")
    expect(wrong.get_by_text("the colon after http is missing")).to_be_visible()
    screens.button(re.compile("^Change it to")).click()
    expect(screens.widget("bad_sign_in").get_by_text("asks for a sign-in (401)")).to_be_visible()
    screens.field("Link").fill(source.link())
    screens.button("Add a token").click()
    screens.field("Token").fill("tok-old-51")
    screens.save()
    expect(screens.message("Saved put-right")).to_be_visible()
    assert stored(dashboard, "put-right")["token"] == "tok-old-51"  # noqa: S105 - the test's own


def test_a_token_is_rotated_without_the_old_one_ever_being_shown(page: Page, dashboard, source):
    details = {"url": source.link(), "token": "tok-old-51", "n": 1.5}
    witness = Witness()
    witness.follow(page)
    screens = Screens(page, dashboard.url)
    screens.go()
    expect(screens.heading("Home")).to_be_visible()
    with signed_in(dashboard.data_dir) as platform:
        body = {"name": "rotated", "type": "HTTP", "details": details}
        old_id = platform.post("/v1/api/connections/create", json=body).json()["id"]
    screens.go(f"edit-connection?connection={old_id}")
    expect(screens.heading("Edit rotated")).to_be_visible()
    screens.widget("edit_connection_act1_0").get_by_text("Replace").click()
    screens.field("New token").fill("tok-wrong-73")
    screens.button("Test and replace").click()
    expect(screens.widget("bad_row_1").get_by_text("rejected the token")).to_be_visible()
    assert stored(dashboard, "rotated") == details
    screens.field("New token").fill("tok-new-62")
    screens.button("Test and replace").click()
    expect(screens.heading("Connections")).to_be_visible()
    expect(screens.dialog().get_by_text("rotated").first).to_be_visible()
    assert stored(dashboard, "rotated") == {**details, "token": "tok-new-62"}
    assert old_id not in page.url
    typed = {"old": "tok-old-51", "new": "tok-new-62"}
    assert found_in(witness.told() + page.content().encode(), typed) == []


def test_an_edit_goes_on_through_a_reload_and_ends_at_the_new_connection(
    page: Page, dashboard, source
):
    details = {"url": source.link(), "token": "tok-old-51"}
    screens = Screens(page, dashboard.url)
    screens.go()
    expect(screens.heading("Home")).to_be_visible()
    with signed_in(dashboard.data_dir) as platform:
        body = {"name": "reloaded", "type": "HTTP", "details": details}
        old_id = platform.post("/v1/api/connections/create", json=body).json()["id"]
        # Slow enough for the reload to come in the middle.
        fault = {"route": "/v1/api/connections/create", "delay_s": 1.2}
        assert platform.post("/_sandbox/faults", json=fault).is_success
    screens.go(f"edit-connection?connection={old_id}")
    expect(screens.heading("Edit reloaded")).to_be_visible()
    # Whatever the pages of this visitor say from here on, in whichever of them.
    page.add_init_script(_KEEP_WHAT_IS_SAID)
    screens.widget("edit_connection_act1_0").get_by_text("Replace").click()
    screens.field("New token").fill("tok-new-62")
    screens.button("Test and replace").click()
    expect(screens.button("Replacing…")).to_be_visible()
    page.reload()
    expect(page.get_by_text("Your edit of reloaded is under way")).to_be_visible()
    expect(screens.heading("Connections")).to_be_visible()
    expect(screens.message("Your edit of reloaded is done")).to_be_visible()
    expect(screens.dialog().get_by_text("reloaded").first).to_be_visible()
    assert old_id not in page.url
    said = page.evaluate("sessionStorage.getItem('said') || ''")
    assert "reloaded" in said
    assert "somebody else" not in said
    assert "does not exist" not in said
    assert stored(dashboard, "reloaded") == {**details, "token": "tok-new-62"}
    # Back leads to what can be edited, not in a circle.
    page.go_back()
    expect(screens.heading("Edit reloaded")).to_be_visible()
    again = screens.button(re.compile("^(Edit it again|Test and replace)$"))
    expect(again).to_be_visible()
    expect(again).to_be_enabled()
