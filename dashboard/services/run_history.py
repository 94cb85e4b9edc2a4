"""Runs that were: searched, renamed, deleted, and what their readers thought of their rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dashboard.domain.identity import Identity
from dashboard.domain.row_note import RowNote
from dashboard.domain.run import Run, RunState
from dashboard.services.catalog import GatewayOf
from dashboard.services.jobs import Outcome
from dashboard.services.reads import Query, Reads
from dashboard.services.runs import RunService
from dashboard.services.tables import TableStore

if TYPE_CHECKING:
    from dashboard.store.database import Store


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs are wanted; empty means all.

    Parameters
    ----------
    words
        Each must stand in the run's title, connection, or in one of its inputs or summaries.
    since, until
        Times of the start, UTC; None for open ends.
    only_flagged
        Only runs with a failed row, a failed check, or something in a summary to be doubted.
    """

    words: str = ""
    connection_name: str = ""
    pipeline_name: str = ""
    pipeline_version: str = ""
    owner_id: str = ""
    states: tuple[RunState, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    only_flagged: bool = False


@dataclass(frozen=True, slots=True)
class RunHits:
    """Runs found, newest first, and what there is to choose from in the filters.

    Parameters
    ----------
    rows
        For a search of words, by run id: how many of its rows hold them.
    is_complete
        False when the search of texts ended before it had read all of them.
    """

    runs: tuple[Run, ...]
    total: int
    rows: Mapping[str, int]
    is_complete: bool = True


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
        self._store = store
        self._runs = runs
        self._tables = tables
        self._reads = reads
        self._keep_days = keep_days
        self._now = now

    def find(
        self, who: Identity, wanted: RunFilter, *, offset: int = 0, limit: int = 50
    ) -> Query[RunHits]:
        """Return the wanted runs of the workspaces this person is in."""
        raise NotImplementedError

    def rename(self, who: Identity, run_id: str, title: str) -> Outcome:
        """Give a run a name; an empty one gives it its connection's again."""
        raise NotImplementedError

    def delete(self, who: Identity, run_ids: Sequence[str]) -> Outcome:
        """Delete runs with all their rows, and the stored tables that no other run shows."""
        raise NotImplementedError

    def sweep(self) -> int:
        """Delete what is older than it is to be kept; return how many runs went."""
        raise NotImplementedError

    def notes(self, who: Identity, run_id: str) -> Query[Mapping[int, RowNote]]:
        """Return what readers think of a run's rows, by row index."""
        raise NotImplementedError

    def put_note(self, who: Identity, run_id: str, note: RowNote) -> Outcome:
        """Keep an opinion on a row, in the place of the one before."""
        raise NotImplementedError
