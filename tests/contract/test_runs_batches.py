"""Runs of a model that doubles numbers: several rows in one request, over HTTP and the SDK."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dashboard.domain.identity import Identity
from dashboard.domain.model import ModelVersion
from dashboard.domain.pipeline import PipelineStep, PipelineVersion
from dashboard.domain.run import RowState, Run, RunState
from dashboard.domain.table import Passport
from dashboard.domain.workspace import Workspace
from dashboard.errors import InvalidInput
from dashboard.gateway.wallaroo_sdk import WallarooGateway
from dashboard.services.reads import Reads
from dashboard.services.run_actions import RunActions
from dashboard.services.runs import RunService, RunSettings
from dashboard.services.tables import TableStore
from dashboard.store.database import open_store, open_vault
from tests.contract.scripted import GRAPHQL, INFER, PIPELINE, STATUS, ScriptedPlatform, graphql
from tests.support.waiting import wait_until

NOW = datetime(2026, 11, 22, 13, tzinfo=UTC)
STEPS = (PipelineStep("doubler", "doubler-v1"),)
DOUBLING = replace(PIPELINE, versions=(PipelineVersion(4, "pipeline-v1", NOW, STEPS),))
DOUBLER = ModelVersion(7, "doubler-v1", "doubler", "ee71", framework="onnx")
ROOM = Workspace(1, "room", NOW, "ann@example.com")
STORED = {
    "id": 3,
    "pipeline_id": "hf-summarizer",
    "workspace": {"id": 1, "name": "room"},
    "pipeline_versions": [
        {
            "id": 4,
            "version": "pipeline-v1",
            "definition": {
                "steps": [
                    {"ModelInference": {"models": [{"name": "doubler", "version": "doubler-v1"}]}}
                ]
            },
        }
    ],
}
SCHEMA = pa.schema([("x", pa.float32()), ("parts", pa.list_(pa.float32()))])


@dataclass
class Engine:
    """Doubles `x` and sums `parts`; refuses a negative `x`, and more than `most` rows at once."""

    most: int = 10_000
    requests: list[list[float]] = field(default_factory=list)

    def answer(self, rows: Any) -> tuple[int, Any]:
        self.requests.append([row["x"] for row in rows])
        if len(rows) > self.most:
            return 413, b"<html><h1>Request Entity Too Large</h1></html>"
        if any(row["x"] < 0 for row in rows):
            return 400, {"code": 400, "status": "Error", "error": "x is negative", "source": "e"}
        return 200, [
            {
                "time": 1795355056259,
                "in.x": row["x"],
                "out.double": 2 * row["x"],
                "out.sums": [sum(row["parts"])],
                "anomaly.count": 0,
                "metadata.elapsed": [1_000_000, 8_000_000],
            }
            for row in rows
        ]


@dataclass
class Desk:
    """Runs over the scripted platform, started as a page starts them."""

    who: Identity
    engine: Engine
    tables: TableStore
    runs: RunService
    actions: RunActions

    def start(self, table: pa.Table, *, words: str = "Parquet") -> Run:
        draft = Passport("", "numbers", 1, 0, (), 1, "f" * 64, NOW, 1.0, words)
        saved = self.tables.save(self.who, draft, table)
        started = self.actions.start(
            self.who,
            table_id=saved.table_id,
            pipeline=DOUBLING,
            model_version=DOUBLER,
            workspace=ROOM,
            replicas=2,
        )
        return self.runs.run(self.who, str(started.result))

    def ended(self, run: Run) -> Run:
        wait_until(
            lambda: self.runs.run(self.who, run.run_id).state.is_over,
            within_s=20,
            what="it is over",
        )
        return self.runs.run(self.who, run.run_id)


def config(**facts: Any) -> dict[str, Any]:
    model = {"id": 7, "model_version": "doubler-v1"}
    unknown = {"id": 1, "input_schema": None, "tensor_fields": None}
    return {"model_config": {**unknown, "model": model, **facts}}


def tell(platform: ScriptedPlatform, *configs: dict[str, Any]) -> None:
    """Have the platform say that the pipeline is deployed and what its model reads."""
    deployment = {"id": 5, "deploy_id": "hf-summarizer", "deployed": True, "engine_config": None}
    told = {"id": 5, "deployment_model_configs": list(configs)}
    platform.scripts[GRAPHQL] = graphql(
        DashboardDeployment={"pipeline_by_pk": {"id": 3, "deployment": deployment}},
        DashboardPipelineNamed={"pipeline": [STORED]},
        DashboardModelInputs={"pipeline_by_pk": {"id": 3, "deployment": told}},
    )
    platform.scripts[STATUS] = (200, {"status": "Running", "details": [], "engines": []})


@pytest.fixture
def desk(
    platform: ScriptedPlatform, gateway: WallarooGateway, ann: Identity, tmp_path: Path
) -> Iterator[Desk]:
    engine = Engine()
    schema = base64.b64encode(SCHEMA.serialize().to_pybytes()).decode()
    tell(platform, config(input_schema=schema))
    platform.scripts[INFER] = engine.answer
    store = open_store("", data_dir=tmp_path, vault=open_vault("", data_dir=tmp_path))
    tables = TableStore(store, may_see=lambda _who, _room: True)
    runs = RunService(
        store,
        tables,
        gateway=lambda: gateway,
        identity_of=lambda _run: ann,
        settings=RunSettings(batch_rows=16, first_pause_s=0.05),
    )
    with ThreadPoolExecutor(1) as pool:
        reads = Reads(pool, on_unexpected=lambda exc: pytest.fail(type(exc).__name__))
        yield Desk(ann, engine, tables, runs, RunActions(lambda: gateway, runs, reads, tables))
    runs.close()
    store.close()


def numbers(*values: float) -> pa.Table:
    parts = [[value, 1.5] for value in values]
    names = [f"row {number}" for number in range(len(values))]
    return pa.table({"name": names, "parts": parts, "x": list(values)})


def test_all_columns_of_the_models_schema_go_out_and_all_outputs_come_back(desk: Desk):
    run = desk.start(numbers(*range(100)))
    assert run.input_columns == ("x", "parts")
    ended = desk.ended(run)
    assert (ended.state, ended.rows_done, ended.rows_failed) == (RunState.DONE, 100, 0)
    assert sorted(len(sent) for sent in desk.engine.requests) == [4, *[16] * 6]
    rows = desk.runs.rows(desk.who, run.run_id)
    assert [row.outputs for row in rows] == [
        {"double": 2.0 * number, "sums": [number + 1.5]} for number in range(100)
    ]
    assert rows[7].inputs == {"x": 7.0, "parts": [7.0, 1.5]}
    assert {row.timing.model_ms for row in rows} == {8.0}
    assert {row.timing.batch_rows for row in rows} == {4, 16}


def test_bad_rows_fail_alone_with_the_engines_reason_and_a_retry_sends_them_alone(desk: Desk):
    values = [-number if number in (3, 17, 18, 60) else number for number in range(64)]
    ended = desk.ended(desk.start(numbers(*values)))
    assert (ended.state, ended.rows_done, ended.rows_failed) == (RunState.DONE, 60, 4)
    failed = [
        (row.index, row.error)
        for row in desk.runs.rows(desk.who, ended.run_id)
        if row.state is RowState.FAILED
    ]
    assert failed == [(index, "x is negative") for index in (3, 17, 18, 60)]
    desk.engine.requests.clear()
    desk.runs.retry_failed(desk.who, ended.run_id)
    assert desk.ended(ended).rows_failed == 4
    assert {number for sent in desk.engine.requests for number in sent} == {-3, -17, -18, -60}


def test_an_engine_that_takes_few_rows_at_once_gets_few(desk: Desk):
    desk.engine.most = 5
    ended = desk.ended(desk.start(numbers(*range(60))))
    assert (ended.rows_done, ended.rows_failed) == (60, 0)
    refused = [sent for sent in desk.engine.requests if len(sent) > 5]
    assert 1 <= len(refused) <= 6


def test_a_row_that_is_too_large_alone_says_so(desk: Desk):
    desk.engine.most = 0
    ended = desk.ended(desk.start(numbers(1, 2)))
    assert ended.rows_failed == 2
    row = desk.runs.row(desk.who, ended.run_id, 0)
    assert row.error == "It is larger than the platform takes at once."


@pytest.mark.parametrize(
    ("facts", "sent"),
    [
        ({}, ("name", "parts", "x")),
        ({"input_schema": "no base64!"}, ("name", "parts", "x")),
        ({"input_schema": base64.b64encode(b"no schema").decode()}, ("name", "parts", "x")),
        ({"tensor_fields": ["x", "parts"]}, ("x", "parts")),
    ],
    ids=["nothing", "no base64", "no schema", "names"],
)
def test_what_a_model_without_a_schema_gets(
    desk: Desk, platform: ScriptedPlatform, facts: dict[str, Any], sent: tuple[str, ...]
):
    tell(platform, config(**facts))
    ended = desk.ended(desk.start(numbers(1, 2)))
    assert (ended.input_columns, ended.rows_done) == (sent, 2)
    (inference,) = platform.requests(INFER)
    assert set(inference.body[0]) == set(sent)


def test_a_table_that_the_model_cannot_read_is_refused_before_anything_is_sent(desk: Desk):
    with pytest.raises(InvalidInput, match="no column “x”"):
        desk.start(pa.table({"parts": [[1.0]]}))
    assert desk.engine.requests == []


PLANTED = "n0t-a-number"
TEXTS = {
    "x": ["1", "2.5", PLANTED, " 4 ", "5"],
    "parts": ["[1, 2]", "[1]", "[1]", PLANTED, "7"],
    "name": ["1", "2", "3", "4", "5"],
}


def test_the_texts_of_a_csv_go_out_as_the_numbers_the_model_reads(
    desk: Desk, platform: ScriptedPlatform, caplog: pytest.LogCaptureFixture
):
    run = desk.start(pa.table(TEXTS), words="CSV")
    assert run.reads == {"x": "float", "parts": "list<item: float>"}
    ended = desk.ended(run)
    assert (ended.state, ended.rows_done, ended.rows_failed) == (RunState.DONE, 3, 2)
    (inference,) = platform.requests(INFER)
    assert json.dumps(inference.body) == json.dumps(
        [
            {"x": 1.0, "parts": [1, 2]},
            {"x": 2.5, "parts": [1]},
            {"x": 5.0, "parts": [7.0]},
        ]
    )
    rows = desk.runs.rows(desk.who, run.run_id)
    assert rows[4].inputs == {"x": 5.0, "parts": [7.0]}
    assert [row.error for row in rows if row.state is RowState.FAILED] == [
        "Column “x” must hold a number; this row holds a text.",
        "Column “parts” must hold a list of numbers; this row holds a text.",
    ]
    assert PLANTED not in caplog.text
    # The table itself is as it was fetched.
    kept = desk.tables.page_rows(desk.who, run.table_id)
    assert [row["x"] for row in kept] == TEXTS["x"]
    # A retry sends what a run sends: nothing of these rows.
    desk.runs.retry_failed(desk.who, run.run_id)
    assert desk.ended(run).rows_failed == 2
    assert len(platform.requests(INFER)) == 1


def test_a_model_without_a_schema_gets_what_the_first_cells_of_a_csv_hold(
    desk: Desk, platform: ScriptedPlatform
):
    tell(platform, config())
    platform.scripts[INFER] = lambda rows: (
        200,
        [{"time": 1, "out.y": 1, "anomaly.count": 0} for _ in rows],
    )
    table = pa.table({"x": ["", "2"], "parts": ["[1, 2]", "[3]"], "town": ["Oslo", "7"]})
    run = desk.start(table, words="CSV")
    assert run.reads == {"x": "number", "parts": "list<item: number>", "town": ""}
    assert desk.ended(run).rows_done == 2
    sent = [row for one in platform.requests(INFER) for row in one.body]
    assert {"x": 2, "parts": [3], "town": "7"} in sent
    assert {"x": None, "parts": [1, 2], "town": "Oslo"} in sent


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"x": ["a", "b"], "parts": ["[1]", "[1]"]}, "reads a number from “x”; .* holds a text"),
        ({"x": ["1"], "parts": ["[1, 2, 3]"]}, "reads a list of 2 numbers from “parts”; .* 3 "),
        ({"x": [1.0], "parts": [0.5]}, "reads 2 values from “parts”; the table holds 1"),
    ],
)
def test_a_table_of_which_no_row_can_be_sent_is_refused_before_the_run(
    desk: Desk, platform: ScriptedPlatform, table: dict[str, Any], said: str
):
    schema = pa.schema([("x", pa.float32()), ("parts", pa.list_(pa.float32(), 2))])
    if "text" in said:
        schema = SCHEMA
    tell(platform, config(input_schema=base64.b64encode(schema.serialize().to_pybytes()).decode()))
    with pytest.raises(InvalidInput, match=said):
        desk.start(pa.table(table), words="CSV")
    assert desk.engine.requests == []


def test_nothing_of_a_row_is_stored_in_clear(desk: Desk, tmp_path: Path):
    ended = desk.ended(desk.start(numbers(86753.5)))
    assert json.dumps(173507.0) in desk.runs.row(desk.who, ended.run_id, 0).summary
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 3
    for word in (b"173507", b"86753", b"parts"):
        assert [path.name for path in files if word in path.read_bytes()] == []
