"""What the database keeps of the activity log.

Names are in clear, so that the database can search them; names of fields and the note are sealed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, delete, func, insert, not_, or_, select

from dashboard.domain.activity import (
    OF_A_WORKSPACE,
    Act,
    Activity,
    ActivityFilter,
    ActResult,
    Viewer,
)
from dashboard.store.schema import ACTIVITIES
from dashboard.store.texts import storable

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, RowMapping

    from dashboard.store.database import Store

_LONGEST_ID: Final = 64
_LONGEST_NAME: Final = 500
_LONGEST_NOTE: Final = 1000
_MOST_FIELDS: Final = 100
#: What a search looks at. A longer one is a paste by mistake; SQLite refuses very long patterns.
_LONGEST_SEARCH: Final = 200
_AT_ONCE: Final = 1000


class ActivityRecords:
    """Reads and writes the entries of the log. Checks nobody's access."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def insert(self, entry: Activity) -> None:
        """Add an entry; its `activity_id` is given by the database."""
        values = {
            "at": entry.at,
            "who_id": storable(entry.who_id, most=_LONGEST_NAME),
            "who": storable(entry.who, most=_LONGEST_NAME),
            "act": entry.act.value,
            "result": entry.result.value,
            "connection_id": storable(entry.connection_id, most=_LONGEST_ID),
            "connection_name": storable(entry.connection_name, most=_LONGEST_NAME),
            "workspace": storable(entry.workspace, most=_LONGEST_NAME),
            "pipeline": storable(entry.pipeline, most=_LONGEST_NAME),
            "told_sealed": self._sealed(entry),
            "workspace_id": entry.workspace_id,
        }
        with self._store.write() as connection:
            connection.execute(insert(ACTIVITIES), values)

    def page(
        self, wanted: ActivityFilter, *, offset: int, limit: int, viewer: Viewer | None = None
    ) -> tuple[tuple[Activity, ...], int]:
        """Return some of the wanted entries, newest first, and how many there are in all.

        Parameters
        ----------
        viewer
            Whose view it is; None for all there is.
        """
        which = _which(wanted)
        if viewer is not None:
            which.append(_visible_to(viewer))
        counted = select(func.count()).select_from(ACTIVITIES).where(*which)
        newest = (
            select(ACTIVITIES)
            .where(*which)
            .order_by(ACTIVITIES.c.at.desc(), ACTIVITIES.c.activity_id.desc())
            .offset(offset)
            .limit(limit)
        )
        with self._store.read() as connection:
            total = connection.scalar(counted) or 0
            return tuple(self._entries(connection, newest)), total

    def drop(self, *, before: datetime, beyond: int) -> int:
        """Drop entries from before a time, and all but the newest `beyond`; return how many."""
        newest_dropped = (
            select(ACTIVITIES.c.activity_id)
            .order_by(ACTIVITIES.c.activity_id.desc())
            .offset(beyond)
            .limit(1)
        )
        with self._store.write() as connection:
            dropped = connection.execute(
                delete(ACTIVITIES).where(ACTIVITIES.c.at < before)
            ).rowcount
            last_id = connection.scalar(newest_dropped)
            if last_id is not None:
                old = delete(ACTIVITIES).where(ACTIVITIES.c.activity_id <= last_id)
                dropped += connection.execute(old).rowcount
        return dropped

    # Between rows of the database and values of the domain

    def _entries(self, connection: Connection, query: Any) -> Iterator[Activity]:  # noqa: ANN401 - any select of whole records
        # Closed at once, whatever a record holds: it may be a cursor of the database server.
        with connection.execution_options(yield_per=_AT_ONCE).execute(query) as found:
            for record in found.mappings():
                yield self._entry(record)

    def _entry(self, record: RowMapping) -> Activity:
        fields, note = self._opened(record)
        return Activity(
            at=record["at"],
            who_id=record["who_id"],
            who=record["who"],
            act=Act(record["act"]),
            result=ActResult(record["result"]),
            connection_id=record["connection_id"],
            connection_name=record["connection_name"],
            workspace=record["workspace"],
            pipeline=record["pipeline"] or "",
            fields=fields,
            note=note,
            activity_id=record["activity_id"],
            workspace_id=record["workspace_id"],
        )

    def _sealed(self, entry: Activity) -> bytes | None:
        if not entry.fields and not entry.note:
            return None
        fields = [storable(name, most=_LONGEST_NAME) for name in entry.fields[:_MOST_FIELDS]]
        told = json.dumps([fields, storable(entry.note, most=_LONGEST_NOTE)])
        return self._store.seal_text(told, bound_to=_binding(entry.at))

    def _opened(self, record: RowMapping) -> tuple[tuple[str, ...], str]:
        if record["told_sealed"] is None:
            return (), ""
        told = self._store.open_text(record["told_sealed"], bound_to=_binding(record["at"]))
        fields, note = json.loads(told)
        return tuple(fields), note


def _binding(at: datetime) -> str:
    # The id is not known before the entry is written.
    return f"activity:{at.timestamp():.6f}"


def _visible_to(viewer: Viewer) -> ColumnElement[bool]:
    columns = ACTIVITIES.c
    names_pipeline = func.coalesce(columns.pipeline, "") != ""
    names_none = and_(columns.workspace == "", not_(names_pipeline))
    of_connection = and_(
        columns.connection_name != "",
        not_(names_pipeline),
        columns.act.not_in([act.value for act in OF_A_WORKSPACE]),
    )
    visible = [
        columns.workspace_id.in_(sorted(viewer.workspace_ids)),
        and_(columns.workspace_id.is_(None), names_none),
        of_connection,
    ]
    if viewer.who_id:
        # Those of old have a name alone, and who makes a workspace chooses its name: such an entry
        # is shown to whoever did what it tells.
        by_viewer = columns.who_id == storable(viewer.who_id, most=_LONGEST_NAME)
        visible.append(and_(columns.workspace_id.is_(None), by_viewer))
    return or_(*visible)


def _which(wanted: ActivityFilter) -> list[ColumnElement[bool]]:
    which: list[ColumnElement[bool]] = []
    if wanted.acts:
        which.append(ACTIVITIES.c.act.in_([act.value for act in wanted.acts]))
    if wanted.results:
        which.append(ACTIVITIES.c.result.in_([result.value for result in wanted.results]))
    if wanted.connection_name:
        name = storable(wanted.connection_name, most=_LONGEST_NAME)
        which.append(ACTIVITIES.c.connection_name == name)
    # No word holds a line break, so none is found across two of the texts.
    columns = ACTIVITIES.c
    names = columns.connection_name + "\n" + columns.workspace + "\n" + columns.who
    searched = func.lower(names + "\n" + func.coalesce(columns.pipeline, ""))
    which += [
        searched.contains(word, autoescape=True)
        for word in storable(wanted.words, most=_LONGEST_SEARCH).lower().split()
    ]
    return which
