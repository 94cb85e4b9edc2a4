"""Twenty deploys and undeploys in a row, with engines killed at random: nothing stays behind."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.sandbox.test_engine_worker import Worker
from tests.sandbox.test_life_cycle import children_of, infer
from tests.support.sandbox import RunningSandbox, client, running_sandbox
from tests.support.waiting import is_running, wait_until

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="descriptors, ports and memory are counted in /proc"
)

ROUNDS = 20
NAME = {"name": "hf-summarizer-1"}


def status(http: httpx.Client) -> str:
    """Return the status word, "gone" for a 404; what it says of the pods must fit."""
    answer = http.post("/v1/api/status/get_deployment", json=NAME)
    assert answer.status_code in {200, 404}, answer.text
    if answer.status_code == 404:
        return "gone"
    tree = answer.json()
    pods = [pod["status"] for pod in tree["engines"] + tree["sidekicks"]]
    assert len(pods) == 4, tree
    assert (tree["status"] == "Running") == (set(pods) == {"Running"}), tree
    assert (tree["status"] == "Error") == ("Failed" in pods), tree
    return str(tree["status"])


def restarts(http: httpx.Client) -> int:
    """Return how often engines were started again."""
    engines = http.post("/v1/api/status/get_deployment", json=NAME).json()["engines"]
    return sum(int(each.get("restarts", 0)) for each in engines)


@dataclass
class Watcher:
    """Reads the status all the time, as a page does.

    A word that cannot be true is a failure: "gone" all the while it is deployed, or another word
    all the while it is not. Whoever deploys and undeploys keeps `truth` up to date.
    """

    sandbox: RunningSandbox
    authorization: str
    #: True while deployed, False while not, None while that changes.
    truth: bool | None = False
    seen: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        headers = {"Authorization": self.authorization}
        with httpx.Client(base_url=self.sandbox.url, headers=headers, trust_env=False) as http:
            while not self._stop.wait(0.01):
                before = self.truth
                try:
                    word = status(http)
                except (AssertionError, httpx.HTTPError) as exc:
                    self.failures.append(repr(exc))
                    continue
                self.seen.add(word)
                if before is self.truth is not None and before != (word != "gone"):
                    self.failures.append(f"{word} while deployed: {before}")

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        thread = threading.Thread(target=self.run)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()


@dataclass(frozen=True)
class Holdings:
    """What a process holds of the machine."""

    descriptors: int
    threads: int
    listening: int
    resident_bytes: int

    @classmethod
    def of(cls, pid: int) -> Holdings:
        links = []
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                links.append(str(entry.readlink()))
        resident_pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return cls(
            descriptors=len(links),
            threads=len(os.listdir(f"/proc/{pid}/task")),
            listening=sum(f"socket:[{inode}]" in links for inode in listening_inodes()),
            resident_bytes=resident_pages * os.sysconf("SC_PAGE_SIZE"),
        )


def listening_inodes() -> list[str]:
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    return [row[9] for row in rows if row[3] == "0A"]


@dataclass
class Times:
    """How long things took, in s."""

    deploys: list[float] = field(default_factory=list)
    recoveries: list[float] = field(default_factory=list)
    undeploys: list[float] = field(default_factory=list)

    def report(self) -> str:
        parts = [
            f"{name}: median {statistics.median(values):.2f} s, worst {max(values):.2f} s"
            for name, values in vars(self).items()
            if values
        ]
        return "; ".join(parts)


def bare_load_s() -> float:
    """Return how long a process takes to start and to load the model by itself."""
    worker, began_s = Worker(), time.monotonic()
    worker.load()
    elapsed_s = time.monotonic() - began_s
    worker.end()
    return elapsed_s


def deploy(http: httpx.Client) -> None:
    body = {
        "deploy_id": "hf-summarizer",
        "pipeline_version_pk_id": 1,
        "engine_config": {"engine": {"replicas": 2}},
    }
    assert http.post("/v1/api/pipelines/deploy", json=body).json() == {"id": 1}


def wait_for_running(http: httpx.Client) -> None:
    wait_until(lambda: status(http) == "Running", within_s=60, what="the pipeline runs")


def kill_one(pids: list[int], dice: random.Random) -> None:
    with contextlib.suppress(ProcessLookupError, IndexError):
        os.kill(dice.choice(pids), signal.SIGKILL)


def one_round(watcher: Watcher, http: httpx.Client, dice: random.Random, times: Times) -> None:
    """Deploy, kill at one of four moments or never, infer, undeploy."""
    sandbox = watcher.sandbox
    moment = dice.choice(["never", "starting", "running", "asked", "leaving"])
    began_s, watcher.truth = time.monotonic(), None
    deploy(http)
    watcher.truth = True
    engines = set(children_of(sandbox.process.pid))
    if moment == "starting":
        kill_one(sorted(engines), dice)
    wait_for_running(http)
    (times.recoveries if moment == "starting" else times.deploys).append(time.monotonic() - began_s)
    engines |= set(children_of(sandbox.process.pid))
    if moment in {"running", "asked"}:
        began_s = time.monotonic()
        kill_one(sorted(pid for pid in engines if is_running(pid)), dice)
        if moment == "running":
            wait_until(lambda: restarts(http), within_s=20, what="it is started again")
            wait_for_running(http)
            times.recoveries.append(time.monotonic() - began_s)
    answer = infer(sandbox, http.headers["Authorization"])
    assert answer.status_code == 200, answer.text
    engines |= set(children_of(sandbox.process.pid))
    if moment == "leaving":
        threading.Timer(0.002, kill_one, (sorted(engines), dice)).start()
    began_s, watcher.truth = time.monotonic(), None
    http.post("/v1/api/pipelines/undeploy", json={"deployment_id": 1}).raise_for_status()
    watcher.truth = False
    wait_until(lambda: not any(map(is_running, engines)), within_s=20, what="no engine is left")
    times.undeploys.append(time.monotonic() - began_s)


def test_twenty_deploys_and_kills_leave_nothing_behind(tmp_path, record_property):
    seed = time.time_ns() % 1_000_000
    dice, times = random.Random(seed), Times()  # noqa: S311  # moments, not secrets
    load_s = min(bare_load_s() for _ in range(3))
    with running_sandbox(tmp_path) as sandbox, client(sandbox) as http:
        pid = sandbox.process.pid
        watcher = Watcher(sandbox, http.headers["Authorization"])
        with watcher.watching():
            # What is made once: connections, threads, and the import of Arrow after a while.
            one_round(watcher, http, dice, Times())
            maps = Path(f"/proc/{pid}/maps")
            wait_until(lambda: "libarrow" in maps.read_text(), within_s=20, what="Arrow is there")
            for _ in range(3):
                one_round(watcher, http, dice, Times())
            before = Holdings.of(pid)
            for _ in range(ROUNDS):
                one_round(watcher, http, dice, times)
            wait_until(
                lambda: Holdings.of(pid).descriptors <= before.descriptors,
                within_s=20,
                what=f"no descriptor is left behind (seed {seed})",
            )
            after = Holdings.of(pid)
        assert children_of(pid) == []
        used = http.get("/_sandbox/settings").json()["used"]
    grown_mib = (after.resident_bytes - before.resident_bytes) / 2**20
    figures = f"bare load {load_s:.2f} s; {times.report()}; {before} -> {after}"
    record_property("figures", figures)
    print(figures)  # noqa: T201  # shown with -s, and when it fails
    assert not watcher.failures, f"seed {seed}"
    assert {"Starting", "Running", "gone"} <= watcher.seen
    assert after.listening == before.listening == 1
    # The pool that answers requests has some more or fewer; a leak would be one each round.
    assert after.threads <= before.threads + 4
    assert grown_mib < 8, f"seed {seed}"
    assert used == {"cpu": 0, "memory_gib": 0, "replicas": 0}
    # Two engines start side by side; a busy machine is as much slower at one as at the other.
    assert statistics.median(times.deploys) < 4 * load_s + 1, figures
    assert statistics.median(times.undeploys) < 4 * load_s + 1, figures
