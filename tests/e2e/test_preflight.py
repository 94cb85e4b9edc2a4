"""Before a demo: the preflight in the browser, red and green, and presenter mode on the wire."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from dashboard.strings import WORKSHOP_CONNECTION
from tests.e2e.screens import Screens
from tests.support.launcher import RunningDashboard, running_dashboard
from tests.support.platform import signed_in
from tests.support.secrets import Witness, found_in

ALL = re.compile("7 connections on")
HOST = "planted-host.example.org"
RED = re.compile(r"Red (just now|\d)")
GREEN = re.compile(r"Green (just now|\d)")


@pytest.fixture
def dashboard(tmp_path) -> Iterator[RunningDashboard]:
    with running_dashboard(tmp_path) as running:
        yield running


def steps(screens: Screens) -> Locator:
    return screens.widget("preflight_steps")


def save_sample(screens: Screens) -> None:
    screens.go("new-connection")
    screens.button(re.compile("sample")).first.click()
    expect(screens.field("Name")).to_have_value(WORKSHOP_CONNECTION)
    # Once the workspaces are known, it is linked by the way.
    expect(screens.page.get_by_text("Link it right away")).to_be_visible()
    screens.save()
    expect(screens.message(re.compile("Saved"))).to_be_visible()


def test_a_preflight_is_red_until_the_pipeline_is_deployed_and_goes_on_to_green(
    page: Page, dashboard
):
    screens = Screens(page, dashboard.url)
    save_sample(screens)
    screens.go()
    screens.button("Preflight…").click()
    expect(screens.heading("Preflight")).to_be_visible()
    screens.button("Run the preflight").click()
    expect(steps(screens).get_by_text(RED)).to_be_visible()
    expect(steps(screens).get_by_text("hf-summarizer is not deployed.")).to_be_visible()
    expect(steps(screens).get_by_text("not tried")).to_have_count(2)
    # It is the server's: a reload finds it.
    page.reload()
    expect(steps(screens).get_by_text(RED)).to_be_visible()
    screens.ask_to_deploy()
    screens.dialog().get_by_role("button", name="Deploy", exact=True).click()
    screens.button(re.compile("^.*Go on")).click()
    expect(steps(screens).get_by_text(GREEN)).to_be_visible()
    expect(steps(screens).get_by_text("not tried")).to_have_count(0)
    expect(
        screens.widget("preflight_infers").get_by_text(re.compile(r"\d (ms|s)$"))
    ).to_be_visible()
    page.reload()
    expect(steps(screens).get_by_text(GREEN)).to_be_visible()
    expect(screens.button("Run again")).to_be_enabled()


@pytest.fixture
def planted(page: Page, dashboard) -> tuple[Screens, str, dict[str, str]]:
    """A connection whose host is not for an audience: its id, and what must not be seen."""
    screens = Screens(page, dashboard.url)
    screens.go("connections")
    expect(screens.heading("Connections")).to_be_visible()
    with signed_in(dashboard.data_dir) as platform:
        body = {"name": "on-stage", "type": "HTTP", "details": {"url": f"https://{HOST}/a.csv"}}
        made = platform.post("/v1/api/connections/create", json=body).json()["id"]
        people = re.findall(r"[\w.]+@[\w.]+", platform.post("/v1/api/users/query", json={}).text)
    expect(page.get_by_text(ALL)).to_be_visible()
    return screens, made, {"host": HOST, **{f"person {one}": one for one in people}}


def switch(screens: Screens) -> None:
    screens.widget("rail_present").locator("label").first.click()


def test_a_reload_on_stage_brings_nothing_hidden_to_the_browser(page: Page, planted):
    screens, made, marks = planted
    everything = Witness()
    everything.follow(page)
    page.reload()
    expect(page.get_by_text(ALL)).to_be_visible()
    # The witness hears what it is to miss from now on.
    assert "host" in found_in(everything.told(), marks)

    switch(screens)
    expect(page).to_have_url(re.compile("present=1"))
    witness = Witness()
    witness.follow(page)
    page.reload()
    expect(page.get_by_text(ALL)).to_be_visible()
    seen = page.content()
    for name in ("Workspaces", "Pipelines", "Summarize", "Runs", "Activity"):
        screens.open_from_rail(name)
        expect(page).to_have_url(re.compile("present=1"))
        seen += page.content()
    screens.go(f"connections?present=1&connection={made}")
    expect(screens.dialog().get_by_text("only the parts that are safe to show")).to_be_visible()
    expect(screens.dialog().get_by_role("button", name="Delete…")).to_be_disabled()
    seen += page.content()
    assert made not in page.inner_text("body")
    screens.go(f"edit-connection?present=1&connection={made}")
    expect(page.get_by_text("Not shown in presenter mode")).to_be_visible()
    seen += page.content()
    assert len(witness.received) > 20
    assert found_in(witness.told() + seen.encode(), marks) == []


def test_presenter_mode_is_large_stays_over_the_pages_and_goes_by_its_switch(page: Page, planted):
    screens, _, _ = planted
    switch(screens)
    expect(page).to_have_url(re.compile("present=1"))
    expect(page.locator("html")).to_have_css("font-size", "19px")
    # It widens slowly.
    page.wait_for_function(
        "document.querySelector('[data-testid=stSidebar]').getBoundingClientRect().width >= 290"
    )
    screens.open_from_rail("Runs")
    expect(page).to_have_url(re.compile("runs.*present=1"))
    page.go_back()
    expect(screens.heading("Connections")).to_be_visible()
    expect(page).to_have_url(re.compile("connections.*present=1"))
    switch(screens)
    expect(page).not_to_have_url(re.compile("present=1"))
    screens.open_from_rail("Workspaces")
    expect(page).not_to_have_url(re.compile("present=1"))
    expect(page.locator("html")).to_have_css("font-size", "15px")
