"""The inference route over HTTP in the process, with real workers behind it."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from dashboard.sandbox.arrow_tables import log_table
from dashboard.sandbox.errors import EXCEPTION_HANDLERS
from dashboard.sandbox.fleet import DeploymentPlan, Fleet, FleetLimits, StepPlan
from dashboard.sandbox.logstore import LogStore, Query
from dashboard.sandbox.promql.evaluation import Evaluation
from dashboard.sandbox.promql.syntax import parse
from dashboard.sandbox.routes import inference
from dashboard.sandbox.tables import Selection
from dashboard.vault import Vault

pytestmark = pytest.mark.anyio

HANDLERS: Any = dict(EXCEPTION_HANDLERS)  # Any: the framework's own type differs by release

URL = "/v1/api/pipelines/infer/hf-summarizer-7/hf-summarizer"
SDK_QUERY = {"dataset[]": "*", "dataset.exclude[]": "metadata", "dataset.separator": "."}
RECORDS = {"content-type": "application/json; format=pandas-records"}
ARROW = "application/vnd.apache.arrow.file"
TOPIC = "workspace-3-pipeline-hf-summarizer-inference"
ROW = {
    "inputs": "Ann opened a shop in Rome. It sells maps of old towns. People come from afar.",
    "return_text": True,
    "return_tensors": False,
    "clean_up_tokenization_spaces": False,
}
COLUMNS = [
    "time",
    "in.clean_up_tokenization_spaces",
    "in.inputs",
    "in.return_tensors",
    "in.return_text",
    "out.summary_text",
    "anomaly.count",
]


@dataclass
class Settings:
    wait_ms: float = 0.0
    startup_s: float = 0.0
    cpu: float = 8.0
    memory_gib: float = 32.0
    shutdown_s: float = 0.0
    early_status: bool = False


class Workspaces:
    """The sender is in these workspaces."""

    ids = (3,)

    def is_member(self, workspace_id: int, user_id: str) -> bool:
        return user_id == "ann" and workspace_id in self.ids

    def of_user(self, user_id: str) -> list[dict[str, int]]:
        return [{"id": each} for each in self.ids if user_id == "ann"]


class Pipelines:
    """Number 6 was undeployed, number 5 too, in a workspace of somebody else's."""

    def deployment(self, deployment_id: int) -> dict[str, int] | None:
        return {"deployed": 0, "pipeline_pk": deployment_id} if deployment_id in (5, 6) else None

    def get(self, pipeline_id: int) -> dict[str, object]:
        return {"name": "hf-summarizer", "workspace_id": 3 if pipeline_id == 6 else 9}


def signed_in(app: Any, user_id: str) -> Any:  # Any: an ASGI application
    """Do what the token check does: say who sends."""

    async def call(scope, receive, send):
        scope.setdefault("state", {})["user"] = SimpleNamespace(user_id=user_id)
        await app(scope, receive, send)

    return call


def plan(*, replicas: int = 1) -> DeploymentPlan:
    step = StepPlan(
        "hf-summarizer", 5, "version-uuid", "ee71", "hugging-face-summarization", "flight"
    )
    config = {"engine": {"replicas": replicas}}
    return DeploymentPlan(7, "hf-summarizer", 3, "hf-summarizer", "pipeline-uuid", (step,), config)


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def settings():
    return Settings()


@pytest.fixture
async def sandbox(tmp_path, settings):
    logs = LogStore(tmp_path / "logs.db", Vault(b"k" * 32))
    limits = FleetLimits(infer_timeout_s=10.0, backoff_s=(0.02,))
    fleet = Fleet(logs=logs, config=settings, clock=time.time, limits=limits)
    await fleet.start()
    store = SimpleNamespace(workspaces=Workspaces(), pipelines=Pipelines())
    yield SimpleNamespace(fleet=fleet, logs=logs, store=store)
    await fleet.stop()
    logs.close()


@pytest.fixture
async def client(sandbox):
    async with client_of(sandbox, "ann") as made:
        yield made


def client_of(sandbox, user_id: str) -> httpx.AsyncClient:
    app = Starlette(routes=inference.routes, exception_handlers=HANDLERS)
    app.state.sandbox = sandbox
    transport = httpx.ASGITransport(signed_in(app, user_id))
    return httpx.AsyncClient(transport=transport, base_url="http://sandbox")


async def deploy(sandbox, *, replicas: int = 1) -> None:
    await sandbox.fleet.deploy(plan(replicas=replicas))
    deadline_s = time.monotonic() + 10
    while sandbox.fleet.status(7)["status"] != "Running":
        assert time.monotonic() < deadline_s, sandbox.fleet.status(7)
        await asyncio.sleep(0.005)


async def post(client, rows, *, params=SDK_QUERY, headers=RECORDS, url=URL):
    return await client.post(url, params=params, headers=headers, content=json.dumps(rows))


def ipc(table) -> bytes:
    import pyarrow as pa

    sink = io.BytesIO()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


async def post_table(client, table, *, params=SDK_QUERY):
    import pyarrow as pa

    headers = {"content-type": ARROW, "accept": ARROW, "format": "arrow"}
    answer = await client.post(URL, params=params, headers=headers, content=ipc(table))
    if answer.status_code != 200:
        return answer
    with pa.ipc.open_file(answer.content) as reader:
        return reader.read_all()


async def test_records_are_answered_flat_and_in_order(client, sandbox):
    await deploy(sandbox)
    before_ms = int(time.time() * 1000)
    answer = await post(client, [ROW])
    assert answer.status_code == 200
    (record,) = answer.json()
    assert list(record) == COLUMNS
    assert record["in.inputs"] == ROW["inputs"]
    assert record["out.summary_text"]
    assert record["anomaly.count"] == 0
    assert before_ms <= record["time"] <= time.time() * 1000


async def test_metadata_comes_when_it_is_asked_for(client, sandbox):
    await deploy(sandbox)
    params = {"dataset[]": ["*", "metadata"], "dataset.separator": "."}
    (record,) = (await post(client, [ROW], params=params)).json()
    assert json.loads(record["metadata.last_model"]) == {
        "model_name": "hf-summarizer",
        "model_sha": "ee71",
    }
    assert record["metadata.pipeline_version"] == "pipeline-uuid"
    assert len(record["metadata.elapsed"]) == 2
    assert record["metadata.dropped"] == []
    assert record["metadata.partition"] == sandbox.fleet.status(7)["engines"][0]["name"]


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; format=wallaroo", ""]
)
async def test_a_raw_post_is_answered_nested_and_with_metadata(client, sandbox, content_type):
    await deploy(sandbox)
    headers = {"content-type": content_type} if content_type else {}
    (record,) = (await post(client, [ROW], params={}, headers=headers)).json()
    assert list(record) == ["time", "in", "out", "anomaly", "metadata"]
    assert record["in"] == ROW
    assert record["anomaly"] == {"count": 0}
    assert set(record["metadata"]) == {
        "last_model",
        "pipeline_version",
        "elapsed",
        "dropped",
        "partition",
    }


async def test_arrow_is_answered_with_arrow(client, sandbox):
    import pyarrow as pa

    await deploy(sandbox)
    sent = pa.Table.from_pylist([ROW | {"weight": 0.5}, ROW | {"weight": 1.5}])
    sent = sent.set_column(4, "weight", sent["weight"].cast(pa.float32()))
    params = {"dataset[]": ["*", "metadata"], "dataset.separator": "."}
    table = await post_table(client, sent, params=params)
    assert table.num_rows == 2
    assert table.column_names[:8] == [*COLUMNS[:5], "in.weight", *COLUMNS[5:]]
    types = {field.name: (str(field.type), field.nullable) for field in table.schema}
    assert types["time"] == ("int64", False)
    assert types["in.weight"] == ("float", True)
    assert types["in.return_text"] == ("bool", True)
    assert types["out.summary_text"] == ("string", False)
    assert types["anomaly.count"] == ("uint32", False)
    assert table.schema.field("metadata.elapsed").type == pa.list_(pa.uint64())
    assert table["in.inputs"][0].as_py() == ROW["inputs"]


async def test_json_can_be_answered_with_arrow(client, sandbox):
    await deploy(sandbox)
    answer = await post(client, [ROW], headers=RECORDS | {"accept": ARROW})
    assert answer.content[:6] == b"ARROW1"


async def test_an_empty_table_is_answered_with_an_empty_one(client, sandbox):
    import pyarrow as pa

    await deploy(sandbox)
    assert (await post(client, [])).json() == []
    table = await post_table(client, pa.Table.from_pylist([ROW]).slice(0, 0))
    assert table.num_rows == 0
    assert table.column_names == COLUMNS


@pytest.mark.parametrize("body", [b"", b"ARROW1", b"ARROW1\0\0" + b"x" * 500, b"[]"])
async def test_a_damaged_arrow_file_is_a_400(client, sandbox, body):
    await deploy(sandbox)
    answer = await client.post(URL, headers={"content-type": ARROW}, content=body)
    assert answer.status_code == 400
    assert answer.json()["source"] == "engine"


async def test_a_wrong_column_is_the_engines_own_400(client, sandbox):
    await deploy(sandbox)
    answer = await post(client, [{"text": "a"}])
    assert answer.status_code == 400
    assert answer.json() == {
        "code": 400,
        "status": "Error",
        "error": "missing column 'inputs': expected type string",
        "source": "engine",
    }


async def test_one_wrong_row_fails_the_request_and_is_not_logged(client, sandbox):
    await deploy(sandbox)
    assert (await post(client, [ROW, ROW | {"inputs": None}])).status_code == 400
    assert sandbox.logs.row_count(TOPIC) == 0


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        (RECORDS, b"nope"),
        (RECORDS, b"3"),
        (RECORDS, b"[1]"),
        ({"content-type": "text/csv"}, b"inputs\na"),
    ],
)
async def test_what_is_no_table_is_a_400(client, sandbox, headers, content):
    await deploy(sandbox)
    answer = await client.post(URL, headers=headers, content=content)
    assert answer.status_code == 400
    assert answer.json()["status"] == "Error"


async def test_too_large_a_body_is_a_413(client, sandbox, monkeypatch):
    await deploy(sandbox)
    monkeypatch.setattr(inference, "LARGEST_BODY_BYTES", 1000)
    answer = await post(client, [ROW | {"inputs": "x" * 2000}])
    assert answer.status_code == 413
    assert "larger" in answer.json()["error"]


@pytest.mark.parametrize(
    "path",
    [
        "hf-summarizer-8/hf-summarizer",
        "hf-summarizer-7/other",
        "other-7/hf-summarizer",
        "hf-summarizer/hf-summarizer",
        "hf-summarizer-٧/hf-summarizer",
        "hf-summarizer-" + "9" * 5000 + "/hf-summarizer",
        "-/x",
    ],
)
async def test_another_name_is_a_404(client, sandbox, path):
    await deploy(sandbox)
    answer = await post(client, [ROW], url=f"/v1/api/pipelines/infer/{path}")
    assert answer.status_code == 404
    assert answer.json()["code"] == 404


@pytest.mark.parametrize(
    ("path", "is_told"),
    [
        ("hf-summarizer-6/hf-summarizer", True),
        ("hf-summarizer-6/other", False),
        ("hf-summarizer-5/hf-summarizer", False),
        ("hf-summarizer-8/hf-summarizer", False),
    ],
)
async def test_who_may_know_is_told_that_it_was_undeployed(client, path, is_told):
    answer = await post(client, [ROW], url=f"/v1/api/pipelines/infer/{path}")
    assert answer.status_code == 404
    assert ("it was undeployed" in answer.json()["msg"]) is is_told


async def test_somebody_elses_pipeline_is_a_404(client, sandbox):
    await deploy(sandbox)
    async with client_of(sandbox, "bob") as bob:
        answer = await post(bob, [ROW])
    assert answer.status_code == 404
    assert (await post(client, [ROW])).status_code == 200


async def test_an_undeployed_pipeline_is_a_404(client, sandbox):
    assert (await post(client, [ROW])).status_code == 404
    await deploy(sandbox)
    await sandbox.fleet.undeploy(7)
    assert (await post(client, [ROW])).status_code == 404


async def test_a_starting_pipeline_is_an_engine_error_and_not_503(client, sandbox, settings):
    settings.startup_s = 60
    await sandbox.fleet.deploy(plan())
    answer = await post(client, [ROW])
    assert answer.status_code == 500
    assert "still starting" in answer.json()["error"]


async def test_the_row_is_in_the_log_before_the_answer_with_the_same_time(client, sandbox):
    await deploy(sandbox)
    (record,) = (await post(client, [ROW])).json()
    (row,) = sandbox.logs.read(TOPIC, Query(newest_first=True, page_size=10)).rows
    assert row.time_ms == record["time"]
    assert row.inputs == ROW
    assert row.outputs["summary_text"] == record["out.summary_text"]
    assert sandbox.logs.row_count("workspace-3-model-hf-summarizer-inference") == 1


async def test_ten_thousand_rows_are_answered(client, sandbox):
    await deploy(sandbox)
    rows = [ROW | {"inputs": f"{ROW['inputs']} {number}."} for number in range(10_000)]
    records = (await post(client, rows)).json()
    assert len(records) == 10_000
    assert records[9_999]["in.inputs"] == rows[9_999]["inputs"]
    assert sandbox.logs.row_count(TOPIC) == 10_000


@pytest.mark.parametrize(
    "text", ["", "\0 nul", "\ud800 half", "日本語。🚢", "<b>x</b>", "y" * 400_000]
)
async def test_awkward_texts_pass_through(client, sandbox, text):
    await deploy(sandbox)
    (record,) = (await post(client, [ROW | {"inputs": text}])).json()
    assert record["in.inputs"] == text


async def test_awkward_columns_and_values_come_back_as_they_were_sent(client, sandbox):
    await deploy(sandbox)
    sent = ROW | {
        "größe 📏": 2**53 + 1,
        "a.b": None,
        "": -(2**63),
        "nested": {"list": [1, [2, {"x": None}]], "text": "\u2028"},
        "beyond": 2**80,
        "half \ud800": "x",
    }
    (flat,) = (await post(client, [sent])).json()
    assert {name[3:]: value for name, value in flat.items() if name.startswith("in.")} == sent
    (nested,) = (await post(client, [sent], params={})).json()
    assert nested["in"] == sent
    answer = await post(client, [sent], headers=RECORDS | {"accept": ARROW})
    assert answer.content[:6] == b"ARROW1"
    (row, *_) = sandbox.logs.read(TOPIC, Query(newest_first=True, page_size=10)).rows
    assert row.inputs == sent


async def test_a_body_nested_too_deeply_is_a_400(client, sandbox):
    await deploy(sandbox)
    for depth in (70, 400, 100_000):
        deep = '[{"inputs": ' + "[" * depth + "]" * depth + "}]"
        answer = await client.post(URL, headers=RECORDS, content=deep)
        assert answer.status_code == 400
        assert answer.json()["source"] == "engine"


async def test_times_and_narrow_types_keep_their_types_in_answer_and_log(client, sandbox):
    import pyarrow as pa

    await deploy(sandbox)
    moment = datetime(2026, 11, 23, 4, 5, 6, 789000, tzinfo=UTC)
    sent = pa.Table.from_pylist([ROW]).append_column(
        "tensor", pa.array([[0.1, 0.2]], pa.list_(pa.float32()))
    )
    sent = sent.append_column("zoned", pa.array([moment], pa.timestamp("us", tz="UTC")))
    sent = sent.append_column("day", pa.array([moment.date()], pa.date32()))
    sent = sent.append_column("small", pa.array([7], pa.int8()))
    sent = sent.append_column("bytes", pa.array([b"\xff\0"], pa.binary()))
    answered = await post_table(client, sent)
    for name in sent.column_names:
        assert answered[f"in.{name}"].to_pylist() == sent[name].to_pylist()
    (row,) = sandbox.logs.read(TOPIC, Query(newest_first=True, page_size=10)).rows
    logged = log_table([row], Selection(separator="."), {})
    for name in ("tensor", "zoned", "day", "small", "return_text"):
        assert logged.schema.field(f"in.{name}").type == sent.schema.field(name).type
        assert logged[f"in.{name}"].to_pylist() == sent[name].to_pylist()
    (record,) = (
        await client.post(
            URL, params=SDK_QUERY, headers={"content-type": ARROW, "accept": "application/json"},
            content=ipc(sent),
        )
    ).json()  # fmt: skip
    assert record["in.zoned"] == moment.isoformat()


async def test_arrow_without_a_separator_is_nested(client, sandbox):
    import pyarrow as pa

    await deploy(sandbox)
    table = await post_table(client, pa.Table.from_pylist([ROW]), params={})
    assert table.column_names == ["time", "in", "out", "anomaly", "metadata"]
    (row,) = table.to_pylist()
    assert row["in"] == ROW
    assert row["anomaly"] == {"count": 0}
    assert len(row["metadata"]["elapsed"]) == 2


async def test_a_request_that_fails_stands_in_the_log_of_failures(client, sandbox):
    await deploy(sandbox)
    assert (await post(client, [ROW | {"inputs": 5}, ROW])).status_code == 400
    page = sandbox.logs.read(f"{TOPIC}-failures", Query(newest_first=False, page_size=10))
    assert [row.inputs["inputs"] for row in page.rows] == [5, ROW["inputs"]]
    assert {row.error for row in page.rows} == {
        "column 'inputs' has the wrong type: expected string, found int64 in row 0"
    }
    models = "workspace-3-model-hf-summarizer-inference-failures"
    assert sandbox.logs.row_count(models) == 2
    assert sandbox.logs.row_count(TOPIC) == 0


async def test_what_is_answered_is_counted_for_the_metrics(client, sandbox):
    await deploy(sandbox)
    await post(client, [ROW, ROW])
    await post(client, [ROW])
    now_s = time.time()

    def value(query: str) -> float:
        def read(metric, span_s, wanted):
            return sandbox.logs.series(metric, workspace_ids=[3], span_s=span_s, wanted=wanted)

        vector = Evaluation(parse(query), [now_s], read).at(now_s)
        assert isinstance(vector, list)
        ((_, found),) = vector
        return found

    assert value("latency_histogram_ns_count") == 2
    assert value("tensor_throughput_batch_count") == 3
    assert value("histogram_quantile(0.5, latency_histogram_ns_bucket)") > 0
    deadline_s = time.monotonic() + 10
    while not value('count(container_memory_usage_bytes{container="engine"}) or vector(0)'):
        assert time.monotonic() < deadline_s
        await asyncio.sleep(0.02)
        now_s = time.time()


async def test_nan_is_answered_as_null(client, sandbox):
    await deploy(sandbox)
    answer = await post(client, [ROW | {"weight": float("nan"), "other": float("inf")}])
    assert b"NaN" not in answer.content
    (record,) = answer.json()
    assert record["in.weight"] is record["in.other"] is None


async def test_two_hundred_requests_at_once_on_two_replicas(client, sandbox):
    await deploy(sandbox, replicas=2)
    rows = [[ROW | {"inputs": f"Text number {number}."}] for number in range(200)]
    answers = await asyncio.gather(*(post(client, each) for each in rows))
    assert {answer.status_code for answer in answers} == {200}
    for sent, answer in zip(rows, answers, strict=True):
        assert answer.json()[0]["in.inputs"] == sent[0]["inputs"]
        assert answer.json()[0]["out.summary_text"] == sent[0]["inputs"]
    assert sandbox.logs.row_count(TOPIC) == 200


async def test_a_kill_under_load_is_not_seen_by_any_client(client, sandbox):
    await deploy(sandbox, replicas=2)
    requests = [asyncio.create_task(post(client, [ROW])) for _ in range(200)]
    while sum(request.done() for request in requests) < 20:
        await asyncio.sleep(0.001)
    victim, _ = sandbox.fleet._deployments[7].replicas[0]
    os.kill(victim.pid, signal.SIGKILL)
    answers = await asyncio.wait_for(asyncio.gather(*requests), 20)
    assert {answer.status_code for answer in answers} == {200}


async def test_the_way_to_the_model_costs_little(client, sandbox):
    await deploy(sandbox)
    params = {"dataset[]": ["*", "metadata"], "dataset.separator": "."}
    overheads_ms = []
    for _ in range(60):
        started_s = time.perf_counter()
        (record,) = (await post(client, [ROW], params=params)).json()
        model_ms = sum(record["metadata.elapsed"]) / 1e6
        overheads_ms.append((time.perf_counter() - started_s) * 1000 - model_ms)
    # The best ones: others use this machine, too.
    assert sorted(overheads_ms)[3] < 15
