"""A deploy that fails says what is wrong and what to do; a held one never looks like another."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.screens import Screens
from tests.support.launcher import RunningDashboard, running_dashboard
from tests.support.platform import signed_in

NAME = "hf-summarizer"
ROOM = "workshop-workspace-summarization"
#: More than the sandbox's node has.
CPUS = "200"
#: With the engine's own, which runs beside it.
TOTAL = "200.25"
STARTING = re.compile(r"Starting, ")
RUNNING = re.compile(r"Running, ")


@pytest.fixture
def dashboard(tmp_path) -> Iterator[RunningDashboard]:
    with running_dashboard(tmp_path) as running:
        yield running


def rehearse(platform: httpx.Client, trouble: str) -> None:
    """Order a trouble for the workshop's pipeline, until it is called off."""
    rooms = platform.post("/v1/api/workspaces/list", json={}).json()["workspaces"]
    (room_id,) = [one["id"] for one in rooms if one["name"] == ROOM]
    body = {"workspace_id": room_id, "pipeline_name": NAME, "trouble": trouble}
    platform.post("/_sandbox/rehearsals", json=body).raise_for_status()


def call_off(dashboard: RunningDashboard) -> None:
    with signed_in(dashboard.data_dir) as platform:
        platform.delete("/_sandbox/rehearsals").raise_for_status()


def versions(dashboard: RunningDashboard) -> int:
    """How many versions the pipelines have: each deploy makes one."""
    query = {"query": "{ pipeline { pipeline_versions { id } } }"}
    with signed_in(dashboard.data_dir) as platform:
        rows = platform.post("/v1/graphql", json=query).json()["data"]["pipeline"]
    return sum(len(row["pipeline_versions"]) for row in rows)


def ask_to_deploy(screens: Screens) -> Locator:
    """Open the dialog of a deploy; return its button."""
    screens.go("pipelines")
    screens.ask_to_deploy()
    return screens.dialog().get_by_role("button", name="Deploy", exact=True)


def undeploy(screens: Screens) -> None:
    card = screens.card()
    card.get_by_role("button", name="Undeploy…").click()
    screens.dialog().get_by_role("button", name="Undeploy", exact=True).click()
    expect(card.get_by_text("Not deployed")).to_be_visible()
    expect(card.get_by_role("button", name="Deploy…", exact=True)).to_be_enabled()


def test_a_deploy_that_is_too_large_says_what_is_lacking(page: Page, dashboard):
    screens = Screens(page, dashboard.url)
    send = ask_to_deploy(screens)
    cpus = screens.dialog().locator("[class*='_sidekick_cpus_']").locator("input").first

    def ask_for_too_much() -> None:
        cpus.fill(CPUS)
        cpus.press("Tab")

    screens.until(
        screens.dialog().get_by_text(f"{TOTAL} CPU"), ask_for_too_much, what="the total follows"
    )
    send.click()
    card = screens.card()
    expect(card.get_by_text("Error, may recover")).to_be_visible()
    expect(card.get_by_text(f"The platform lacks {TOTAL} CPU")).to_be_visible()
    # Until when it may pass by itself, and what helps.
    expect(card.get_by_text(re.compile(r"It keeps trying until \d\d:\d\d"))).to_be_visible()
    expect(card.get_by_text("Ask for a smaller size")).to_be_visible()
    expect(card.get_by_text("No room found yet")).to_be_visible()
    card.get_by_text("The platform's own words").click()
    expect(card.get_by_text(re.compile("Insufficient cpu")).first).to_be_visible()
    # A smaller size is two clicks away, and the way back is open.
    card.get_by_role("button", name="Deploy again…").click()
    screens.dialog().get_by_role("button", name="Deploy", exact=True).click()
    expect(card.get_by_text(RUNNING)).to_be_visible()
    expect(card.get_by_text("The platform lacks")).to_have_count(0)
    undeploy(screens)


def test_a_model_that_crashes_shows_its_log_and_the_way_back(page: Page, dashboard):
    screens = Screens(page, dashboard.url)
    send = ask_to_deploy(screens)
    with signed_in(dashboard.data_dir) as platform:
        rehearse(platform, "crash")
    send.click()
    card = screens.card()
    expect(card.get_by_text("Error, may recover")).to_be_visible()
    expect(card.get_by_text("ends again each time it is started")).to_be_visible()
    expect(card.get_by_text("Deploy it again with more memory")).to_be_visible()
    expect(card.get_by_text(re.compile(r"restarted \d+ time")).first).to_be_visible()
    # What the process wrote stands there, as the platform gives it.
    card.get_by_text("What the model's process wrote last").click()
    expect(card.get_by_text(re.compile("this crash was ordered")).first).to_be_visible()
    # Somebody who comes by link later is told the same.
    page.reload()
    expect(card.get_by_text("ends again each time it is started")).to_be_visible()
    undeploy(screens)
    expect(card.get_by_text("ends again each time it is started")).to_have_count(0)
    call_off(dashboard)
    screens.ask_to_deploy()
    screens.dialog().get_by_role("button", name="Deploy", exact=True).click()
    expect(card.get_by_text(RUNNING)).to_be_visible()


def test_a_held_deploy_is_one_deploy_and_starting_in_every_window_until_it_is_let_go(
    page: Page, browser: Browser, dashboard
):
    screens = Screens(page, dashboard.url)
    send = ask_to_deploy(screens)
    before = versions(dashboard)
    with signed_in(dashboard.data_dir) as platform:
        rehearse(platform, "hold")
    send.dblclick()
    card = screens.card()
    expect(card.get_by_text(STARTING)).to_be_visible()
    expect(screens.dialog()).to_be_hidden()

    context = browser.new_context()
    other = Screens(context.new_page(), dashboard.url)
    other.go("pipelines")
    expect(other.card().get_by_text(STARTING)).to_be_visible()

    page.reload()
    expect(card.get_by_text(STARTING)).to_be_visible()
    for name in ("Connections", "Home"):
        screens.open_from_rail(name)
        expect(screens.widget("rail_running").get_by_text("starting").first).to_be_visible()
    page.go_back()
    expect(screens.heading("Connections")).to_be_visible()
    page.go_back()
    expect(screens.heading("Pipelines")).to_be_visible()
    expect(card.get_by_text(STARTING)).to_be_visible()
    # Nobody can deploy it once more meanwhile, and nothing says that it runs.
    for each in (screens, other):
        expect(each.card().get_by_role("button", name=re.compile("Deploy"))).to_have_count(0)
        expect(each.card().get_by_text(RUNNING)).to_have_count(0)
        expect(each.card().get_by_role("button", name="Cancel and undeploy")).to_be_enabled()
    assert versions(dashboard) == before + 1

    call_off(dashboard)
    for each in (screens, other):
        expect(each.card().get_by_text(RUNNING)).to_be_visible()
    screens.open_from_rail("Connections")
    expect(screens.widget("rail_running").get_by_text("running").first).to_be_visible()
    page.go_back()
    expect(card.get_by_text(RUNNING)).to_be_visible()
    assert versions(dashboard) == before + 1
    context.close()
