"""The workshop's story, in a browser, on its real sample input."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.screens import Screens
from tests.support.launcher import running_dashboard
from tests.support.load import NetClock

CONNECTION = "summary-sample-connection"
ROOM = "workshop-workspace-summarization"
RUNNING = re.compile(r"Running")


@pytest.fixture
def dashboard(tmp_path):
    with running_dashboard(tmp_path) as running:
        yield running


def create_the_connection(screens: Screens) -> None:
    screens.go()
    screens.button("New connection").click()
    expect(screens.heading("New connection")).to_be_visible()
    sample = screens.button("Fill in the workshop's sample")
    expect(sample).to_be_visible()
    screens.save()
    expect(screens.page.get_by_text("A connection needs a name.")).to_be_visible()
    sample.click()
    expect(screens.field("Name")).to_have_value(CONNECTION)
    expect(screens.field("Link")).not_to_have_value("")
    link = screens.field("Link").input_value()
    screens.field("Link").fill("ftp://files.example.org/x.json")
    screens.save()
    wrong = screens.widget("bad_url")
    expect(wrong).to_be_visible()
    expect(screens.field("Name")).to_have_value(CONNECTION)
    screens.field("Link").fill(link)
    screens.set_switch("Link it right away", on=False)
    screens.save()
    expect(screens.message(f"Saved {CONNECTION}.")).to_be_visible()


def link_it_to_the_workspace(screens: Screens) -> None:
    drawer = screens.dialog()
    expect(drawer.get_by_text("only the parts that are safe to show")).to_be_visible()
    links = drawer.get_by_test_id("stMultiSelect").get_by_role("combobox")
    screens.choose_in(links, ROOM)
    screens.page.keyboard.press("Escape")
    screens.button("Save links").click()
    expect(screens.message(f"Linked {CONNECTION} to {ROOM}")).to_be_visible()
    screens.close_dialog()


def deploy(screens: Screens) -> None:
    screens.open_from_rail("Pipelines")
    screens.ask_to_deploy()
    expect(screens.dialog().get_by_text("1.25 CPU and 5 GiB")).to_be_visible()
    screens.dialog().get_by_role("button", name="Deploy", exact=True).click()
    card = screens.page.locator("[class*='st-key-pipeline_']").first
    # Nothing is pressed from here on: the state moves by itself.
    expect(card.get_by_text(RUNNING).first).to_be_visible()


def summarize(screens: Screens) -> None:
    screens.open_from_rail("Summarize")
    # Opened over itself, it tells of its fields anew; what is fetched then stays all the same.
    screens.open_from_rail("Summarize")
    # The connection linked last is the one that stands there.
    expect(screens.page.get_by_role("combobox", name="Connection")).to_have_value(CONNECTION)
    screens.widget("summarize_fetch").get_by_role("button").click()
    expect(screens.page.get_by_text("Fits the model")).to_be_visible()
    # A double click starts one run.
    screens.button("Summarize 1 row").dblclick()


def read_the_summary(screens: Screens) -> None:
    summary = screens.page.get_by_role("article", name="Summary")
    expect(summary.get_by_text("business and employment-focused")).to_be_visible()
    expect(screens.page.get_by_role("article", name="Input")).to_contain_text("Since December 2016")
    expect(screens.page.get_by_text("anomaly count 0")).to_be_visible()
    expect(screens.page.get_by_text("picks sentences from the input").first).to_be_visible()


def look_at_the_timing(screens: Screens) -> None:
    screens.open_from_rail("Latency")
    screens.open_options("Run", screens.page.get_by_role("option"))
    expect(screens.page.get_by_role("option")).to_have_count(1)
    screens.page.keyboard.press("Escape")
    expect(screens.page.get_by_text("Where the time went")).to_be_visible()
    expect(screens.page.locator(".js-plotly-plot").first).to_be_visible()


def undeploy(screens: Screens) -> None:
    screens.open_from_rail("Pipelines")
    screens.page.locator("[class*='st-key-pipeline_']").get_by_role(
        "button", name="Undeploy…"
    ).click()
    screens.dialog().get_by_role("button", name="Undeploy", exact=True).click()
    card = screens.page.locator("[class*='st-key-pipeline_']").first
    expect(card.get_by_text("Not deployed")).to_be_visible()


def test_the_whole_story_from_an_empty_profile_within_a_minute(page: Page, dashboard):
    clock = NetClock()
    screens = Screens(page, dashboard.url)
    create_the_connection(screens)
    link_it_to_the_workspace(screens)
    deploy(screens)
    summarize(screens)
    read_the_summary(screens)
    look_at_the_timing(screens)
    undeploy(screens)
    assert clock.net_s() <= 60, f"{clock.elapsed_s():.1f} s by the clock"
