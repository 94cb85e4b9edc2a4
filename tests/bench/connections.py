"""Times the list of connections at 10 and at 10,000, in a real browser over a real sandbox.

`python -m tests.bench.connections [rounds]`. First visit: a fresh browser profile right after the
server has started, nothing read yet; later visit: a fresh profile again. Answers: from the key, or
the click, to the new number under the table, measured in the page; typing pauses count. Memory: of
the dashboard's process, after the visits.
"""

from __future__ import annotations

import contextlib
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from dashboard.sandbox.datadir import open_vault
from dashboard.sandbox.store import Store
from tests.support.chromium import LAUNCH_ARGS, chromium_executable
from tests.support.launcher import RunningDashboard, running_dashboard
from tests.support.waiting import wait_until

_FEW, _MANY = 10, 10_000
_LIMIT_MS = 60_000
_ODD = (
    "<img src=x onerror=alert(1)> {}",
    "مرحبا שלום {}",
    "👩‍🔬🧪 déjà-vu {}",
    "=HYPERLINK(0) {}",
    "n" * 190 + " {}",
    "**bold** :red[x] $x^2$ {}",
)
_WATCH = """() => {
  window.answers = [];
  let began = null, before = null;
  const told = () => document.querySelector('.st-key-connections_foot')?.innerText.split('.')[0];
  const begin = () => { began = performance.now(); before = told(); };
  document.addEventListener('input', begin, true);
  document.addEventListener('pointerdown', begin, true);
  new MutationObserver(() => {
    const now = told();
    if (began !== null && now && now !== before) {
      window.answers.push(performance.now() - began);
      began = null;
    }
  }).observe(document.body, {subtree: true, childList: true, characterData: true});
}"""


def main(rounds: int) -> None:
    """Run the rounds and print what was measured."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_executable(), args=list(LAUNCH_ARGS)
        )
        for number in (_FEW, _MANY):
            figures: dict[str, list[float]] = {}
            for _ in range(rounds):
                for name, values in _round(browser, number).items():
                    figures.setdefault(name, []).extend(values)
            for name, values in figures.items():
                print(f"{number:6,} {name:32} {_told(values)}")  # noqa: T201 - a script's output
        browser.close()


def sow(sandbox_dir: Path, number: int) -> None:
    """Add connections to a sandbox that is not running until it holds `number`."""
    store = Store(sandbox_dir, open_vault(sandbox_dir), clock=time.time)
    chance = random.Random(7)  # noqa: S311 - the same list each time
    with contextlib.closing(store), store.database.transaction():
        owner = store.database.one("SELECT id FROM users ORDER BY rowid LIMIT 1")
        assert owner is not None
        rooms = [store.workspaces.add(f"room-{at}", owner_id=owner["id"]) for at in range(5)]
        for at in range(len(store.connections.listing()), number):
            odd = _ODD[at % len(_ODD)].format(at)
            name = odd if at % 97 == 5 else f"{chance.choice(('sales', 'press'))}-{at:05d}"
            kind = chance.choice(("HTTP", "HTTP", "KAFKA", "S3", "SNOWFLAKE"))
            link = f"https://files-{at % 40}.example.org/{at}.json"
            made = store.connections.add(name, kind, json.dumps({"url": link, "token": f"t{at}"}))
            for room in chance.sample(rooms, chance.choice((0, 1, 1, 2))):
                store.connections.link(made["id"], room)


@contextlib.contextmanager
def dashboard_with(number: int) -> Iterator[RunningDashboard]:
    """Start a dashboard over a sandbox with so many connections, and wait until it is warm."""
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder)
        with running_dashboard(data_dir) as first:
            _await_warm(first)
        for log in data_dir.glob("logs/*"):
            log.unlink()
        sow(data_dir / "sandbox", number)
        with running_dashboard(data_dir) as running:
            _await_warm(running)
            yield running


def _round(browser: Browser, number: int) -> dict[str, list[float]]:
    with dashboard_with(number) as running:
        rss_before = _rss_mb(running)
        figures: dict[str, list[float]] = {"first visit, s": [_visit(browser, running.url)]}
        figures["later visit, s"] = [_visit(browser, running.url) for _ in range(3)]
        if number == _MANY:
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            page = context.new_page()
            _open(page, running.url)
            figures["answer to a key, ms"] = _type(page)
            figures["answer to a click, ms"] = _click(page)
            context.close()
        figures["memory before, MB"] = [rss_before]
        figures["memory after, MB"] = [_rss_mb(running)]
        return figures


def _visit(browser: Browser, url: str) -> float:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    began = time.monotonic()
    _open(page, url)
    took = time.monotonic() - began
    context.close()
    return took


def _open(page: Page, url: str) -> None:
    page.goto(f"{url}/connections", wait_until="commit")
    page.get_by_text("Click a name to open it").wait_for(timeout=_LIMIT_MS)
    page.get_by_test_id("stDataFrame").first.wait_for(timeout=_LIMIT_MS)


def _type(page: Page) -> list[float]:
    """Type and take back digits: each of them changes how many are found."""
    page.evaluate(_WATCH)
    box = page.locator(".st-key-connections_search input")
    box.click()
    answers = 0
    for digits in ("0123", "4567", "8901", "2345"):
        for key in (*digits, *["Backspace"] * len(digits)):
            page.keyboard.press(key)
            answers += 1
            page.wait_for_function(f"window.answers.length >= {answers}", timeout=_LIMIT_MS)
            # As a person types: the next key comes when the answer has been seen.
            page.wait_for_timeout(150)
    return [float(ms) for ms in page.evaluate("window.answers")]


def _click(page: Page) -> list[float]:
    """Turn pages and choose a state that has none, and all of them again."""
    page.evaluate("window.answers = []")
    answers = 0
    pages = page.get_by_test_id("stPagination")
    states = page.locator(".st-key-connections_health")
    for at in range(6):
        names = ("Stale", "All")
        states.get_by_role("radio", name=names[at % 2]).click()
        answers += 1
        page.wait_for_function(f"window.answers.length >= {answers}", timeout=_LIMIT_MS)
        page.wait_for_timeout(150)
    for _ in range(6):
        pages.get_by_role("button").last.click()
        answers += 1
        page.wait_for_function(f"window.answers.length >= {answers}", timeout=_LIMIT_MS)
        page.wait_for_timeout(150)
    return [float(ms) for ms in page.evaluate("window.answers")]


def _await_warm(running: RunningDashboard) -> None:
    def is_warm() -> bool:
        logs = running.data_dir.glob("logs/*")
        return any("the pages are warm" in log.read_text(errors="replace") for log in logs)

    wait_until(is_warm, within_s=60, what="the dashboard is warm")


def _rss_mb(running: RunningDashboard) -> float:
    status = Path(f"/proc/{running.process.pid}/status").read_text(encoding="ascii")
    return next(
        int(line.split()[1]) / 1000 for line in status.splitlines() if line.startswith("VmRSS")
    )


def _told(values: list[float]) -> str:
    told = f"median {statistics.median(values):.2f}, {min(values):.2f} to {max(values):.2f}"
    if len(values) >= 20:
        told += f", p95 {statistics.quantiles(values, n=20, method='inclusive')[-1]:.0f}"
    return f"{told} (n={len(values)})"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
