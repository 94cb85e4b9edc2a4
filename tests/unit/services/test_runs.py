from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from dashboard.domain.identity import Identity
from dashboard.domain.pipeline import PipelineState
from dashboard.domain.run import RowState, RunState
from dashboard.errors import (
    AccessDenied,
    Conflict,
    InferenceFailed,
    InvalidInput,
    NotFound,
    PlatformUnreachable,
    TimedOut,
)
from dashboard.services.runs import RunSettings
from tests.unit.services.run_stubs import (
    MEMBER,
    MODEL,
    PIPELINE,
    STRANGER,
    WORKSPACE,
    Rig,
    StubPlatform,
    draft,
    open_rig,
    texts_table,
    until,
)

QUICK = RunSettings(claim_s=2.0, first_pause_s=0.05, longest_pause_s=0.2, give_up_after_s=0.3)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = open_rig(tmp_path / "data", StubPlatform())
    yield rig
    rig.close()


def test_a_run_gives_each_input_its_summary_with_its_times(rig: Rig):
    run = rig.submit("one", "two", "three")
    ended = rig.ended(run.run_id)
    assert (ended.state, ended.rows_done, ended.rows_failed) == (RunState.DONE, 3, 0)
    assert ended.engine == "sandbox/embedded-extractive:1"
    assert ended.pipeline_version == "pipeline-v1"
    assert ended.started_at is not None
    assert ended.finished_at is not None
    rows = rig.runs.rows(MEMBER, run.run_id)
    assert [(row.input_text, row.summary) for row in rows] == [
        ("one", "short one"),
        ("two", "short two"),
        ("three", "short three"),
    ]
    assert rows[0].anomaly_count == 0
    assert rows[0].answered_at is not None
    assert rows[0].answered_at.isoformat() == "2026-11-22T13:44:16.259000+00:00"
    assert rows[0].timing.wait_ms == 4.0
    assert rows[0].timing.queue_ms is not None
    assert [sample.input_chars for sample in rig.runs.samples(MEMBER, run.run_id)] == [3, 3, 5]
    assert rig.runs.progress(MEMBER, run.run_id).left == 0
    assert rig.runs.recent(MEMBER, [7, 8]) == (ended,)


def test_only_the_models_columns_are_sent_and_missing_flags_get_the_workshops_values(rig: Rig):
    table = texts_table("one", "two", id=[1, 2], return_text=[False, None])
    saved = rig.tables.save(MEMBER, draft(), table)
    rig.ended(rig.submit_table(saved.table_id).run_id)
    rest = {"return_tensors": False, "clean_up_tokenization_spaces": False}
    assert rig.platform.sent == [
        {"inputs": "one", "return_text": False, **rest},
        {"inputs": "two", "return_text": True, **rest},
    ]


def test_a_failed_row_keeps_its_reason_and_a_retry_sends_it_alone(rig: Rig):
    rig.platform.failing = {
        "two": [InferenceFailed("The text is too long.")],
        "three": [TimedOut("No answer within 120 seconds.")],
        "five": [ValueError("garbage with five in it")],
    }
    run = rig.submit("one", "two", "three", None, "five", "six")
    ended = rig.ended(run.run_id)
    assert (ended.state, ended.rows_done, ended.rows_failed) == (RunState.DONE, 2, 4)
    assert [row.error for row in rig.runs.rows(MEMBER, run.run_id)] == [
        "",
        "The text is too long.",
        "No answer within 120 seconds.",
        "This row has no text.",
        "The model's answer could not be read.",
        "",
    ]
    rig.platform.sent.clear()
    assert rig.runs.retry_failed(MEMBER, run.run_id).rows_failed == 0
    ended = rig.ended(run.run_id)
    assert (ended.state, ended.rows_done, ended.rows_failed) == (RunState.DONE, 5, 1)
    assert [row["inputs"] for row in rig.platform.sent] == ["two", "three", "five"]
    assert rig.runs.row(MEMBER, run.run_id, 1).summary == "short two"


@pytest.mark.parametrize(
    "answer",
    [{}, {"out.summary_text": None}, {"out.summary_text": ["a"]}, {"time": 1}],
)
def test_an_answer_without_a_summary_fails_its_row(rig: Rig, answer: dict[str, object]):
    rig.platform.answer = lambda _row: answer
    run = rig.submit("one")
    rig.ended(run.run_id)
    row = rig.runs.row(MEMBER, run.run_id, 0)
    assert (row.state, row.error) == (RowState.FAILED, "The model's answer has no summary in it.")


def test_odd_values_in_an_answer_do_not_stop_it(rig: Rig):
    rig.platform.answer = lambda _row: {
        "time": 10**30,
        "out.summary_text": "half a pair \ud800",
        "anomaly.count": 2**70,
    }
    run = rig.submit("one")
    rig.ended(run.run_id)
    row = rig.runs.row(MEMBER, run.run_id, 0)
    assert (row.state, row.summary, row.anomaly_count) == (RowState.DONE, "half a pair ?", None)


def test_requests_in_flight_never_exceed_the_replicas_over_all_runs_of_a_pipeline(rig: Rig):
    rig.platform.wait_s = 0.002
    texts = [f"text {number}" for number in range(40)]
    runs = [rig.submit(*texts, replicas=3) for _ in range(3)]
    for run in runs:
        assert rig.ended(run.run_id).rows_done == 40
    assert rig.platform.most_in_flight == 3


def test_cancel_keeps_what_is_answered_and_sends_nothing_more(rig: Rig):
    rig.platform.on_send = lambda text: setattr(rig.platform, "held", text == "text 5")
    run = rig.submit(*(f"text {number}" for number in range(50)))
    until(lambda: rig.runs.progress(MEMBER, run.run_id).done == 5 and rig.platform.held)
    ended = rig.runs.cancel(MEMBER, run.run_id)
    assert (ended.state, ended.rows_done, ended.rows_left) == (RunState.CANCELLED, 5, 45)
    assert len(rig.platform.sent) == 6
    states = Counter(row.state for row in rig.runs.rows(MEMBER, run.run_id))
    assert states == {RowState.DONE: 5, RowState.WAITING: 45}
    assert rig.runs.cancel(MEMBER, run.run_id) == ended
    with pytest.raises(Conflict):
        rig.runs.retry_failed(MEMBER, run.run_id)


def test_a_retry_of_a_cancelled_run_leaves_its_unsent_rows_unsent(rig: Rig):
    rig.platform.failing = {"text 0": [InferenceFailed("No.")]}
    rig.platform.on_send = lambda text: setattr(rig.platform, "held", text == "text 2")
    run = rig.submit("text 0", "text 1", "text 2", "text 3")
    until(lambda: rig.platform.held)
    rig.runs.cancel(MEMBER, run.run_id)
    rig.runs.retry_failed(MEMBER, run.run_id)
    ended = rig.ended(run.run_id)
    assert (ended.state, ended.rows_done, ended.rows_left) == (RunState.CANCELLED, 2, 2)


def test_a_run_pauses_while_the_platform_is_away_and_then_goes_on_by_itself(rig: Rig):
    rig.platform.on_send = lambda text: setattr(
        rig.platform,
        "down",
        PlatformUnreachable("Nothing answers.")
        if text == "text 3" and len(rig.platform.sent) == 3
        else rig.platform.down,
    )
    run = rig.submit(*(f"text {number}" for number in range(10)), replicas=2)
    until(lambda: rig.runs.run(MEMBER, run.run_id).state is RunState.PAUSED)
    paused = rig.runs.progress(MEMBER, run.run_id)
    assert paused.message == "Nothing answers. The run goes on by itself."
    assert paused.rate_rows_per_s is None
    rig.platform.down = None
    ended = rig.ended(run.run_id)
    assert (ended.state, ended.rows_done, ended.message) == (RunState.DONE, 10, "")


def test_a_run_waits_for_a_pipeline_that_is_starting(rig: Rig):
    rig.platform.state = PipelineState.STARTING
    run = rig.submit("one")
    until(lambda: rig.runs.run(MEMBER, run.run_id).state is RunState.PAUSED)
    assert "“hf-summarizer” is not running (Starting)." in rig.runs.run(MEMBER, run.run_id).message
    assert rig.platform.sent == []
    rig.platform.state = PipelineState.RUNNING
    assert rig.ended(run.run_id).state is RunState.DONE


def test_rows_refused_because_the_pipeline_was_stopped_have_not_failed(rig: Rig):
    rig.platform.failing = {"two": [InferenceFailed("404")]}
    rig.platform.on_send = lambda _text: setattr(
        rig.platform,
        "state",
        PipelineState.NOT_DEPLOYED if len(rig.platform.sent) == 1 else rig.platform.state,
    )
    run = rig.submit("one", "two", "three")
    until(lambda: rig.runs.run(MEMBER, run.run_id).state is RunState.PAUSED)
    rig.platform.state = PipelineState.RUNNING
    ended = rig.ended(run.run_id)
    assert (ended.rows_done, ended.rows_failed) == (3, 0)


def test_a_row_that_kills_the_engine_each_time_fails_and_the_others_go_on(rig: Rig):
    rig.platform.failing = {"two": [PlatformUnreachable("The connection broke.")] * 9}
    run = rig.submit("one", "two", "three")
    ended = rig.ended(run.run_id)
    assert (ended.state, ended.rows_done, ended.rows_failed) == (RunState.DONE, 2, 1)
    assert [row["inputs"] for row in rig.platform.sent].count("two") == 3
    assert rig.runs.row(MEMBER, run.run_id, 1).error == "The connection broke."


def test_a_platform_that_stays_away_fails_the_run_and_a_retry_completes_it(tmp_path: Path):
    rig = open_rig(tmp_path / "data", StubPlatform(), settings=QUICK)
    rig.platform.down = PlatformUnreachable("Nothing answers.")
    run = rig.submit("one", "two")
    ended = rig.ended(run.run_id)
    assert (ended.state, ended.rows_left) == (RunState.FAILED, 2)
    assert ended.message == "Nothing answers. The rows that are left were not sent."
    rig.platform.down = None
    rig.runs.retry_failed(MEMBER, run.run_id)
    assert rig.ended(run.run_id).rows_done == 2
    rig.close()


@pytest.mark.parametrize("error", [NotFound("It is gone."), AccessDenied("Not yours.")])
def test_a_run_whose_pipeline_is_gone_or_forbidden_fails_at_once(rig: Rig, error: Exception):
    rig.platform.failing = {"one": [InferenceFailed("404")]}
    rig.platform.on_send = lambda _text: setattr(rig.platform, "down", error)
    run = rig.submit("one", "two")
    ended = rig.ended(run.run_id)
    assert (ended.state, ended.message) == (RunState.FAILED, str(error))


def test_a_closed_service_leaves_its_runs_to_the_next_one(tmp_path: Path):
    first = open_rig(tmp_path / "data", StubPlatform(wait_s=0.005))
    run = first.submit(*(f"text {number}" for number in range(60)), replicas=2)
    until(lambda: first.runs.progress(MEMBER, run.run_id).done >= 10)
    first.close()
    second = open_rig(tmp_path / "data", StubPlatform())
    left = second.runs.run(MEMBER, run.run_id)
    assert left.state is RunState.PAUSED
    assert 10 <= left.rows_done < 60
    second.runs.resume_all()
    assert second.ended(run.run_id).rows_done == 60
    answered = [row["inputs"] for row in (*first.platform.sent, *second.platform.sent)]
    assert sorted(answered) == sorted(f"text {number}" for number in range(60))
    second.close()


def test_a_run_left_by_a_process_is_taken_over_only_when_its_claim_has_run_out(tmp_path: Path):
    first = open_rig(tmp_path / "data", StubPlatform(held=True))
    run = first.submit("one", "two")
    until(lambda: len(first.platform.sent) == 1)
    second = open_rig(tmp_path / "data", StubPlatform())
    second.runs.resume_all()
    other = second.submit("three")
    assert second.ended(other.run_id).rows_done == 1
    assert [row["inputs"] for row in second.platform.sent] == ["three"]
    first.platform.held = False
    assert first.ended(run.run_id).rows_done == 2
    assert len(second.platform.sent) == 1
    first.close()
    second.close()


def test_two_services_on_one_file_carry_their_own_runs_side_by_side(tmp_path: Path):
    rigs = [open_rig(tmp_path / "data", StubPlatform()) for _ in range(2)]
    texts = [f"text {number}" for number in range(100)]
    runs = [rig.submit(*texts, replicas=2) for rig in rigs for _ in range(2)]
    for run in runs:
        assert rigs[0].ended(run.run_id).rows_done == 100
        summaries = [row.summary for row in rigs[1].runs.rows(MEMBER, run.run_id)]
        assert summaries == [f"short {text}" for text in texts]
    for rig in rigs:
        rig.close()


def test_a_run_cancelled_by_another_process_stops_at_its_next_row(tmp_path: Path):
    first = open_rig(tmp_path / "data", StubPlatform())
    first.platform.on_send = lambda text: setattr(first.platform, "held", text == "text 3")
    run = first.submit(*(f"text {number}" for number in range(30)))
    until(lambda: first.platform.held)
    second = open_rig(tmp_path / "data", StubPlatform())
    ended = second.runs.cancel(MEMBER, run.run_id)
    assert ended.state is RunState.CANCELLED
    first.platform.held = False
    until(lambda: first.runs.progress(MEMBER, run.run_id).state is RunState.CANCELLED)
    assert first.runs.run(MEMBER, run.run_id) == ended
    assert len(first.platform.sent) == 4
    first.close()
    second.close()


def test_a_run_waits_for_its_owner_to_sign_in(tmp_path: Path):
    first = open_rig(tmp_path / "data", StubPlatform(held=True))
    run = first.submit("one")
    first.runs.close(0.0)
    signed_in: list[Identity] = []
    second = open_rig(
        tmp_path / "data",
        StubPlatform(),
        identity_of=lambda _run: signed_in[0] if signed_in else None,
    )
    second.runs.resume_all()
    waiting = "Waiting for member@example.com to sign in."
    until(lambda: second.runs.run(MEMBER, run.run_id).message == waiting)
    signed_in.append(MEMBER)
    assert second.ended(run.run_id).rows_done == 1
    second.close()
    first.close_store()


def test_who_is_not_in_the_workspace_sees_and_does_nothing(rig: Rig):
    run = rig.submit("one")
    rig.ended(run.run_id)
    for call in (
        lambda: rig.runs.run(STRANGER, run.run_id),
        lambda: rig.runs.rows(STRANGER, run.run_id),
        lambda: rig.runs.row(STRANGER, run.run_id, 0),
        lambda: rig.runs.samples(STRANGER, run.run_id),
        lambda: rig.runs.progress(STRANGER, run.run_id),
        lambda: rig.runs.cancel(STRANGER, run.run_id),
        lambda: rig.runs.retry_failed(STRANGER, run.run_id),
    ):
        with pytest.raises(AccessDenied):
            call()
    assert rig.runs.recent(STRANGER, [7]) == ()


def test_progress_of_a_run_under_way_is_refused_to_a_stranger(rig: Rig):
    rig.platform.held = True
    run = rig.submit("one")
    with pytest.raises(AccessDenied):
        rig.runs.progress(STRANGER, run.run_id)
    rig.platform.held = False


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"text": ["a"]}, "no column “inputs”"),
        ({"inputs": [1]}, "“inputs” must hold texts"),
        ({"inputs": []}, "“inputs” must hold texts; it holds null"),
    ],
)
def test_a_table_the_model_cannot_read_is_refused(
    rig: Rig, columns: dict[str, list[object]], said: str
):
    saved = rig.tables.save(MEMBER, draft(), pa.table(columns))
    with pytest.raises(InvalidInput, match=said):
        rig.submit_table(saved.table_id)
    assert rig.runs.recent(MEMBER, [7]) == ()


def test_a_table_without_rows_or_of_another_workspace_is_refused(rig: Rig):
    empty = rig.tables.save(MEMBER, draft(), texts_table())
    with pytest.raises(InvalidInput, match="no rows"):
        rig.submit_table(empty.table_id)
    full = rig.tables.save(MEMBER, draft(), texts_table("one"))
    with pytest.raises(InvalidInput, match="different workspaces"):
        rig.runs.submit(
            MEMBER,
            table_id=full.table_id,
            pipeline=replace(PIPELINE, workspace_id=8),
            model_version=MODEL,
            workspace=WORKSPACE,
            replicas=1,
        )


def test_unknown_runs_and_rows_are_not_found(rig: Rig):
    run = rig.submit("one")
    rig.ended(run.run_id)
    for call in (
        lambda: rig.runs.run(MEMBER, "../runs"),
        lambda: rig.runs.row(MEMBER, run.run_id, 1),
        lambda: rig.runs.row(MEMBER, run.run_id, -1),
    ):
        with pytest.raises(NotFound):
            call()


def test_no_text_of_a_row_is_in_clear_in_any_file(tmp_path: Path):
    rig = open_rig(tmp_path / "data", StubPlatform())
    rig.platform.failing = {"marker-input two": [InferenceFailed("marker-error")]}
    rig.platform.answer = lambda _row: {"out.summary_text": "marker-summary"}
    table = texts_table("marker-input one", "marker-input two", **{"marker-column": [1, 2]})
    saved = rig.tables.save(MEMBER, draft(), table)
    run = rig.submit_table(saved.table_id)
    rig.ended(run.run_id)
    assert "marker-error" in rig.runs.row(MEMBER, run.run_id, 1).error

    def found() -> list[str]:
        files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
        assert len(files) >= 4
        return [path.name for path in files if b"marker" in path.read_bytes()]

    assert found() == []
    rig.close()
    assert found() == []


def test_ten_thousand_rows_run_and_are_read_page_by_page(rig: Rig):
    run = rig.submit(*(f"text {number}" for number in range(10_000)), replicas=8)
    until(lambda: rig.runs.run(MEMBER, run.run_id).state.is_over, within_s=60)
    assert rig.runs.run(MEMBER, run.run_id).rows_done == 10_000
    page = rig.runs.rows(MEMBER, run.run_id, offset=9_990, limit=100)
    assert [row.summary for row in page] == [f"short text {n}" for n in range(9_990, 10_000)]


def test_killed_at_any_moment_a_run_completes_with_every_row_exactly_once(tmp_path: Path):
    rows, in_flight, kills = 400, 2, 3
    moments = sorted(random.Random(20_261_101).sample(range(20, rows - 20), kills))  # noqa: S311 - no secret
    command = [sys.executable, "-m", "tests.unit.services.run_child", str(tmp_path), str(rows)]
    log = tmp_path / "sent.log"

    def requests() -> list[str]:
        return log.read_text().splitlines() if log.exists() else []

    for moment in moments:
        child = subprocess.Popen(command)
        until(lambda: len(requests()) >= moment and (tmp_path / "run_id").exists())  # noqa: B023 - used at once
        assert child.poll() is None
        child.kill()
        child.wait()
    assert subprocess.run(command, check=True, timeout=90).returncode == 0
    sent = requests()
    assert set(sent) == {f"text {number}" for number in range(rows)}
    assert len(sent) - rows <= in_flight * kills
    rig = open_rig(tmp_path / "data", StubPlatform())
    (run,) = rig.runs.recent(MEMBER, [7])
    assert (run.state, run.rows_done, run.rows_failed) == (RunState.DONE, rows, 0)
    found = rig.runs.rows(MEMBER, run.run_id, limit=rows)
    assert [row.summary for row in found] == [f"short text {number}" for number in range(rows)]
    rig.close()
