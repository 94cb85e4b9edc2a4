"""Deleting a connection with its impact in view, in a browser: the lesser act first."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.screens import Screens
from tests.support.launcher import running_dashboard
from tests.support.platform import signed_in

NAME = "<b>press</b> releases"
ROOM = "workshop-workspace-summarization"


@pytest.fixture
def dashboard(tmp_path):
    with running_dashboard(tmp_path) as running:
        yield running


def linked_connection(data_dir) -> str:
    with signed_in(data_dir) as platform:
        body = {"name": NAME, "type": "HTTP", "details": {"url": "https://h.example/a.csv"}}
        made = platform.post("/v1/api/connections/create", json=body).json()
        rooms = platform.post("/v1/api/workspaces/list", json={}).json()["workspaces"]
        (room_id,) = [one["id"] for one in rooms if one["name"] == ROOM]
        link = {"workspace_id": room_id, "connection_id": made["id"]}
        platform.post("/v1/api/connections/add_to_workspace", json=link).raise_for_status()
        return str(made["id"])


def is_there(data_dir) -> bool:
    with signed_in(data_dir) as platform:
        return platform.post("/v1/api/connections/get", json={"name": NAME}).status_code == 200


def ask_to_delete(screens: Screens, connection_id: str) -> Locator:
    drawer = screens.dialog()
    if not drawer.is_visible():
        screens.go(f"connections?connection={connection_id}")
    drawer.get_by_role("button", name="Delete…").click()
    expect(drawer.get_by_role("heading", name=f"Delete {NAME}?")).to_be_visible()
    return drawer


def test_a_connection_is_unlinked_instead_and_then_deleted_by_its_name(page: Page, dashboard):
    screens = Screens(page, dashboard.url)
    screens.go()
    expect(screens.heading("Home")).to_be_visible()
    connection_id = linked_connection(dashboard.data_dir)

    dialog = ask_to_delete(screens, connection_id)
    expect(dialog.get_by_text("1 workspace loses it")).to_contain_text(ROOM)
    expect(dialog.get_by_text("Last fetch: never.")).to_be_visible()
    screens.button("Unlink instead").dblclick()
    expect(screens.message(f"Unlinked {NAME} from {ROOM}")).to_be_visible()
    # The drawer it was opened from is back, and knows.
    expect(screens.dialog().get_by_text("not linked")).to_be_visible()
    assert is_there(dashboard.data_dir)

    dialog = ask_to_delete(screens, connection_id)
    expect(dialog.get_by_text("No workspace loses it.")).to_be_visible()
    delete = screens.widget("delete_confirm").get_by_role("button")
    expect(delete).to_be_disabled()
    typed = dialog.get_by_role("textbox", name="Type its name to delete")
    typed.fill(NAME.upper())
    expect(delete).to_be_disabled()
    typed.fill(NAME)
    # No Enter and no click elsewhere: the button wakes while one types.
    expect(delete).to_be_enabled()
    delete.dblclick()
    expect(screens.message(f"Deleted {NAME}.")).to_be_visible()
    expect(screens.dialog()).to_be_hidden()
    expect(page).to_have_url(f"{dashboard.url}/connections")
    assert not is_there(dashboard.data_dir)
