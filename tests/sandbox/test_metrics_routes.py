"""Metrics over HTTP in the process: the queries of the platform's dashboards, and refusals."""

from __future__ import annotations

import json
import math

import pytest

from dashboard.sandbox.logstore import Batch, LogStore
from dashboard.sandbox.metrics import MEMORY, Count, Kind, inference_counts, plan_labels
from dashboard.sandbox.plans import DeploymentPlan
from dashboard.sandbox.promql.evaluation import Evaluation
from dashboard.sandbox.promql.syntax import QueryError, duration_s, parse
from dashboard.vault import Vault
from tests.sandbox.conftest import open_platform

QUERY = "/v1/api/metrics/query"
RANGE = "/v1/api/metrics/query_range"
PER_SECOND = 'sum by (pipeline_name) (rate(latency_histogram_ns_count{pipeline_name="%s"}[100s]))'
MEDIAN_MS = (
    'histogram_quantile(0.50, sum(rate(latency_histogram_ns_bucket{deploy_id="%s"}[100s])) by (le))'
    " / 1e6"
)


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    """A platform whose pipeline answered 100 requests of 2 rows and 1 to 100 ms, one a second."""
    with open_platform(tmp_path_factory.mktemp("metrics") / "data", "demo") as opened:
        # Logged in here: inside of a test, passwords are hashed in another way.
        opened.headers()
        opened.invite("nobody@example.com")
        opened.headers("nobody@example.com")
        mine = my_workspace(opened)
        for number in range(100):
            infer(opened, plan(mine), ago_s=99 - number, elapsed_ms=number + 1)
        infer(opened, plan(mine, name="other", deployment_id=8), ago_s=10, elapsed_ms=5)
        infer(opened, plan(999, name="theirs", deployment_id=9), ago_s=10, elapsed_ms=5)
        yield opened


def my_workspace(platform) -> int:
    found = platform.sandbox.store.workspaces.by_name("workshop-workspace-summarization")
    return int(found["id"])


def plan(workspace_id: int, *, name: str = "hf-summarizer", deployment_id: int = 7):
    return DeploymentPlan(deployment_id, name, workspace_id, name, "version", (), {})


def infer(platform, of: DeploymentPlan, *, ago_s: int, elapsed_ms: int) -> None:
    counts = inference_counts(of, elapsed_ns=elapsed_ms * 1_000_000, row_count=2)
    time_ms = int((platform.clock.now - ago_s) * 1000)
    batch = Batch(of.topics, time_ms, [({"a": 1}, {"b": 2})] * 2, {}, counts=counts)
    platform.sandbox.logs.submit(batch).result(10)


def measure(platform, of: DeploymentPlan, value: float | None, *, pod: str, ago_s: int) -> None:
    labels = (*plan_labels(of), ("container", "engine"), ("pod", pod))
    count = Count(MEMORY, of.workspace_id, labels, value, Kind.GAUGE)
    time_s = int(platform.clock.now - ago_s)
    platform.sandbox.logs.measure([count], time_s=time_s).result(10)


def ask(platform, path: str, **parameters):
    answer = platform.http.get(path, params=parameters, headers=platform.headers())
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "success"
    return answer.json()["data"]


def number(platform, query: str, **parameters) -> float:
    """Return the value of a query with one result."""
    ((_, value),) = [
        each["value"] for each in ask(platform, QUERY, query=query, **parameters)["result"]
    ]
    return float(value)


def test_requests_per_second_are_by_pipeline(platform):
    data = ask(platform, QUERY, query=PER_SECOND % "hf-summarizer")
    assert data["resultType"] == "vector"
    (found,) = data["result"]
    assert found["metric"] == {"pipeline_name": "hf-summarizer"}
    assert found["value"] == [platform.clock.now, "1"]


@pytest.mark.parametrize("deployment", ["hf-summarizer", "7", "hf-summarizer-7"])
def test_a_deployment_is_known_by_each_of_its_names(platform, deployment):
    assert 36 < number(platform, MEDIAN_MS % deployment) < 72


@pytest.mark.parametrize(("quantile", "exact_ms"), [(0.5, 50), (0.95, 95), (0.99, 99)])
def test_quantiles_are_right_within_their_bucket(platform, quantile, exact_ms):
    query = (MEDIAN_MS % "7").replace("0.50", str(quantile))
    assert exact_ms / math.sqrt(2) < number(platform, query) < exact_ms * math.sqrt(2)


def test_rows_are_counted(platform):
    query = 'increase(tensor_throughput_batch_count{pipeline_name="hf-summarizer"}[10s])'
    assert number(platform, query) == 20


def test_the_mean_latency_is_the_sum_by_the_count(platform):
    query = (
        'rate(latency_histogram_ns_sum{deploy_id="7"}[100s])'
        ' / rate(latency_histogram_ns_count{deploy_id="7"}[100s]) / 1000000'
    )
    assert number(platform, query) == pytest.approx(50.5)


def test_a_range_has_a_value_at_every_step(platform):
    now = platform.clock.now
    for path in (RANGE, "/v1/metrics/api/v1/query_range"):
        data = ask(
            platform, path, query=PER_SECOND % "hf-summarizer", start=now - 50, end=now, step="25s"
        )
        assert data["resultType"] == "matrix"
        (series,) = data["result"]
        assert series["values"] == [[now - 50, "0.5"], [now - 25, "0.75"], [now, "1"]]


def test_a_series_begins_with_its_first_sample(platform):
    now = platform.clock.now
    query = 'latency_histogram_ns_count{pipeline_name="other"}'
    data = ask(platform, RANGE, query=query, start=now - 20, end=now, step=5)
    assert [value for _, value in data["result"][0]["values"]] == ["1", "1", "1"]


@pytest.mark.parametrize(
    ("matchers", "names"),
    [
        ("", {"hf-summarizer", "other"}),
        ('{pipeline_name="other"}', {"other"}),
        ('{pipeline_name!="other"}', {"hf-summarizer"}),
        ('{pipeline_name=~"hf-.*"}', {"hf-summarizer"}),
        ('{pipeline_name=~"summarizer"}', set()),
        ('{pipeline_name!~"hf-.*|x", namespace="other-8"}', {"other"}),
        ('{deploy_id!="8"}', {"hf-summarizer"}),
        ('{no_such_label=""}', {"hf-summarizer", "other"}),
    ],
)
def test_matchers_choose_series_and_never_those_of_other_workspaces(platform, matchers, names):
    data = ask(platform, QUERY, query=f"latency_histogram_ns_count{matchers}")
    assert {each["metric"]["pipeline_name"] for each in data["result"]} == names
    assert all(
        each["metric"]["__name__"] == "latency_histogram_ns_count" for each in data["result"]
    )


def test_a_person_of_no_workspace_is_given_nothing(platform):
    answer = platform.http.get(
        QUERY,
        params={"query": "latency_histogram_ns_count"},
        headers=platform.headers("nobody@example.com"),
    )
    assert answer.json()["data"] == {"resultType": "vector", "result": []}
    assert platform.http.get(QUERY, params={"query": "1"}).status_code == 401


def test_replicas_are_counted_while_they_run(tmp_path):
    with open_platform(tmp_path / "data", "demo") as platform:
        mine = plan(my_workspace(platform))
        measure(platform, mine, 5e6, pod="engine-a", ago_s=20)
        measure(platform, mine, 7e6, pod="engine-b", ago_s=20)
        measure(platform, mine, None, pod="engine-b", ago_s=5)
        count = (
            'count(container_memory_usage_bytes{namespace="%s", container="engine"}) or vector(0)'
        )
        running = count % "hf-summarizer-7"
        assert number(platform, running, time=platform.clock.now - 10) == 2
        assert number(platform, running) == 1
        assert number(platform, count % "unknown-1") == 0
        assert number(platform, running, time=platform.clock.now + 1000) == 0
        memory = "sum(max_over_time(container_memory_usage_bytes[1m])) by (namespace)"
        assert number(platform, memory) == 12e6


@pytest.mark.parametrize(
    ("query", "text"),
    [("1 + 2 * 3", "7"), ("-(1 / 4)", "-0.25"), ("1 / 0", "+Inf"), ("0 / 0", "NaN"),
     ("7 % 4", "3"), ("1e-9", "0.000000001"), ("10 - 2 - 3", "5")],
)  # fmt: skip
def test_numbers_are_calculated_and_never_written_with_an_exponent(platform, query, text):
    data = ask(platform, QUERY, query=query)
    assert data == {"resultType": "scalar", "result": [platform.clock.now, text]}


def test_a_range_alone_gives_its_samples(platform):
    query = 'tensor_throughput_batch_count{deploy_id="7"}[3s]'
    data = ask(platform, QUERY, query=query)
    assert data["resultType"] == "matrix"
    assert [value for _, value in data["result"][0]["values"]] == ["196", "198", "200"]


def test_an_offset_looks_back(platform):
    assert number(platform, 'latency_histogram_ns_count{deploy_id="7"} offset 50s') == 50


@pytest.mark.parametrize(("function", "rows"), [("min", 62), ("avg", 111), ("max", 160)])
@pytest.mark.parametrize("step", [":1s", ": 1s"])
def test_a_subquery_asks_at_every_step_of_some_time(platform, function, rows, step):
    summed = 'sum by (deploy_id) (tensor_throughput_batch_count{deploy_id="7"})'
    query = f"{function}_over_time({summed}[50s{step}] offset 20s)"
    assert number(platform, query) == rows


def test_a_subquery_looks_every_minute_if_it_does_not_say(platform):
    # A count goes on where it was: it began at one of the last minutes, or after the last one.
    query = 'max_over_time(sum(tensor_throughput_batch_count{deploy_id="7"})[1h:])'
    whole_minute = platform.clock.now - platform.clock.now % 60
    data = ask(platform, QUERY, query=query, time=platform.clock.now)
    counted = 2 * max(0, 100 - (platform.clock.now - whole_minute))
    assert [float(each["value"][1]) for each in data["result"]] == ([counted] if counted else [])
    assert number(platform, "avg_over_time(vector(3)[5m:])") == 3


def test_metrics_of_a_cluster_that_is_none_are_empty_and_no_error(platform):
    requested = 'wallaroo_kube_pod_resource_requests{resource=~"nvidia.com/gpu|qualcomm.com/qaic"}'
    for query in (
        f"sum({requested})",
        f"avg_over_time(sum by(namespace)({requested})[1h:] offset 1h)",
        "avg_over_time(sum by(topic) (topic_bytes)[1h:] offset 1h)",
    ):
        assert ask(platform, QUERY, query=query) == {"resultType": "vector", "result": []}


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        ("query=1%2B1", {"content-type": "application/x-www-form-urlencoded"}),
        (json.dumps({"query": "1+1", "time": 5}), {"content-type": "application/json"}),
    ],
)
def test_parameters_may_be_posted(platform, content, headers):
    answer = platform.http.post(QUERY, content=content, headers=headers | platform.headers())
    assert answer.json()["data"]["result"][1] == "2"


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "no expression found in input"),
        ("topk(3, latency_histogram_ns_count)", "unknown function with name 'topk'"),
        ("rate(latency_histogram_ns_count)", "range vector"),
        ("sum(latency_histogram_ns_count", "unexpected end of input"),
        ("latency_histogram_ns_count > 5", "unexpected '>'"),
        ("latency_histogram_ns_count{a=b}", "expected string"),
        ("latency_histogram_ns_count[5m:1m]", "a subquery is for functions of a range"),
        ("latency_histogram_ns_count[5m:][5m:]", "unexpected '['"),
        ("rate(latency_histogram_ns_count[5m:])", "no subquery there"),
        ("avg_over_time(sum(latency_histogram_ns_count)[5m])", "a subquery has a colon"),
        ("avg_over_time(sum(latency_histogram_ns_count)[5m:0s])", "greater than 0"),
        ("avg_over_time(sum(latency_histogram_ns_count)[5m:x])", "not a valid duration"),
        ("latency_histogram_ns_count[x]", "expected a duration"),
        ('{job="a"}', "must name its metric"),
        ('latency_histogram_ns_count{pipeline_name=~"("}', "error parsing regexp"),
        ("rate(latency_histogram_ns_count[0s])", "greater than 0"),
        ("(" * 500 + "1", "too deeply"),
        ("-" * 5000 + "latency_histogram_ns_count or 1", "got scalar"),
        ("1+" * 4000 + "1", "more than 100 operators"),
        ("histogram_quantile(0.5)", "expected 2 argument"),
        ("1 or 2", "got scalar"),
        ("sum(1)", "got scalar"),
        ("€", "unexpected character"),
    ],
)  # fmt: skip
def test_what_it_does_not_know_is_refused_as_prometheus_does(platform, query, reason):
    answer = platform.http.get(QUERY, params={"query": query}, headers=platform.headers())
    assert answer.status_code == 400
    body = answer.json()
    assert (body["status"], body["errorType"]) == ("error", "bad_data")
    assert body["error"].startswith('invalid parameter "query": ')
    assert reason in body["error"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"start": ""}, 'invalid parameter "start"'),
        ({"end": "yesterday"}, 'invalid parameter "end"'),
        ({"end": "5"}, "end timestamp must not be before start time"),
        ({"step": "0"}, "zero or negative"),
        ({"step": "x"}, "to a valid duration"),
        ({"step": "nan"}, "zero or negative"),
        ({"start": "inf"}, 'invalid parameter "start"'),
        ({"end": "99999999"}, "11,000 points"),
    ],
)
def test_a_wrong_span_of_time_is_refused(platform, changed, reason):
    parameters = {"query": "1", "start": "1000", "end": "2000", "step": "10"} | changed
    answer = platform.http.get(RANGE, params=parameters, headers=platform.headers())
    assert answer.status_code == 400
    assert reason in answer.json()["error"]


def test_a_query_that_would_take_too_long_is_refused(platform, monkeypatch):
    monkeypatch.setattr("dashboard.sandbox.promql.evaluation._MOST_LOOK_UPS", 100)
    parameters = {"query": "latency_histogram_ns_bucket", "start": "0", "end": "900", "step": "1"}
    answer = platform.http.get(RANGE, params=parameters, headers=platform.headers())
    assert answer.status_code == 422
    assert answer.json()["errorType"] == "execution"
    for query in ("avg_over_time(vector(1)[101m:])", "avg_over_time(nothing[100y:1ms])"):
        answer = platform.http.get(QUERY, params={"query": query}, headers=platform.headers())
        assert (answer.status_code, answer.json()["errorType"]) == (422, "execution")


def test_a_body_that_is_no_object_is_refused(platform):
    for content in (b"[1]", b"{", b"\xff"):
        answer = platform.http.post(QUERY, content=content, headers=platform.headers())
        assert answer.status_code == 400
        assert answer.json()["errorType"] == "bad_data"


def test_what_was_counted_outlives_the_process_and_gauges_end(tmp_path):
    of = plan(1)
    store = LogStore(tmp_path / "logs.db", Vault(b"k" * 32))
    counts = inference_counts(of, elapsed_ns=10**6, row_count=1)
    store.submit(Batch(of.topics, 5_000_000_000, [({}, {})], {}, counts=counts)).result(10)
    gauge = Count(MEMORY, 1, plan_labels(of), 5.0, Kind.GAUGE)
    store.measure([gauge], time_s=5_000_000).result(10)
    store.close()
    store = LogStore(tmp_path / "logs.db", Vault(b"k" * 32))
    store.begin_measuring(time_s=5_000_010).result(10)

    def value(query: str) -> object:
        def read(metric, span_s, wanted):
            return store.series(metric, workspace_ids=[1], span_s=span_s, wanted=wanted)

        return Evaluation(parse(query), [5_000_010.0], read).at(5_000_010.0)

    assert value("sum(increase(latency_histogram_ns_count[1m]))") == [((), 1.0)]
    assert value(MEMORY) == []
    store.begin_measuring(time_s=5_000_000 + 20 * 86_400).result(10)
    assert value("sum(increase(latency_histogram_ns_count[1m]))") == []
    store.close()


@pytest.mark.parametrize(
    ("text", "seconds"), [("5m", 300), ("1h30m", 5400), ("250ms", 0.25), ("1d", 86400)]
)
def test_durations(text, seconds):
    assert duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "5 m", "1.5h"])
def test_no_durations(text):
    with pytest.raises(QueryError):
        duration_s(text)
