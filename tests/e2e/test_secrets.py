"""A connection's secrets reach no browser, no log and no file in clear."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.screens import Screens
from tests.support.launcher import running_dashboard
from tests.support.platform import signed_in
from tests.support.secrets import Witness, found_in, found_in_files, planted_details, secrets

NAME = "planted"


@pytest.fixture
def dashboard(tmp_path):
    with running_dashboard(tmp_path, log_level="DEBUG") as running:
        yield running


def plant(platform: httpx.Client) -> None:
    for name, kind in ((NAME, "HTTP"), ("planted-custom", "S3")):
        answer = platform.post(
            "/v1/api/connections/create",
            json={"name": name, "type": kind, "details": planted_details()},
        )
        assert answer.status_code == 200
        rooms = platform.post("/v1/api/workspaces/list", json={}).json()["workspaces"]
        room = next(one for one in rooms if one["name"].endswith("summarization"))
        link = {"workspace_id": room["id"], "connection_id": answer.json()["id"]}
        assert platform.post("/v1/api/connections/add_to_workspace", json=link).status_code == 200


def test_a_stored_secret_reaches_no_frame_page_address_log_or_file(page: Page, dashboard, tmp_path):
    witness = Witness()
    witness.follow(page)
    screens = Screens(page, dashboard.url)
    screens.go()
    expect(screens.heading("Home")).to_be_visible()
    with signed_in(dashboard.data_dir) as platform:
        plant(platform)
    screens.go("connections")
    expect(page.get_by_text(re.compile("8 connections"))).to_be_visible()
    seen = page.content()
    # The newest stand first.
    for row in (0, 1):
        screens.press_name("connections_list", row)
        expect(screens.dialog().get_by_text("only the parts that are safe to show")).to_be_visible()
        seen += page.content()
        for section, told in (("Activity", "Nothing was done"), ("Code", "Make it on another")):
            screens.dialog().get_by_text(section, exact=True).click()
            expect(screens.dialog().get_by_text(told)).to_be_visible()
            seen += page.content()
        screens.leave_dialog()
    for name in ("Workspaces", "Pipelines", "Latency", "Summarize"):
        screens.open_from_rail(name)
        seen += page.content()
    screens.choose("Connection", NAME)
    screens.widget("summarize_fetch").get_by_role("button").click()
    expect(page.get_by_text("was not found").first).to_be_visible()
    seen += page.content()
    assert len(witness.received) > 20
    assert found_in(witness.told() + seen.encode(), secrets()) == []
    assert found_in_files(tmp_path, secrets()) == []
    assert found_in("".join(dashboard.output).encode(), secrets()) == []


def test_a_typed_secret_goes_up_while_its_field_stands_there_and_never_comes_back(
    page: Page, dashboard, tmp_path
):
    typed = {"typed path": "typed-path-4d5e6f", "typed token": "typed-token-a1b2c3"}
    witness = Witness()
    witness.follow(page)
    screens = Screens(page, dashboard.url)
    screens.go("new-connection")
    screens.field("Name").fill("typed-by-hand")
    screens.field("Link").fill(f"https://files.example.org/{typed['typed path']}/t.json")
    screens.choose("Sign-in", "Token")
    screens.field("Token").fill(typed["typed token"])
    screens.save()
    # The host does not exist, so its test fails.
    screens.button("Save without testing").click()
    expect(screens.message("Saved typed-by-hand")).to_be_visible()
    assert found_in(b"".join(witness.sent), typed) == list(typed)
    # What was saved opens over the list, a moment after the message: the fields are gone then.
    expect(screens.dialog()).to_be_visible()
    after = len(witness.sent)
    screens.leave_dialog()
    for name in ("Workspaces", "Connections"):
        screens.open_from_rail(name)
    screens.go("new-connection")
    expect(screens.field("Link")).to_have_value("")
    assert found_in(b"".join(witness.sent[after:]), typed) == []
    assert found_in(witness.told(), typed) == []
    assert found_in_files(tmp_path, typed) == []
