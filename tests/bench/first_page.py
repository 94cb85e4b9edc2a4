"""Times the first page against a bare Streamlit page, in turn, in one run.

`python -m tests.bench.first_page [rounds]`. Cold: a fresh process and a fresh browser profile, from
the request to the moment heading, navigation and next step can be clicked. Warm: the same process
again, with a fresh profile. All in s; medians over the rounds.
"""

from __future__ import annotations

import contextlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.chromium import LAUNCH_ARGS, chromium_executable
from tests.support.launcher import running_dashboard
from tests.support.waiting import wait_until

_BARE = Path(__file__).with_name("bare_page.py")
_LIMIT_MS = 60_000
Look = Callable[[Page], None]


def main(rounds: int) -> None:
    """Run the rounds and print the medians."""
    figures: dict[str, list[float]] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_executable(), args=list(LAUNCH_ARGS)
        )
        for number in range(rounds):
            for name, value in (_bare_round(browser) | _our_round(browser)).items():
                figures.setdefault(name, []).append(value)
            print(f"round {number + 1} of {rounds}", file=sys.stderr)  # noqa: T201 - a script
        browser.close()
    for name, values in figures.items():
        told = f"median {statistics.median(values):.2f}, {min(values):.2f} to {max(values):.2f}"
        print(f"{name:28} {told} s (n={len(values)})")  # noqa: T201 - a script's output


def _bare_round(browser: Browser) -> dict[str, float]:
    with _bare_server() as url:
        return {
            "bare, cold": _timed(browser, url, _bare_is_usable),
            "bare, warm": _timed(browser, url, _bare_is_usable),
        }


def _our_round(browser: Browser) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        with running_dashboard(Path(folder)) as running:
            cold = _timed(browser, running.url, _home_is_usable, then=_home_has_data)
            data_s = time.monotonic() - started
            warm = _timed(browser, running.url, _home_is_usable)
            return {"ours, cold": cold, "ours, warm": warm, "home data after start": data_s}


def _timed(browser: Browser, url: str, is_usable: Look, then: Look | None = None) -> float:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    began = time.monotonic()
    page.goto(url, wait_until="commit")
    is_usable(page)
    took = time.monotonic() - began
    if then is not None:
        then(page)
    context.close()
    return took


def _bare_is_usable(page: Page) -> None:
    page.get_by_role("heading", name="Bare").wait_for(timeout=_LIMIT_MS)
    page.get_by_role("button", name="Next step").click(trial=True, timeout=_LIMIT_MS)


def _home_is_usable(page: Page) -> None:
    page.get_by_role("heading", name="Home", level=1).wait_for(timeout=_LIMIT_MS)
    page.get_by_role("link", name="Connections").click(trial=True, timeout=_LIMIT_MS)
    page.locator("[class*='st-key-home_next_'] button").click(trial=True, timeout=_LIMIT_MS)


def _home_has_data(page: Page) -> None:
    page.get_by_text("Running now").wait_for(timeout=_LIMIT_MS)


@contextlib.contextmanager
def _bare_server() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(_BARE)]
    options = [f"--server.port={port}", "--server.headless=true", "--server.address=127.0.0.1"]
    process = subprocess.Popen(
        [*command, *options, "--browser.gatherUsageStats=false"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        wait_until(lambda: _answers(port), within_s=30, what="the bare page's server answers")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
