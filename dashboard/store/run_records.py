"""What the database keeps of runs: their headers, with the journal of their rows.

A run is carried by one process at a time, which holds a claim on it and renews it. Every write of
a carrier says whose claim it relies on, so that one that was thought dead and wakes up again
cannot write over its successor: each row is journaled exactly once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, func, insert, or_, select, update

from dashboard.domain.run import RowState, Run, RunState
from dashboard.domain.table import TEXT_COLUMN
from dashboard.store.run_row_records import (
    SEND,
    SEND_AGAIN,
    SKIP,
    Claim,
    RowRecords,
    RowResult,
    RowSample,
)
from dashboard.store.schema import RUN_ROWS, RUNS

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Executable, RowMapping

    from dashboard.domain.model import ModelVersion

__all__ = ["SEND", "SEND_AGAIN", "SKIP", "Claim", "RowResult", "RowSample", "RunRecords"]

_CLEAR = tuple(
    column.name
    for column in RUNS.columns
    if column.name not in ("state", "only_retried", "claimed_by", "claimed_until")
    and not column.name.endswith("_sealed")
)
_OVER = tuple(state.value for state in RunState if state.is_over)

#: Databases bound the number of values in one statement.
_AT_ONCE = 500


class RunRecords(RowRecords):
    """Reads and writes runs and their rows. Checks nobody's access."""

    def insert(self, run: Run, claim: Claim) -> None:
        """Keep a new run, carried by `claim`."""
        values = {name: getattr(run, name) for name in _CLEAR}
        with self._store.write() as connection:
            connection.execute(
                insert(RUNS),
                {
                    **values,
                    "state": run.state.value,
                    "title_sealed": self._seal(run.run_id, "title", run.title),
                    "text_column_sealed": self._seal(run.run_id, "text_column", run.text_column),
                    "input_columns_sealed": self._seal(
                        run.run_id, "input_columns", _columns_text(run)
                    ),
                    "claimed_by": claim.owner,
                    "claimed_until": claim.until,
                },
            )

    def run(self, run_id: str) -> Run | None:
        """Return a run's header, or None if there is no such run."""
        with self._store.read() as connection:
            found = connection.execute(select(RUNS).where(RUNS.c.run_id == run_id))
            record = found.mappings().one_or_none()
        return None if record is None else self._header(record)

    def headers(self, run_ids: Sequence[str]) -> tuple[Run, ...]:
        """Return the headers of these runs, in this order; there may be runs no more."""
        known: dict[str, Run] = {}
        for first in range(0, len(run_ids), _AT_ONCE):
            some = RUNS.c.run_id.in_(run_ids[first : first + _AT_ONCE])
            known |= {run.run_id: run for run in self._headers(select(RUNS).where(some))}
        return tuple(known[run_id] for run_id in run_ids if run_id in known)

    def rename(self, run_id: str, title: str) -> bool:
        """Give a run a title, or take it away with an empty one. False if there is no such run."""
        return self._update(
            RUNS.c.run_id == run_id, title_sealed=self._seal(run_id, "title", title)
        )

    def recent(self, workspace_ids: Sequence[int], limit: int) -> tuple[Run, ...]:
        """Return the newest runs of these workspaces, newest first."""
        newest = (
            select(RUNS)
            .where(RUNS.c.workspace_id.in_(workspace_ids))
            .order_by(RUNS.c.created_at.desc(), RUNS.c.run_id)
            .limit(limit)
        )
        return self._headers(newest)

    def last_runs(self, workspace_ids: Sequence[int]) -> dict[str, datetime]:
        """Return when a run of these workspaces was asked for last, by its connection's name."""
        newest = (
            select(RUNS.c.connection_name, func.max(RUNS.c.created_at).label("newest"))
            .where(RUNS.c.workspace_id.in_(workspace_ids))
            .group_by(RUNS.c.connection_name)
        )
        with self._store.read() as connection:
            return {row.connection_name: row.newest for row in connection.execute(newest)}

    def unclaimed(self, now: datetime) -> tuple[Run, ...]:
        """Return the runs that are not over and that nobody carries, oldest first."""
        return self._headers(select(RUNS).where(_is_free(now)).order_by(RUNS.c.created_at))

    def claim(self, run_id: str, claim: Claim, *, now: datetime) -> bool:
        """Take a run that nobody carries. False if somebody was quicker, or it is over."""
        return self._update(
            and_(RUNS.c.run_id == run_id, _is_free(now)),
            claimed_by=claim.owner,
            claimed_until=claim.until,
        )

    def renew(self, run_ids: Sequence[str], claim: Claim) -> None:
        """Say that these runs are still carried."""
        held = and_(RUNS.c.run_id.in_(run_ids), RUNS.c.claimed_by == claim.owner)
        self._update(held, claimed_until=claim.until)

    def answered_by(
        self, run_id: str, owner: str, pipeline_version: str, model: ModelVersion | None
    ) -> bool:
        """Write which version of the pipeline answers, and its model; None leaves that as it is.

        False if `owner` does not carry the run (any more).
        """
        values = {"pipeline_version": pipeline_version}
        if model is not None:
            values |= {
                "model_name": model.model_name,
                "model_version": model.version,
                "model_sha": model.sha,
                "engine": model.image_path,
            }
        return self._update(_held(run_id, owner), **values)

    def running(self, run_id: str, owner: str, *, at: datetime, message: str = "") -> bool:
        """Write that a run goes on. False if `owner` does not carry it (any more)."""
        return self._update(
            _held(run_id, owner),
            state=RunState.RUNNING.value,
            message_sealed=self._sealed_message(run_id, message),
            started_at=func.coalesce(
                RUNS.c.started_at, bindparam("at", at, RUNS.c.started_at.type)
            ),
        )

    def paused(self, run_id: str, owner: str, *, message: str, release: bool = False) -> bool:
        """Write that a run waits, and why; `release` lets another process take it."""
        values: dict[str, object] = {"claimed_by": None} if release else {}
        return self._update(
            _held(run_id, owner),
            state=RunState.PAUSED.value,
            message_sealed=self._sealed_message(run_id, message),
            **values,
        )

    def finished(
        self, run_id: str, owner: str | None, *, state: RunState, message: str, at: datetime
    ) -> bool:
        """Write how a run ended.

        Parameters
        ----------
        owner
            Who carries it; None ends it whoever carries it, unless it is over.
        """
        which = (
            and_(RUNS.c.run_id == run_id, RUNS.c.state.not_in(_OVER))
            if owner is None
            else _held(run_id, owner)
        )
        return self._update(
            which,
            state=state.value,
            message_sealed=self._sealed_message(run_id, message),
            finished_at=at,
            claimed_by=None,
            claimed_until=None,
        )

    def queue_again(self, run_id: str, claim: Claim, *, only_failed: bool) -> bool:
        """Mark the failed rows of a run that is over as waiting, and the run as queued.

        Parameters
        ----------
        only_failed
            Whether rows that were never answered stay unsent.
        """
        failed = and_(RUN_ROWS.c.run_id == run_id, RUN_ROWS.c.state == RowState.FAILED.value)
        over = and_(RUNS.c.run_id == run_id, RUNS.c.state.in_(_OVER))
        with self._store.write() as connection:
            changed = connection.execute(
                update(RUNS)
                .where(over)
                .values(
                    state=RunState.QUEUED.value,
                    rows_failed=0,
                    finished_at=None,
                    message_sealed=None,
                    only_retried=only_failed,
                    claimed_by=claim.owner,
                    claimed_until=claim.until,
                )
            )
            if changed.rowcount != 1:
                return False
            connection.execute(
                update(RUN_ROWS)
                .where(failed)
                .values(state=RowState.WAITING.value, error_sealed=None)
            )
        return True

    # Between rows of the database and values of the domain

    def _headers(self, query: Executable) -> tuple[Run, ...]:
        with self._store.read() as connection:
            records = connection.execute(query).mappings().all()
        return tuple(self._header(record) for record in records)

    def _header(self, record: RowMapping) -> Run:
        clear: dict[str, Any] = {name: record[name] for name in _CLEAR}  # as the columns' types say
        private = {
            name: self._store.open_text(
                record[f"{name}_sealed"], bound_to=f"run:{record['run_id']}:{name}"
            )
            for name in ("message", "title", "text_column", "input_columns")
        }
        # Runs of before there was a choice have none.
        private["text_column"] = private["text_column"] or TEXT_COLUMN
        columns = json.loads(private.pop("input_columns") or "[]")
        # Runs of before types were kept have names alone.
        pairs = [(one, "") if isinstance(one, str) else one for one in columns]
        return Run(
            state=RunState(record["state"]),
            input_columns=tuple(name for name, _ in pairs),
            input_types=tuple(kind for _, kind in pairs) if any(k for _, k in pairs) else (),
            **clear | private,
        )

    def _sealed_message(self, run_id: str, message: str) -> bytes | None:
        return self._seal(run_id, "message", message)

    def _seal(self, run_id: str, name: str, text: str) -> bytes | None:
        return self._store.seal_text(text, bound_to=f"run:{run_id}:{name}")

    def _update(self, which: ColumnElement[bool], **values: object) -> bool:
        with self._store.write() as connection:
            return connection.execute(update(RUNS).where(which).values(**values)).rowcount > 0


def _columns_text(run: Run) -> str:
    if not run.input_columns:
        return ""
    types = run.input_types
    return json.dumps(
        list(zip(run.input_columns, types, strict=True)) if types else run.input_columns
    )


def _held(run_id: str, owner: str) -> ColumnElement[bool]:
    return and_(RUNS.c.run_id == run_id, RUNS.c.claimed_by == owner)


def _is_free(now: datetime) -> ColumnElement[bool]:
    return and_(
        RUNS.c.state.not_in(_OVER),
        or_(RUNS.c.claimed_by.is_(None), RUNS.c.claimed_until < now),
    )
