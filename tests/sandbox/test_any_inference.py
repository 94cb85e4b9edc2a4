"""Whatever is sent to an engine, asked of a log or queried of the metrics is answered.

Never with a status that is not meant, in the form the caller can read, with a real engine behind.
"""

from __future__ import annotations

import io
import json
import math
import time
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dashboard.sandbox.plans import DeploymentPlan, StepPlan
from tests.sandbox.conftest import open_platform

ARROW = "application/vnd.apache.arrow.file"
URL = "/v1/api/pipelines/infer/hf-summarizer-7/hf-summarizer"
ROW = {
    "inputs": "Ann sells maps.",
    "return_text": True,
    "return_tensors": False,
    "clean_up_tokenization_spaces": False,
}
QUIET = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

texts = st.text(st.characters(exclude_categories=[]), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
fitting = st.dictionaries(texts, values, max_size=3).map(lambda more: more | ROW)
bodies = st.one_of(
    st.binary(max_size=30),
    values.map(lambda value: json.dumps(value).encode()),
    st.lists(fitting, max_size=3).map(lambda rows: json.dumps(rows).encode()),
    st.lists(fitting | values, max_size=3).map(lambda rows: json.dumps(rows).encode()),
)
#: What stands in a header is text of one byte a character.
header_texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=10)
media_types = st.sampled_from(
    ["application/json", "application/json; format=wallaroo", ARROW, "", "text/csv", "a/b;c=d"]
)
datasets = st.sampled_from(
    ["*", "in", "out", "time", "metadata", "metadata.elapsed", "in.inputs", "", "anomaly", "."]
)
separators = st.none() | st.sampled_from([".", "", ":", "__"]) | texts
moments = st.sampled_from(
    ["2026-11-23T00:00:00Z", "2026-11-23", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59",
     "", "now", "-1"]
) | texts  # fmt: skip
NAMES = ("latency_histogram_ns_count", "latency_histogram_ns_bucket", "vector", "rate", "sum by")
tokens = st.sampled_from(
    [*NAMES, "(", ")", "[5m]", "{", "}", 'le="1"', "=~", '"(a+)+$"', ",", "by (le)", "0.5", "1",
     "+", "/", "-", "or", "offset 1h", "histogram_quantile(", "sum(", "count("]
)  # fmt: skip


def parameters(include: Any, exclude: Any, separator: str | None) -> list[tuple[str, str]]:
    pairs = [("dataset[]", each) for each in include]
    pairs += [("dataset.exclude[]", each) for each in exclude]
    return pairs + ([] if separator is None else [("dataset.separator", separator)])


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    """A platform with one pipeline that runs, and rows in its log."""
    with open_platform(tmp_path_factory.mktemp("any") / "data", "demo") as opened:
        opened.headers()
        found = opened.sandbox.store.workspaces.by_name("workshop-workspace-summarization")
        assert found is not None
        step = StepPlan("hf-summarizer", 1, "v", "ee", "hugging-face-summarization", "flight")
        plan = DeploymentPlan(7, "hf-summarizer", found["id"], "hf-summarizer", "v", (step,), {})
        fleet = opened.sandbox.fleet
        assert opened.http.portal is not None
        opened.http.portal.call(fleet.deploy, plan)
        deadline_s = time.monotonic() + 60
        while (fleet.status(7) or {}).get("status") != "Running":
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
        for number in range(5):
            row = ROW | {f"column {number}": number}
            assert send(opened, json.dumps([row]).encode()).status_code == 200
        yield opened


def send(platform, body: bytes, *, headers: Any = None, params: Any = ()):
    return platform.http.post(
        URL, content=body, headers=(headers or {}) | platform.headers(), params=list(params)
    )


def sendable(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the parameters that a client can put into an address."""
    return [(name, text) for name, text in pairs if text.encode("utf-8", "ignore").decode() == text]


def ipc(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def check_form(answer: Any, statuses: set[int]) -> None:
    assert answer.status_code in statuses, (answer.status_code, answer.text[:300])
    if answer.content[:6] == b"ARROW1":
        with pa.ipc.open_file(answer.content) as reader:
            reader.read_all().validate(full=True)
        return
    value = json.loads(answer.content, parse_constant=pytest.fail)
    if answer.status_code != 200:
        assert set(value) in (
            {"code", "status", "error", "source"},
            {"msg", "code"},
            {"status", "errorType", "error"},
        )


@QUIET
@given(
    body=bodies,
    media=st.tuples(media_types | header_texts, media_types | header_texts),
    include=st.lists(datasets | texts, max_size=3),
    exclude=st.lists(datasets | texts, max_size=2),
    separator=separators,
)
@example(
    body=b'[{"inputs":"\xed\xa0\x80"}]', media=("", ""), include=[], exclude=[], separator=None
)
@example(body=b"[" * 100_000, media=("", ""), include=[], exclude=[], separator=".")
def test_any_body_is_answered(platform, *, body, media, include, exclude, separator):
    sent_as, accept = media
    answer = send(
        platform,
        body,
        headers={"content-type": sent_as, "accept": accept},
        params=sendable(parameters(include, exclude, separator)),
    )
    check_form(answer, {200, 400})


def arrays(count: int):
    """Return a strategy of Arrow arrays of so many rows, of any type users send."""
    numbers = st.integers(-(2**31), 2**31 - 1)
    kinds = [
        (pa.int8(), st.integers(-128, 127)),
        (pa.uint64(), st.integers(0, 2**64 - 1)),
        (pa.float32(), st.floats(width=32, allow_nan=False)),
        (pa.float64(), st.floats()),
        (pa.string(), st.text(max_size=5)),
        (pa.large_string(), st.text(max_size=5)),
        (pa.binary(), st.binary(max_size=5)),
        (pa.bool_(), st.booleans()),
        (pa.date32(), st.dates()),
        (pa.time64("us"), st.times()),
        (pa.timestamp("us", tz="Europe/Rome"), st.integers(0, 2**50)),
        (pa.timestamp("ns"), st.integers(0, 2**60)),
        (pa.duration("s"), numbers),
        (pa.list_(pa.float32()), st.lists(st.floats(width=32, allow_nan=False), max_size=3)),
        (pa.list_(pa.list_(pa.int32())), st.lists(st.lists(numbers, max_size=2), max_size=2)),
        (pa.struct([("a", pa.int64())]), st.fixed_dictionaries({"a": st.none() | numbers})),
        (pa.null(), st.none()),
    ]
    return st.sampled_from(kinds).flatmap(
        lambda kind: st.lists(st.none() | kind[1], min_size=count, max_size=count).map(
            lambda found: pa.array(found, kind[0])
        )
    )


@QUIET
@given(st.data(), st.integers(0, 3), separators)
def test_any_table_comes_back_as_it_was_sent(platform, data, count, separator):
    table = pa.table({name: [value] * count for name, value in ROW.items()})
    names = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
    more = data.draw(
        st.dictionaries(names.filter(lambda name: name not in ROW), arrays(count), max_size=3)
    )
    for name, array in more.items():
        table = table.append_column(name, array)
    answer = send(
        platform,
        ipc(table),
        headers={"content-type": ARROW, "accept": ARROW},
        params=sendable(parameters(["*"], [], separator)),
    )
    check_form(answer, {200, 400} if count else {200})
    if answer.status_code == 400:
        # A time Python cannot hold, such as one before the year 1, is refused by name.
        assert "cannot be read" in answer.json()["error"]
        return
    if separator == "." and count:
        with pa.ipc.open_file(answer.content) as reader:
            found = reader.read_all()
        for name, array in more.items():
            assert found.schema.field(f"in.{name}").type == array.type
            assert plain(found[f"in.{name}"].to_pylist()) == plain(array.to_pylist())
        check_log(platform)


def plain(found: list[Any]) -> list[Any]:
    """Return the values with every NaN made equal to itself."""
    return ["NaN" if isinstance(each, float) and math.isnan(each) else each for each in found]


def check_log(platform) -> None:
    (topic,) = (
        each for each in topics(platform) if each.endswith("pipeline-hf-summarizer-inference")
    )
    answer = platform.http.post(
        f"/v1/logs/topic/{topic}/records",
        json={},
        params=[("page_size", "5"), ("order", "desc"), ("dataset.separator", ".")],
        headers=platform.headers(),
    )
    check_form(answer, {200})


def topics(platform) -> list[str]:
    found = platform.sandbox.store.workspaces.by_name("workshop-workspace-summarization")
    topic = f"workspace-{found['id']}-pipeline-hf-summarizer-inference"
    return [topic, f"{topic}-failures", "model-hf-summarizer-inference"]


@QUIET
@given(
    topic=st.integers(0, 2),
    size=st.sampled_from(["", "0", "1", "-1", "99999999999999999999", "²"]) | texts,
    order=st.sampled_from(["asc", "desc", "", "up"]),
    span=st.tuples(st.none() | moments, st.none() | moments),
    include=st.lists(datasets | texts, max_size=3),
    separator=separators,
    iterator=st.just(b"{}")
    | values.map(lambda value: json.dumps(value).encode())
    | st.binary(max_size=9)
    | st.integers(-3, 2**64).map(lambda offset: json.dumps({"p0": offset}).encode()),
)
def test_any_question_to_a_log_is_answered(
    platform, *, topic, size, order, span, include, separator, iterator
):
    start, end = span
    pairs = [("page_size", size), ("order", order), ("time.start", start), ("time.end", end)]
    pairs = [(name, text) for name, text in pairs if text is not None]
    answer = platform.http.post(
        f"/v1/logs/topic/{topics(platform)[topic]}/records",
        content=iterator,
        params=sendable(pairs + parameters(include, [], separator)),
        headers=platform.headers(),
    )
    check_form(answer, {200, 400})


@QUIET
@given(
    st.fixed_dictionaries(
        {"pipeline_name": st.just("hf-summarizer") | values},
        optional={
            "workspace_id": st.integers(0, 2**65) | values,
            "order": st.sampled_from(["Asc", "Desc"]) | values,
            "cursor": texts | st.sampled_from(["W10=", "WzAsdHJ1ZSwxLG51bGwsbnVsbF0="]),
            "page_size": st.integers() | values,
            "start_time": moments | values,
            "end_time": moments | values,
        },
    ),
    st.booleans(),
)
def test_any_body_of_get_logs_is_answered(platform, body, is_mine):
    if is_mine:
        workspaces = platform.sandbox.store.workspaces
        body["workspace_id"] = workspaces.by_name("workshop-workspace-summarization")["id"]
    answer = platform.http.post(
        "/v1/api/pipelines/get_logs", content=json.dumps(body), headers=platform.headers()
    )
    check_form(answer, {200, 400, 403, 404})


@QUIET
@given(
    st.lists(tokens, max_size=9).map(" ".join) | texts,
    st.sampled_from(["query", "query_range"]),
    st.dictionaries(
        st.sampled_from(["time", "start", "end", "step"]),
        moments | st.floats().map(str) | st.integers().map(str), max_size=4,
    ),
)  # fmt: skip
def test_any_query_of_metrics_is_answered(platform, query, path, more):
    answer = platform.http.post(
        f"/v1/api/metrics/{path}",
        content=json.dumps({"query": query} | more),
        headers=platform.headers(),
    )
    check_form(answer, {200, 400, 422})
