"""What the database keeps of runs: headers, and the journal of their rows.

A run is carried by one process at a time, which holds a claim on it and renews it. Every write of
a carrier says whose claim it relies on, so that one that was thought dead and wakes up again
cannot write over its successor: each row is journaled exactly once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, delete, func, insert, or_, select, update

from dashboard.domain.inference import RowTiming
from dashboard.domain.run import RowState, Run, RunState
from dashboard.domain.table import TEXT_COLUMN
from dashboard.store.schema import RUN_ROWS, RUNS

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Executable, RowMapping

    from dashboard.domain.model import ModelVersion
    from dashboard.store.database import Store

_CLEAR = tuple(
    column.name
    for column in RUNS.columns
    if column.name not in ("state", "only_retried", "claimed_by", "claimed_until")
    and not column.name.endswith("_sealed")
)
_TIMES = ("queue_ms", "send_ms", "wait_ms", "engine_read_ms", "model_ms", "receive_ms", "overflow")
_OVER = tuple(state.value for state in RunState if state.is_over)

#: Databases bound the number of values in one statement.
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of one row.

    Parameters
    ----------
    summary
        What the model answered; of one that is no summarizer all its outputs as JSON, by column.
    input_chars
        Length of the input text.
    doubts
        How many numbers and names of the summary are not in the input.
    again
        Whether the journal holds a record of an earlier failure, which this one replaces.
    """

    index: int
    state: RowState
    summary: str = ""
    error: str = ""
    anomaly_count: int | None = None
    answered_at: datetime | None = None
    input_chars: int | None = None
    doubts: int | None = None
    timing: RowTiming = field(default_factory=RowTiming)
    again: bool = False


@dataclass(frozen=True, slots=True)
class RowSample:
    """The numbers of one row, without its texts. `input_chars` is None if it was not known."""

    index: int
    state: RowState
    timing: RowTiming
    answered_at: datetime | None
    input_chars: int | None


@dataclass(frozen=True, slots=True)
class Claim:
    """Who carries a run, and until when that holds without a renewal."""

    owner: str
    until: datetime


#: Marks in the map of what is to be sent, one byte per row.
SKIP, SEND, SEND_AGAIN = 0, 1, 2

# The statements of the hot path, built once: their compiled form is then found in the cache.
_COUNT_ROWS = (
    update(RUNS)
    .where(RUNS.c.run_id == bindparam("key"), RUNS.c.claimed_by == bindparam("owner"))
    .values(
        rows_done=RUNS.c.rows_done + bindparam("more_done"),
        rows_failed=RUNS.c.rows_failed + bindparam("more_failed"),
        claimed_until=bindparam("until"),
    )
)
_ADD_ROWS = insert(RUN_ROWS)
_DROP_ROW = delete(RUN_ROWS).where(
    RUN_ROWS.c.run_id == bindparam("key"), RUN_ROWS.c.row_index == bindparam("number")
)


class RunRecords:
    """Reads and writes runs and their rows. Checks nobody's access."""

    def __init__(self, store: Store) -> None:
        self._store = store

    # Headers

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
                        run.run_id, "input_columns", _names_text(run.input_columns)
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

    # Rows

    def to_send(self, run_id: str, rows_total: int) -> bytearray:
        """Return one byte per row: SKIP, SEND or SEND_AGAIN."""
        journaled = select(RUN_ROWS.c.row_index, RUN_ROWS.c.state).where(
            RUN_ROWS.c.run_id == run_id
        )
        with self._store.read() as connection:
            only_retried = connection.scalar(
                select(RUNS.c.only_retried).where(RUNS.c.run_id == run_id)
            )
            marks = bytearray([SKIP if only_retried else SEND]) * rows_total
            for index, state in connection.execute(journaled):
                marks[index] = SEND_AGAIN if state == RowState.WAITING.value else SKIP
        return marks

    def journal(self, results: Mapping[str, Sequence[RowResult]], claim: Claim) -> frozenset[str]:
        """Write what became of rows of several runs, in one transaction.

        Parameters
        ----------
        results
            By run. A run that `claim.owner` does not carry (any more) is left as it is.

        Returns
        -------
        frozenset[str]
            The runs that were left as they are.
        """
        sealed = {
            run_id: [self._record(run_id, result) for result in rows]
            for run_id, rows in results.items()
        }
        lost = set()
        with self._store.write() as connection:
            for run_id, rows in results.items():
                if _count(connection, run_id, rows, claim):
                    again = [{"key": run_id, "number": row.index} for row in rows if row.again]
                    if again:
                        connection.execute(_DROP_ROW, again)
                    connection.execute(_ADD_ROWS, sealed[run_id])
                else:
                    lost.add(run_id)
        return frozenset(lost)

    def rows(self, run_id: str, first: int, end: int) -> dict[int, RowResult]:
        """Return what became of rows `first` to before `end`, by index; waiting rows are absent."""
        found = select(RUN_ROWS).where(
            RUN_ROWS.c.run_id == run_id,
            RUN_ROWS.c.row_index >= first,
            RUN_ROWS.c.row_index < end,
            RUN_ROWS.c.state != RowState.WAITING.value,
        )
        with self._store.read() as connection:
            records = connection.execute(found).mappings().all()
        return {record["row_index"]: self._result(record) for record in records}

    def summaries(self, run_id: str, first: int, end: int) -> dict[int, str]:
        """Return the summaries of rows `first` to before `end`, by index; rows without are absent.

        Less to open than with `rows`, for a search through all of them.
        """
        found = select(RUN_ROWS.c.row_index, RUN_ROWS.c.summary_sealed).where(
            RUN_ROWS.c.run_id == run_id,
            RUN_ROWS.c.row_index >= first,
            RUN_ROWS.c.row_index < end,
            RUN_ROWS.c.summary_sealed.is_not(None),
        )
        with self._store.read() as connection:
            sealed = connection.execute(found).all()
        return {
            index: self._store.open_text(text, bound_to=f"run:{run_id}:{index}:summary")
            for index, text in sealed
        }

    def samples(self, run_id: str) -> tuple[RowSample, ...]:
        """Return the numbers of every answered or failed row, in the order of the table."""
        columns = (
            RUN_ROWS.c.row_index,
            RUN_ROWS.c.state,
            RUN_ROWS.c.answered_at,
            RUN_ROWS.c.input_chars,
            *(RUN_ROWS.c[name] for name in _TIMES),
            func.coalesce(RUN_ROWS.c.batch_rows, 1),
        )
        found = (
            select(*columns)
            .where(RUN_ROWS.c.run_id == run_id, RUN_ROWS.c.state != RowState.WAITING.value)
            .order_by(RUN_ROWS.c.row_index)
        )
        with self._store.read() as connection:
            return tuple(
                RowSample(index, RowState(state), RowTiming(*times), answered_at, chars)
                for index, state, answered_at, chars, *times in connection.execute(found)
            )

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
        names = json.loads(private.pop("input_columns") or "[]")
        return Run(state=RunState(record["state"]), input_columns=tuple(names), **clear | private)

    def _record(self, run_id: str, row: RowResult) -> dict[str, Any]:
        timing = row.timing
        seal = self._store.seal_text
        return {
            "run_id": run_id,
            "row_index": row.index,
            "state": row.state.value,
            "summary_sealed": seal(row.summary, bound_to=f"run:{run_id}:{row.index}:summary"),
            "error_sealed": seal(row.error, bound_to=f"run:{run_id}:{row.index}:error"),
            "anomaly_count": row.anomaly_count,
            "answered_at": row.answered_at,
            "input_chars": row.input_chars,
            "doubts": row.doubts,
            **{name: getattr(timing, name) for name in _TIMES},
            "batch_rows": timing.batch_rows if timing.batch_rows > 1 else None,
        }

    def _result(self, record: RowMapping) -> RowResult:
        binding = f"run:{record['run_id']}:{record['row_index']}"
        return RowResult(
            index=record["row_index"],
            state=RowState(record["state"]),
            summary=self._store.open_text(record["summary_sealed"], bound_to=f"{binding}:summary"),
            error=self._store.open_text(record["error_sealed"], bound_to=f"{binding}:error"),
            anomaly_count=record["anomaly_count"],
            answered_at=record["answered_at"],
            input_chars=record["input_chars"],
            doubts=record["doubts"],
            timing=RowTiming(
                **{name: record[name] for name in _TIMES}, batch_rows=record["batch_rows"] or 1
            ),
        )

    def _sealed_message(self, run_id: str, message: str) -> bytes | None:
        return self._seal(run_id, "message", message)

    def _seal(self, run_id: str, name: str, text: str) -> bytes | None:
        return self._store.seal_text(text, bound_to=f"run:{run_id}:{name}")

    def _update(self, which: ColumnElement[bool], **values: object) -> bool:
        with self._store.write() as connection:
            return connection.execute(update(RUNS).where(which).values(**values)).rowcount > 0


def _names_text(names: Sequence[str]) -> str:
    return json.dumps(names) if names else ""


def _held(run_id: str, owner: str) -> ColumnElement[bool]:
    return and_(RUNS.c.run_id == run_id, RUNS.c.claimed_by == owner)


def _is_free(now: datetime) -> ColumnElement[bool]:
    return and_(
        RUNS.c.state.not_in(_OVER),
        or_(RUNS.c.claimed_by.is_(None), RUNS.c.claimed_until < now),
    )


def _count(connection: Connection, run_id: str, rows: Sequence[RowResult], claim: Claim) -> bool:
    done = sum(row.state is RowState.DONE for row in rows)
    changed = connection.execute(
        _COUNT_ROWS,
        {
            "key": run_id,
            "owner": claim.owner,
            "until": claim.until,
            "more_done": done,
            "more_failed": len(rows) - done,
        },
    )
    return changed.rowcount == 1
