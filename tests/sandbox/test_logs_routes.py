"""The log routes over HTTP in the process."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import httpx
import pyarrow as pa
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from dashboard.sandbox.errors import EXCEPTION_HANDLERS
from dashboard.sandbox.logstore import Batch, LogStore, Row
from dashboard.sandbox.routes import logs
from dashboard.vault import Vault

pytestmark = pytest.mark.anyio

HANDLERS: Any = dict(EXCEPTION_HANDLERS)  # Any: the framework's own type differs by release

TOPIC = "workspace-1-pipeline-hf-summarizer-inference"
RECORDS = f"/v1/logs/topic/{TOPIC}/records"
START_MS = 1_795_355_000_000
NEWEST = {"page_size": "100", "order": "desc"}
METADATA = {
    "last_model": '{"model_name":"m","model_sha":"s"}',
    "pipeline_version": "v",
    "elapsed": [10, 2**40],
    "dropped": [],
    "partition": "engine-a",
}


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def store(tmp_path):
    made = LogStore(tmp_path / "logs.db", Vault(b"k" * 32))
    yield made
    made.close()


@pytest.fixture
async def client(store):
    async with client_of(store, "ann") as made:
        yield made


def client_of(store, user_id: str) -> httpx.AsyncClient:
    entries = [Route(each.path, each.endpoint, methods=[each.method]) for each in logs.ROUTES]
    app = Starlette(routes=entries, exception_handlers=HANDLERS)
    platform = SimpleNamespace(
        topic_exists=lambda topic: topic in {TOPIC, "workspace-9-pipeline-theirs-inference"},
        workspaces=Workspaces(),
        models=SimpleNamespace(find=lambda _, name: {} if name == "m" else None),
        pipelines=SimpleNamespace(
            find=lambda _, name: {} if name in {"hf-summarizer", "empty"} else None
        ),
    )
    app.state.sandbox = SimpleNamespace(logs=store, store=platform)
    transport = httpx.ASGITransport(signed_in(app, user_id))
    return httpx.AsyncClient(transport=transport, base_url="http://sandbox")


class Workspaces:
    """The sender is in these workspaces."""

    ids = (1, 2)

    def get(self, workspace_id: int) -> dict[str, int] | None:
        return {"id": workspace_id} if workspace_id < 10 else None

    def is_member(self, workspace_id: int, user_id: str) -> bool:
        return user_id == "ann" and workspace_id in self.ids

    def of_user(self, user_id: str) -> list[dict[str, int]]:
        return [{"id": each} for each in self.ids if user_id == "ann"]


def signed_in(app: Any, user_id: str) -> Any:  # Any: an ASGI application
    """Do what the token check does: say who sends."""

    async def call(scope, receive, send):
        scope.setdefault("state", {})["user"] = SimpleNamespace(user_id=user_id)
        await app(scope, receive, send)

    return call


def write(store, count: int, *, step_ms: int = 1000, **inputs) -> None:
    futures = [
        store.submit(
            Batch(
                (TOPIC,),
                START_MS + number * step_ms,
                [({"inputs": f"text {number}"} | inputs, {"summary_text": f"short {number}"})],
                METADATA,
            )
        )
        for number in range(count)
    ]
    for future in futures:
        future.result(10)


async def read(client, params, *, iterator=None, url=RECORDS):
    """Return the table and the status of one page, flat as the SDK asks for it."""
    if params is not None:
        params = {"dataset.separator": "."} | params
    answer = await client.post(url, params=params, json=iterator or {})
    assert answer.status_code == 200, answer.text
    with pa.ipc.open_file(answer.content) as reader:
        table = reader.read_all()
    return table, json.loads(table.schema.metadata[b"status"])


def iso(time_ms: float) -> str:
    return datetime.fromtimestamp(time_ms / 1000, tz=UTC).isoformat()


async def test_the_newest_rows_come_first_with_every_column(client, store):
    write(store, 3)
    table, status = await read(client, NEWEST)
    assert table.column_names == [
        "time",
        "in.inputs",
        "out.summary_text",
        "anomaly.count",
        "metadata.last_model",
        "metadata.pipeline_version",
        "metadata.elapsed",
        "metadata.dropped",
        "metadata.partition",
    ]
    assert table["out.summary_text"].to_pylist() == ["short 2", "short 1", "short 0"]
    assert status == {"status": "All", "next": None}


async def test_the_columns_have_the_types_of_the_wire(client, store):
    write(store, 1)
    table, _ = await read(client, NEWEST)
    types = {field.name: str(field.type) for field in table.schema}
    assert types["time"] == "int64"
    assert types["anomaly.count"] == "uint32"
    assert types["metadata.elapsed"] == "list<item: uint64>"
    assert types["metadata.dropped"] == "list<item: string>"
    # The SDK reads the first row of the first chunk without looking.
    assert len(table["metadata.dropped"].flatten()[0][0]) == 0


async def test_more_than_a_page_is_record_limited(client, store):
    write(store, 12)
    table, status = await read(client, {"page_size": "10", "order": "desc"})
    assert table.num_rows == 10
    assert status["status"] == "RecordLimited"
    rest, status = await read(client, {"page_size": "10", "order": "desc"}, iterator=status["next"])
    assert rest["out.summary_text"].to_pylist() == ["short 1", "short 0"]
    assert status == {"status": "All", "next": None}


async def test_a_window_is_oldest_first_and_a_thousand_rows(client, store):
    write(store, 1005)
    window = {"time.start": iso(START_MS), "time.end": iso(START_MS + 10**9)}
    table, status = await read(client, window)
    assert table.num_rows == 1000
    assert table["out.summary_text"][0].as_py() == "short 0"
    assert status["status"] == "RecordLimited"


async def test_a_bound_inside_a_millisecond_takes_the_whole_of_it(client, store):
    write(store, 3)
    inside = iso(START_MS + 1000).replace("+00:00", ".000400+00:00")
    window = {"time.start": inside, "time.end": inside}
    table, _ = await read(client, window)
    assert table["out.summary_text"].to_pylist() == ["short 1"]


async def test_a_zone_that_was_not_encoded_is_understood(client, store):
    write(store, 1)
    query = f"time.start={iso(START_MS)}&time.end={iso(START_MS + 1)}"
    assert "+" in query
    table, _ = await read(client, None, url=f"{RECORDS}?{query}")
    assert table.num_rows == 1


async def test_a_limit_of_zero_is_a_valid_empty_file(client, store):
    write(store, 3)
    table, status = await read(client, {"page_size": "0", "order": "desc"})
    assert table.num_rows == 0
    assert status["status"] == "RecordLimited"


@pytest.mark.parametrize("topic", [TOPIC, f"{TOPIC}-failures"])
async def test_an_empty_log_is_a_valid_file_with_a_time_column(client, topic):
    table, status = await read(client, NEWEST, url=f"/v1/logs/topic/{topic}/records")
    assert table.num_rows == 0
    assert table.schema.field("time").type == pa.int64()
    assert "anomaly.count" in table.column_names
    # The SDK would read the first row of this column.
    assert "metadata.dropped" not in table.column_names
    assert status == {"status": "All", "next": None}


async def test_the_failures_stay_empty_although_there_are_rows(client, store):
    write(store, 2)
    table, _ = await read(client, NEWEST, url=f"/v1/logs/topic/{TOPIC}-failures/records")
    assert table.num_rows == 0


async def test_an_unknown_topic_is_a_404(client):
    for url in ("/v1/logs/topic/nope/records", "/v1/logs/topic/nope-failures/records"):
        answer = await client.post(url, json={})
        assert answer.status_code == 404
        assert answer.json() == {"msg": "no topic", "code": 404}
    assert (await client.get("/v1/logs/topic/nope")).status_code == 404


async def test_a_models_log_is_the_one_of_the_senders_workspace(client, store):
    for workspace, text in ((9, "theirs"), (2, "ours")):
        topic = f"workspace-{workspace}-model-m-inference"
        row: Row = ({"inputs": text}, {})
        store.submit(Batch((topic,), START_MS, [row], METADATA)).result(5)
    table, _ = await read(client, NEWEST, url="/v1/logs/topic/model-m-inference/records")
    assert table["in.inputs"].to_pylist() == ["ours"]


async def test_the_log_of_a_model_that_never_ran_is_empty(client):
    table, _ = await read(client, NEWEST, url="/v1/logs/topic/model-m-inference/records")
    assert table.num_rows == 0
    answer = await client.post("/v1/logs/topic/model-other-inference/records", json={})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "topic", ["workspace-9-pipeline-theirs-inference", "workspace-9-model-m-inference"]
)
async def test_the_log_of_somebody_elses_workspace_is_a_404(client, store, topic):
    store.submit(Batch((topic,), START_MS, [({}, {})], METADATA)).result(5)
    for url in (topic, f"{topic}-failures"):
        assert (await client.post(f"/v1/logs/topic/{url}/records", json={})).status_code == 404
        assert (await client.get(f"/v1/logs/topic/{url}")).status_code == 404


async def test_who_is_in_no_workspace_reads_no_log(client, store):
    write(store, 1)
    async with client_of(store, "bob") as bob:
        assert (await bob.post(RECORDS, json={})).status_code == 404
    assert (await client.post(RECORDS, json={})).status_code == 200


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"dataset[]": ["out"]}, ["out.summary_text"]),
        ({"dataset[]": ["time", "metadata.elapsed"]}, ["time", "metadata.elapsed"]),
        (
            {"dataset[]": ["*"], "dataset.exclude[]": ["metadata", "in"]},
            ["time", "out.summary_text", "anomaly.count"],
        ),
    ],
)
async def test_the_dataset_parameters_choose_columns(client, store, params, expected):
    write(store, 1)
    table, _ = await read(client, NEWEST | params)
    assert table.column_names == expected


async def test_a_change_of_outputs_ends_the_page_and_says_so(client, store):
    write(store, 2)
    other: Row = ({"inputs": "text"}, {"score": 0.5})
    store.submit(Batch((TOPIC,), START_MS + 9000, [other], METADATA)).result(5)
    table, status = await read(client, NEWEST)
    assert table["out.score"].to_pylist() == [0.5]
    assert status["status"] == "SchemaChange"
    table, status = await read(client, NEWEST, iterator=status["next"])
    assert table["out.summary_text"].to_pylist() == ["short 1", "short 0"]
    assert status == {"status": "All", "next": None}


async def test_a_column_of_some_rows_is_null_in_the_others(client, store):
    write(store, 1)
    write(store, 1, step_ms=1, index=5)
    table, _ = await read(client, {"page_size": "100"})
    assert table["in.index"].to_pylist() == [None, 5]


async def test_raw_logs_begin_at_the_partitions_offsets(client, store):
    write(store, 30)
    answer = await client.get(f"/v1/logs/topic/{TOPIC}")
    (name, span), *others = answer.json()["partitions"].items()
    assert (span, others) == ({"start": 0, "end": 30}, [])
    table, status = await read(client, {"page_size": "5"}, iterator={name: span["end"] - 5})
    assert table["out.summary_text"].to_pylist() == [f"short {n}" for n in range(25, 30)]
    assert status["next"] is None


async def test_an_empty_topic_has_no_partitions(client):
    assert (await client.get(f"/v1/logs/topic/{TOPIC}")).json() == {"partitions": {}}


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"page_size": "-1"}, "page_size"),
        ({"page_size": "many"}, "page_size"),
        ({"order": "sideways"}, "order"),
        ({"time.start": "yesterday", "time.end": "today"}, "time.start"),
    ],
)
async def test_a_wrong_parameter_is_a_400_that_names_it(client, params, field):
    answer = await client.post(RECORDS, params=params, json={})
    assert answer.status_code == 400
    assert answer.json()["msg"].startswith(field)


@pytest.mark.parametrize("iterator", [{"p0": -1}, {"p0": "x"}, {"p0": 2**63}, [1], {"p0": True}])
async def test_a_wrong_iterator_is_a_400(client, iterator):
    assert (await client.post(RECORDS, json=iterator)).status_code == 400


async def test_values_without_a_common_type_are_given_as_text(client, store):
    for value in (1, "two", [3], 2**80, "\ud800"):
        row: Row = ({"value": value}, {})
        store.submit(Batch((TOPIC,), START_MS, [row], METADATA)).result(5)
    table, _ = await read(client, {"page_size": "100"})
    assert table["in.value"].to_pylist() == ["1", "two", "[3]", str(2**80), "?"]


async def test_without_a_separator_a_page_is_nested_as_raw_logs_are_read(client, store):
    write(store, 2)
    answer = await client.post(RECORDS, params={"dataset[]": "*"}, json={})
    with pa.ipc.open_file(answer.content) as reader:
        table = reader.read_all()
    assert table.column_names == ["time", "in", "out", "anomaly", "metadata"]
    (first, _) = table.to_pylist()
    assert first["in"] == {"inputs": "text 0"}
    assert json.loads(first["metadata"]["last_model"])["model_name"] == "m"


async def test_the_log_of_failures_says_what_failed(client, store):
    topic = f"{TOPIC}-failures"
    rows: list[Row] = [({"inputs": 5}, {})]
    failed = Batch((topic,), START_MS, rows, METADATA, error="column 'inputs' is no text")
    store.submit(failed).result(5)
    table, status = await read(client, NEWEST, url=f"/v1/logs/topic/{topic}/records")
    assert table["in.inputs"].to_pylist() == [5]
    assert table["error"].to_pylist() == ["column 'inputs' is no text"]
    assert status["status"] == "All"


async def test_a_change_of_an_outputs_type_ends_the_page_one_of_an_input_does_not(client, store):
    def log(number: int, **types: str) -> None:
        row: Row = ({"tensor": [0.5]}, {"variable": [1]})
        named = {name.replace("_", "."): kind for name, kind in types.items()}
        batch = Batch((TOPIC,), START_MS + number, [row], METADATA, types=named)
        store.submit(batch).result(5)

    log(0, out_variable="list<int64>")
    log(1, out_variable="list<float32>")
    log(2, out_variable="list<float32>", in_tensor="list<float>")
    table, status = await read(client, NEWEST)
    assert status["status"] == "SchemaChange"
    floats = pa.list_(pa.field("inner", pa.float32(), nullable=False))
    assert table.schema.field("out.variable").type == floats
    assert table.schema.field("in.tensor").type == pa.list_(pa.float32())
    table, status = await read(client, NEWEST, iterator=status["next"])
    assert (table.num_rows, status["status"]) == (1, "All")


async def test_pages_with_and_without_nulls_have_one_schema(client, store):
    for number, value in enumerate(("a", None)):
        row: Row = ({"inputs": "text"}, {"summary_text": value})
        types = {"out.summary_text": "string"}
        store.submit(Batch((TOPIC,), START_MS + number, [row], METADATA, types=types)).result(5)
    query = {"page_size": "1"}
    first, status = await read(client, query)
    second, _ = await read(client, query, iterator=status["next"])
    assert first.schema == second.schema


async def test_a_page_too_large_is_byte_limited_and_goes_on(client, store):
    write(store, 12, padding="x" * 2**20)
    seen = []
    iterator: dict[str, int] | None = {}
    statuses = []
    while iterator is not None:
        table, status = await read(client, {"page_size": "100"}, iterator=iterator)
        seen += table["out.summary_text"].to_pylist()
        statuses.append(status["status"])
        iterator = status["next"]
    assert seen == [f"short {number}" for number in range(12)]
    assert statuses == ["ByteLimited", "All"]


async def test_a_huge_limit_gives_all_there_is(client, store):
    write(store, 30)
    for size in ("100000000", "9" * 40):
        table, status = await read(client, {"page_size": size, "order": "desc"})
        assert (table.num_rows, status["status"]) == (30, "All")


# --- pipelines/get_logs ----------------------------------------------------------------------


async def get_logs(client, **changed):
    body = {"pipeline_name": "hf-summarizer", "workspace_id": 1} | changed
    return await client.post("/v1/api/pipelines/get_logs", json=body)


async def test_get_logs_gives_nested_records_oldest_first(client, store):
    write(store, 3)
    answer = await get_logs(client)
    assert [row["out"]["summary_text"] for row in answer.json()] == [f"short {n}" for n in range(3)]
    (first, *_) = answer.json()
    assert list(first) == ["time", "in", "out", "anomaly", "metadata"]
    assert answer.headers["x-iteration-status"] == "All"
    assert "x-iteration-cursor" not in answer.headers
    newest = (await get_logs(client, order="Desc", page_size=1)).json()
    assert newest[0]["out"]["summary_text"] == "short 2"


async def test_a_cursor_goes_on_with_the_whole_query(client, store):
    write(store, 7)
    answer = await get_logs(
        client,
        page_size=2,
        order="desc",
        start_time=iso(START_MS + 1000),
        end_time=iso(START_MS + 5000),
    )
    seen = [row["out"]["summary_text"] for row in answer.json()]
    while "x-iteration-cursor" in answer.headers:
        assert answer.headers["x-iteration-status"] == "RecordLimited"
        answer = await get_logs(client, cursor=answer.headers["x-iteration-cursor"])
        seen += [row["out"]["summary_text"] for row in answer.json()]
    assert seen == [f"short {number}" for number in (5, 4, 3, 2, 1)]


async def test_get_logs_gives_arrow_to_who_accepts_it(client, store):
    write(store, 2)
    answer = await client.post(
        "/v1/api/pipelines/get_logs",
        json={"pipeline_name": "hf-summarizer", "workspace_id": 1},
        headers={"accept": "application/vnd.apache.arrow.file"},
    )
    with pa.ipc.open_file(answer.content) as reader:
        table = reader.read_all()
    assert [row["out"]["summary_text"] for row in table.to_pylist()] == ["short 0", "short 1"]


@pytest.mark.parametrize(
    ("changed", "status", "msg"),
    [
        ({"pipeline_name": "no such"}, 404, "not found"),
        ({"workspace_id": 77}, 404, "not found"),
        ({"workspace_id": 9}, 403, "not a member"),
        ({"workspace_id": "1"}, 400, "workspace_id"),
        ({"pipeline_name": None}, 400, "pipeline_name"),
        ({"page_size": -1}, 400, "page_size"),
        ({"order": "sideways"}, 400, "order"),
        ({"start_time": "2026-11-23T00:00:00Z"}, 400, "together"),
        ({"start_time": "x", "end_time": "y"}, 400, "start_time"),
        ({"cursor": "x"}, 400, "cursor"),
        ({"cursor": "W10="}, 400, "cursor"),
        ({"cursor": "\u00e9"}, 400, "cursor"),
    ],
)
async def test_get_logs_refuses_what_is_wrong_and_says_what(client, changed, status, msg):
    answer = await get_logs(client, **changed)
    assert answer.status_code == status
    assert msg in answer.json()["msg"]
    assert answer.json()["code"] == status


async def test_get_logs_of_a_pipeline_that_never_ran_is_an_empty_list(client):
    answer = await get_logs(client, pipeline_name="empty")
    assert (answer.status_code, answer.json()) == (200, [])
