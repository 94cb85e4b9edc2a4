from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from dashboard.domain.inference import RowTiming
from dashboard.domain.run import RowState, Run, RunState
from dashboard.domain.table import Passport
from dashboard.store.database import open_store, open_vault
from dashboard.store.run_records import SEND, SEND_AGAIN, SKIP, Claim, RowResult, RunRecords
from dashboard.store.schema import METADATA
from dashboard.store.table_records import TableRecords

NOW = datetime(2026, 11, 22, 13, 0, 0, 123456, tzinfo=UTC)
OURS = Claim("ours", NOW + timedelta(seconds=5))
THEIRS = Claim("theirs", NOW + timedelta(seconds=60))
RUN = Run(
    run_id="r1",
    table_id="t1",
    workspace_id=7,
    workspace_name="press",
    connection_name="c",
    pipeline_name="p",
    pipeline_version="v",
    model_name="m",
    model_version="mv",
    model_sha="sha",
    engine="e",
    owner_id="u",
    owner_email="u@example.com",
    fingerprint="f",
    created_at=NOW,
    rows_total=4,
)
DONE = RowResult(
    1,
    RowState.DONE,
    summary="s",
    anomaly_count=2,
    answered_at=NOW,
    input_chars=9,
    timing=RowTiming(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, overflow=True),
)


@pytest.fixture
def records(tmp_path: Path, database_url: str) -> Iterator[RunRecords]:
    vault = open_vault(database_url, data_dir=tmp_path)
    store = open_store(database_url, data_dir=tmp_path, vault=vault)
    TableRecords(store).insert(Passport("t1", "c", 7, 4, (), 1, "f", NOW, 1.0, "CSV"), [])
    records = RunRecords(store)
    records.insert(RUN, OURS)
    yield records
    store.close()


def test_what_is_stored_comes_back_the_same(records: RunRecords):
    failed = RowResult(3, RowState.FAILED, error="No.")
    assert records.journal({"r1": [DONE, failed]}, OURS) == frozenset()
    assert records.rows("r1", 0, 4) == {1: DONE, 3: failed}
    assert records.rows("r1", 2, 3) == {}
    assert records.run("r1") == replace(RUN, rows_done=1, rows_failed=1)
    assert [sample.timing for sample in records.samples("r1")] == [DONE.timing, RowTiming()]
    assert records.to_send("r1", 4) == bytearray([SEND, SKIP, SEND, SKIP])


def test_a_process_that_lost_its_claim_writes_nothing(records: RunRecords):
    later = NOW + timedelta(seconds=6)
    assert not records.claim("r1", THEIRS, now=NOW)
    assert records.claim("r1", THEIRS, now=later)
    assert records.journal({"r1": [DONE]}, OURS) == {"r1"}
    assert not records.running("r1", "ours", at=later)
    assert not records.paused("r1", "ours", message="x")
    assert not records.finished("r1", "ours", state=RunState.DONE, message="", at=later)
    assert records.run("r1") == RUN
    assert records.rows("r1", 0, 4) == {}


def test_one_lost_run_does_not_keep_another_from_being_written(records: RunRecords):
    records.insert(replace(RUN, run_id="r2"), THEIRS)
    assert records.journal({"r1": [DONE], "r2": [DONE]}, OURS) == {"r2"}
    assert set(records.rows("r1", 0, 4)) == {1}


def test_a_renewed_claim_holds(records: RunRecords):
    records.renew(["r1"], Claim("ours", NOW + timedelta(seconds=30)))
    assert records.unclaimed(NOW + timedelta(seconds=29)) == ()
    assert [run.run_id for run in records.unclaimed(NOW + timedelta(seconds=31))] == ["r1"]


def test_a_run_that_is_over_is_never_taken_up(records: RunRecords):
    records.finished("r1", "ours", state=RunState.FAILED, message="Why.", at=NOW)
    assert records.unclaimed(NOW + timedelta(days=1)) == ()
    assert not records.claim("r1", THEIRS, now=NOW + timedelta(days=1))
    run = records.run("r1")
    assert run is not None
    assert (run.message, run.finished_at) == ("Why.", NOW)


def test_a_retry_marks_the_failed_rows_and_replaces_their_records(records: RunRecords):
    failed = RowResult(3, RowState.FAILED, error="No.")
    records.journal({"r1": [DONE, failed]}, OURS)
    records.finished("r1", "ours", state=RunState.CANCELLED, message="", at=NOW)
    assert records.queue_again("r1", OURS, only_failed=True)
    assert not records.queue_again("r1", OURS, only_failed=True)
    assert records.to_send("r1", 4) == bytearray([SKIP, SKIP, SKIP, SEND_AGAIN])
    assert set(records.rows("r1", 0, 4)) == {1}
    again = RowResult(3, RowState.DONE, summary="now", again=True)
    records.journal({"r1": [again]}, OURS)
    assert records.rows("r1", 3, 4) == {3: replace(again, again=False)}
    run = records.run("r1")
    assert run is not None
    assert (run.rows_done, run.rows_failed) == (2, 0)


def test_the_newest_runs_of_the_workspaces_come_first(records: RunRecords):
    for number in range(3):
        created = NOW + timedelta(seconds=number + 1)
        records.insert(
            replace(RUN, run_id=f"n{number}", created_at=created, workspace_id=7 + number), OURS
        )
    assert [run.run_id for run in records.recent([7, 8], 2)] == ["n1", "n0"]


def test_the_last_run_of_each_connection_in_these_workspaces_is_known(records: RunRecords):
    later = NOW + timedelta(hours=1)
    others = (("r2", "c", 7, later), ("r3", "d", 7, NOW), ("r4", "c", 8, later + later.resolution))
    for run_id, name, room, at in others:
        run = replace(RUN, run_id=run_id, connection_name=name, workspace_id=room, created_at=at)
        records.insert(run, OURS)
    assert records.last_runs([7]) == {"c": later, "d": NOW}
    assert records.last_runs([9]) == {}


def test_the_schema_can_be_made_in_postgresql():
    dialect = postgresql.dialect()
    for table in METADATA.sorted_tables:
        made = str(CreateTable(table).compile(dialect=dialect))
        assert "BLOB" not in made
        for index in table.indexes:
            assert "CREATE INDEX" in str(CreateIndex(index).compile(dialect=dialect))
