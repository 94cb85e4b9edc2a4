"""A run under way, in a browser: it outlives a reload, is cancelled, its failed rows are mended."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.screens import Screens
from tests.support.launcher import RunningDashboard, running_dashboard
from tests.support.platform import link_new, signed_in
from tests.support.source import running_source

ROOM = "workshop-workspace-summarization"
ROWS = 30
TEXTS = [f"Quay number {number} was approved on Tuesday." for number in range(ROWS)]


@pytest.fixture
def dashboard(tmp_path) -> Iterator[RunningDashboard]:
    with running_dashboard(
        tmp_path, allowed_hosts="127.0.0.1", sandbox_wait_ms=200, in_flight=1
    ) as running:
        yield running


def start(screens: Screens) -> None:
    screens.go("summarize")
    screens.widget("summarize_fetch").get_by_role("button").click()
    screens.button(f"Summarize {ROWS} rows").click()
    expect(screens.page).to_have_url(re.compile("run="))


def break_rows(dashboard: RunningDashboard, *, times: int) -> None:
    """Let the engine fail the next rows, wherever its pipeline is addressed."""
    with signed_in(dashboard.data_dir) as platform:
        listed = platform.post("/v1/graphql", json={"query": "{deployment {id deploy_id}}"})
        (deployment,) = listed.json()["data"]["deployment"]
        target = f"{deployment['deploy_id']}-{deployment['id']}/{deployment['deploy_id']}"
        fault = {
            "route": f"/v1/api/pipelines/infer/{target}",
            "status": 500,
            "times": times,
            "body": '{"msg": "the model gave up", "code": 500}',
        }
        platform.post("/_sandbox/faults", json=fault).raise_for_status()


def test_a_run_outlives_a_reload_is_cancelled_and_its_failed_rows_are_retried(
    page: Page, dashboard
):
    screens = Screens(page, dashboard.url)
    with running_source() as source:
        source.body = json.dumps([{"inputs": text} for text in TEXTS]).encode()
        screens.deploy()
        link_new(dashboard.data_dir, name="week-47", url=source.link(), room=ROOM)
        start(screens)
    bar = screens.widget("run_bar")
    expect(bar).to_be_visible()
    page.reload()
    expect(bar).to_be_visible()
    expect(bar.get_by_text(re.compile(r"\b[1-9]\d* of 30|[1-9]\d* done")).first).to_be_visible()
    # What stands above it does not count along, so it names no number of rows done.
    expect(page.get_by_text(f"{ROWS} rows. ")).to_be_visible()
    screens.button("Cancel").click()
    kept = screens.message(re.compile(r"Cancelled. \d+ of 30 rows are kept."))
    expect(kept).to_be_visible()
    expect(bar).to_be_hidden()

    screens.button("New run").click()
    break_rows(dashboard, times=2)
    screens.button(f"Summarize {ROWS} rows").click()
    retry = screens.button("Retry 2 failed rows")
    expect(retry).to_be_visible()
    retry.click()
    expect(page.get_by_text("30 of 30 rows done")).to_be_visible()
    expect(retry).to_be_hidden()
