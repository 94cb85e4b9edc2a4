"""Runs that were: found again, read, judged, renamed and deleted, in a browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.screens import Screens
from tests.support.kept_runs import keep_runs
from tests.support.launcher import running_dashboard

TEXTS = ["The council met.", "A harbour was built.", "The harbour burns."]
NAME = 1


@pytest.fixture
def dashboard(tmp_path):
    with running_dashboard(tmp_path) as running:
        yield running


def wait_for_the_sandbox(screens: Screens) -> None:
    screens.go("runs")
    expect(screens.page.get_by_text("No runs yet")).to_be_visible()


def test_a_run_is_searched_renamed_and_deleted(page: Page, dashboard):
    screens = Screens(page, dashboard.url)
    wait_for_the_sandbox(screens)
    keep_runs(dashboard.data_dir, [("week-47", TEXTS), ("week-46", ["Nothing of that."])])
    expect(page.get_by_text("All 2, newest first.")).to_be_visible()

    screens.field("Search inputs, summaries and names").fill("short HARBOUR")
    expect(page.get_by_text("1 run, filtered from 2, newest first.")).to_be_visible()
    expect(screens.cell(NAME + 1, 0)).to_have_text("2 rows")
    assert "harbour" not in page.url.lower()

    screens.tick("runs_list", 0, page.get_by_text("1 selected"))
    screens.button("Rename…").click()
    screens.field("Name").fill("<b>Before</b> the change")
    screens.dialog().get_by_role("button", name="Rename").click()
    expect(screens.message("The run is called")).to_be_visible()
    expect(screens.cell(NAME, 0)).to_have_text("<b>Before</b> the change")

    screens.field("Search inputs, summaries and names").fill("")
    expect(page.get_by_text("All 2, newest first.")).to_be_visible()
    screens.tick("runs_list", 1, page.get_by_text("2 selected"))
    screens.button("Delete…").click()
    confirm = screens.dialog().get_by_role("button", name="Delete", exact=True)
    expect(confirm).to_be_disabled()
    screens.field("Type 2 to delete them").fill("2")
    expect(confirm).to_be_enabled()
    confirm.click()
    expect(screens.message("Deleted 2 runs and 2 fetched tables.")).to_be_visible()
    expect(page.get_by_text("No runs yet")).to_be_visible()
    assert list((dashboard.data_dir / "local" / "tables").iterdir()) == []


def test_an_opinion_is_kept_while_reading_goes_on(page: Page, dashboard):
    screens = Screens(page, dashboard.url)
    wait_for_the_sandbox(screens)
    (run_id,) = keep_runs(dashboard.data_dir, [("week-47", TEXTS)])
    screens.go(f"summarize?run={run_id}")
    page.get_by_role("option", name=re.compile("The harbour burns")).click()
    heading = page.get_by_text("Your opinion on row 3")
    heading.click()
    note = screens.field("Note")
    note.fill("It leaves out the harbour.")
    page.get_by_text("Bad", exact=True).click()
    expect(page.get_by_text("Opinions on 1 row: row 3 (bad).")).to_be_visible()
    expect(page.get_by_text(re.compile("Saved by you"))).to_be_visible()
    # Saving has not taken the reader to another row, nor closed what they write in.
    expect(page.get_by_role("article", name="Input")).to_contain_text("The harbour burns.")
    expect(note).to_have_value("It leaves out the harbour.")

    page.get_by_role("option", name=re.compile("A harbour was built")).click()
    expect(page.get_by_text("Your opinion on row 2")).to_be_visible()
    expect(screens.field("Note")).to_have_value("")
    page.reload()
    page.get_by_role("option", name=re.compile("The harbour burns")).click()
    expect(heading).to_be_visible()
    heading.click()
    expect(screens.field("Note")).to_have_value("It leaves out the harbour.")
