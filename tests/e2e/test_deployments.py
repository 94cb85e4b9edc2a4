"""Deployments in a browser: what is asked for is what runs."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.screens import Screens
from tests.support.launcher import running_dashboard
from tests.support.platform import signed_in

PLANTED = "hf_planted-token-e2e-8b40"


@pytest.fixture
def dashboard(tmp_path):
    with running_dashboard(tmp_path) as running:
        yield running


def stored_config(dashboard):
    query = "{deployment {id deployed engine_config}}"
    with signed_in(dashboard.data_dir) as platform:
        answer = platform.post("/v1/graphql", json={"query": query}).json()
    (deployment,) = answer["data"]["deployment"]
    return deployment["engine_config"]


def versions_made(dashboard):
    query = "{pipeline {pipeline_versions {id}}}"
    with signed_in(dashboard.data_dir) as platform:
        answer = platform.post("/v1/graphql", json={"query": query}).json()
    return sum(len(one["pipeline_versions"]) for one in answer["data"]["pipeline"])


def fill(screens: Screens, key_part: str, value: str) -> None:
    field = screens.dialog().locator(f"[class*='_{key_part}_']").locator("input").first
    field.fill(value)
    field.press("Tab")


def change_settings(screens: Screens) -> None:
    """Change some fields, wrongly at first; every step is answered on the screen."""
    dialog = screens.dialog()
    expect(dialog.get_by_text("1.25 CPU and 5 GiB")).to_be_visible()
    # Wrong: told under its field, nothing is lost, and nothing can be sent.
    fill(screens, "engine_memory", "2 GB")
    expect(dialog.get_by_text("A whole number with Mi or Gi")).to_be_visible()
    send = dialog.get_by_role("button", name="Deploy", exact=True)
    expect(send).to_be_disabled()
    expect(dialog.get_by_text("Correct first: the engine's memory.")).to_be_visible()
    fill(screens, "engine_memory", "2Gi")
    expect(dialog.get_by_text("1.25 CPU and 6 GiB")).to_be_visible()
    fill(screens, "replicas", "2")
    expect(dialog.get_by_text("2.5 CPU and 12 GiB")).to_be_visible()


def add_variable(screens: Screens) -> None:
    """Add a variable whose value nobody is to see again."""
    dialog = screens.dialog()
    dialog.get_by_text("More: autoscaling").click()
    dialog.get_by_role("button", name="Add a variable").click()
    fill(screens, "variable_0", "HF_TOKEN")
    fill(screens, "value_0", PLANTED)
    dialog.get_by_text("What will be sent").click()
    expect(dialog.get_by_text(re.compile("HF_TOKEN")).first).to_be_visible()
    assert PLANTED not in dialog.inner_text()


def test_deploy_with_changed_settings(page: Page, dashboard):
    screens = Screens(page, dashboard.url)
    screens.go("pipelines")
    screens.ask_to_deploy()
    change_settings(screens)
    add_variable(screens)
    before = versions_made(dashboard)
    # A double click deploys once.
    screens.dialog().get_by_role("button", name="Deploy", exact=True).dblclick()
    expect(screens.dialog()).to_be_hidden()
    card = page.locator("[class*='st-key-pipeline_']").first
    expect(card.get_by_text(re.compile("Running")).first).to_be_visible()
    config = stored_config(dashboard)
    assert config["engine"]["replicas"] == 2
    assert config["engine"]["resources"]["requests"]["memory"] == "2Gi"
    (image,) = config["engineAux"]["images"].values()
    assert image["env"] == [{"name": "HF_TOKEN", "value": PLANTED}]
    assert versions_made(dashboard) == before + 1
    assert PLANTED not in page.url
    assert PLANTED not in "".join(dashboard.output)
    # The field that was typed in is taken away with the dialog a moment after it was closed.
    page.wait_for_function(
        "planted => !document.documentElement.outerHTML.includes(planted)", arg=PLANTED
    )
    # Offered again, and told against what runs.
    screens.button(re.compile("Deploy again")).click()
    screens.dialog().get_by_text("As last time").click()
    # The value is the one that is kept. One that is typed is called set anew, also if it is the
    # same: whoever may type could find it out so.
    expect(screens.dialog().get_by_text("It runs with exactly this already")).to_be_visible()
    assert PLANTED not in page.content()
    fill(screens, "replicas", "1")
    expect(screens.dialog().get_by_text("1 replica instead of 2")).to_be_visible()
