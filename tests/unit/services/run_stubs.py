"""A platform that answers runs as a test says, and the services around it on real files."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from dashboard.domain.identity import Identity
from dashboard.domain.inference import Answer, RowTiming
from dashboard.domain.model import Model, ModelVersion
from dashboard.domain.pipeline import DeploymentStatus, Pipeline, PipelineState, PipelineVersion
from dashboard.domain.run import Run
from dashboard.domain.table import Passport
from dashboard.domain.workspace import Workspace
from dashboard.errors import DashboardError
from dashboard.services.clock import Clock
from dashboard.services.runs import RunService, RunSettings
from dashboard.services.tables import TableStore
from dashboard.store.database import open_store, open_vault

WHEN = datetime(2026, 11, 1, tzinfo=UTC)
MEMBER = Identity("local", "user-1", "member@example.com")
STRANGER = Identity("other", "user-2", "stranger@example.com")
WORKSPACE = Workspace(7, "press", WHEN, "member@example.com")
PIPELINE = Pipeline(
    3, "hf-summarizer", 7, "press", WHEN, WHEN, (PipelineVersion(1, "pipeline-v1", WHEN),)
)
MODEL = ModelVersion(
    5, "model-v1", "hf-summarizer", "ab12", image_path="sandbox/embedded-extractive:1"
)


def may_see(who: Identity, workspace_id: int) -> bool:
    return who == MEMBER and workspace_id == 7


def draft(**changes: Any) -> Passport:  # any field of a passport
    values: dict[str, Any] = {  # as above
        "table_id": "",
        "connection_name": "press-releases",
        "workspace_id": 7,
        "rows": 0,
        "columns": (),
        "raw_bytes": 100,
        "fingerprint": "f" * 64,
        "fetched_at": WHEN,
        "fetch_ms": 12.5,
        "format": "JSON records",
    }
    return Passport(**{**values, **changes})


def texts_table(*texts: str | None, **columns: list[Any]) -> pa.Table:
    return pa.table({"inputs": pa.array(texts, pa.string()), **columns})


@dataclass
class StubPlatform:
    """Gateway and session in one. `failing` maps a text to what its request raises, once each."""

    state: PipelineState = PipelineState.RUNNING
    running: tuple[str, ...] = ()
    models: tuple[Model, ...] = ()
    wait_s: float = 0.0
    failing: dict[str, list[Exception]] = field(default_factory=dict)
    down: DashboardError | None = None
    held: bool = False
    answer: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None
    sent: list[Mapping[str, Any]] = field(default_factory=list)
    on_send: Callable[[str], None] = lambda _text: None
    most_in_flight: int = 0
    _in_flight: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get_pipeline(self, _who: Identity, *, workspace_id: int, name: str) -> Pipeline:
        if self.down is not None:
            raise self.down
        assert (workspace_id, name) == (7, "hf-summarizer")
        return PIPELINE

    def status(self, _who: Identity, _pipeline: Pipeline) -> DeploymentStatus:
        if self.down is not None:
            raise self.down
        return DeploymentStatus(self.state, running_versions=self.running)

    def list_models(self, _who: Identity, workspace_id: int) -> tuple[Model, ...]:
        assert workspace_id == 7
        return self.models

    @asynccontextmanager
    async def open_inference(
        self, _who: Identity, _pipeline: Pipeline
    ) -> AsyncIterator[StubPlatform]:
        yield self

    async def infer(self, rows: Sequence[Mapping[str, Any]], *, timeout_s: float) -> Answer:
        assert timeout_s > 0
        (row,) = rows
        self.on_send(row["inputs"])
        self.sent.append(row)
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            await asyncio.sleep(self.wait_s)
            while self.held:
                await asyncio.sleep(0.002)
        finally:
            self._in_flight -= 1
        if self.down is not None:
            raise self.down
        if self.failing.get(row["inputs"]):
            raise self.failing[row["inputs"]].pop(0)
        metadata = {"pipeline_version": self.running[0]} if self.running else {}
        return Answer((self._fields(row),), RowTiming(send_ms=0.1, wait_ms=4.0), WHEN, metadata)

    def _fields(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        if self.answer is not None:
            return self.answer(row)
        return {
            "time": 1_795_355_056_259,
            "out.summary_text": f"short {row['inputs']}",
            "anomaly.count": 0,
        }


@dataclass
class Doubler(StubPlatform):
    """Doubles the column `x`; `refuse` says what a request of these numbers raises, if anything."""

    refuse: Callable[[Sequence[int]], Exception | None] = lambda _numbers: None
    requests: list[list[int]] = field(default_factory=list)
    copies: int = 1

    async def infer(self, rows: Sequence[Mapping[str, Any]], *, timeout_s: float) -> Answer:
        assert timeout_s > 0
        numbers = [row["x"] for row in rows]
        self.on_send(" ".join(map(str, numbers)))
        self.requests.append(numbers)
        while self.held:
            await asyncio.sleep(0.002)
        await asyncio.sleep(self.wait_s)
        error = self.refuse(numbers)
        if error is not None:
            raise error
        answers = tuple(doubled(row) for row in rows) * self.copies
        return Answer(answers, RowTiming(wait_ms=8.0), WHEN)


def doubled(row: Mapping[str, Any]) -> Mapping[str, Any]:
    echo = {f"in.{name}": value for name, value in row.items()}
    return {"time": 1_795_355_056_259, **echo, "out.y": [2.0 * row["x"]], "anomaly.count": 0}


@dataclass
class Rig:
    """The services of one process on the files in `folder`."""

    folder: Path
    platform: StubPlatform
    tables: TableStore
    runs: RunService
    close_store: Callable[[], None]

    def submit(self, *texts: str | None, replicas: int = 1) -> Run:
        saved = self.tables.save(MEMBER, draft(), texts_table(*texts))
        return self.submit_table(saved.table_id, replicas=replicas)

    def submit_table(self, table_id: str, *, replicas: int = 1) -> Run:
        return self.runs.submit(
            MEMBER,
            table_id=table_id,
            pipeline=PIPELINE,
            model_version=MODEL,
            workspace=WORKSPACE,
            replicas=replicas,
        )

    def submit_numbers(self, rows: int, *, replicas: int = 1) -> Run:
        """Run a table of numbers from 0 on through a model that takes columns."""
        table = pa.table({"x": list(range(rows)), "name": [f"row {n}" for n in range(rows)]})
        saved = self.tables.save(MEMBER, draft(), table)
        return self.runs.submit(
            MEMBER,
            table_id=saved.table_id,
            pipeline=PIPELINE,
            model_version=MODEL,
            workspace=WORKSPACE,
            replicas=replicas,
            input_columns=("x", "name"),
        )

    def ended(self, run_id: str) -> Run:
        until(lambda: self.runs.run(MEMBER, run_id).state.is_over)
        return self.runs.run(MEMBER, run_id)

    def close(self) -> None:
        self.runs.close(1.0)
        self.close_store()


def open_rig(
    folder: Path,
    platform: StubPlatform,
    *,
    settings: RunSettings | None = None,
    identity_of: Callable[[Run], Identity | None] = lambda _run: MEMBER,
    url: str = "",
) -> Rig:
    store = open_store(url, data_dir=folder, vault=open_vault(url, data_dir=folder))
    tables = TableStore(store, may_see=may_see)
    gateway: Any = platform  # the three methods a run uses, not the whole contract
    runs = RunService(
        store,
        tables,
        gateway=lambda: gateway,
        identity_of=identity_of,
        clock=Clock(sleep=lambda seconds: asyncio.sleep(seconds / 50)),
        settings=settings or RunSettings(claim_s=2.0),
    )
    return Rig(folder, platform, tables, runs, store.close)


def until(true: Callable[[], bool], *, within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        time.sleep(0.005)
