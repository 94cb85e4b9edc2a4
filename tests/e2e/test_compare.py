"""Two runs of one connection are compared in a browser: the source changed a text in between."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Dialog, Page, expect

from tests.e2e.screens import Screens
from tests.support.launcher import RunningDashboard, running_dashboard
from tests.support.platform import link_new
from tests.support.source import Source, running_source

NAME = "week-47"
ROOM = "workshop-workspace-summarization"
HOSTILE = "The harbour board approved <img src=x onerror=alert(1)> in Aalborg on Tuesday."
TEXTS = [f"The harbour board approved quay number {number} on Tuesday." for number in range(5)]


def table(texts: list[str]) -> bytes:
    return json.dumps([{"inputs": text} for text in texts]).encode()


@pytest.fixture
def source() -> Iterator[Source]:
    with running_source() as running:
        yield running


@pytest.fixture
def dashboard(tmp_path) -> Iterator[RunningDashboard]:
    with running_dashboard(tmp_path, allowed_hosts="127.0.0.1") as running:
        yield running


def prepare(screens: Screens, dashboard: RunningDashboard, source: Source) -> None:
    screens.deploy()
    link_new(dashboard.data_dir, name=NAME, url=source.link(), room=ROOM)


def run_the_table(screens: Screens) -> None:
    screens.go("summarize")
    expect(screens.page.get_by_role("combobox", name="Connection")).to_have_value(NAME)
    screens.widget("summarize_fetch").get_by_role("button").click()
    # The table fetched before stands there, with the same button, until the new one is in.
    expect(screens.message(f"Fetched 5 rows from {NAME}.")).to_be_visible()
    screens.button("Summarize 5 rows").click()
    expect(screens.page.get_by_text("5 of 5 rows done")).to_be_visible()


def test_what_changed_between_two_runs_is_marked_word_by_word(page: Page, dashboard, source):
    alerts: list[str] = []

    def refuse(dialog: Dialog) -> None:
        alerts.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", refuse)
    screens = Screens(page, dashboard.url)
    source.body = table(TEXTS)
    prepare(screens, dashboard, source)
    run_the_table(screens)
    source.body = table([*TEXTS[:3], HOSTILE, *TEXTS[4:]])
    run_the_table(screens)
    screens.until(screens.button("Compare"), screens.button("More").click)
    screens.button("Compare").click()
    expect(screens.heading("Compare runs")).to_be_visible()
    # The later run is A; the earlier one is the only other.
    screens.open_options("Run B", page.get_by_role("option"))
    expect(page.get_by_role("option")).to_have_count(1)
    screens.choose("Run B", "another input")
    expect(page.get_by_text("Another input")).to_be_visible()
    diff = page.get_by_role("region", name="Rows of both runs")
    rows = diff.get_by_role("listitem")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Row 4")
    gone, new = rows.locator("del"), rows.locator("ins")
    expect(rows).to_contain_text("A: The harbour board approved <img src=x onerror=alert(1)> in")
    expect(gone).to_have_text(["in Aalborg"])
    expect(new).to_have_text(["quay number 3"])
    screens.button("Swap").click()
    expect(new).to_have_text(["in Aalborg"])
    page.reload()
    expect(new).to_have_text(["in Aalborg"])
    screens.set_switch("Only what changed", on=False)
    expect(rows).to_have_count(5)
    page.set_viewport_size({"width": 400, "height": 800})
    # Nothing on the page is wider than the phone.
    sideways = "[data-testid=stMain]"
    expect(rows.first).to_be_visible()
    assert page.eval_on_selector(sideways, "one => one.scrollWidth - one.clientWidth") == 0
    assert not alerts
    screens.button("Open run A").click()
    expect(page.get_by_role("region", name="Reading pane")).to_be_visible()
