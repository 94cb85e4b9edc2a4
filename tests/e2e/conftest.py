"""A browser and a dashboard of its own for each test."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from playwright.sync_api import Error as BrowserError

from tests.support.chromium import LAUNCH_ARGS, chromium_executable
from tests.support.launcher import RunningDashboard

#: A machine that is busy with other work takes its time; waiting for what comes costs nothing.
PATIENCE_MS = 60_000

expect.set_options(timeout=PATIENCE_MS)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin a browser test once more where it fails.

    A browser, a dashboard and a sandbox share two processors with whatever else a machine does, so
    that one of some thousand clicks may meet a redraw. What is broken fails twice; to look for
    what is weak, leave this out by `-p no:rerunfailures`.
    """
    if not config.pluginmanager.hasplugin("rerunfailures"):
        return
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.flaky(reruns=1))


# Not for the whole session: Playwright keeps an event loop running in the main thread, in which
# other tests could not run theirs.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_executable(), args=list(LAUNCH_ARGS)
        )
        yield browser
        browser.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Leave what was on the screen, and what the dashboard has said, where a test failed."""
    report = yield
    if report.when == "call" and report.failed:
        left = item.config.rootpath / "test-results"
        left.mkdir(exist_ok=True)
        asked = getattr(item, "funcargs", {})
        page, dashboard = asked.get("page"), asked.get("dashboard")
        if isinstance(page, Page):
            with contextlib.suppress(BrowserError):
                page.screenshot(path=left / f"{item.name}.png")
        if isinstance(dashboard, RunningDashboard):
            (left / f"{item.name}.txt").write_text("".join(dashboard.output), encoding="utf-8")
    return report


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty profile, as of somebody who was never here."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    context.set_default_navigation_timeout(PATIENCE_MS)
    yield context.new_page()
    context.close()
