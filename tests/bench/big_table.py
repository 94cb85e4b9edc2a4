"""Fetches 100,000 rows of 1 kB through the real dashboard and measures time and memory.

`python -m tests.bench.big_table [rounds] [format …]`. Each round is a new dashboard over a new
sandbox, with the cap raised to 200 MB. First rows: from the click, and from the last byte handed to
the dashboard, to the first rows in the browser's page, be it of the file still being read or of the
table; negative where they were there before the last byte. Memory: of the dashboard's process, its
resident size sampled every 10 ms, as it is and as growth over what it was before the fetch. To the
browser: all that came over the page's socket from the click to the table.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
from playwright.sync_api import Browser, Page, sync_playwright
from pyarrow import csv as pa_csv
from pyarrow import parquet as pq

from dashboard.sandbox.datadir import open_vault
from dashboard.sandbox.store import Store
from tests.support.chromium import LAUNCH_ARGS, chromium_executable
from tests.support.launcher import RunningDashboard, running_dashboard
from tests.support.waiting import wait_until

_ROWS, _ROW_BYTES = 100_000, 1000
_LIMIT_MS = 120_000
_SETTLED_S = 3.0
_ANY_ROWS = ".st-key-summarize_progress canvas, .st-key-summarize_table canvas"


@dataclass
class _Server:
    """Serves one file and remembers when its last byte was handed over."""

    body: bytes
    port: int = 0
    sent_at: float = 0.0


@dataclass
class _Memory:
    """Resident size of a process over time, in MB."""

    pid: int
    stop: threading.Event = field(default_factory=threading.Event)
    peak_mb: float = 0.0

    def now_mb(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        line = next(one for one in status.splitlines() if one.startswith("VmRSS"))
        return int(line.split()[1]) * 1024 / 1e6

    def cpu_s(self) -> float:
        """CPU time of the process so far; unlike the time passed, other work does not add to it."""
        fields = (
            Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        )
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def watch(self) -> None:
        while not self.stop.wait(0.01):
            self.peak_mb = max(self.peak_mb, self.now_mb())


def main(rounds: int, names: list[str]) -> None:
    """Run the rounds and print what was measured."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_executable(), args=list(LAUNCH_ARGS)
        )
        for name in names:
            body = _WRITERS[name]()
            figures: dict[str, list[float]] = {}
            for _ in range(rounds):
                for what, value in _round(browser, body).items():
                    figures.setdefault(what, []).append(value)
            print(f"{name}: {len(body) / 1e6:.1f} MB")  # noqa: T201 - a script's output
            for what, values in figures.items():
                told = f"{statistics.median(values):8.2f}  ({min(values):.2f} to {max(values):.2f})"
                print(f"  {what:44} {told}")  # noqa: T201 - a script's output
        browser.close()


def _texts() -> list[str]:
    chance = random.Random(7)  # noqa: S311 - the same texts each time
    words = [
        "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=n % 9 + 2)) for n in range(5000)
    ]
    texts = []
    for _ in range(_ROWS):
        text = " ".join(chance.choices(words, k=_ROW_BYTES // 6))
        texts.append(text[:_ROW_BYTES].ljust(_ROW_BYTES, "."))
    return texts


def _json() -> bytes:
    return json.dumps([{"inputs": text, "return_text": True} for text in _texts()]).encode()


def _json_lines() -> bytes:
    lines = (json.dumps({"inputs": text, "return_text": True}) for text in _texts())
    return "\n".join(lines).encode()


def _table() -> pa.Table:
    return pa.table({"inputs": _texts(), "return_text": [True] * _ROWS})


def _csv() -> bytes:
    sink = io.BytesIO()
    pa_csv.write_csv(_table(), sink)
    return sink.getvalue()


def _parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(_table(), sink, compression="none")
    return sink.getvalue()


def _arrow() -> bytes:
    sink, table = io.BytesIO(), _table()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table, max_chunksize=1000)
    return sink.getvalue()


_WRITERS: dict[str, Callable[[], bytes]] = {
    "json": _json,
    "jsonl": _json_lines,
    "csv": _csv,
    "parquet": _parquet,
    "arrow": _arrow,
}


def _round(browser: Browser, body: bytes) -> dict[str, float]:
    with _serving(body) as server, _dashboard(server) as (running, address):
        raw_mb = len(body) / 1e6
        page, received = _opened(browser, address)
        memory = _Memory(running.process.pid)
        before_mb = memory.now_mb()
        watching = threading.Thread(target=memory.watch)
        watching.start()
        received.clear()
        cpu_before_s = memory.cpu_s()
        clicked_at = time.monotonic()
        page.locator(".st-key-summarize_fetch button").click()
        page.locator(_ANY_ROWS).first.wait_for(timeout=_LIMIT_MS)
        first_at = time.monotonic()
        _await_rows(page)
        shown_at = time.monotonic()
        cpu_s = memory.cpu_s() - cpu_before_s
        to_browser = sum(received)
        page.wait_for_timeout(_SETTLED_S * 1000)
        after_mb = memory.now_mb()
        second, _ = _opened(browser, page.url)
        _await_rows(second)
        second.wait_for_timeout(_SETTLED_S * 1000)
        second_mb = memory.now_mb()
        memory.stop.set()
        watching.join()
        for one in (page, second):
            one.context.close()
    return {
        "click to first rows on screen, s": first_at - clicked_at,
        "last byte to first rows on screen, s": first_at - server.sent_at,
        "click to the table on screen, s": shown_at - clicked_at,
        "last byte to the table on screen, s": shown_at - server.sent_at,
        "the dashboard's CPU time meanwhile, s": cpu_s,
        "to the browser, MB": to_browser / 1e6,
        "memory before, MB": before_mb,
        "peak, MB": memory.peak_mb,
        "peak, of the raw bytes": memory.peak_mb / raw_mb,
        "peak's growth, of the raw bytes": (memory.peak_mb - before_mb) / raw_mb,
        "afterwards, MB": after_mb,
        "afterwards, of the raw bytes": after_mb / raw_mb,
        "afterwards' growth, of the raw bytes": (after_mb - before_mb) / raw_mb,
        "a second session's growth, of the raw bytes": (second_mb - after_mb) / raw_mb,
    }


@contextlib.contextmanager
def _serving(body: bytes) -> Iterator[_Server]:
    served = _Server(body)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(served.body)))
            self.end_headers()
            self.wfile.write(served.body)
            served.sent_at = time.monotonic()

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.port = server.server_port
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@contextlib.contextmanager
def _dashboard(server: _Server) -> Iterator[tuple[RunningDashboard, str]]:
    """Start a warm dashboard that may read from the server; give it and its page to fetch on."""
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder)
        with running_dashboard(data_dir) as first:
            _await_warm(first)
        for log in data_dir.glob("logs/*"):
            log.unlink()
        connection_id, room_id = _sow(data_dir / "sandbox", f"http://127.0.0.1:{server.port}/big")
        with running_dashboard(
            data_dir, fetch_max_mb=200, fetch_timeout_s=60, allowed_hosts="127.0.0.1"
        ) as running:
            _await_warm(running)
            query = f"workspace={room_id}&connection={connection_id}"
            yield running, f"{running.url}/summarize?{query}"


def _sow(sandbox_dir: Path, link: str) -> tuple[str, int]:
    store = Store(sandbox_dir, open_vault(sandbox_dir), clock=time.time)
    with contextlib.closing(store), store.database.transaction():
        owner = store.database.one("SELECT id FROM users ORDER BY rowid LIMIT 1")
        assert owner is not None
        room_id = store.workspaces.add("big-tables", owner_id=owner["id"])
        made = store.connections.add("big", "HTTP", json.dumps({"url": link}))
        store.connections.link(made["id"], room_id)
    return made["id"], room_id


def _opened(browser: Browser, address: str) -> tuple[Page, list[int]]:
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    received: list[int] = []
    page.on(
        "websocket",
        lambda socket: socket.on("framereceived", lambda frame: received.append(len(frame))),
    )
    page.goto(address, wait_until="commit")
    page.locator(".st-key-summarize_fetch button:not([disabled])").wait_for(timeout=_LIMIT_MS)
    return page, received


def _await_rows(page: Page) -> None:
    page.get_by_text(f"of {_ROWS:,}").first.wait_for(timeout=_LIMIT_MS)
    page.locator(".st-key-summarize_table canvas").first.wait_for(timeout=_LIMIT_MS)


def _await_warm(running: RunningDashboard) -> None:
    def is_warm() -> bool:
        logs = running.data_dir.glob("logs/*")
        return any("the pages are warm" in log.read_text(errors="replace") for log in logs)

    wait_until(is_warm, within_s=60, what="the dashboard is warm")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1, sys.argv[2:] or list(_WRITERS))
