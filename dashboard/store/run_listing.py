"""The kept runs as a list: which of them are wanted, what their rows come to, and how they go."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import delete, distinct, exists, func, or_, select

from dashboard.domain.run import RowState, RunState
from dashboard.domain.run_filter import RunChoices, RunFacts, RunFilter
from dashboard.store.schema import FETCHED_TABLES, ROW_NOTES, RUN_ROWS, RUNS

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from dashboard.store.database import Store

_OVER = tuple(state.value for state in RunState if state.is_over)

#: Databases bound the number of values in one statement.
_AT_ONCE = 500


class RunListing:
    """Reads the list of runs and deletes from it. Checks nobody's access."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def ids(self, workspace_ids: Sequence[int], wanted: RunFilter) -> tuple[str, ...]:
        """Return the ids of the wanted runs of these workspaces, newest first.

        The words of `wanted` are sealed in the rows, so they are not looked at here.
        """
        query = (
            select(RUNS.c.run_id)
            .where(RUNS.c.workspace_id.in_(workspace_ids), *_conditions(wanted))
            .order_by(RUNS.c.created_at.desc(), RUNS.c.run_id)
        )
        with self._store.read() as connection:
            return tuple(connection.scalars(query))

    def choices(self, workspace_ids: Sequence[int]) -> RunChoices:
        """Return what the runs of these workspaces can be filtered by."""
        parts = (
            RUNS.c.connection_name,
            RUNS.c.pipeline_name,
            RUNS.c.pipeline_version,
            RUNS.c.owner_id,
            RUNS.c.owner_email,
        )
        query = (
            select(*parts)
            .where(RUNS.c.workspace_id.in_(workspace_ids))
            .group_by(*parts)
            .order_by(func.max(RUNS.c.created_at).desc())
        )
        pipelines: dict[str, dict[str, None]] = {}
        connections: set[str] = set()
        people: dict[str, str] = {}
        with self._store.read() as connection:
            for name, pipeline, version, person, address in connection.execute(query):
                connections.add(name)
                pipelines.setdefault(pipeline, {})[version] = None
                people.setdefault(person, address)
        return RunChoices(
            connections=tuple(sorted(connections, key=str.casefold)),
            pipelines={name: tuple(versions) for name, versions in pipelines.items()},
            people=people,
        )

    def facts(self, run_id: str) -> RunFacts:
        """Return what the rows of a run come to."""
        times = (
            select(_TOTAL_MS)
            .where(
                RUN_ROWS.c.run_id == run_id,
                RUN_ROWS.c.state == RowState.DONE.value,
                RUN_ROWS.c.wait_ms.is_not(None),
            )
            .order_by(_TOTAL_MS)
        )
        to_check = select(func.count()).where(RUN_ROWS.c.run_id == run_id, _NEEDS_A_LOOK)
        with self._store.read() as connection:
            timed = connection.scalar(select(func.count()).select_from(times.subquery())) or 0
            # The greater of the two in the middle, as everywhere: always a measured one.
            median_ms = connection.scalar(times.offset(timed // 2).limit(1))
            return RunFacts(connection.scalar(to_check) or 0, median_ms)

    def delete(self, run_id: str) -> bool:
        """Delete a run that is over, with its rows and notes. False if there is no such run."""
        gone = delete(RUNS).where(RUNS.c.run_id == run_id, RUNS.c.state.in_(_OVER))
        with self._store.write() as connection:
            return connection.execute(gone).rowcount > 0

    def notes(self, run_ids: Sequence[str]) -> int:
        """How many rows of these runs somebody has an opinion on."""
        number = 0
        with self._store.read() as connection:
            for first in range(0, len(run_ids), _AT_ONCE):
                some = ROW_NOTES.c.run_id.in_(run_ids[first : first + _AT_ONCE])
                number += connection.scalar(select(func.count()).where(some)) or 0
        return number

    def runs_by_table(self, table_ids: Sequence[str]) -> dict[str, int]:
        """How many runs show each of these tables."""
        numbers: dict[str, int] = {}
        with self._store.read() as connection:
            for first in range(0, len(table_ids), _AT_ONCE):
                query = (
                    select(RUNS.c.table_id, func.count(distinct(RUNS.c.run_id)))
                    .where(RUNS.c.table_id.in_(table_ids[first : first + _AT_ONCE]))
                    .group_by(RUNS.c.table_id)
                )
                for table_id, number in connection.execute(query):
                    numbers[table_id] = number
        return numbers

    def over_before(self, limit: datetime) -> tuple[str, ...]:
        """Ids of the runs that ended before `limit`."""
        ended = func.coalesce(RUNS.c.finished_at, RUNS.c.created_at)
        query = select(RUNS.c.run_id).where(RUNS.c.state.in_(_OVER), ended < limit)
        with self._store.read() as connection:
            return tuple(connection.scalars(query))

    def unshown_tables(self, before: datetime) -> tuple[str, ...]:
        """Ids of the tables fetched before `before` that no run shows."""
        query = select(FETCHED_TABLES.c.table_id).where(
            FETCHED_TABLES.c.fetched_at < before,
            ~exists().where(RUNS.c.table_id == FETCHED_TABLES.c.table_id),
        )
        with self._store.read() as connection:
            return tuple(connection.scalars(query))


_NEEDS_A_LOOK = or_(
    RUN_ROWS.c.state == RowState.FAILED.value,
    RUN_ROWS.c.anomaly_count > 0,
    RUN_ROWS.c.doubts > 0,
)
_TOTAL_MS = (
    func.coalesce(RUN_ROWS.c.queue_ms, 0.0)
    + func.coalesce(RUN_ROWS.c.send_ms, 0.0)
    + RUN_ROWS.c.wait_ms
    + func.coalesce(RUN_ROWS.c.receive_ms, 0.0)
)


def _conditions(wanted: RunFilter) -> list[ColumnElement[bool]]:
    equal = (
        (RUNS.c.connection_name, wanted.connection_name),
        (RUNS.c.pipeline_name, wanted.pipeline_name),
        (RUNS.c.pipeline_version, wanted.pipeline_version),
        (RUNS.c.owner_id, wanted.owner_id),
    )
    conditions: list[ColumnElement[bool]] = [column == value for column, value in equal if value]
    if wanted.states:
        conditions.append(RUNS.c.state.in_([state.value for state in wanted.states]))
    if wanted.since is not None:
        conditions.append(RUNS.c.created_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(RUNS.c.created_at < wanted.until)
    if wanted.only_flagged:
        flagged = exists().where(RUN_ROWS.c.run_id == RUNS.c.run_id, _NEEDS_A_LOOK)
        conditions.append(or_(RUNS.c.rows_failed > 0, flagged))
    return conditions
