"""No stored secret is in anything that the pages of connections show, send, write or hand out."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.screens import Screens
from tests.support.launcher import running_dashboard
from tests.support.platform import signed_in
from tests.support.secrets import Witness, found_in, found_in_files, planted_details, secrets

ROOM = "workshop-workspace-summarization"
NAME = "planted"
CUSTOM = "planted-custom"
#: Typed in the course of the test: goes up, never comes back.
TYPED = {"rotated token": "typed-rotated-9e8d7c"}
_VALUES = "[...document.querySelectorAll('input, textarea')].map(one => one.value).join('\\n')"


@pytest.fixture
def dashboard(tmp_path):
    with running_dashboard(tmp_path / "data", log_level="DEBUG") as running:
        yield running


@dataclass
class Visit:
    """A visitor who keeps all that they see and are given."""

    screens: Screens
    data_dir: Path
    ids: dict[str, str] = field(default_factory=dict)
    room_id: str = ""
    seen: list[str] = field(default_factory=list)
    files: list[bytes] = field(default_factory=list)

    @property
    def page(self) -> Page:
        return self.screens.page

    def look(self) -> None:
        """Keep the page with what stands in its fields, but for what was typed there."""
        content, values = self.page.content(), str(self.page.evaluate(_VALUES))
        for typed in TYPED.values():
            content = content.replace(f'value="{typed}"', "")
            values = values.replace(typed, "")
        self.seen += [content, values]

    def awaits(self, place: Locator, text: str | re.Pattern[str]) -> None:
        expect(place.get_by_text(text).first).to_be_visible()
        self.look()

    def download(self, button: Locator) -> bytes:
        with self.page.expect_download() as waiting:
            button.click()
        content = Path(waiting.value.path()).read_bytes()
        self.files.append(content)
        return content


def plant(visit: Visit) -> None:
    with signed_in(visit.data_dir) as platform:
        for name, kind in ((NAME, "HTTP"), (CUSTOM, "S3")):
            body = {"name": name, "type": kind, "details": planted_details()}
            made = platform.post("/v1/api/connections/create", json=body).raise_for_status()
            visit.ids[name] = made.json()["id"]
        rooms = platform.post("/v1/api/workspaces/list", json={}).json()["workspaces"]
        visit.room_id = str(next(one["id"] for one in rooms if one["name"] == ROOM))
        for connection_id in visit.ids.values():
            link = {"workspace_id": int(visit.room_id), "connection_id": connection_id}
            platform.post("/v1/api/connections/add_to_workspace", json=link).raise_for_status()


def search_filter_and_check_all(visit: Visit) -> None:
    screens = visit.screens
    screens.go("connections")
    foot = screens.widget("connections_foot")
    expect(foot).to_contain_text("1–8 of 8.")
    visit.look()
    screens.button("Check all").click()
    visit.awaits(screens.widget("messages"), re.compile("work|fail"))
    screens.widget("connections_search").get_by_role("textbox").fill(secrets()["token"][:8])
    visit.awaits(screens.page.get_by_test_id("stMain"), re.compile("No connection"))
    screens.go("connections?type=S3")
    expect(foot).to_contain_text("filtered from 8.")
    visit.look()


def open_every_section(visit: Visit, name: str) -> None:
    screens = visit.screens
    screens.go(f"connections?connection={visit.ids[name]}")
    drawer = screens.dialog()
    visit.awaits(drawer, "only the parts that are safe to show")
    if name == NAME:
        screens.widget("drawer_test").get_by_role("button").click()
        visit.awaits(drawer, "was not found")
    drawer.get_by_text("Activity", exact=True).click()
    visit.awaits(drawer, "Tested" if name == NAME else "Nothing was done")
    drawer.get_by_text("Code", exact=True).click()
    visit.awaits(drawer, "Make it on another")


def ask_to_delete(visit: Visit) -> None:
    screens = visit.screens
    screens.dialog().get_by_text("Overview", exact=True).click()
    screens.button("Delete…").click()
    visit.awaits(screens.dialog(), "1 workspace loses it")
    screens.button("Keep it").click()


def export(visit: Visit) -> bytes:
    screens = visit.screens
    screens.widget("drawer_export").get_by_role("button").click()
    visit.awaits(screens.dialog(), "Not in the file:")
    screens.button("Make the file").click()
    download = screens.button("Download the file")
    expect(download).to_be_visible()
    visit.look()
    content = visit.download(download)
    screens.dialog().get_by_role("button", name="Close").last.click()
    return content


def link_from_the_workspace(visit: Visit) -> None:
    screens = visit.screens
    screens.go(f"workspaces?workspace={visit.room_id}")
    visit.awaits(screens.dialog(), NAME)
    screens.button("Link or unlink…").click()
    screens.dialog().get_by_text("Unlink", exact=True).click()
    screens.choose("Connections", NAME, exact=True)
    screens.page.keyboard.press("Escape")
    visit.awaits(screens.widget("linking_preview"), re.compile("lose 1 connection"))
    screens.button("Cancel").click()


def edit_without_saving(visit: Visit, name: str) -> None:
    screens = visit.screens
    screens.go(f"edit-connection?connection={visit.ids[name]}")
    main = screens.page.get_by_test_id("stMain")
    visit.awaits(main, "Nothing is changed yet")
    controls = screens.page.get_by_role("radiogroup")
    expect(controls).to_have_count(12)
    wanted = controls.all()[:6]
    for control in wanted:
        control.get_by_text("Replace", exact=True).click()
    expect(screens.page.get_by_label(re.compile("^New "))).to_have_count(len(wanted))
    visit.look()
    if name == NAME:
        screens.page.get_by_label("New link").fill("https://other.example.net/week.json")
        screens.page.get_by_label("New link").blur()
        dropped = re.compile("The host changes: .*Password.* were typed for files.example.org")
        visit.awaits(main, dropped)
        screens.button("Test").first.click()
        visit.look()
    screens.button("Cancel").last.click()


def duplicate(visit: Visit, name: str) -> None:
    visit.screens.go(f"new-connection?from={visit.ids[name]}")
    visit.awaits(visit.page.get_by_test_id("stMain"), "Nothing secret is copied.")


def fail_to_replace(visit: Visit) -> None:
    """Leave a replace unfinished: both copies are made, and nothing can be deleted."""
    screens = visit.screens
    screens.go(f"edit-connection?connection={visit.ids[NAME]}")
    visit.awaits(screens.page.get_by_test_id("stMain"), "Nothing is changed yet")
    screens.page.get_by_role("radiogroup", name=re.compile("Token")).get_by_text("Replace").click()
    screens.page.get_by_label("New token").fill(TYPED["rotated token"])
    with signed_in(visit.data_dir) as platform:
        fault = {"route": "/v1/api/connections/delete", "status": 500}
        platform.post("/_sandbox/faults", json=fault).raise_for_status()
    screens.button("Test and replace").click()
    visit.awaits(screens.page.get_by_test_id("stMain"), "was not found")
    screens.button("Replace without testing").click()
    visit.awaits(screens.page.get_by_test_id("stMain"), "the edit is unfinished")
    screens.go("connections")
    visit.awaits(screens.page.get_by_test_id("stMain"), "the edit is unfinished")
    with signed_in(visit.data_dir) as platform:
        platform.delete("/_sandbox/faults").raise_for_status()


def finish_the_replace(visit: Visit) -> None:
    screens = visit.screens
    screens.button("Finish").click()
    visit.awaits(screens.page.get_by_test_id("stMain"), "Changed: ")
    screens.go(f"connections?connection={visit.ids[NAME]}")
    visit.awaits(screens.dialog(), "was replaced meanwhile")


def import_files(visit: Visit, exported: bytes) -> None:
    screens = visit.screens
    screens.go("import-connections")
    entry = {"name": "brought", "type": "S3", "details": planted_details()}
    content = json.loads(exported)
    in_clear = {**content, "connections": [entry]}
    wrong = {**content, "connections": [{**entry, "slots": {"a": planted_details()}}]}
    for text, told in (
        (exported.decode(), "Exists already|exists already|New name"),
        (json.dumps(wrong), "file"),
        (json.dumps(in_clear)[:-9], "not JSON|file"),
        (json.dumps(in_clear), "Import 1 connection"),
    ):
        screens.page.locator("input[type=file]").set_input_files(
            {"name": "c.json", "mimeType": "application/json", "buffer": text.encode()}
        )
        visit.awaits(screens.page.get_by_test_id("stMain"), re.compile(told))
    screens.button("Import 1 connection").click()
    visit.awaits(screens.widget("messages"), re.compile("Imported 1 connection"))


def look_through_the_log(visit: Visit) -> None:
    screens = visit.screens
    screens.open_from_rail("Activity")
    expect(screens.widget("activity_list")).to_be_visible()
    visit.look()
    for kind in ("CSV", "JSON"):
        assert b"planted" in visit.download(screens.button(kind))


def test_no_secret_leaves_the_pages_of_connections(page: Page, dashboard, tmp_path):
    witness = Witness()
    witness.follow(page)
    visit = Visit(Screens(page, dashboard.url), dashboard.data_dir)
    visit.screens.go()
    expect(visit.screens.heading("Home")).to_be_visible()
    plant(visit)
    search_filter_and_check_all(visit)
    open_every_section(visit, CUSTOM)
    open_every_section(visit, NAME)
    ask_to_delete(visit)
    exported = export(visit)
    link_from_the_workspace(visit)
    for name in (NAME, CUSTOM):
        edit_without_saving(visit, name)
        duplicate(visit, name)
    fail_to_replace(visit)
    finish_the_replace(visit)
    import_files(visit, exported)
    look_through_the_log(visit)
    everything = {**secrets(), **TYPED}
    assert len(witness.received) > 100
    assert found_in(witness.told(), everything) == []
    assert found_in("\n".join(visit.seen).encode(), everything) == []
    assert found_in(b"\n".join(visit.files), everything) == []
    assert found_in("".join(dashboard.output).encode(), everything) == []
    assert found_in_files(tmp_path, everything) == []
