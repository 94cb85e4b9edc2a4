from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dashboard.domain.idle import Guard
from dashboard.domain.run import RunState
from dashboard.domain.table import Passport
from dashboard.store.database import Store, open_store, open_vault
from dashboard.store.guard_records import GuardRecords
from dashboard.store.run_records import Claim, RunRecords
from dashboard.store.table_records import TableRecords
from tests.unit.store.test_run_records import RUN

NOW = datetime(2026, 11, 22, 13, 0, 0, 123456, tzinfo=UTC)
ME, OTHER = "this process", "another one"
MINUTE = timedelta(minutes=1)
GUARD = Guard(7, "hf-summarizer", 3, "press-desk", "v1", 60, NOW, "u1", "ann@example.org")


@pytest.fixture
def store(tmp_path: Path, database_url: str) -> Iterator[Store]:
    vault = open_vault(database_url, data_dir=tmp_path)
    store = open_store(database_url, data_dir=tmp_path, vault=vault)
    yield store
    store.close()


@pytest.fixture
def records(store: Store) -> GuardRecords:
    return GuardRecords(store)


def test_a_guard_is_read_back_as_it_was_put(records):
    seen = replace(GUARD, ready_at=NOW, used_at=NOW + MINUTE, kept_until=NOW + 90 * MINUTE)
    records.put(seen)
    assert records.one(7) == seen
    records.put(replace(GUARD, pipeline_id=8, minutes=None))
    assert [one.minutes for one in records.all()] == [60, None]


def test_the_next_deploy_of_a_pipeline_begins_anew(records):
    records.put(replace(GUARD, ready_at=NOW, used_at=NOW, kept_until=NOW))
    records.put(replace(GUARD, version="v2"))
    assert records.all() == (replace(GUARD, version="v2"),)


@pytest.mark.parametrize("is_older", [True, False])
def test_a_guard_that_comes_late_replaces_an_older_one_only(records, is_older):
    at = NOW - MINUTE if is_older else NOW + MINUTE
    other = replace(GUARD, version="v2", armed_at=at)
    records.put(other)
    assert records.put_late(GUARD) == (None if is_older else other)
    assert records.all() == (GUARD if is_older else other,)


def test_a_guard_that_comes_late_leaves_a_stop_that_is_under_way(records):
    assert records.put_late(GUARD) is None
    until = NOW + 2 * MINUTE
    assert records.claim_stop(GUARD, owner=ME, now=NOW, until=until)
    assert records.put_late(GUARD) is None
    assert not records.claim_stop(GUARD, owner=OTHER, now=NOW, until=until)


def test_only_the_guard_of_the_version_meant_is_dropped_and_once(records):
    records.put(GUARD)
    assert not records.drop(7, "v0")
    assert records.drop(7, "v1")
    assert not records.drop(7, "v1")
    assert records.one(7) is None


def test_an_older_use_never_replaces_a_newer_one(records):
    records.put(GUARD)
    records.note_seen(replace(GUARD, ready_at=NOW, used_at=NOW + 5 * MINUTE))
    records.note_seen(replace(GUARD, ready_at=NOW + MINUTE, used_at=NOW + MINUTE))
    assert records.one(7) == replace(GUARD, ready_at=NOW, used_at=NOW + 5 * MINUTE)
    records.note_seen(replace(GUARD, version="v2", used_at=NOW + 9 * MINUTE))
    assert records.one(7) == replace(GUARD, ready_at=NOW, used_at=NOW + 5 * MINUTE)


def test_a_stop_is_claimed_by_one_and_again_when_that_one_has_died(records):
    records.put(GUARD)
    until = NOW + 2 * MINUTE
    assert records.claim_stop(GUARD, owner=ME, now=NOW, until=until)
    assert not records.claim_stop(GUARD, owner=ME, now=NOW, until=until)
    assert records.claim_stop(GUARD, owner=ME, now=until, until=until + MINUTE)


@pytest.mark.parametrize("change", ["minutes", "kept", "version"])
def test_a_stop_that_was_put_off_elsewhere_cannot_be_claimed(records, change):
    records.put(GUARD)
    if change == "minutes":
        assert records.set_minutes(7, None, now=NOW)
    elif change == "kept":
        assert records.keep_until(7, NOW + MINUTE, now=NOW)
    else:
        records.put(replace(GUARD, version="v2"))
    assert not records.claim_stop(GUARD, owner=ME, now=NOW, until=NOW + MINUTE)


def test_what_is_not_there_cannot_be_changed(records):
    assert not records.set_minutes(7, 5, now=NOW)
    assert not records.keep_until(7, NOW, now=NOW)


@pytest.mark.parametrize("state", RunState)
def test_only_a_run_that_is_not_over_is_under_way(store, records, state):
    TableRecords(store).insert(Passport("t1", "c", 3, 4, (), 1, "f", NOW, 1.0, "CSV"), [])
    run = replace(RUN, workspace_id=3, pipeline_name="hf-summarizer", state=state)
    RunRecords(store).insert(run, Claim("p", NOW))
    assert records.has_run_under_way(3, "hf-summarizer") is not state.is_over
    assert not records.has_run_under_way(4, "hf-summarizer")
    assert not records.has_run_under_way(3, "hf")


def test_a_hostile_name_is_kept(records):
    hostile = "'; drop table guards;--"
    records.put(replace(GUARD, pipeline_name="a\0b\ud800" * 400, armed_by=hostile))
    kept = records.one(7)
    assert kept is not None
    assert len(kept.pipeline_name) == 500
    assert kept.armed_by == hostile
