"""How fast a long inference log is: a page of the newest rows, and a window of a thousand.

`python -m tests.bench.logs [rows] [rows per request]`. Writes the rows (a million, one a request,
if not told), and prints milliseconds of reading, warm and right after opening, and of the whole
answer as the route makes it. CPU is that of the process: the figure to trust on a busy machine.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from dashboard.sandbox.arrow_tables import log_table, to_ipc, warm_up
from dashboard.sandbox.logstore import Batch, LogStore, Page, Query
from dashboard.sandbox.tables import Selection
from dashboard.vault import Vault

KEY = b"k" * 32
TOPIC = "workspace-1-pipeline-hf-summarizer-inference"
START_MS = 1_795_000_000_000
STEP_MS = 100
TEXT = "LinkedIn is a business and employment-focused social media platform. " * 3
METADATA = {
    "last_model": '{"model_name":"hf-summarizer","model_sha":"ee71"}',
    "pipeline_version": "0f3a1f0e-5f0e-4a41-8a08-3c1f7f1d8a11",
    "elapsed": [100_000, 4_000_000_000],
    "dropped": [],
    "partition": "engine-5d8f7c9b4-x2x7p",
}
_IN_FLIGHT = 500
SELECTION = Selection(exclude=("metadata",), separator=".")


def main() -> None:
    """Fill a log in a folder of its own and measure it."""
    if sys.argv[1:2] == ["--cold"]:
        _cold(Path(sys.argv[2]), int(sys.argv[3]))
        return
    count, per_request, *_ = [*map(int, sys.argv[1:]), *(1_000_000, 1)[len(sys.argv) - 1 :]]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "logs.db"
        began_s = time.perf_counter()
        _fill(path, count, per_request)
        took_s = time.perf_counter() - began_s
        _say(f"{count:,} rows, written in {took_s:.0f} s, {path.stat().st_size / 2**20:,.0f} MiB")
        warm_up()
        store = LogStore(path, Vault(KEY))
        for name, query in _queries(count).items():
            _report(f"{name}, warm", [_time_ms(store.read, TOPIC, query) for _ in range(15)])
            _report(f"{name}, answer", [_time_ms(_answer, store, query) for _ in range(15)])
        store.close()
        _drop_caches(path)
        subprocess.run(
            [sys.executable, "-m", "tests.bench.logs", "--cold", str(path), str(count)], check=True
        )


def _fill(path: Path, count: int, per_request: int) -> None:
    store = LogStore(path, Vault(KEY))
    row = ({"inputs": TEXT, "return_text": True}, {"summary_text": TEXT[:70]})
    futures = []
    for number in range(0, count, per_request):
        rows = [row] * min(per_request, count - number)
        futures.append(store.submit(Batch((TOPIC,), START_MS + number * STEP_MS, rows, METADATA)))
        if len(futures) == _IN_FLIGHT:
            futures[-1].result()
            futures.clear()
    store.close()


def _queries(count: int) -> dict[str, Query]:
    middle_ms = START_MS + count // 2 * STEP_MS
    return {
        "newest 100": Query(newest_first=True, page_size=100),
        "window of 1,000": Query(
            newest_first=False,
            page_size=1000,
            start_ms=middle_ms,
            end_ms=middle_ms + 10_000_000,
        ),
        "last of an hour, newest first": Query(
            newest_first=True, page_size=1000, start_ms=middle_ms, end_ms=middle_ms + 3_600_000
        ),
        "going on in the middle": Query(
            newest_first=False, page_size=1000, from_offset=count // 2 + 3
        ),
    }


def _answer(store: LogStore, query: Query) -> Page:
    page = store.read(TOPIC, query)
    to_ipc(log_table(page.rows, SELECTION, {"status": page.status, "next": None}))
    return page


def _cold(path: Path, count: int) -> None:
    """Open the log anew for each query, in a process that has read nothing of it."""
    for name, query in _queries(count).items():
        opened: list[tuple[LogStore, Page]] = []

        def read(query: Query = query, opened: list[tuple[LogStore, Page]] = opened) -> Page:
            store = LogStore(path, Vault(KEY))
            opened.append((store, store.read(TOPIC, query)))
            return opened[0][1]

        _report(f"{name}, opened for it", [_time_ms(read)])
        store, page = opened[0]
        assert len(page.rows) == query.page_size
        store.close()
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    _say(f"{'peak memory of the reader':40} {peak_mib:8.0f} MiB")


def _drop_caches(path: Path) -> None:
    """Let the system forget the file's pages as far as it lets a program do that."""
    if hasattr(os, "posix_fadvise"):
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def _time_ms(work: Callable[..., Page], *arguments: object) -> tuple[float, float]:
    began_s, cpu_s = time.perf_counter(), time.process_time()
    work(*arguments)
    return (time.perf_counter() - began_s) * 1000, (time.process_time() - cpu_s) * 1000


def _report(name: str, times_ms: list[tuple[float, float]]) -> None:
    walls, cpus = ([each[place] for each in times_ms] for place in (0, 1))
    spread = f"(best {min(walls):.1f}, worst {max(walls):.1f})"
    _say(f"{name:40} {median(walls):8.1f} ms, CPU {median(cpus):6.1f} ms  {spread}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
