from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from dashboard.domain.check import Check, CheckKind, Stage, StageResult, StageState
from dashboard.store.check_records import CheckRecords, path_mark
from dashboard.store.database import Store, open_store, open_vault
from dashboard.store.schema import CHECKS
from tests.support.stored import everything_stored

NOW = datetime(2026, 11, 22, 13, 0, 0, 123456, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PASSED = Check(
    "c1",
    CheckKind.TEST,
    NOW,
    passed=True,
    stages=tuple(StageResult(stage, StageState.DONE, 1.5) for stage in Stage),
    total_ms=7.5,
    format="CSV",
    rows=24,
)
FAILED = Check(
    "c1",
    CheckKind.TEST,
    NOW,
    passed=False,
    cause_code="unauthorised",
    message="The source rejected the token (401).",
    hint="Replace the token.",
    field="token",
    stages=(
        StageResult(Stage.RESOLVE, StageState.DONE, 1.5),
        StageResult(Stage.CONNECT, StageState.FAILED, 2.0),
        StageResult(Stage.AUTHORISE, StageState.NOT_REACHED),
    ),
    total_ms=3.5,
)


@pytest.fixture
def store(tmp_path: Path, database_url: str) -> Iterator[Store]:
    vault = open_vault(database_url, data_dir=tmp_path)
    store = open_store(database_url, data_dir=tmp_path, vault=vault)
    yield store
    store.close()


@pytest.fixture
def records(store: Store) -> CheckRecords:
    return CheckRecords(store)


def test_what_is_stored_comes_back_the_same(records: CheckRecords):
    records.keep(PASSED)
    assert records.of("c1") == (replace(PASSED, last_passed_at=NOW),)
    records.keep(replace(FAILED, connection_id="c2"))
    assert records.of("c2") == (replace(FAILED, connection_id="c2", failing_since=NOW),)


def test_one_test_and_one_use_are_kept_the_newest_first(records: CheckRecords, store: Store):
    records.keep(PASSED)
    records.keep(replace(PASSED, kind=CheckKind.USE, at=NOW + MINUTE))
    records.keep(replace(PASSED, at=NOW + 2 * MINUTE))
    assert [(one.kind, one.at) for one in records.of("c1")] == [
        (CheckKind.TEST, NOW + 2 * MINUTE),
        (CheckKind.USE, NOW + MINUTE),
    ]
    with store.read() as connection:
        assert connection.scalar(select(func.count()).select_from(CHECKS)) == 2


def test_a_row_of_failures_remembers_its_first_and_the_last_pass(records: CheckRecords):
    records.keep(PASSED)
    for minutes in (1, 2, 3):
        kept = records.keep(replace(FAILED, at=NOW + minutes * MINUTE))
    assert (kept.last_passed_at, kept.failing_since) == (NOW, NOW + MINUTE)
    kept = records.keep(replace(PASSED, at=NOW + 4 * MINUTE))
    assert (kept.last_passed_at, kept.failing_since) == (NOW + 4 * MINUTE, None)
    kept = records.keep(replace(FAILED, at=NOW + 5 * MINUTE))
    assert (kept.last_passed_at, kept.failing_since) == (NOW + 4 * MINUTE, NOW + 5 * MINUTE)
    assert records.of("c1") == (kept,)


def test_a_pass_of_the_other_kind_ends_a_row_of_failures(records: CheckRecords):
    records.keep(FAILED)
    records.keep(replace(PASSED, kind=CheckKind.USE, at=NOW + MINUTE))
    kept = records.keep(replace(FAILED, at=NOW + 2 * MINUTE))
    assert (kept.last_passed_at, kept.failing_since) == (None, NOW + 2 * MINUTE)


def test_all_are_read_at_once_without_their_stages(records: CheckRecords):
    records.keep(PASSED)
    records.keep(replace(FAILED, connection_id="c2", kind=CheckKind.USE))
    records.keep(replace(FAILED, connection_id="c2"))
    checks = records.all()
    assert set(checks) == {"c1", "c2"}
    assert checks["c1"] == [replace(PASSED, stages=(), last_passed_at=NOW)]
    assert {one.kind for one in checks["c2"]} == set(CheckKind)
    assert all(one.message == FAILED.message for one in checks["c2"])


@pytest.mark.parametrize("hostile", ["\ud800", "a\0b", "x" * 100_000])
def test_no_text_or_number_breaks_a_write(records: CheckRecords, hostile: str):
    records.keep(
        replace(
            FAILED,
            connection_id=hostile,
            cause_code=hostile,
            message=hostile,
            hint=hostile,
            field=hostile,
            format=hostile,
            rows=10**30,
        )
    )
    (kept,) = records.of(hostile)
    texts = (kept.connection_id, kept.cause_code, kept.message, kept.hint, kept.format)
    assert all(text.encode().decode() == text and "\0" not in text for text in texts)
    records.carry(hostile, hostile, times={path_mark((hostile,)): NOW})
    assert records.times(hostile) == {path_mark((hostile,)): NOW}
    records.forget(hostile)
    assert records.of(hostile) == ()
    assert records.times(hostile) == {}


def test_what_is_told_of_a_failure_is_not_in_clear(records: CheckRecords, store: Store):
    records.keep(FAILED)
    kept = everything_stored(store)
    assert b"unauthorised" in kept
    assert b"rejected" not in kept


def test_a_path_is_marked_by_its_keys_and_places(records: CheckRecords):
    paths = [(), ("a",), ("a", "b"), ("a.b",), ("a", 0), ("a", "0"), ("\ud800",), ("a", 0, "b")]
    assert len({path_mark(path) for path in paths}) == len(paths)
    assert all(len(path_mark(path)) == 64 for path in paths)


def test_a_carry_moves_checks_and_times_and_leaves_nothing_behind(records: CheckRecords):
    records.keep(PASSED)
    records.keep(replace(FAILED, connection_id="new"))
    times = {path_mark(("key", place)): NOW - place * MINUTE for place in range(1200)}
    records.carry("c1", "new", checks=records.of("c1"), times=times)
    assert records.of("c1") == ()
    assert records.of("new") == (replace(PASSED, connection_id="new", last_passed_at=NOW),)
    assert records.times("new") == times


def test_first_notes_at_the_same_time_leave_one_record(records: CheckRecords):
    failures: list[BaseException] = []

    def keep(minutes: int) -> None:
        try:
            records.keep(replace(PASSED, at=NOW + minutes * MINUTE))
        except Exception as exc:  # noqa: BLE001 - told below
            failures.append(exc)

    threads = [threading.Thread(target=keep, args=(place,)) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(records.of("c1")) == 1
