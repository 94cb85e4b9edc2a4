from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dashboard.domain.identity import Identity
from dashboard.domain.row_note import RowNote, Thumb
from dashboard.domain.run import RowState, Run, RunState
from dashboard.domain.run_filter import RunFilter
from dashboard.domain.workspace import Workspace
from dashboard.errors import DashboardError, InvalidInput, NotFound
from dashboard.services.reads import Reads
from dashboard.services.run_history import RunHistory, RunHits
from dashboard.services.run_search import RunSearch, words_of
from dashboard.store.database import Store, open_store, open_vault
from dashboard.store.run_records import Claim, RowResult, RunRecords
from tests.unit.services.run_stubs import (
    MEMBER,
    STRANGER,
    WHEN,
    WORKSPACE,
    Rig,
    StubPlatform,
    draft,
    open_rig,
    texts_table,
    until,
)
from tests.unit.store.test_run_records import RUN

CLAIM = Claim("test", datetime(2030, 1, 1, tzinfo=UTC))
HOSTILE = [
    "%",
    "_",
    ".*",
    "[a-z]+",
    "\\",
    "'",
    '"; DROP TABLE runs; --',
    "(((",
    "\0",
    "\ud800",
    "🦘",
]


class StubGateway:
    """Tells each person the workspaces they are in."""

    def list_workspaces(self, who: Identity) -> list[Workspace]:
        return [WORKSPACE] if who == MEMBER else [replace(WORKSPACE, workspace_id=8)]


@dataclass
class Shelf:
    """The history over the files of a rig, and the time it believes it is."""

    rig: Rig
    store: Store
    history: RunHistory
    now: datetime = WHEN + timedelta(hours=1)

    @property
    def records(self) -> RunRecords:
        return RunRecords(self.store)

    def keep(self, *texts: str, table_id: str = "", **changes: Any) -> str:
        """Keep a run that is over; its summaries are `short TEXT`."""
        if not table_id:
            table_id = self.rig.tables.save(MEMBER, draft(), texts_table(*texts)).table_id
        at = WHEN + timedelta(minutes=len(self.ids()))
        values = {"run_id": f"run-{len(self.ids())}", "created_at": at, **changes}
        run = replace(RUN, table_id=table_id, rows_total=len(texts), **values)
        self.records.insert(run, CLAIM)
        rows = [
            RowResult(index, RowState.DONE, summary=f"short {text}")
            for index, text in enumerate(texts)
        ]
        self.records.journal({run.run_id: rows}, CLAIM)
        self.records.finished(run.run_id, "test", state=RunState.DONE, message="", at=at)
        return run.run_id

    def find(self, words: str = "", who: Identity = MEMBER, **options: Any) -> RunHits:
        return self.history.find(who, RunFilter(words=words), **options).load()

    def ids(self, words: str = "") -> list[str]:
        return [run.run_id for run in self.find(words).runs]

    def files(self) -> set[str]:
        return {path.stem for path in (self.rig.folder / "tables").iterdir()}

    def run(self, run_id: str) -> Run:
        run = self.records.run(run_id)
        assert run is not None
        return run


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    folder = tmp_path / "data"
    rig = open_rig(folder, StubPlatform())
    store = open_store("", data_dir=folder, vault=open_vault("", data_dir=folder))
    gateway: Any = StubGateway()  # the one method the history uses, not the whole contract
    with ThreadPoolExecutor(1) as pool:
        history = RunHistory(
            lambda: gateway,
            store=store,
            runs=rig.runs,
            tables=rig.tables,
            reads=Reads(pool, on_unexpected=lambda exc: DashboardError(str(exc))),
            keep_days=30,
            now=lambda: filled.now,
        )
        filled = Shelf(rig, store, history)
        yield filled
    store.close()
    rig.close()


# Search


def test_all_words_must_stand_together_in_one_row_its_input_or_its_summary(shelf: Shelf):
    first = shelf.keep("The Council met.", "A harbour was built.")
    shelf.keep("The council built nothing.")
    assert shelf.ids("COUNCIL met") == [first]
    assert shelf.ids("short HARBOUR") == [first]
    assert shelf.ids("council harbour") == []
    assert shelf.find("the").rows == {"run-0": 1, "run-1": 1}
    assert shelf.find("short").rows == {"run-0": 2, "run-1": 1}
    assert shelf.ids("   ") == ["run-1", "run-0"]


def test_a_run_is_found_by_its_title_or_connection_together_with_its_texts(shelf: Shelf):
    run_id = shelf.keep("The council met.", connection_name="Press-Wire")
    shelf.history.rename(MEMBER, run_id, "Größe  vor dem Umbau")
    assert shelf.run(run_id).title == "Größe vor dem Umbau"
    hits = shelf.find("GRÖßE press-wire")
    assert [run.run_id for run in hits.runs] == [run_id]
    assert hits.rows == {}
    assert shelf.find("umbau council").rows == {run_id: 1}
    assert shelf.ids("umbau parliament") == []


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_are_looked_for_as_they_are(shelf: Shelf, text: str):
    shelf.keep("nothing of that kind here")
    stored = text.encode("utf-8", "replace").decode()
    run_id = shelf.keep(f"before{stored}after")
    # None of them is a pattern that finds more, and none breaks the search.
    assert shelf.ids(f"before{text}after") == [run_id]


def test_words_are_bounded_and_the_same_word_counts_once():
    assert words_of("A a  B\n") == ("a", "b")
    assert len(words_of("w" * 10_000)[0]) == 400
    assert len(words_of(" ".join(str(number) for number in range(99)))) == 12


def test_a_search_out_of_time_says_so_and_goes_on_where_it_ended(shelf: Shelf):
    for _ in range(4):
        shelf.keep("needle")
    ticks = iter(range(1_000))
    search = RunSearch(
        shelf.records, shelf.rig.tables, budget_s=3.5, clock=lambda: float(next(ticks))
    )
    ids = ["run-3", "run-2", "run-1", "run-0"]
    first = search.look(ids, ("needle",))
    assert first.run_ids == ("run-3", "run-2")
    assert not first.is_complete
    second = search.look(ids, ("needle",))
    assert second.run_ids == tuple(ids)
    assert second.is_complete
    assert second.rows == dict.fromkeys(ids, 1)


def test_a_table_that_cannot_be_read_hides_no_other_run(shelf: Shelf):
    good = shelf.keep("needle")
    bad = shelf.keep("needle")
    path = shelf.rig.folder / "tables" / f"{shelf.run(bad).table_id}.sealed"
    path.write_bytes(b"damaged")
    hits = shelf.find("needle")
    assert [run.run_id for run in hits.runs] == [good]
    assert not hits.is_complete


def test_a_retry_is_searched_anew(shelf: Shelf):
    run_id = shelf.keep("one")
    assert shelf.ids("better") == []
    shelf.records.queue_again(run_id, CLAIM, only_failed=True)
    again = RowResult(0, RowState.DONE, summary="better", again=True)
    shelf.records.journal({run_id: [again]}, CLAIM)
    assert shelf.ids("better") == [run_id]


def test_200_runs_of_50_rows_are_searched_within_the_time(shelf: Shelf):
    text = "Ministers agreed on a budget for the coming year, officials said. " * 30
    table = shelf.rig.tables.save(MEMBER, draft(), texts_table(*[text] * 50)).table_id
    for number in range(200):
        run = replace(RUN, run_id=f"r{number:03}", table_id=table, rows_total=50)
        shelf.records.insert(run, CLAIM)
        rows = [RowResult(row, RowState.DONE, summary=f"{text[:400]} {row}") for row in range(50)]
        rows[7] = replace(rows[7], summary=f"needle {number}")
        shelf.records.journal({run.run_id: rows}, CLAIM)
    began = time.perf_counter()
    hits = shelf.find("needle 142")
    took_s = time.perf_counter() - began
    assert [run.run_id for run in hits.runs] == ["r142"]
    assert hits.is_complete
    assert took_s < 3.0
    assert shelf.find("needle").total == 200


def test_pages_are_cut_from_what_was_found_and_the_last_one_is_given_past_the_end(shelf: Shelf):
    for number in range(5):
        shelf.keep("needle" if number % 2 else "hay")
    hits = shelf.find(limit=2, offset=2)
    assert ([run.run_id for run in hits.runs], hits.first, hits.total) == (["run-2", "run-1"], 2, 5)
    hits = shelf.find("needle", limit=1, offset=99)
    assert ([run.run_id for run in hits.runs], hits.first, hits.total) == (["run-1"], 1, 2)
    assert hits.kept == 5
    assert hits.facts["run-1"].to_check == 0


# Access


def test_who_is_not_a_member_finds_nothing_and_can_do_nothing(shelf: Shelf):
    run_id = shelf.keep("needle")
    history = shelf.history
    assert shelf.find("needle", who=STRANGER).kept == 0
    assert history.impact(STRANGER, [run_id]).load().runs == ()
    for forbidden in (
        lambda: history.rename(STRANGER, run_id, "mine"),
        lambda: history.delete(STRANGER, [run_id]),
        lambda: history.notes(STRANGER, run_id).load(),
        lambda: history.put_note(STRANGER, run_id, RowNote(0, "", WHEN, Thumb.UP)),
    ):
        with pytest.raises(NotFound, match="There is no such run"):
            forbidden()
    assert shelf.run(run_id).title == ""
    assert history.notes(MEMBER, run_id).load() == {}


# Rename


def test_a_name_that_is_too_long_is_refused_at_its_field(shelf: Shelf):
    run_id = shelf.keep("one")
    with pytest.raises(InvalidInput) as refused:
        shelf.history.rename(MEMBER, run_id, "x" * 121)
    assert refused.value.field == "title"
    told = shelf.history.rename(MEMBER, run_id, " " + "x" * 120)
    assert told.message == f"The run is called {'x' * 120} now."
    assert shelf.history.rename(MEMBER, run_id, " \n").message == "It is c again."
    assert shelf.run(run_id).title == ""


# Delete


def test_deleting_takes_the_table_with_its_file_unless_another_run_shows_it(shelf: Shelf):
    first = shelf.keep("one", "two")
    table_id = shelf.run(first).table_id
    second = shelf.keep("one", "two", table_id=table_id)
    alone = shelf.keep("three")
    impact = shelf.history.impact(MEMBER, [first, alone, "gone"]).load()
    assert [run.run_id for run in impact.runs] == [first, alone]
    assert (impact.tables_going, impact.tables_staying) == (1, 1)
    told = shelf.history.delete(MEMBER, [first, alone, "gone"])
    assert told.message == "Deleted 2 runs and 1 fetched table."
    assert shelf.files() == {table_id}
    assert shelf.rig.runs.rows(MEMBER, second)[0].input_text == "one"
    assert shelf.history.impact(MEMBER, [second]).load().tables_going == 1
    assert shelf.history.delete(MEMBER, [second]).message == "Deleted 1 run and 1 fetched table."
    assert shelf.files() == set()
    with pytest.raises(NotFound):
        shelf.history.delete(MEMBER, [second])


def test_a_table_fetched_a_moment_ago_stays_until_the_next_sweep(shelf: Shelf):
    run_id = shelf.keep("one")
    shelf.now = WHEN + timedelta(seconds=59)
    assert shelf.history.delete(MEMBER, [run_id]).message == "Deleted 1 run."
    assert len(shelf.files()) == 1
    shelf.history.sweep()
    assert len(shelf.files()) == 1
    shelf.now = WHEN + timedelta(seconds=61)
    shelf.history.sweep()
    assert shelf.files() == set()


def test_a_run_that_goes_on_is_cancelled_before_it_is_deleted(shelf: Shelf):
    shelf.rig.platform.held = True
    run = shelf.rig.submit("one", "two", "three")
    until(lambda: bool(shelf.rig.platform.sent))
    assert shelf.history.delete(MEMBER, [run.run_id]).message.startswith("Deleted 1 run")
    shelf.rig.platform.held = False
    assert shelf.records.run(run.run_id) is None
    assert shelf.ids() == []


# Retention


def test_a_sweep_deletes_what_is_older_than_it_is_to_be_kept_and_nothing_else(shelf: Shelf):
    shelf.keep("old")
    shelf.keep("young", created_at=WHEN + timedelta(days=20))
    unshown = shelf.rig.tables.save(MEMBER, draft(), texts_table("never run")).table_id
    fresh = draft(fetched_at=WHEN + timedelta(days=20))
    kept = shelf.rig.tables.save(MEMBER, fresh, texts_table("perhaps run")).table_id
    moving = shelf.records
    table_id = shelf.run("run-1").table_id
    moving.insert(replace(RUN, run_id="moving", table_id=table_id, created_at=WHEN), CLAIM)
    shelf.now = WHEN + timedelta(days=30)
    assert shelf.history.sweep() == 0
    shelf.now = WHEN + timedelta(days=30, seconds=1)
    assert shelf.history.sweep() == 1
    assert set(shelf.ids()) == {"run-1", "moving"}
    assert unshown not in shelf.files()
    assert shelf.files() == {kept, table_id}


def test_without_a_limit_nothing_is_swept(shelf: Shelf):
    run_id = shelf.keep("old")
    shelf.history._keep_days = 0
    shelf.now = WHEN + timedelta(days=10_000)
    assert shelf.history.sweep() == 0
    assert shelf.ids() == [run_id]


# Opinions


def test_an_opinion_is_shown_to_the_members_with_its_author(shelf: Shelf):
    run_id = shelf.keep("one", "two")
    note = RowNote(1, "somebody else", WHEN, Thumb.DOWN, note="Misses the point.", corrected="B")
    assert shelf.history.put_note(MEMBER, run_id, note).message == ""
    assert shelf.history.notes(MEMBER, run_id).load() == {1: replace(note, who=MEMBER.email)}
    assert shelf.history.impact(MEMBER, [run_id]).load().notes == 1


@pytest.mark.parametrize("row_index", [-1, 2])
def test_an_opinion_on_a_row_that_there_is_not_is_refused(shelf: Shelf, row_index: int):
    run_id = shelf.keep("one", "two")
    with pytest.raises(NotFound, match="no such row"):
        shelf.history.put_note(MEMBER, run_id, RowNote(row_index, "", WHEN, Thumb.UP))


def test_an_opinion_from_the_future_does_not_stand_in_the_way_of_later_ones(shelf: Shelf):
    run_id = shelf.keep("one")
    far = shelf.now + timedelta(days=9)
    shelf.history.put_note(MEMBER, run_id, RowNote(0, "", far, Thumb.UP))
    shelf.now += timedelta(seconds=1)
    shelf.history.put_note(MEMBER, run_id, RowNote(0, "", shelf.now, Thumb.DOWN))
    assert shelf.history.notes(MEMBER, run_id).load()[0].thumb is Thumb.DOWN


def test_texts_that_are_too_long_are_refused(shelf: Shelf):
    run_id = shelf.keep("one")
    empty = RowNote(0, "", WHEN)
    for note, field in (
        (replace(empty, note="x" * 4_001), "note"),
        (replace(empty, corrected="x" * 20_001), "corrected"),
    ):
        with pytest.raises(InvalidInput) as refused:
            shelf.history.put_note(MEMBER, run_id, note)
        assert refused.value.field == field
