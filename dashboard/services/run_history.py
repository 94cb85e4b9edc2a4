"""Runs that were: searched, renamed, deleted, and what their readers thought of their rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from dashboard.domain.identity import Identity
from dashboard.domain.row_note import RowNote
from dashboard.domain.run import Run
from dashboard.domain.run_filter import RunChoices, RunFacts, RunFilter
from dashboard.errors import AccessDenied, Conflict, InvalidInput, NotFound
from dashboard.services.catalog import GatewayOf
from dashboard.services.jobs import Outcome
from dashboard.services.reads import Query, Reads
from dashboard.services.run_actions import RUNS
from dashboard.services.run_search import RunSearch, words_of
from dashboard.services.runs import RunService
from dashboard.services.tables import TableStore
from dashboard.store.run_listing import RunListing
from dashboard.store.run_notes import RunNotes
from dashboard.store.run_records import RunRecords
from dashboard.store.table_records import TableRecords

if TYPE_CHECKING:
    from dashboard.store.database import Store

__all__ = ["LONGEST_TITLE", "DeleteImpact", "RunFilter", "RunHistory", "RunHits"]

LONGEST_TITLE: Final = 120
LONGEST_NOTE: Final = 4_000
LONGEST_SUMMARY: Final = 20_000
NOTES: Final = "row_notes"
_FRESH_S: Final = 5.0
#: A table that was fetched a moment ago may be about to be run.
_YOUNG: Final = timedelta(minutes=1)
_KEPT_FACTS: Final = 5_000


@dataclass(frozen=True, slots=True)
class RunHits:
    """Runs found, newest first, and what there is to choose from in the filters.

    Parameters
    ----------
    runs
        Those of the page asked for; of the last page where that is past the end.
    first
        Place of the first of them among all that were found, from 0.
    total
        How many were found.
    rows
        For a search of words, by run id: how many of its rows hold them; absent for a run that was
        found by its title or connection.
    is_complete
        False when the search of texts ended before it had read all of them.
    run_ids
        Of all that were found.
    facts
        Of the runs of this page, by run id.
    kept
        How many runs there are, wanted or not.
    """

    runs: tuple[Run, ...]
    total: int
    rows: Mapping[str, int]
    is_complete: bool = True
    first: int = 0
    run_ids: tuple[str, ...] = ()
    facts: Mapping[str, RunFacts] = field(default_factory=dict)
    choices: RunChoices = field(default_factory=RunChoices)
    kept: int = 0


@dataclass(frozen=True, slots=True)
class DeleteImpact:
    """What goes when some runs are deleted.

    Parameters
    ----------
    runs
        Those that there are, in the order asked for.
    notes
        Rows that somebody has an opinion on.
    tables_going, tables_staying
        Fetched tables that no other run shows, and those that one does.
    """

    runs: tuple[Run, ...]
    notes: int
    tables_going: int
    tables_staying: int


class RunHistory:
    """The use cases. Methods that return an outcome are run as jobs."""

    def __init__(  # noqa: PLR0913 - what it works with, by keyword
        self,
        gateway: GatewayOf,
        *,
        store: Store,
        runs: RunService,
        tables: TableStore,
        reads: Reads,
        keep_days: int = 0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._gateway = gateway
        self._runs = runs
        self._tables = tables
        self._reads = reads
        self._keep_days = keep_days
        self._now = now
        self._records = RunRecords(store)
        self._listing = RunListing(store)
        self._notes = RunNotes(store)
        self._passports = TableRecords(store)
        self._search = RunSearch(self._records, tables)
        self._facts: dict[tuple[object, ...], RunFacts] = {}
        # Tables that were too young to go with their last run.
        self._left: set[str] = set()

    # The list

    def find(
        self, who: Identity, wanted: RunFilter, *, offset: int = 0, limit: int = 50
    ) -> Query[RunHits]:
        """Return the wanted runs of the workspaces this person is in."""

        def load() -> RunHits:
            rooms = [room.workspace_id for room in self._gateway().list_workspaces(who)]
            return self._page(rooms, wanted, offset, limit)

        return Query((who.key, RUNS, "found", wanted, offset, limit), load, _FRESH_S)

    def search_on(self, who: Identity) -> None:
        """Go on with a search whose time was over; what it has counted is not read again."""
        self._reads.invalidate(who.key, RUNS, "found")

    def _page(self, rooms: Sequence[int], wanted: RunFilter, offset: int, limit: int) -> RunHits:
        found = self._listing.ids(rooms, wanted)
        kept = len(found) if wanted == RunFilter() else len(self._listing.ids(rooms, RunFilter()))
        rows: Mapping[str, int] = {}
        is_complete = True
        if words := words_of(wanted.words):
            hits = self._search.look(found, words)
            found, rows, is_complete = hits.run_ids, hits.rows, hits.is_complete
        last_page = max(len(found) - 1, 0) // limit * limit
        first = min(max(offset, 0), last_page)
        runs = self._records.headers(found[first : first + limit])
        return RunHits(
            runs=runs,
            total=len(found),
            rows=rows,
            is_complete=is_complete,
            first=first,
            run_ids=found,
            facts={run.run_id: self._facts_of(run) for run in runs},
            choices=self._listing.choices(rooms),
            kept=kept,
        )

    def _facts_of(self, run: Run) -> RunFacts:
        key = (run.run_id, run.rows_done, run.rows_failed, run.finished_at)
        known = self._facts.get(key)
        if known is None:
            known = self._listing.facts(run.run_id)
            if len(self._facts) >= _KEPT_FACTS:
                self._facts.clear()
            self._facts[key] = known
        return known

    # What people do

    def rename(self, who: Identity, run_id: str, title: str) -> Outcome:
        """Give a run a name; an empty one gives it its connection's again.

        Raises
        ------
        InvalidInput
            It is longer than `LONGEST_TITLE` characters.
        NotFound
            There is no such run in a workspace this person is in.
        """
        name = " ".join(title.split())
        if len(name) > LONGEST_TITLE:
            raise InvalidInput(
                f"A name has at most {LONGEST_TITLE} characters; this one has {len(name):,}.",
                field="title",
            )
        run = self._run(who, run_id)
        if not self._records.rename(run_id, name):
            raise _no_run()
        self._reads.invalidate_for_all(RUNS)
        told = f"The run is called {name} now." if name else f"It is {run.connection_name} again."
        return Outcome(told, result=run_id)

    def impact(self, who: Identity, run_ids: Sequence[str]) -> Query[DeleteImpact]:
        """Return what goes when these runs are deleted; others' and unknown ones are left out."""

        def load() -> DeleteImpact:
            rooms = {room.workspace_id for room in self._gateway().list_workspaces(who)}
            runs = tuple(run for run in self._records.headers(run_ids) if run.workspace_id in rooms)
            ours: dict[str, int] = {}
            for run in runs:
                ours[run.table_id] = ours.get(run.table_id, 0) + 1
            shown = self._listing.runs_by_table(list(ours))
            going = sum(shown.get(table_id, 0) <= number for table_id, number in ours.items())
            notes = self._listing.notes([run.run_id for run in runs])
            return DeleteImpact(runs, notes, going, len(ours) - going)

        return Query((who.key, RUNS, "impact", tuple(run_ids)), load, _FRESH_S)

    def delete(self, who: Identity, run_ids: Sequence[str]) -> Outcome:
        """Delete runs with all their rows, and the stored tables that no other run shows.

        One that is not over is cancelled first.

        Raises
        ------
        NotFound
            None of them is there, in a workspace this person is in.
        Conflict
            None could be deleted, because they were started again at this moment.
        """
        gone: list[Run] = []
        moving = 0
        for run_id in dict.fromkeys(run_ids):
            try:
                run = self._run(who, run_id)
                self._runs.cancel(who, run_id)
            except NotFound:
                continue
            if self._listing.delete(run_id):
                gone.append(run)
            else:
                moving += 1
        self._reads.invalidate_for_all(RUNS)
        if moving and not gone:
            raise Conflict("It was started again at this moment.", hint="Cancel it, then try again")
        if not gone:
            raise _no_run()
        tables = sum([self._drop_table(one) for one in {run.table_id for run in gone}])
        told = f"Deleted {_count(len(gone), 'run')}"
        told += f" and {_count(tables, 'fetched table')}." if tables else "."
        if moving:
            told += f" {_count(moving, 'run')} started again at this moment and stayed."
        return Outcome(told, is_partial=bool(moving))

    def _drop_table(self, table_id: str) -> bool:
        passport = self._passports.passport(table_id)
        if passport is None:
            return False
        if self._now() - passport.fetched_at < _YOUNG:
            self._left.add(table_id)
            return False
        try:
            self._tables.drop(table_id)
        except Conflict:  # another run shows it
            return False
        return True

    # What goes by itself

    def sweep(self) -> int:
        """Delete what is older than it is to be kept; return how many runs went."""
        self._tables.sweep()
        for table_id in list(self._left):
            self._left.discard(table_id)
            self._drop_table(table_id)
        if not self._keep_days:
            return 0
        limit = self._now() - timedelta(days=self._keep_days)
        gone = sum([self._listing.delete(run_id) for run_id in self._listing.over_before(limit)])
        for table_id in self._listing.unshown_tables(limit):
            self._drop_table(table_id)
        if gone:
            self._reads.invalidate_for_all(RUNS)
        return gone

    # Opinions

    def notes(self, who: Identity, run_id: str) -> Query[Mapping[int, RowNote]]:
        """Return what readers think of a run's rows, by row index.

        The query raises `NotFound` if there is no such run in a workspace this person is in.
        """

        def load() -> Mapping[int, RowNote]:
            self._run(who, run_id)
            return self._notes.of_run(run_id)

        return Query((who.key, NOTES, run_id), load, _FRESH_S)

    def put_note(self, who: Identity, run_id: str, note: RowNote) -> Outcome:
        """Keep an opinion on a row, in the place of the one before. It is told without words.

        Parameters
        ----------
        note
            Whoever is signed in is its author, whatever it says. An empty one takes back what was
            said; one older than what is kept changes nothing.

        Raises
        ------
        InvalidInput
            A text is too long.
        NotFound
            There is no such row, or no such run in a workspace this person is in.
        """
        for name, text, most in (
            ("note", note.note, LONGEST_NOTE),
            ("corrected", note.corrected, LONGEST_SUMMARY),
        ):
            if len(text) > most:
                raise InvalidInput(f"At most {most:,} characters can be kept.", field=name)
        run = self._run(who, run_id)
        if not 0 <= note.row_index < run.rows_total:
            raise NotFound("This run has no such row.")
        kept = replace(note, who=who.email, at=min(note.at, self._now()))
        if not self._notes.put(run_id, kept):
            raise _no_run()
        self._reads.invalidate_for_all(NOTES, run_id)
        return Outcome("", result=str(note.row_index))

    def _run(self, who: Identity, run_id: str) -> Run:
        try:
            return self._runs.run(who, run_id)
        except AccessDenied as exc:
            # Whoever is not a member learns nothing, not even that there is such a run.
            raise _no_run() from exc


def _no_run() -> NotFound:
    return NotFound("There is no such run.", hint="It may have been deleted.")


def _count(number: int, one: str) -> str:
    return f"{number:,} {one}" if number == 1 else f"{number:,} {one}s"
