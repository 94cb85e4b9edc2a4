"""What the database keeps of the idle guard: one record for each pipeline that it watches.

Several dashboards may share a database: each change names the version it is about, and only one of
them finds the record when it drops it.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, delete, exists, insert, not_, or_, select, update
from sqlalchemy.exc import IntegrityError

from dashboard.domain.idle import Guard
from dashboard.domain.run import RunState
from dashboard.store.schema import GUARDS, RUNS
from dashboard.store.texts import storable
from dashboard.store.use_records import still_holds, used_elsewhere

if TYPE_CHECKING:
    from sqlalchemy import Column, ColumnElement, RowMapping

    from dashboard.store.database import Store

_LONGEST_VERSION: Final = 64
_LONGEST_NAME: Final = 500
#: The clocks of two computers differ by less.
_CLOCKS_DIFFER: Final = timedelta(minutes=1)
_UNDER_WAY: Final = [state.value for state in RunState if not state.is_over]


class GuardRecords:
    """Reads and writes guards. Checks nobody's access."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self) -> tuple[Guard, ...]:
        """Return every guard, by the pipeline's id."""
        with self._store.read() as connection:
            found = connection.execute(select(GUARDS).order_by(GUARDS.c.pipeline_id))
            return tuple(_guard(record) for record in found.mappings())

    def one(self, pipeline_id: int) -> Guard | None:
        """Return the guard of a pipeline, or None if there is none."""
        with self._store.read() as connection:
            found = connection.execute(select(GUARDS).where(GUARDS.c.pipeline_id == pipeline_id))
            record = found.mappings().one_or_none()
        return None if record is None else _guard(record)

    def put(self, guard: Guard) -> None:
        """Keep a guard in the place of the one that the pipeline had."""
        try:
            self._put(guard)
        except IntegrityError:
            # Another process wrote the first one at the same moment: it is there to update now.
            self._put(guard)

    def put_late(self, guard: Guard) -> Guard | None:
        """Keep a guard that could not be kept when it began, if there is none that is newer.

        Returns
        -------
        Guard | None
            The newer one, which was left as it is; None if `guard` is kept.
        """
        try:
            return self._put_late(guard)
        except IntegrityError:
            return self._put_late(guard)

    def set_minutes(self, pipeline_id: int, minutes: int | None, *, now: datetime) -> bool:
        """Change after how many minutes it stops.

        False if there is no such guard, or its pipeline is being stopped.
        """
        return self._change(pipeline_id, now, minutes=minutes)

    def keep_until(self, pipeline_id: int, until: datetime, *, now: datetime) -> bool:
        """Put the stop off until a time. False as with `set_minutes`."""
        return self._change(pipeline_id, now, kept_until=until)

    def claim_stop(self, guard: Guard, *, owner: str, now: datetime, until: datetime) -> bool:
        """Reserve the stop of a pipeline for this process until `until`.

        False if another process has reserved it, put it off or forgotten it meanwhile, or uses the
        pipeline, or has used it since `guard.used_at`; also while a run of any process is under
        way. All of it holds until the stop is released or the guard dropped, as no use begins
        before that (see `UseRecords`). A process that dies over it leaves a guard that goes on at
        `until`.

        Parameters
        ----------
        owner
            The name of this process: its own uses are its own business.
        """
        # Nothing was used before it was deployed, and what lies ahead comes of another clock.
        known, ahead = guard.used_at or guard.armed_at, now + _CLOCKS_DIFFER
        uses = GUARDS.c.used_at
        change = (
            update(GUARDS)
            .where(
                _is_guard(guard),
                GUARDS.c.minutes == guard.minutes,
                or_(GUARDS.c.kept_until.is_(None), GUARDS.c.kept_until <= now),
                _is_not_stopping(now),
                or_(uses.is_(None), uses <= known, uses > ahead),
                not_(_run_under_way(guard.workspace_id, guard.pipeline_name)),
                not_(used_elsewhere(guard.pipeline_id, owner=owner, now=now)),
            )
            .values(stopping_until=until)
        )
        with self._store.write() as connection:
            return connection.execute(change).rowcount > 0

    def release_stop(self, guard: Guard, *, until: datetime) -> None:
        """Give a stop back that was reserved until `until`: it could not be done."""
        change = (
            update(GUARDS)
            .where(_is_guard(guard), GUARDS.c.stopping_until == until)
            .values(stopping_until=None)
        )
        with self._store.write() as connection:
            connection.execute(change)

    def note_seen(self, guard: Guard) -> None:
        """Keep when it was ready and used last; an older use never replaces a newer one."""
        changes: list[tuple[Column[Any], datetime, ColumnElement[bool]]] = []
        if guard.ready_at is not None:
            changes.append((GUARDS.c.ready_at, guard.ready_at, GUARDS.c.ready_at.is_(None)))
        if guard.used_at is not None:
            is_newer = or_(GUARDS.c.used_at.is_(None), GUARDS.c.used_at < guard.used_at)
            changes.append((GUARDS.c.used_at, guard.used_at, is_newer))
        with self._store.write() as connection:
            for column, at, is_news in changes:
                change = update(GUARDS).where(_is_guard(guard), is_news)
                connection.execute(change.values({column.name: at}))

    def drop(self, pipeline_id: int, version: str = "") -> bool:
        """Forget a guard, if it is still of that version. False if another process has."""
        which = [GUARDS.c.pipeline_id == pipeline_id]
        if version:
            which.append(GUARDS.c.version == storable(version, most=_LONGEST_VERSION))
        with self._store.write() as connection:
            return connection.execute(delete(GUARDS).where(*which)).rowcount > 0

    def has_run_under_way(self, workspace_id: int, pipeline_name: str) -> bool:
        """Whether a run of the pipeline is queued, running, or paused to go on later.

        Of any dashboard that shares the database.
        """
        with self._store.read() as connection:
            return bool(connection.scalar(select(_run_under_way(workspace_id, pipeline_name))))

    def _put(self, guard: Guard) -> None:
        values = _record(guard)
        same = GUARDS.c.pipeline_id == guard.pipeline_id
        with self._store.write() as connection:
            if connection.execute(update(GUARDS).where(same).values(**values)).rowcount == 0:
                connection.execute(insert(GUARDS), values)

    def _put_late(self, guard: Guard) -> Guard | None:
        values = _record(guard)
        same = GUARDS.c.pipeline_id == guard.pipeline_id
        # A stop that is under way by now goes on.
        late = {name: value for name, value in values.items() if name != "stopping_until"}
        with self._store.write() as connection:
            found = connection.execute(select(GUARDS).where(same)).mappings().one_or_none()
            if found is None:
                connection.execute(insert(GUARDS), values)
            elif found["armed_at"] > guard.armed_at:
                return _guard(found)
            else:
                connection.execute(update(GUARDS).where(same).values(**late))
        return None

    def _change(self, pipeline_id: int, now: datetime, **values: object) -> bool:
        which = and_(GUARDS.c.pipeline_id == pipeline_id, _is_not_stopping(now))
        with self._store.write() as connection:
            return connection.execute(update(GUARDS).where(which).values(**values)).rowcount > 0


def _is_guard(guard: Guard) -> ColumnElement[bool]:
    return and_(
        GUARDS.c.pipeline_id == guard.pipeline_id,
        GUARDS.c.version == storable(guard.version, most=_LONGEST_VERSION),
    )


def _is_not_stopping(now: datetime) -> ColumnElement[bool]:
    until = GUARDS.c.stopping_until
    return or_(until.is_(None), not_(still_holds(until, now)))


def _run_under_way(workspace_id: int, pipeline_name: str) -> ColumnElement[bool]:
    return exists().where(
        RUNS.c.workspace_id == workspace_id,
        RUNS.c.pipeline_name == pipeline_name,
        RUNS.c.state.in_(_UNDER_WAY),
    )


def _record(guard: Guard) -> dict[str, Any]:
    names = ("pipeline_name", "workspace_name", "armed_by_id", "armed_by")
    return {
        **asdict(guard),
        **{name: storable(getattr(guard, name), most=_LONGEST_NAME) for name in names},
        # A deploy begins anew, and it has waited for a stop that was under way.
        "stopping_until": None,
        "version": storable(guard.version, most=_LONGEST_VERSION),
    }


def _guard(record: RowMapping) -> Guard:
    return Guard(**{name: record[name] for name in Guard.__dataclass_fields__})
