from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from dashboard.domain.inference import RowTiming
from dashboard.domain.row_note import RowNote, Thumb
from dashboard.domain.run import RowState, RunState
from dashboard.domain.run_filter import RunFacts, RunFilter
from dashboard.domain.table import Passport
from dashboard.store.database import Store, open_store, open_vault
from dashboard.store.run_listing import RunListing
from dashboard.store.run_notes import RunNotes
from dashboard.store.run_records import RowResult, RunRecords
from dashboard.store.table_records import TableRecords
from tests.support.stored import everything_stored
from tests.unit.store.test_run_records import NOW, OURS, RUN

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "100%_[a-z]*\\'\"",
    "a\0b",
    "\ud800 lone",
    "اتصال 🦘",
    "",
]


@pytest.fixture
def store(tmp_path: Path, database_url: str) -> Iterator[Store]:
    vault = open_vault(database_url, data_dir=tmp_path)
    store = open_store(database_url, data_dir=tmp_path, vault=vault)
    for table_id in ("t1", "t2"):
        TableRecords(store).insert(Passport(table_id, "c", 7, 4, (), 1, "f", NOW, 1.0, "CSV"), [])
    yield store
    store.close()


def keep(store: Store, run_id: str, **changes: object) -> None:
    RunRecords(store).insert(replace(RUN, run_id=run_id, **changes), OURS)  # type: ignore[arg-type] # mixed values by name


def found(store: Store, **wanted: object) -> tuple[str, ...]:
    return RunListing(store).ids([7], RunFilter(**wanted))  # type: ignore[arg-type] # as above


def test_runs_are_filtered_by_what_is_kept_in_clear_newest_first(store: Store):
    keep(store, "old", created_at=NOW - timedelta(days=9), pipeline_name="other")
    keep(store, "new", created_at=NOW, connection_name="wire", pipeline_version="v2")
    keep(store, "hers", created_at=NOW - timedelta(hours=1), owner_id="ann", state=RunState.DONE)
    keep(store, "elsewhere", workspace_id=8)
    assert found(store) == ("new", "hers", "old")
    assert found(store, pipeline_name="other") == ("old",)
    assert found(store, pipeline_version="v2") == ("new",)
    assert found(store, connection_name="wire") == ("new",)
    assert found(store, owner_id="ann") == ("hers",)
    assert found(store, states=(RunState.DONE,)) == ("hers",)
    assert found(store, since=NOW - timedelta(hours=1)) == ("new", "hers")
    assert found(store, until=NOW) == ("hers", "old")
    assert RunListing(store).ids([], RunFilter()) == ()
    assert [run.run_id for run in RunRecords(store).headers(["old", "gone", "new"])] == [
        "old",
        "new",
    ]


@pytest.mark.parametrize("name", ["wir%", "wire' OR '1'='1", "WIRE", "w_re"])
def test_a_name_is_compared_whole_and_never_as_a_pattern(store: Store, name):
    keep(store, "one", connection_name="wire")
    assert found(store, connection_name=name) == ()


def test_flagged_are_runs_with_a_failed_row_a_failed_check_or_a_doubt(store: Store):
    done = RowResult(0, RowState.DONE, summary="s", anomaly_count=0, doubts=0)
    for run_id, result in (
        ("fine", done),
        ("failed", replace(done, state=RowState.FAILED)),
        ("checked", replace(done, anomaly_count=2)),
        ("doubted", replace(done, doubts=1)),
        ("unknown", replace(done, anomaly_count=None, doubts=None)),
    ):
        keep(store, run_id)
        RunRecords(store).journal({run_id: [result]}, OURS)
    assert set(found(store, only_flagged=True)) == {"failed", "checked", "doubted"}
    assert RunListing(store).facts("doubted") == RunFacts(to_check=1)
    assert RunListing(store).facts("fine") == RunFacts()


def test_the_median_is_a_measured_time_of_answered_rows(store: Store):
    keep(store, "r")
    rows = [
        RowResult(index, RowState.DONE, timing=RowTiming(1.0, 2.0, wait_ms, receive_ms=3.0))
        for index, wait_ms in enumerate((100.0, 400.0, 200.0, 300.0))
    ]
    lost = RowResult(4, RowState.FAILED, timing=RowTiming(wait_ms=9_000.0))
    RunRecords(store).journal({"r": [*rows, RowResult(5, RowState.DONE), lost]}, OURS)
    assert RunListing(store).facts("r") == RunFacts(to_check=1, median_ms=306.0)


def test_the_choices_are_those_of_the_workspaces_last_used_first(store: Store):
    keep(store, "1", connection_name="b", pipeline_version="v1", created_at=NOW)
    keep(store, "2", connection_name="A", pipeline_version="v2", created_at=NOW + timedelta(1))
    keep(store, "3", owner_id="ann", owner_email="ann@example.com", pipeline_name="q")
    keep(store, "4", connection_name="secret", workspace_id=8)
    choices = RunListing(store).choices([7])
    assert choices.connections == ("A", "b", "c")
    assert choices.pipelines == {"p": ("v2", "v1"), "q": ("v",)}
    assert choices.people == {"u": "u@example.com", "ann": "ann@example.com"}


def test_a_run_that_is_not_over_is_not_deleted(store: Store):
    keep(store, "moving")
    keep(store, "over", state=RunState.DONE)
    RunNotes(store).put("over", RowNote(0, "u", NOW, note="n"))
    listing = RunListing(store)
    assert listing.notes(["over", "moving"]) == 1
    assert not listing.delete("moving")
    assert listing.delete("over")
    assert not listing.delete("over")
    assert listing.notes(["over"]) == 0
    assert found(store) == ("moving",)


def test_what_is_old_is_told_by_the_end_of_the_run_and_tables_by_their_fetch(store: Store):
    keep(store, "r", state=RunState.DONE, finished_at=NOW)
    keep(store, "long", finished_at=None)
    later = NOW + timedelta(seconds=1)
    listing = RunListing(store)
    assert listing.over_before(NOW) == ()
    assert listing.over_before(later) == ("r",)
    assert listing.unshown_tables(later) == ("t2",)
    assert listing.unshown_tables(NOW) == ()
    assert listing.runs_by_table(["t1", "t2"]) == {"t1": 2}


@pytest.mark.parametrize("text", HOSTILE)
def test_titles_and_opinions_come_back_as_they_were_written(store: Store, text):
    keep(store, "r")
    records, notes = RunRecords(store), RunNotes(store)
    told = text.encode("utf-8", "replace").decode()
    assert records.rename("r", text)
    note = RowNote(2, "ann@example.com", NOW, Thumb.DOWN, note=text, corrected=text)
    assert notes.put("r", note)
    run = records.run("r")
    assert run is not None
    assert run.title == told
    assert notes.of_run("r") == {2: replace(note, note=told, corrected=told)}


def test_titles_and_opinions_are_not_stored_in_clear(store: Store):
    keep(store, "r")
    RunRecords(store).rename("r", "canary-title")
    RunNotes(store).put("r", RowNote(0, "u", NOW, note="canary-note", corrected="canary-better"))
    assert b"canary" not in everything_stored(store)


def test_the_newest_opinion_stands_and_one_taken_back_is_gone(store: Store):
    keep(store, "r")
    notes = RunNotes(store)
    newer = RowNote(0, "bob", NOW + timedelta(seconds=1), Thumb.UP)
    assert notes.put("r", newer)
    assert notes.put("r", RowNote(0, "ann", NOW, note="late"))
    assert notes.of_run("r") == {0: newer}
    assert notes.put("r", RowNote(0, "ann", NOW + timedelta(seconds=2)))
    assert notes.of_run("r") == {}
    assert notes.put("r", newer)
    assert notes.of_run("r") == {}


def test_an_opinion_on_a_run_that_is_gone_is_not_kept(store: Store):
    assert not RunNotes(store).put("gone", RowNote(0, "ann", NOW, Thumb.UP))
    assert not RunRecords(store).rename("gone", "x")
