"""Runs whose platform fails on the way: each row ends right or failed with a plain reason."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pyarrow as pa
import pytest

from dashboard.domain.pipeline import Pipeline
from dashboard.domain.run import RowState, Run, RunState
from dashboard.domain.table import Passport
from dashboard.services.runs import RunSettings
from tests.contract.running import Desk, Platform, opened_desk, opened_platform
from tests.support.launcher import process_tree
from tests.support.proxy import Break, Fault, Proxy, Reply, running_proxy
from tests.support.sandbox import RunningSandbox, client, running_sandbox
from tests.support.waiting import wait_until

SETTINGS = RunSettings(
    row_timeout_s=0.7, first_pause_s=0.1, longest_pause_s=0.3, give_up_after_s=20.0
)
TEXTS = [f"Shop {number} sold {number * 7} loaves on market day." for number in range(24)]
HIT = set(TEXTS[5::6])
ANSWER = b'[{"time":1795355056259,"out.summary_text":"x","anomaly.count":0}]'


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory) -> Iterator[RunningSandbox]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture(scope="module")
def proxy(sandbox: RunningSandbox) -> Iterator[Proxy]:
    with running_proxy(sandbox.url) as running:
        yield running


@pytest.fixture(scope="module")
def platform(sandbox: RunningSandbox, proxy: Proxy) -> Iterator[Platform]:
    with opened_platform(sandbox, proxy.url) as platform:
        yield platform


@pytest.fixture(scope="module")
def pipeline(platform: Platform) -> Pipeline:
    return platform.deploy(2)


@pytest.fixture
def desk(platform: Platform, proxy: Proxy, tmp_path: Path) -> Iterator[Desk]:
    with opened_desk(platform, tmp_path, settings=SETTINGS) as desk:
        yield desk
    proxy.fault_for = lambda _text, _before: None
    proxy.inferences.clear()


def reasons(desk: Desk, run: Run) -> dict[str, str]:
    """Return why rows failed, by their text, after checking that all others are right."""
    failed = {}
    for row in desk.runs.rows(desk.platform.who, run.run_id, limit=run.rows_total):
        if row.state is RowState.FAILED:
            failed[row.input_text] = row.error
        else:
            assert (row.state, row.summary) == (RowState.DONE, row.input_text)
    return failed


def is_plain(reason: str) -> bool:
    odd = ("Traceback", "Error(", "httpx", "Bearer", "<html", "loaves", "\n", "0x")
    return 10 < len(reason) < 300 and not any(each in reason for each in odd)


def complete(desk: Desk, run: Run) -> None:
    """Try the failed rows again until all are right."""
    desk.runs.retry_failed(desk.platform.who, run.run_id)
    ended = desk.ended(run)
    assert (ended.state, ended.rows_done, ended.rows_failed) == (RunState.DONE, len(TEXTS), 0)
    assert reasons(desk, ended) == {}


def hits(fault: Fault, *, times: int) -> Callable[[str, int], Fault]:
    return lambda text, before: fault if text in HIT and before < times else None


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        (Reply(500, b'{"code":500,"status":"Error","error":"out of memory","source":"e"}'), "memo"),
        (Reply(500, b"<html><h1>Internal Server Error</h1></html>", "text/html"), "500"),
        (Reply(500, b""), "500"),
        (Reply(422, b'{"code":422,"status":"Error","error":"a field is missing"}'), "field"),
        (Reply(200, ANSWER[:30]), "answer"),
        (Reply(200, b"<html>Please sign in</html>", "text/html"), "answer"),
        (Reply(200, b""), "answer"),
        (Reply(200, b"null"), "answer"),
        (Reply(200, b"[]"), "answer"),
        (Reply(200, b'{"rows": 3}'), "answer"),
        (Reply(200, b'[{"out.summary_text": 3}]'), "answer"),
        (Reply(200, b'[{"out.summary_text": {"a": ["b"]}}]'), "answer"),
        (Reply(200, b'[{"time": "x", "out.summary_text": "y"}, 3]'), "answer"),
        (Reply(200, b'["x"]'), "answer"),
        (Reply(200, b"\xff\xfe\x00garbage"), "answer"),
        (Break.HANG, "0.7 s"),
    ],
)
def test_an_answer_that_is_none_fails_its_row_alone_and_a_retry_completes_it(
    desk: Desk, proxy: Proxy, pipeline: Pipeline, fault: Fault, word: str
):
    proxy.fault_for = hits(fault, times=1)
    ended = desk.ended(desk.submit(TEXTS, pipeline, replicas=2))
    assert ended.state is RunState.DONE
    failed = reasons(desk, ended)
    assert set(failed) == HIT
    assert all(is_plain(reason) and word in reason for reason in failed.values()), failed
    assert len(proxy.texts()) == len(TEXTS)
    complete(desk, ended)


@pytest.mark.parametrize(
    "fault",
    [
        Break.BEFORE_ENGINE,
        Break.AFTER_ENGINE,
        Break.IN_BODY,
        Reply(502, b"<html>Bad Gateway</html>", "text/html"),
        Reply(503, b""),
        Reply(504, b"{}"),
        Reply(429, b"{}"),
    ],
)
def test_a_row_lost_on_the_way_is_sent_again_and_is_right(
    desk: Desk, proxy: Proxy, pipeline: Pipeline, fault: Fault
):
    proxy.fault_for = hits(fault, times=1)
    ended = desk.ended(desk.submit(TEXTS, pipeline, replicas=2))
    assert (ended.state, ended.rows_done, ended.rows_failed) == (RunState.DONE, len(TEXTS), 0)
    assert reasons(desk, ended) == {}
    assert len(proxy.texts()) == len(TEXTS) + len(HIT)


@pytest.mark.parametrize("fault", [Break.IN_BODY, Reply(503, b"")])
def test_a_row_that_is_lost_each_time_fails_and_the_others_go_on(
    desk: Desk, proxy: Proxy, pipeline: Pipeline, fault: Fault
):
    proxy.fault_for = hits(fault, times=SETTINGS.attempts)
    ended = desk.ended(desk.submit(TEXTS, pipeline, replicas=2))
    assert ended.state is RunState.DONE
    failed = reasons(desk, ended)
    assert set(failed) == HIT
    assert all(is_plain(reason) for reason in failed.values()), failed
    complete(desk, ended)


@pytest.mark.parametrize(
    "order",
    [
        {"status": 500, "times": 3},
        {"status": 503, "times": 3},
        {"truncate": True, "times": 3},
        {"delay_s": 3.0, "times": 2},
        {"status": 200, "body": '[{"out.summary_text":', "times": 3},
        {"status": 401, "times": 6},
    ],
    ids=str,
)
def test_failures_that_the_sandbox_is_told_to_make(
    desk: Desk, proxy: Proxy, pipeline: Pipeline, sandbox: RunningSandbox, order: dict[str, object]
):
    # The first row tells what path the inferences take.
    desk.ended(desk.submit(TEXTS[:1], pipeline, replicas=2))
    with client(sandbox) as http:
        path = proxy.inferences[0].path
        http.post("/_sandbox/faults", json={"route": path, **order}).raise_for_status()
        ended = desk.ended(desk.submit(TEXTS, pipeline, replicas=2))
        http.delete("/_sandbox/faults").raise_for_status()
    assert ended.state is RunState.DONE
    failed = reasons(desk, ended)
    assert len(failed) <= 3
    assert all(is_plain(reason) for reason in failed.values()), failed
    if failed:
        complete(desk, ended)


def test_a_token_that_runs_out_in_the_middle_is_renewed_without_a_row_lost(
    desk: Desk, proxy: Proxy, pipeline: Pipeline, sandbox: RunningSandbox
):
    stale: set[str] = set()

    def fault(text: str, before: int) -> Fault:
        token = proxy.token
        if text == TEXTS[9] and not before:
            stale.add(token)
        return Reply(401, b'{"msg":"Unauthorized"}') if token in stale else None

    proxy.fault_for = fault
    ended = desk.ended(desk.submit(TEXTS, pipeline, replicas=2))
    assert (ended.rows_done, ended.rows_failed) == (len(TEXTS), 0)
    assert reasons(desk, ended) == {}
    assert len(stale) >= 1


def test_killed_engines_cost_no_row(
    desk: Desk, proxy: Proxy, pipeline: Pipeline, sandbox: RunningSandbox
):
    killed: list[int] = []

    def fault(text: str, before: int) -> Fault:
        if text in (TEXTS[6], TEXTS[14]) and not before:
            for pid in process_tree(sandbox.process.pid)[1:]:
                if pid not in killed:
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
        return None

    proxy.fault_for = fault
    ended = desk.ended(desk.submit(TEXTS, pipeline, replicas=2))
    assert len(killed) >= 2
    failed = reasons(desk, ended)
    assert all(is_plain(reason) for reason in failed.values()), failed
    if failed:
        complete(desk, ended)
    else:
        assert (ended.state, ended.rows_done) == (RunState.DONE, len(TEXTS))


def test_a_platform_that_stays_away_fails_the_run_in_plain_words_and_a_retry_completes_it(
    platform: Platform, proxy: Proxy, pipeline: Pipeline, tmp_path: Path
):
    quick = RunSettings(
        row_timeout_s=0.7, first_pause_s=0.05, longest_pause_s=0.2, give_up_after_s=0.5
    )
    proxy.fault_for = lambda _text, _before: Break.BEFORE_ENGINE if len(proxy.texts()) > 9 else None
    with opened_desk(platform, tmp_path, settings=quick) as desk:
        ended = desk.ended(desk.submit(TEXTS, pipeline, replicas=2))
        proxy.fault_for = lambda _text, _before: None
        assert ended.state is RunState.FAILED
        assert is_plain(ended.message), ended.message
        assert ended.rows_left > 0
        complete(desk, ended)
    proxy.inferences.clear()


def test_an_undeploy_in_the_middle_pauses_the_run_until_the_next_deploy(
    desk: Desk, proxy: Proxy, platform: Platform, pipeline: Pipeline
):
    run = desk.submit(TEXTS * 6, pipeline, replicas=2)
    wait_until(lambda: len(proxy.texts()) > 30, within_s=20, what="the run is under way")
    platform.gateway.undeploy(platform.who, pipeline)
    wait_until(
        lambda: desk.runs.progress(platform.who, run.run_id).state is RunState.PAUSED,
        within_s=20,
        what="the run waits",
    )
    platform.deploy(2)
    ended = desk.ended(run)
    assert (ended.state, ended.rows_done, ended.rows_failed) == (RunState.DONE, 144, 0)


def test_a_proxy_that_is_in_nobodys_way_sees_each_row_once(
    desk: Desk, proxy: Proxy, pipeline: Pipeline
):
    ended = desk.ended(desk.submit(TEXTS, pipeline, replicas=2))
    assert reasons(desk, ended) == {}
    assert sorted(proxy.texts()) == sorted(TEXTS)
    with pytest.raises(httpx.HTTPStatusError):
        httpx.get(f"{proxy.url}/nothing", trust_env=False).raise_for_status()


def test_the_platform_tells_what_the_pipelines_model_is_and_reads(
    platform: Platform, pipeline: Pipeline
):
    assert platform.version.framework == "hugging-face-summarization"
    assert platform.version.is_summarizer
    reads = platform.gateway.model_inputs(platform.who, pipeline)
    assert [(column.name, column.type) for column in reads] == [
        ("inputs", "string"),
        ("return_text", "bool"),
        ("return_tensors", "bool"),
        ("clean_up_tokenization_spaces", "bool"),
    ]


def test_several_rows_in_one_request_are_answered_each_with_its_own_output(
    sandbox: RunningSandbox, pipeline: Pipeline, tmp_path: Path
):
    columns = ("inputs", "return_text", "return_tensors", "clean_up_tokenization_spaces")
    table = pa.table({"inputs": TEXTS, **{name: [name == columns[1]] * 24 for name in columns[1:]}})
    with (
        opened_platform(sandbox) as platform,
        opened_desk(platform, tmp_path, settings=RunSettings(batch_rows=10)) as desk,
    ):
        who, room = platform.who, platform.room.workspace_id
        draft = Passport("", "press", room, 0, (), 1, "f" * 64, datetime.now(UTC), 1.0, "Parquet")
        run = desk.runs.submit(
            who,
            table_id=desk.tables.save(who, draft, table).table_id,
            pipeline=pipeline,
            model_version=platform.version,
            workspace=platform.room,
            replicas=2,
            input_columns=columns,
        )
        ended = desk.ended(run)
        rows = desk.runs.rows(who, run.run_id)
    assert (ended.state, ended.rows_done) == (RunState.DONE, 24)
    assert [row.outputs for row in rows] == [{"summary_text": text} for text in TEXTS]
    assert sorted({row.timing.batch_rows for row in rows}) == [4, 10]
