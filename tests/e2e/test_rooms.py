"""A workspace is made, a person joins it, and connections are linked to it, in a browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.screens import Screens
from tests.support.launcher import running_dashboard
from tests.support.platform import signed_in

NAMES = ("support-tickets-week-47", "mongodb_atlas")
JOHN = "john@sandbox.example"


@pytest.fixture
def dashboard(tmp_path):
    with running_dashboard(tmp_path) as running:
        yield running


def make_a_workspace(screens: Screens) -> None:
    screens.go("workspaces")
    screens.button("New workspace").click()
    screens.field("Name").fill("press-desk")
    screens.button("Create workspace").click()
    # The new one stands open, empty.
    expect(screens.dialog().get_by_text("Nobody but you yet.")).to_be_visible()
    expect(screens.dialog().get_by_text("None yet. Link one")).to_be_visible()


def add_a_member(screens: Screens) -> None:
    screens.button("Add a member…").click()
    address = screens.page.get_by_label("E-mail address")
    address.fill("nobody@example.com")
    add = screens.dialog().get_by_role("button", name="Add", exact=True)
    add.click()
    told = screens.page.locator(".st-key-bad_email")
    expect(told).to_contain_text("Ask the administrator to invite them first.")
    address.fill(JOHN.upper())
    add.dblclick()
    expect(screens.message("is in press-desk now, as Collaborator.")).to_have_count(1)
    expect(screens.widget("room_members")).to_contain_text("Collaborator")


def link_two_connections_at_once(screens: Screens) -> None:
    screens.button("Link or unlink…").click()
    for name in NAMES:
        screens.choose("Connections", name)
    screens.page.keyboard.press("Escape")
    preview = screens.widget("linking_preview")
    expect(preview).to_contain_text("2 new links.")
    screens.button("Add 2 links").click()
    expect(screens.message("2 links made")).to_be_visible()
    linked = screens.widget("room_connections")
    for name in NAMES:
        expect(linked.get_by_role("button", name=name)).to_be_visible()


def take_one_away_again(screens: Screens) -> None:
    screens.button("Link or unlink…").click()
    screens.dialog().get_by_text("Unlink", exact=True).click()
    screens.open_options("Connections", screens.page.get_by_role("option", name=NAMES[1]))
    # Only what is linked there is offered.
    expect(screens.page.get_by_role("option", name="bq-wl-dev")).to_have_count(0)
    screens.choose("Connections", NAMES[1])
    screens.page.keyboard.press("Escape")
    preview = screens.widget("linking_preview")
    expect(preview).to_contain_text("The members of press-desk lose 1 connection.")
    screens.button("Remove 1 link").click()
    linked = screens.widget("room_connections")
    expect(linked.get_by_role("button", name=NAMES[1])).to_have_count(0)
    expect(linked.get_by_role("button", name=NAMES[0])).to_be_visible()


def test_a_workspace_gets_a_member_and_connections(page: Page, dashboard, tmp_path):
    screens = Screens(page, dashboard.url)
    make_a_workspace(screens)
    add_a_member(screens)
    link_two_connections_at_once(screens)
    take_one_away_again(screens)
    page.reload()
    expect(screens.widget("room_connections").get_by_role("button")).to_have_count(1)
    with signed_in(dashboard.data_dir) as platform:
        rooms = platform.post("/v1/api/workspaces/list", json={}).json()["workspaces"]
    (made,) = [room for room in rooms if room["name"] == "press-desk"]
    assert len(made["users"]) == 2
