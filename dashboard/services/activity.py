"""The activity log: who did what to which connection, and when."""

from __future__ import annotations

import csv
import io
import json
import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from dashboard.domain.activity import Act, Activity, ActivityFilter, ActResult, Viewer
from dashboard.domain.identity import Identity
from dashboard.domain.workspace import Workspace
from dashboard.masking import REDACTOR
from dashboard.services.reads import Query, Reads
from dashboard.services.spreadsheet import safe_cell
from dashboard.store.activity_records import ActivityRecords

if TYPE_CHECKING:
    from dashboard.store.database import Store

__all__ = ["ACTIVITY", "MOST_EXPORTED", "ActivityFilter", "ActivityLog", "ActivityPage"]

ACTIVITY: Final = "activity"
#: Entries in one exported file.
MOST_EXPORTED: Final = 100_000
KEPT_FOR: Final = timedelta(days=400)
MOST_KEPT: Final = 200_000
#: Entries between two looks at how long the log has become.
_TIDIED_EVERY: Final = 500
_FRESH_S: Final = 10.0
_COLUMNS: Final = (
    "time",
    "person",
    "act",
    "result",
    "connection",
    "connection id",
    "workspace",
    "pipeline",
    "fields",
    "note",
)
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ActivityPage:
    """Some entries, newest first, and how many there are in all."""

    entries: tuple[Activity, ...]
    total: int


class ActivityLog:
    """Writes and reads the log. Thread-safe.

    Parameters
    ----------
    rooms_of
        Gives the workspaces a person is in; may block, and raise any `DashboardError`.
    """

    def __init__(
        self,
        store: Store,
        reads: Reads,
        *,
        rooms_of: Callable[[Identity], Iterable[Workspace]] = lambda _who: (),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._records = ActivityRecords(store)
        self._reads = reads
        self._rooms_of = rooms_of
        self._now = now
        self._lock = threading.Lock()
        self._noted = 0

    def note(  # noqa: PLR0913 - an entry's parts, by keyword
        self,
        who: Identity,
        act: Act,
        *,
        result: ActResult = ActResult.DONE,
        connection_id: str = "",
        connection_name: str = "",
        workspace: str = "",
        workspace_id: int | None = None,
        pipeline: str = "",
        fields: Sequence[str] = (),
        note: str = "",
    ) -> None:
        """Add an entry. Never raises: what happened has happened, noted or not.

        Parameters
        ----------
        workspace_id
            Whose members may read it; give it with every `workspace`.
        """
        try:
            entry = Activity(
                at=self._now(),
                who_id=who.user_id,
                who=who.email,
                act=act,
                result=result,
                connection_id=connection_id,
                connection_name=connection_name,
                workspace=workspace,
                pipeline=pipeline,
                fields=tuple(fields),
                note=REDACTOR.redact_told(note),
                workspace_id=workspace_id,
            )
            self._records.insert(entry)
            self._tidy_now_and_then()
        except Exception as exc:  # noqa: BLE001 - the deed is done; its record must not undo it
            # No traceback: what an unforeseen exception quotes may be names.
            _LOG.warning("an entry of the activity log was not written: %s", type(exc).__name__)
        self._reads.invalidate_for_all(ACTIVITY)

    def page(
        self,
        wanted: ActivityFilter,
        *,
        offset: int = 0,
        limit: int = 50,
        who: Identity | None = None,
    ) -> ActivityPage:
        """Return some of the wanted entries.

        Parameters
        ----------
        who
            Whose view it is; None for all there is, which is for no page.

        Raises
        ------
        DashboardError
            The store cannot be read, or nobody can say which workspaces this person is in.
        """
        viewer = None
        if who is not None:
            rooms = frozenset(room.workspace_id for room in self._rooms_of(who))
            viewer = Viewer(who.user_id, rooms)
        found = self._records.page(wanted, offset=offset, limit=limit, viewer=viewer)
        return ActivityPage(*found)

    def query(
        self, who: Identity, wanted: ActivityFilter, *, offset: int = 0, limit: int = 50
    ) -> Query[ActivityPage]:
        """Read some of the wanted entries for a page, as far as this person may see them."""
        return Query(
            (who.key, ACTIVITY, wanted, offset, limit),
            lambda: self.page(wanted, offset=offset, limit=limit, who=who),
            fresh_s=_FRESH_S,
        )

    def csv_text(self, who: Identity, wanted: ActivityFilter) -> str:
        """Return the newest `MOST_EXPORTED` of what this person may see as CSV, times in UTC.

        No cell is taken for a formula. Where entries are left out, the last row says so.

        Raises
        ------
        DashboardError
            As with `page`.
        """
        found = self.page(wanted, limit=MOST_EXPORTED, who=who)
        text = io.StringIO()
        # All in quotes: what separates cells differs between countries, names may hold any of it.
        rows = csv.writer(text, quoting=csv.QUOTE_ALL)
        rows.writerow(_COLUMNS)
        rows.writerows([safe_cell(cell) for cell in _cells(entry)] for entry in found.entries)
        left_out = _left_out(found)
        if left_out:
            rows.writerow([*[""] * (len(_COLUMNS) - 1), left_out])
        return text.getvalue()

    def json_text(self, who: Identity, wanted: ActivityFilter) -> str:
        """Return the newest `MOST_EXPORTED` of what this person may see as JSON, times in UTC.

        An object with `entries`, `total` (how many are wanted in all) and `left_out`, a sentence
        where the file does not hold all of them.

        Raises
        ------
        DashboardError
            As with `page`.
        """
        found = self.page(wanted, limit=MOST_EXPORTED, who=who)
        entries = [_as_json(entry) for entry in found.entries]
        told = {"total": found.total, "left_out": _left_out(found), "entries": entries}
        return json.dumps(told, ensure_ascii=False, indent=1)

    def _tidy_now_and_then(self) -> None:
        with self._lock:
            is_due = self._noted % _TIDIED_EVERY == 0
            self._noted += 1
        if is_due:
            self._records.drop(before=self._now() - KEPT_FOR, beyond=MOST_KEPT)


def _cells(entry: Activity) -> tuple[str, ...]:
    return (
        _time(entry),
        entry.who,
        entry.act.value,
        entry.result.value,
        entry.connection_name,
        entry.connection_id,
        entry.workspace,
        entry.pipeline,
        ", ".join(entry.fields),
        entry.note,
    )


def _as_json(entry: Activity) -> dict[str, object]:
    cells = dict(zip(_COLUMNS, _cells(entry), strict=True))
    return {**cells, "fields": list(entry.fields)}


def _time(entry: Activity) -> str:
    return entry.at.astimezone(UTC).isoformat(timespec="milliseconds")


def _left_out(found: ActivityPage) -> str:
    if found.total <= len(found.entries):
        return ""
    return f"These are the newest {len(found.entries):,} of {found.total:,} entries."
