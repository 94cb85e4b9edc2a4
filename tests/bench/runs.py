"""Holds runs against a bare loop that POSTs the same rows, over one sandbox, in one run.

`python -m tests.bench.runs [rounds] [database url]`. One request in flight on one replica, two on
two. Time: from the order to the last row, start and end of the run included. CPU: of the process
that sends, in ms per row. Medians over the rounds, in which loop and run take turns.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from dashboard.domain.pipeline import Pipeline
from dashboard.gateway.inference import DATASET
from dashboard.services.run_rows import WaitingRow, payload
from dashboard.services.runs import RunSettings
from tests.contract.running import Desk, Platform, opened_desk, opened_platform
from tests.support.sandbox import RunningSandbox, client, running_sandbox, token

#: Wait of the engine in ms, and rows sent at that.
_WAITS = ((0, 400), (5, 400), (20, 200), (200, 60))
_FLAGS = {"return_text": True, "return_tensors": False, "clean_up_tokenization_spaces": False}
_TEXT = " ".join(
    f"In year {year} the town's library lent {year * 7} books to readers from the valley, and "
    f"its bakery sold {year * 11} loaves of bread on market days."
    for year in range(1990, 2002)
)


@dataclass(frozen=True)
class Cost:
    """What sending some rows took."""

    rows: int
    elapsed_s: float
    cpu_s: float

    @property
    def rows_per_s(self) -> float:
        """Rows per second."""
        return self.rows / self.elapsed_s

    @property
    def cpu_ms(self) -> float:
        """CPU per row in ms."""
        return 1000 * self.cpu_s / self.rows


def main(rounds: int, database_url: str) -> None:
    """Measure and print."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_sandbox(Path(folder) / "sandbox") as sandbox,
        opened_platform(sandbox) as platform,
        opened_desk(
            platform, Path(folder) / "data", settings=RunSettings(), url=database_url
        ) as desk,
    ):
        rates: dict[tuple[int, int], float] = {}
        print("wait  in flight   bare rows/s   run rows/s   ratio   CPU bare   CPU run   above")  # noqa: T201
        for in_flight in (1, 2):
            pipeline = platform.deploy(in_flight)
            _warm(sandbox, desk, pipeline)
            for wait_ms, rows in _WAITS:
                _set_wait(sandbox, wait_ms)
                turns = _measure(sandbox, desk, pipeline, in_flight=in_flight, rows=rows)
                bare, run = zip(*itertools.islice(turns, rounds), strict=True)
                rates[in_flight, wait_ms] = _median(run, lambda cost: cost.rows_per_s)
                _tell(wait_ms, in_flight, bare, run)
        for wait_ms, _rows in _WAITS:
            ratio = rates[2, wait_ms] / rates[1, wait_ms]
            print(f"{wait_ms:4} ms: 2 replicas are {ratio:.2f} x one")  # noqa: T201 - a script


def _measure(
    sandbox: RunningSandbox, desk: Desk, pipeline: Pipeline, *, in_flight: int, rows: int
) -> Iterator[tuple[Cost, Cost]]:
    texts = [f"Report {number}. {_TEXT}" for number in range(rows)]
    while True:
        bare = _bare(sandbox, desk.platform, pipeline, texts, in_flight)
        yield bare, _run(desk, pipeline, texts, in_flight)


def _run(desk: Desk, pipeline: Pipeline, texts: list[str], in_flight: int) -> Cost:
    began_s, cpu_s = time.perf_counter(), time.process_time()
    made = desk.submit(texts, pipeline, replicas=in_flight)
    while desk.runs.progress(desk.platform.who, made.run_id).left:
        time.sleep(0.02)
    cost = Cost(len(texts), time.perf_counter() - began_s, time.process_time() - cpu_s)
    ended = desk.ended(made)
    assert ended.rows_done == len(texts), ended
    return cost


def _bare(
    sandbox: RunningSandbox,
    platform: Platform,
    pipeline: Pipeline,
    texts: list[str],
    in_flight: int,
) -> Cost:
    deployment = platform.gateway.deployment(platform.who, pipeline)
    assert deployment is not None
    number = deployment.deployment_id
    url = f"{sandbox.url}/v1/api/pipelines/infer/{pipeline.name}-{number}/{pipeline.name}"
    headers = {
        "Authorization": f"Bearer {token(sandbox)}",
        "Content-Type": "application/json; format=pandas-records",
    }
    params = {"dataset[]": list(DATASET), "dataset.separator": "."}
    left = iter(texts)

    async def work(http: httpx.AsyncClient) -> None:
        for text in left:
            body = json.dumps([payload(WaitingRow(0, text, _FLAGS, again=False))])
            answer = await http.post(url, content=body, params=params)
            answer.raise_for_status()
            assert answer.json()[0]["out.summary_text"]

    async def send() -> None:
        async with httpx.AsyncClient(headers=headers, timeout=60, trust_env=False) as http:
            await asyncio.gather(*(work(http) for _ in range(in_flight)))

    began_s, cpu_s = time.perf_counter(), time.process_time()
    asyncio.run(send())
    return Cost(len(texts), time.perf_counter() - began_s, time.process_time() - cpu_s)


def _warm(sandbox: RunningSandbox, desk: Desk, pipeline: Pipeline) -> None:
    _set_wait(sandbox, 0)
    texts = [_TEXT] * 20
    _bare(sandbox, desk.platform, pipeline, texts, 2)
    _run(desk, pipeline, texts, 2)


def _set_wait(sandbox: RunningSandbox, wait_ms: int) -> None:
    with client(sandbox) as http:
        http.post("/_sandbox/settings", json={"wait_ms": wait_ms}).raise_for_status()


def _tell(wait_ms: int, in_flight: int, bare: Sequence[Cost], run: Sequence[Cost]) -> None:
    rates = [_median(costs, lambda cost: cost.rows_per_s) for costs in (bare, run)]
    ratio = statistics.median(
        ours.rows_per_s / theirs.rows_per_s for theirs, ours in zip(bare, run, strict=True)
    )
    cpu_ms = [_median(costs, lambda cost: cost.cpu_ms) for costs in (bare, run)]
    print(  # noqa: T201 - a script
        f"{wait_ms:4}  {in_flight:9}   {rates[0]:11.1f}   {rates[1]:10.1f}   {ratio:5.3f}   "
        f"{cpu_ms[0]:5.2f} ms   {cpu_ms[1]:4.2f} ms   {cpu_ms[1] - cpu_ms[0]:4.2f} ms",
        flush=True,
    )


def _median(costs: Iterable[Cost], figure: Callable[[Cost], float]) -> float:
    return statistics.median(figure(cost) for cost in costs)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3, sys.argv[2] if len(sys.argv) > 2 else "")
