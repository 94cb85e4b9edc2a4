"""A run's notebook, run headless on the unmodified SDK, and one text tried by itself."""

from __future__ import annotations

import io
import json
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import nbformat
import pyarrow as pa
import pytest
from nbclient import NotebookClient
from pyarrow import parquet

from dashboard.connectors import registry
from dashboard.connectors.outbound import AllowList, Outbound
from dashboard.domain.deployment_settings import DeploymentSettings
from dashboard.domain.identity import Identity
from dashboard.domain.model import ModelVersion
from dashboard.domain.pipeline import Pipeline, PipelineState
from dashboard.domain.run import RowState, RunRow
from dashboard.domain.workspace import Workspace
from dashboard.errors import InferenceFailed
from dashboard.gateway.base import Account
from dashboard.gateway.wallaroo_sdk import WallarooGateway
from dashboard.masking import Secret
from dashboard.services.activity import ActivityLog
from dashboard.services.checks import Checks
from dashboard.services.failures import unexpected
from dashboard.services.fetching import Fetching
from dashboard.services.reads import Reads
from dashboard.services.run_export import RunExport
from dashboard.services.runs import RunService
from dashboard.services.tables import TableStore
from dashboard.services.try_one import Trial, TryOne
from dashboard.store.database import open_store, open_vault
from tests.support.sandbox import RunningSandbox, client, running_sandbox
from tests.support.secrets import found_in
from tests.support.source import Source, running_source
from tests.support.waiting import wait_until

ROOM = "workshop-workspace-summarization"
SAMPLE = "/_sandbox/samples/test_summarization.df.json"
TICKETS = "/_sandbox/samples/support-tickets.json"
TOKEN = "tok-8f2b61c0d7e94"  # noqa: S105 - planted
TEXTS = [
    " ".join(
        f"In {year} the library of valley {number} lent {year * 7} books to its readers; the "
        f"bakery beside it sold {year * 11} loaves of bread on market days."
        for year in range(1990, 1998)
    )
    for number in range(3)
]


@dataclass
class Desk:
    """The services of one dashboard over one sandbox, and who works with them."""

    sandbox: RunningSandbox
    gateway: WallarooGateway
    who: Identity
    room: Workspace
    pipeline: Pipeline
    version: ModelVersion
    fetching: Fetching
    runs: RunService
    exports: RunExport
    try_one: TryOne

    def run(self, details: dict[str, Any], *, text_column: str = "inputs", name: str = "") -> str:
        """Make a connection, fetch its table and run it; return the run's id."""
        made = self.gateway.create_connection(
            self.who,
            name=name or f"c-{token_hex(4)}",
            connection_type="HTTP",
            details=Secret(details),
        )
        self.gateway.link_connection(self.who, name=made.name, workspace_id=self.room.workspace_id)
        fetched = self.fetching.fetch(
            self.who, connection_id=made.connection_id, workspace=self.room
        )
        run = self.runs.submit(
            self.who,
            table_id=fetched.result,
            pipeline=self.pipeline,
            model_version=self.version,
            workspace=self.room,
            replicas=1,
            text_column=text_column,
        )
        wait_until(
            lambda: self.runs.run(self.who, run.run_id).state.is_over, within_s=60, what="it ends"
        )
        assert self.runs.run(self.who, run.run_id).rows_failed == 0
        return run.run_id

    def rows(self, run_id: str) -> list[RunRow]:
        return list(self.runs.rows(self.who, run_id, limit=1000))

    def state(self) -> PipelineState:
        return self.gateway.status(self.who, self.pipeline).state

    def become(self, state: PipelineState) -> None:
        """Deploy or undeploy the pipeline, and wait until it is done."""
        if self.state() is state:
            return
        if state is PipelineState.RUNNING:
            self.gateway.deploy(
                self.who,
                self.pipeline,
                model_version=self.version,
                settings=DeploymentSettings(engine_cpus=0.5, sidekick_memory="3Gi"),
            )
        else:
            self.gateway.undeploy(self.who, self.pipeline)
        wait_until(lambda: self.state() is state, within_s=30, what=f"it is {state}")


@pytest.fixture(scope="module")
def source() -> Iterator[Source]:
    with running_source(TOKEN) as running:
        yield running


@pytest.fixture(scope="module")
def desk(tmp_path_factory, source) -> Iterator[Desk]:
    folder: Path = tmp_path_factory.mktemp("desk")
    store = open_store("", data_dir=folder, vault=open_vault("", data_dir=folder))
    with running_sandbox(folder / "sandbox") as sandbox, ThreadPoolExecutor(4) as pool:
        gateway = WallarooGateway(base_url=sandbox.url, describe=registry.describe)
        account = Account(sandbox.url, sandbox.username, Secret(sandbox.password))
        who = gateway.sign_in("local", account)
        room = next(one for one in gateway.list_workspaces(who) if one.name == ROOM)
        pipeline = gateway.get_pipeline(who, workspace_id=room.workspace_id, name="hf-summarizer")
        (model,) = gateway.list_models(who, room.workspace_id)
        reads = Reads(pool, on_unexpected=unexpected)
        tables = TableStore(store, may_see=lambda _who, _room: True)
        fetching = Fetching(
            lambda: gateway,
            tables,
            lambda: Outbound(allow=AllowList.parse([sandbox.url, "127.0.0.1"])),
            checks=Checks(store, reads),
            activity=ActivityLog(store, reads),
        )
        runs = RunService(store, tables, gateway=lambda: gateway, identity_of=lambda _run: who)
        exports = RunExport(lambda: gateway, runs, tables)
        desk = Desk(
            sandbox,
            gateway,
            who,
            room,
            pipeline,
            model.versions[0],
            fetching,
            runs,
            exports,
            TryOne(lambda: gateway),
        )
        desk.become(PipelineState.RUNNING)
        yield desk
        exports.close()
        runs.close()
        gateway.close()
    store.close()


@pytest.fixture
def repeat(desk, tmp_path, monkeypatch):
    """Run a notebook as Jupyter does; give its result, and all it has shown."""
    ours = {
        "WALLAROO_URL": desk.sandbox.url,
        "WALLAROO_SDK_AUTH_TYPE": "user_password",
        "WALLAROO_USER": desk.sandbox.username,
        "WALLAROO_PASSWORD": desk.sandbox.password,
        "NO_PROXY": "127.0.0.1",
        "PYTHONWARNINGS": "ignore",
        # Otherwise the SDK parses 140 certificates for every call.
        "SSL_CERT_DIR": str(tmp_path),
    }
    folders = ("XDG_CACHE_HOME", "IPYTHONDIR")
    jupyter = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    for name in (*folders, *jupyter):
        ours[name] = str(tmp_path / name.lower())
    for name, value in ours.items():
        monkeypatch.setenv(name, value)

    def run(text: str) -> tuple[list[dict[str, Any]], str]:
        book = nbformat.reads(text, as_version=4)
        nbformat.validate(book)
        book.cells.append(nbformat.v4.new_code_cell('result.to_json("result.json", "records")'))
        NotebookClient(
            book,
            timeout=120,
            kernel_name="python3",
            resources={"metadata": {"path": str(tmp_path)}},
        ).execute()
        outputs = [output for cell in book.cells for output in cell.get("outputs", ())]
        return json.loads((tmp_path / "result.json").read_text()), json.dumps(outputs)

    return run


def same(rows: list[RunRow], result: list[dict[str, Any]]) -> bool:
    repeated = [(one["inputs"], one["summary_text"], one["error"]) for one in result]
    return repeated == [(row.input_text, row.summary, None) for row in rows]


def test_the_notebook_gives_the_same_summaries_and_leaves_a_running_pipeline(desk, repeat):
    desk.become(PipelineState.RUNNING)
    run_id = desk.run({"url": desk.sandbox.url + SAMPLE}, name="summary-sample-connection")
    result, shown = repeat(desk.exports.notebook(desk.who, run_id))
    rows = desk.rows(run_id)
    assert rows
    assert all(row.summary for row in rows)
    assert same(rows, result)
    assert "byte for byte" in shown
    assert "It was running already" in shown
    assert desk.state() is PipelineState.RUNNING


def test_the_notebook_deploys_as_the_run_was_and_undeploys_what_it_deployed(desk, repeat):
    desk.become(PipelineState.RUNNING)
    run_id = desk.run({"url": desk.sandbox.url + TICKETS}, text_column="inputs")
    text = desk.exports.notebook(desk.who, run_id)
    assert ".cpus(0.5)" in text
    assert ".sidekick_memory(model_version, '3Gi')" in text
    desk.become(PipelineState.NOT_DEPLOYED)
    result, shown = repeat(text)
    assert same(desk.rows(run_id), result)
    assert "deployed by this notebook" in shown
    wait_until(
        lambda: desk.state() is PipelineState.NOT_DEPLOYED, within_s=20, what="it is undeployed"
    )


def csv_table() -> bytes:
    rows = "".join(f'{number};"{text}";FALSE\r\n' for number, text in enumerate(TEXTS))
    return ("\ufeff nr ;body text;return_tensors\r\n\r\n" + rows).encode()


def arrow_table() -> pa.Table:
    return pa.table({"body text": TEXTS, "nr": pa.array(range(3)), "return_text": [True] * 3})


def parquet_file() -> bytes:
    sink = io.BytesIO()
    parquet.write_table(arrow_table(), sink)
    return sink.getvalue()


def arrow_file() -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, arrow_table().schema) as writer:
        writer.write_table(arrow_table())
    return sink.getvalue()


FILES = {
    "csv": csv_table(),
    "lines": "\n".join(json.dumps({"nr": 1, "body text": text}) for text in TEXTS).encode(),
    "columns": json.dumps({"body text": dict(enumerate(TEXTS)), "nr": {"0": None}}).encode(),
    "parquet": parquet_file(),
    "arrow": arrow_file(),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(FILES))
def test_the_notebook_reads_the_file_as_the_run_did(desk, source, repeat, kind):
    desk.become(PipelineState.RUNNING)
    source.body = FILES[kind]
    run_id = desk.run({"url": source.link("/t"), "token": TOKEN}, text_column="body text")
    text = desk.exports.notebook(desk.who, run_id)
    result, shown = repeat(text)
    rows = desk.rows(run_id)
    assert [row.input_text for row in rows] == TEXTS
    assert same(rows, result)
    assert "byte for byte" in shown
    assert found_in((text + shown).encode(), {"token": TOKEN, "port": str(source.port)}) == []


def test_the_notebook_says_when_the_source_has_changed(desk, source, repeat):
    desk.become(PipelineState.RUNNING)
    source.body = json.dumps([{"inputs": text} for text in TEXTS]).encode()
    run_id = desk.run({"url": source.link(), "token": TOKEN})
    source.body = json.dumps([{"more": 1, "inputs": text} for text in TEXTS[1:]]).encode()
    result, shown = repeat(desk.exports.notebook(desk.who, run_id))
    assert "THE SOURCE HAS CHANGED" in shown
    assert same(desk.rows(run_id)[1:], result)


# One text


@pytest.fixture
def infer_path(desk) -> str:
    desk.become(PipelineState.RUNNING)
    deployment = desk.gateway.deployment(desk.who, desk.pipeline)
    return f"/v1/api/pipelines/infer/hf-summarizer-{deployment.deployment_id}/hf-summarizer"


def test_one_text_is_summarized_as_it_is_in_a_run(desk, caplog):
    desk.become(PipelineState.RUNNING)
    trial_id = desk.try_one.begin(desk.who)
    assert desk.try_one.is_under_way(desk.who, trial_id)
    with caplog.at_level(logging.DEBUG):
        outcome = desk.try_one.send(desk.who, desk.pipeline, TEXTS[0], trial_id)
    assert (outcome.message, outcome.result, outcome.is_partial) == ("", "", False)
    assert not desk.try_one.is_under_way(desk.who, trial_id)
    stranger = Identity("other", "u2", "x@example.com")
    assert desk.try_one.take(stranger, trial_id) is None
    trial = desk.try_one.take(desk.who, trial_id)
    assert isinstance(trial, Trial)
    row = trial.row
    assert row is not None
    assert (row.state, row.input_text, row.doubts) == (RowState.DONE, TEXTS[0], 0)
    assert row.summary
    assert set(row.summary.split()) <= set(TEXTS[0].split())
    assert row.timing.total_ms is not None
    assert row.timing.total_ms > 0
    # It is given once, and nothing of it is told to the log.
    assert desk.try_one.take(desk.who, trial_id) is None
    assert "library of valley" not in caplog.text
    assert "library of valley" not in repr(trial)


def test_one_text_for_a_pipeline_that_is_not_deployed_says_so(desk):
    desk.become(PipelineState.NOT_DEPLOYED)
    trial_id = desk.try_one.begin(desk.who)
    assert desk.try_one.send(desk.who, desk.pipeline, TEXTS[0], trial_id).is_partial
    trial = desk.try_one.take(desk.who, trial_id)
    assert isinstance(trial.error, InferenceFailed)
    assert "not deployed" in trial.error.message


def test_a_text_that_the_engine_refuses_fails_in_plain_words(desk, infer_path):
    with client(desk.sandbox) as http:
        fault = {"route": infer_path, "status": 500, "times": 1}
        assert http.post("/_sandbox/faults", json=fault).status_code < 300
        trial_id = desk.try_one.begin(desk.who)
        assert desk.try_one.send(desk.who, desk.pipeline, TEXTS[0], trial_id).is_partial
        http.delete("/_sandbox/faults")
    trial = desk.try_one.take(desk.who, trial_id)
    assert trial.row is None
    assert trial.error.message


def test_a_cancelled_text_ends_at_once_and_leaves_nothing(desk, infer_path):
    with client(desk.sandbox) as http:
        fault = {"route": infer_path, "delay_s": 20}
        assert http.post("/_sandbox/faults", json=fault).status_code < 300
        trial_id = desk.try_one.begin(desk.who)
        sending = threading.Thread(
            target=desk.try_one.send, args=(desk.who, desk.pipeline, TEXTS[0], trial_id)
        )
        began = time.monotonic()
        sending.start()
        wait_until(
            lambda: http.get("/_sandbox/faults").json()["faults"][0]["consumed"],
            within_s=10,
            what="the engine was asked",
        )
        desk.try_one.cancel(desk.who, trial_id)
        sending.join(10)
        assert not sending.is_alive()
        assert time.monotonic() - began < 15
        http.delete("/_sandbox/faults")
    assert not desk.try_one.is_under_way(desk.who, trial_id)
    assert desk.try_one.take(desk.who, trial_id) is None
