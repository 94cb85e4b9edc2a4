"""The journal of guarded replaces: names and ids, never details.

One process at a time carries a replace and renews its claim. A record that is not over and that
nobody carries is unfinished, whatever it says: whoever carried it was stopped.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, func, insert, or_, select, update

from dashboard.domain.replacement import Replacement, ReplaceState, Room
from dashboard.store.run_records import Claim
from dashboard.store.schema import REPLACEMENTS
from dashboard.store.texts import storable

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, RowMapping

    from dashboard.store.database import Store

STOPPED: Final = "The dashboard was stopped in the middle of it."
_OVER: Final = tuple(state.value for state in ReplaceState if state.is_over)
_PLAIN: Final = ("replacement_id", "old_id", "old_created_at", "begun_at", "new_id")
_ENDS: Final = ("reason", "ended_at", "missing_ms")
#: Kept as JSON: these are strangers' texts, which may hold what a database refuses.
_NAMES: Final = (
    "owner_id",
    "owner",
    "connection_name",
    "connection_type",
    "new_copy_name",
    "old_copy_name",
)
_LONGEST_REASON: Final = 1000


class ReplacementRecords:
    """Reads and writes replaces. Checks nobody's access."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def begin(self, record: Replacement, claim: Claim, *, now: datetime) -> bool:
        """Keep a new replace, carried by `claim`; False if its connection is being replaced."""
        values = {**self._values(record), "claimed_by": claim.owner, "claimed_until": claim.until}
        with self._store.write() as connection:
            if connection.scalar(_count_of(_running(record.connection_name, now))):
                return False
            connection.execute(insert(REPLACEMENTS), values)
        return True

    def is_running(self, connection_name: str, now: datetime) -> bool:
        """Whether somebody is replacing the connection of this name."""
        with self._store.read() as connection:
            return bool(connection.scalar(_count_of(_running(connection_name, now))))

    def find(self, replacement_id: str, now: datetime) -> Replacement | None:
        """Return one replace as it stands now, or None."""
        wanted = select(REPLACEMENTS).where(REPLACEMENTS.c.replacement_id == replacement_id)
        with self._store.read() as connection:
            found = connection.execute(wanted).mappings().one_or_none()
        return None if found is None else self._record(found, now)

    def of(self, owner_id: str, now: datetime, *, receipts: int) -> tuple[Replacement, ...]:
        """Return a person's replaces that are not over and the newest `receipts`, newest first."""
        theirs = (
            select(REPLACEMENTS)
            .where(REPLACEMENTS.c.owner_id == json.dumps(owner_id))
            .order_by(REPLACEMENTS.c.begun_at.desc(), REPLACEMENTS.c.replacement_id)
        )
        with self._store.read() as connection:
            open_ones = connection.execute(theirs.where(_is_open())).mappings().all()
            over = connection.execute(theirs.where(~_is_open()).limit(receipts)).mappings().all()
        found = [self._record(one, now) for one in (*open_ones, *over)]
        return tuple(sorted(found, key=lambda record: record.begun_at, reverse=True))

    def followers(self, owner_id: str) -> dict[str, str]:
        """Return what a person's replaces have put in the place of what, by ids.

        Only what stood there for sure, or was the end of it: not what is half done.
        """
        columns = REPLACEMENTS.c
        wanted = (
            select(columns.old_id, columns.new_id)
            .where(columns.owner_id == json.dumps(owner_id), columns.new_id != "")
            .where(or_(~_is_open(), columns.settled.is_not(None)))
            .order_by(columns.begun_at)
        )
        with self._store.read() as connection:
            return {row.old_id: row.new_id for row in connection.execute(wanted)}

    def claim(self, replacement_id: str, claim: Claim, *, now: datetime) -> bool:
        """Take a replace that nobody carries. False if somebody does, or it is over."""
        free = or_(REPLACEMENTS.c.claimed_by.is_(None), REPLACEMENTS.c.claimed_until < now)
        return self._update(
            and_(REPLACEMENTS.c.replacement_id == replacement_id, _is_open(), free),
            state=ReplaceState.RUNNING.value,
            claimed_by=claim.owner,
            claimed_until=claim.until,
        )

    def renew(self, replacement_id: str, claim: Claim) -> bool:
        """Say that a replace is still carried. False if somebody else has it by now."""
        return self._update(_held(replacement_id, claim.owner), claimed_until=claim.until)

    def save(self, record: Replacement, claim: Claim) -> bool:
        """Write where a replace stands; what is not running is released.

        Returns
        -------
        bool
            False if `claim.owner` does not carry it any more; nothing was written then.
        """
        claimed: dict[str, datetime | None] = {"claimed_until": claim.until}
        if record.state is not ReplaceState.RUNNING:
            claimed = {"claimed_by": None, "claimed_until": None}
        values = {**self._values(record), **claimed}
        return self._update(_held(record.replacement_id, claim.owner), **values)

    def _update(self, which: ColumnElement[bool], **values: object) -> bool:
        with self._store.write() as connection:
            changed = connection.execute(update(REPLACEMENTS).where(which).values(**values))
            return changed.rowcount == 1

    def _values(self, record: Replacement) -> dict[str, Any]:
        rooms = [[room.workspace_id, room.name] for room in record.rooms]
        return {
            **{name: getattr(record, name) for name in (*_PLAIN, *_ENDS)},
            **{name: json.dumps(getattr(record, name)) for name in _NAMES},
            "reason": storable(record.reason, most=_LONGEST_REASON),
            "rooms": json.dumps(rooms),
            "fields_sealed": self._store.seal_text(
                json.dumps(record.fields), bound_to=_binding(record.replacement_id)
            ),
            "state": record.state.value,
            "settled": record.settled.value if record.settled is not None else None,
        }

    def _record(self, row: RowMapping, now: datetime) -> Replacement:
        # As the columns' types say.
        plain: dict[str, Any] = {name: row[name] for name in (*_PLAIN, *_ENDS)}
        names: dict[str, Any] = {name: json.loads(row[name]) for name in _NAMES}
        fields: Sequence[str] = json.loads(
            self._store.open_text(row["fields_sealed"], bound_to=_binding(row["replacement_id"]))
        )
        record = Replacement(
            **plain,
            **names,
            rooms=tuple(Room(room_id, name) for room_id, name in json.loads(row["rooms"])),
            fields=tuple(fields),
            state=ReplaceState(row["state"]),
            settled=None if row["settled"] is None else ReplaceState(row["settled"]),
        )
        is_carried = row["claimed_until"] is not None and row["claimed_until"] >= now
        if record.state is ReplaceState.RUNNING and not is_carried:
            return replace(record, state=ReplaceState.UNFINISHED, reason=record.reason or STOPPED)
        return record


def _binding(replacement_id: str) -> str:
    return f"replacement:{replacement_id}:fields"


def _is_open() -> ColumnElement[bool]:
    return REPLACEMENTS.c.state.not_in(_OVER)


def _held(replacement_id: str, owner: str) -> ColumnElement[bool]:
    return and_(REPLACEMENTS.c.replacement_id == replacement_id, REPLACEMENTS.c.claimed_by == owner)


def _running(connection_name: str, now: datetime) -> ColumnElement[bool]:
    return and_(
        REPLACEMENTS.c.connection_name == json.dumps(connection_name),
        _is_open(),
        REPLACEMENTS.c.claimed_until >= now,
    )


def _count_of(which: ColumnElement[bool]) -> Any:  # noqa: ANN401 - a select, typed by its columns
    return select(func.count()).select_from(REPLACEMENTS).where(which)
