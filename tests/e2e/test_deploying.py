"""A deploy in the browser: one click is one deploy, and every window shows the same truth."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.screens import Screens
from tests.support.launcher import RunningDashboard, running_dashboard
from tests.support.platform import signed_in

STARTING = re.compile(r"Starting, ")
#: The sandbox keeps it starting for so long.
STARTUP_S = 4.0
#: A change must be seen this soon, of which the driver itself takes a little.
SEEN_WITHIN_S = 1.5 + 0.3
TRIES = 3


@pytest.fixture
def dashboard(tmp_path) -> Iterator[RunningDashboard]:
    with running_dashboard(tmp_path, sandbox_startup_s=STARTUP_S) as running:
        yield running


def versions(data_dir: Path) -> int:
    """How many versions the pipelines have: each deploy makes one."""
    query = {"query": "{ pipeline { pipeline_versions { id } } }"}
    with signed_in(data_dir) as platform:
        rows = platform.post("/v1/graphql", json=query).json()["data"]["pipeline"]
    return sum(len(row["pipeline_versions"]) for row in rows)


def card(page: Page) -> Locator:
    return page.locator("[class*='st-key-pipeline_']").first


def test_one_click_is_one_deploy_and_every_window_shows_the_same_truth(
    page: Page, browser: Browser, dashboard
):
    screens = Screens(page, dashboard.url)
    screens.go("pipelines")
    screens.ask_to_deploy()
    before = versions(dashboard.data_dir)
    screens.dialog().get_by_role("button", name="Deploy", exact=True).dblclick()
    expect(card(page).get_by_text(STARTING)).to_be_visible()

    context = browser.new_context()
    other = context.new_page()
    other.goto(f"{dashboard.url}/pipelines")
    expect(card(other).get_by_text(re.compile("Starting|Running")).first).to_be_visible()

    page.reload()
    expect(card(page).get_by_text(re.compile("Starting, |Running")).first).to_be_visible()
    expect(screens.dialog()).to_be_hidden()
    screens.open_from_rail("Connections")
    page.go_back()
    expect(card(page).get_by_role("button", name="Summarize")).to_be_visible()
    expect(card(other).get_by_role("button", name="Summarize")).to_be_visible()
    expect(card(page).get_by_text("Ready to answer")).to_be_visible()
    assert versions(dashboard.data_dir) == before + 1

    card(other).get_by_role("button", name="Undeploy…").click()
    other.get_by_role("dialog").get_by_role("button", name="Undeploy", exact=True).click()
    expect(card(other).get_by_text("Not deployed")).to_be_visible()
    expect(card(page).get_by_text("Not deployed")).to_be_visible()
    screens.open_from_rail("Connections")
    page.go_back()
    expect(card(page).get_by_text("Not deployed")).to_be_visible()
    context.close()


def test_a_change_that_somebody_else_makes_is_seen_within_a_second_and_a_half(
    page: Page, dashboard
):
    screens = Screens(page, dashboard.url)
    took_s: list[float] = []
    # A machine that is busy with other work can be late once; waiting longer is never on time.
    while len(took_s) < TRIES and min(took_s, default=SEEN_WITHIN_S) >= SEEN_WITHIN_S:
        screens.deploy()
        expect(card(page).get_by_role("button", name="Summarize")).to_be_visible()
        took_s.append(seconds_until_seen(page, dashboard))
        expect(card(page).get_by_text("Not deployed")).to_be_visible()
    assert min(took_s) < SEEN_WITHIN_S, took_s


def seconds_until_seen(page: Page, dashboard: RunningDashboard) -> float:
    """Undeploy past the dashboard; return how long it took until the page showed it."""
    with signed_in(dashboard.data_dir) as platform:
        query = {"query": "{ deployment { id pipeline { id } } }"}
        (row,) = platform.post("/v1/graphql", json=query).json()["data"]["deployment"]
        body = {"deployment_id": row["id"], "pipeline_id": row["pipeline"]["id"]}
        began = time.monotonic()
        platform.post("/v1/api/pipelines/undeploy", json=body).raise_for_status()
        asked_s = time.monotonic() - began
    stopped = card(page).get_by_text(re.compile("Stopping|Not deployed")).first
    expect(stopped).to_be_visible()
    return time.monotonic() - began - asked_s


def test_a_start_is_cancelled_with_one_click(page: Page, dashboard):
    screens = Screens(page, dashboard.url)
    screens.go("pipelines")
    screens.ask_to_deploy()
    screens.dialog().get_by_role("button", name="Deploy", exact=True).click()
    card(page).get_by_role("button", name="Cancel and undeploy").dblclick()
    # First what goes away again by itself.
    expect(screens.message("Undeploying hf-summarizer")).to_have_count(1)
    expect(card(page).get_by_text("Not deployed")).to_be_visible()
