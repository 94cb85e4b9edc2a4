"""Hostile names are text in every view of connections, break no layout, and are safe in exports."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Dialog, Page, Request, expect

from tests.e2e.screens import Screens
from tests.support.launcher import running_dashboard
from tests.support.platform import signed_in

ROOM = "workshop-workspace-summarization"
IMG = "<img src=x onerror=alert(1)>"
FORMULA = "=HYPERLINK(1)"
NAMES = (
    IMG,
    "n" * 200,
    "مرحبا שלום",
    "👩‍🔬🧪 déjà-vu",
    FORMULA,
    "**bold** $x^2$ `code` [a](javascript:alert(1)) ![b](https://evil.example/p.png)",
    ":material/home: :smile: :red[x]",
)
#: What none of the names may have become: each of them belongs to no view of ours.
_BECAME = """() => [
  ...document.querySelectorAll('img[src="x"], img[src*="evil"], a[href^="javascript"], .katex'),
  ...[...document.querySelectorAll('strong, code')].filter(
      one => one.textContent.trim() === 'bold' || one.textContent.trim() === 'code'),
].map(one => one.outerHTML)"""
_TOO_WIDE_PX = """() => [document.scrollingElement, ...document.querySelectorAll(
  '[data-testid=stMain], [role=dialog]')].map(one => one.scrollWidth - one.clientWidth)"""


@pytest.fixture
def dashboard(tmp_path):
    with running_dashboard(tmp_path) as running:
        yield running


@dataclass
class Visit:
    """A visitor who notes what the page does that it should not."""

    screens: Screens
    data_dir: Path
    ids: dict[str, str] = field(default_factory=dict)
    room_id: str = ""
    wrong: list[str] = field(default_factory=list)

    def follow(self) -> None:
        self.screens.page.on("dialog", self._opened)
        self.screens.page.on("request", self._asked)

    def check(self, view: str) -> None:
        """Look at a view in two widths."""
        page = self.screens.page
        for width in (400, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            self.wrong += [f"{view}: {one}" for one in page.evaluate(_BECAME)]
            # A drawer slides in from outside of the page.
            page.wait_for_function(f"() => Math.max(...({_TOO_WIDE_PX})()) <= 0")

    def _opened(self, dialog: Dialog) -> None:
        self.wrong.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def _asked(self, request: Request) -> None:
        if "evil.example" in request.url or request.url.endswith("/x"):
            self.wrong.append(f"a request: {request.url}")


def connect(visit: Visit) -> None:
    with signed_in(visit.data_dir) as platform:
        rooms = platform.post("/v1/api/workspaces/list", json={}).json()["workspaces"]
        visit.room_id = str(next(one["id"] for one in rooms if one["name"] == ROOM))
        for name in NAMES:
            details = {"url": "https://h.example/a.csv", name: {name: name}}
            body = {"name": name, "type": name, "details": details}
            made = platform.post("/v1/api/connections/create", json=body).raise_for_status()
            visit.ids[name] = str(made.json()["id"])
            link = {"workspace_id": int(visit.room_id), "connection_id": visit.ids[name]}
            platform.post("/v1/api/connections/add_to_workspace", json=link).raise_for_status()


def look_at_the_list(visit: Visit) -> None:
    screens = visit.screens
    screens.go("connections")
    expect(screens.widget("connections_foot")).to_contain_text("13")
    visit.check("list")
    # The newest stands first. A button of a table takes an icon's name in front for an icon.
    assert (screens.cell(1, 0).text_content() or "").startswith("\u2060:material")


def look_at_each(visit: Visit, name: str) -> None:
    screens = visit.screens
    screens.go(f"connections?connection={visit.ids[name]}")
    drawer = screens.dialog()
    expect(drawer.get_by_text("only the parts that are safe to show")).to_be_visible()
    expect(drawer.get_by_role("heading").first).to_contain_text(_as_shown(name))
    visit.check(f"drawer of {name}")
    drawer.get_by_text("Code", exact=True).click()
    expect(drawer.get_by_text("Make it on another")).to_be_visible()
    visit.check(f"code of {name}")


def _as_shown(name: str) -> re.Pattern[str]:
    """Match a name, shortened or not, with the joiners that keep parts of it from being links."""
    return re.compile("\u2060?".join(map(re.escape, name[:79])))


def ask_to_delete_and_keep(visit: Visit) -> None:
    screens = visit.screens
    screens.dialog().get_by_text("Overview", exact=True).click()
    screens.widget("drawer_delete").get_by_role("button").click()
    expect(screens.dialog().get_by_text("1 workspace loses it")).to_be_visible()
    visit.check("delete")
    screens.widget("delete_export").get_by_role("button").click()
    expect(screens.dialog().get_by_text("Not in the file:")).to_be_visible()
    visit.check("export")
    screens.button("Make the file").click()
    with screens.page.expect_download() as waiting:
        screens.button("Download the file").click()
    visit.check("exported")
    import_it(visit, waiting.value.path())


def import_it(visit: Visit, path: Path) -> None:
    screens = visit.screens
    screens.go("import-connections")
    screens.page.locator("input[type=file]").set_input_files(
        {"name": "c.json", "mimeType": "application/json", "buffer": path.read_bytes()}
    )
    expect(screens.page.get_by_text("exists already").first).to_be_visible()
    visit.check("import")


def look_at_forms(visit: Visit, name: str) -> None:
    screens = visit.screens
    screens.go(f"edit-connection?connection={visit.ids[name]}")
    expect(screens.page.get_by_text("Nothing is changed yet")).to_be_visible()
    screens.page.get_by_role("radiogroup").first.get_by_text("Replace", exact=True).click()
    expect(screens.page.get_by_label(re.compile("^New "))).to_have_count(1)
    visit.check(f"edit of {name}")
    screens.go(f"new-connection?from={visit.ids[name]}")
    expect(screens.page.get_by_text("Nothing secret is copied.")).to_be_visible()
    visit.check(f"copy of {name}")


def unlink_in_the_workspace(visit: Visit) -> None:
    screens = visit.screens
    screens.go(f"workspaces?workspace={visit.room_id}")
    expect(screens.widget("room_connections")).to_contain_text("bold")
    visit.check("workspace")
    screens.button("Link or unlink…").click()
    screens.dialog().get_by_text("Unlink", exact=True).click()
    for name in (IMG, FORMULA, NAMES[5]):
        screens.choose("Connections", name)
        screens.page.keyboard.press("Escape")
    expect(screens.widget("linking_preview")).to_contain_text("lose 3 connections")
    visit.check("linking")
    screens.button("Remove 3 links").click()
    expect(screens.message(re.compile("3 links"))).to_be_visible()
    visit.check("message")


def export_the_log(visit: Visit) -> None:
    screens = visit.screens
    screens.go("activity")
    expect(screens.widget("activity_list")).to_contain_text(IMG)
    visit.check("activity")
    with screens.page.expect_download() as waiting:
        screens.button("CSV").click()
    text = Path(waiting.value.path()).read_text(encoding="utf-8-sig")
    cells = {cell for row in csv.reader(io.StringIO(text)) for cell in row}
    assert f"'{FORMULA}" in cells
    assert FORMULA not in cells


def test_hostile_names_are_text_in_every_view(page: Page, dashboard):
    visit = Visit(Screens(page, dashboard.url), dashboard.data_dir)
    visit.follow()
    visit.screens.go()
    expect(visit.screens.heading("Home")).to_be_visible()
    connect(visit)
    look_at_the_list(visit)
    for name in (IMG, NAMES[1], NAMES[2], NAMES[5], NAMES[6]):
        look_at_each(visit, name)
    ask_to_delete_and_keep(visit)
    for name in (IMG, NAMES[1], NAMES[5]):
        look_at_forms(visit, name)
    unlink_in_the_workspace(visit)
    export_the_log(visit)
    assert visit.wrong == []
