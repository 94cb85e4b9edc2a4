from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dashboard.connectors.base import FetchCause, TestResult
from dashboard.domain.check import (
    STALE_AFTER,
    CheckKind,
    HealthState,
    Stage,
    StageResult,
    StageState,
    health_of,
)
from dashboard.domain.connection import Connection
from dashboard.domain.identity import Identity
from dashboard.errors import DashboardError, FetchFailed, UnexpectedAnswer
from dashboard.services.checks import Checks
from dashboard.services.reads import Query, Reads
from dashboard.services.tested_details import Finding
from dashboard.store.database import Store, open_store, open_vault

ANN = Identity("ann-key", "u1", "ann@example.com")
BOB = Identity("bob-key", "u2", "bob@example.com")
NOW = datetime(2026, 11, 22, 13, 0, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
STAGES = tuple(StageResult(stage, StageState.DONE, 2.0) for stage in Stage)
PASSED = TestResult(STAGES, format="CSV", rows=24)
REFUSED = FetchFailed(
    "The source rejected the token (401).",
    cause_code=FetchCause.UNAUTHORISED,
    hint="Replace the token.",
    field="token",
)
FAILED = TestResult(STAGES[:3], failure=REFUSED)
CANCELLED = TestResult(STAGES, failure=FetchFailed("Stopped.", cause_code=FetchCause.CANCELLED))
OLD = Connection("old", "press", "HTTP", NOW - timedelta(days=9))
NEW = Connection("new", "press", "HTTP", NOW)


class Now:
    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at


def unexpected(exc: BaseException) -> DashboardError:
    return UnexpectedAnswer(type(exc).__name__)


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store("", data_dir=tmp_path, vault=open_vault("", data_dir=tmp_path))
    yield store
    store.close()


@pytest.fixture
def reads() -> Iterator[Reads]:
    with ThreadPoolExecutor(1) as pool:
        yield Reads(pool, on_unexpected=unexpected)


@pytest.fixture
def checks(store: Store, reads: Reads, now: Now) -> Checks:
    return Checks(store, reads, now=now)


def state(checks: Checks, connection_id: str) -> HealthState | None:
    health = checks.health(ANN).load().get(connection_id)
    return None if health is None else health.state


def test_a_test_that_passed_makes_a_connection_healthy(checks: Checks):
    check = checks.note_test("c1", PASSED)
    assert checks.of("c1") == (check,)
    assert (check.kind, check.at, check.passed) == (CheckKind.TEST, NOW, True)
    assert (check.stages, check.total_ms) == (STAGES, 10.0)
    assert (check.format, check.rows, check.last_passed_at) == ("CSV", 24, NOW)
    assert state(checks, "c1") is HealthState.HEALTHY


def test_a_test_that_failed_says_why_and_since_when(checks: Checks, now: Now):
    checks.note_test("c1", PASSED)
    now.at += MINUTE
    first = checks.note_test("c1", FAILED)
    now.at += MINUTE
    check = checks.note_test("c1", FAILED)
    assert (check.cause_code, check.field) == ("unauthorised", "token")
    assert (check.message, check.hint) == (REFUSED.message, REFUSED.hint)
    assert (check.failing_since, check.last_passed_at) == (first.at, NOW)
    health = checks.health(ANN).load()["c1"]
    assert (health.state, health.last_passed_at) == (HealthState.FAILING, NOW)
    assert health.last == replace(check, stages=())


def test_a_cancelled_test_or_use_says_nothing(checks: Checks):
    checks.note_test("c1", PASSED)
    before = checks.of("c1")
    cancelled = checks.note_test("c1", CANCELLED)
    assert not cancelled.passed
    checks.note_use("c1", failure=CANCELLED.failure)
    assert checks.of("c1") == before
    checks.note_test("c2", CANCELLED)
    assert state(checks, "c2") is None


def test_a_use_counts_as_much_as_a_test(checks: Checks, now: Now):
    checks.note_test("c1", FAILED)
    now.at += MINUTE
    use = checks.note_use("c1", total_ms=412.0, format="CSV", rows=24)
    assert (use.kind, use.total_ms, use.rows) == (CheckKind.USE, 412.0, 24)
    assert state(checks, "c1") is HealthState.HEALTHY
    now.at += MINUTE
    checks.note_use("c1", failure=REFUSED)
    assert state(checks, "c1") is HealthState.FAILING
    assert [check.kind for check in checks.of("c1")] == [CheckKind.USE, CheckKind.TEST]


def test_a_good_result_becomes_an_old_one(checks: Checks, now: Now):
    checks.note_test("c1", PASSED)
    now.at += STALE_AFTER + MINUTE
    assert state(checks, "c1") is HealthState.STALE


def test_a_note_makes_everybodys_health_due(checks: Checks, reads: Reads):
    queries = [checks.health(who) for who in (ANN, BOB)]
    for query in queries:
        assert reads.get(query, wait_s=5).value == {}
    stages = checks.newest(BOB, "c1")
    assert reads.get(stages, wait_s=5).value == ()
    noted = checks.note_test("c1", PASSED)
    due: list[Query[Any]] = [*queries, stages]
    for each in due:
        reads.get(each)
        reads._entries[each.key].settled.wait(5)
    for query in queries:
        assert set(reads.get(query).value or {}) == {"c1"}
    assert reads.get(stages).value == (noted,)


def test_details_are_as_old_as_their_connection_unless_a_replace_kept_them(checks: Checks):
    assert checks.set_times(OLD, [("token",), ("keys", 0)]) == {
        ("token",): OLD.created_at,
        ("keys", 0): OLD.created_at,
    }
    checks.replaced(OLD, NEW, [("token",)], Finding(PASSED, 0.0))
    assert checks.set_times(NEW, [("token",), ("keys", 0)]) == {
        ("token",): OLD.created_at,
        ("keys", 0): NEW.created_at,
    }


def test_a_detail_kept_over_many_replaces_keeps_its_first_time(checks: Checks):
    newest = OLD
    for place in range(3):
        after = replace(NEW, connection_id=f"n{place}", created_at=NOW + place * MINUTE)
        checks.replaced(newest, after, [("token",)], None)
        newest = after
    assert checks.set_times(newest, [("token",)]) == {("token",): OLD.created_at}
    assert checks.set_times(OLD, [("token",)]) == {("token",): OLD.created_at}


def test_a_tested_replacement_has_the_history_of_the_old_one(checks: Checks, now: Now):
    checks.note_test("old", PASSED)
    now.at += MINUTE
    checks.note_use("old", failure=REFUSED)
    now.at += MINUTE
    checks.replaced(OLD, NEW, [], Finding(FAILED, 0.0))
    assert checks.of("old") == ()
    test, use = checks.of("new")
    assert (test.kind, test.last_passed_at) == (CheckKind.TEST, NOW)
    assert (use.kind, use.message) == (CheckKind.USE, REFUSED.message)
    assert state(checks, "old") is None


@pytest.mark.parametrize("result", [None, CANCELLED])
def test_an_untested_replacement_does_not_inherit_a_good_name(
    checks: Checks, result: TestResult | None
):
    checks.note_test("old", PASSED)
    checks.replaced(OLD, NEW, [("url",)], None if result is None else Finding(result, 0.0))
    assert (state(checks, "old"), state(checks, "new")) == (None, None)


def test_a_connection_that_is_gone_is_forgotten(checks: Checks):
    checks.replaced(OLD, NEW, [("token",)], Finding(PASSED, 0.0))
    checks.forget("new")
    assert checks.of("new") == ()
    assert checks.set_times(NEW, [("token",)]) == {("token",): NEW.created_at}


def test_a_store_that_cannot_be_written_costs_a_line_in_the_log(
    checks: Checks, store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    store.close()
    for path in tmp_path.glob("runs.sqlite3*"):
        path.unlink()
    (tmp_path / "runs.sqlite3").write_bytes(b"no database " * 100)
    with caplog.at_level(logging.DEBUG):
        check = checks.note_test("planted-id", FAILED)
        checks.note_use("planted-id")
        checks.replaced(OLD, NEW, [("planted-path",)], None)
        checks.forget("planted-id")
    assert (check.passed, check.cause_code) == (False, "unauthorised")
    assert len(caplog.records) == 4
    assert "planted" not in caplog.text
    with pytest.raises(DashboardError):
        checks.of("planted-id")


NOT_SENT = TestResult((StageResult(Stage.RESOLVE, StageState.FAILED),), failure=REFUSED)


def asks(checks: Checks, connection_id: str) -> bool:
    return health_of(checks.of(connection_id), NOW).asks_for_sign_in


def test_a_source_that_asked_for_a_sign_in_is_known_to_look_at_it(checks: Checks):
    checks.note_test("old", PASSED)
    assert not asks(checks, "old")
    checks.note_test("old", FAILED)
    checks.note_test("old", PASSED)
    assert asks(checks, "old")


def test_a_token_that_could_not_be_sent_says_nothing_of_the_source(checks: Checks):
    checks.note_test("old", NOT_SENT)
    assert not asks(checks, "old")


@pytest.mark.parametrize("is_same_source", [True, False])
def test_what_is_known_of_a_source_is_not_said_of_another_one(checks: Checks, is_same_source: bool):
    checks.note_test("old", FAILED)
    tested = Finding(PASSED, 0.0)
    checks.replaced(OLD, NEW, [("url",)], tested, is_same_source=is_same_source)
    assert asks(checks, "new") is is_same_source


def test_a_test_from_before_it_was_saved_keeps_its_time(checks: Checks):
    checks.note_test("old", FAILED, age_s=90)
    (check,) = checks.of("old")
    assert check.at == NOW - timedelta(seconds=90)
