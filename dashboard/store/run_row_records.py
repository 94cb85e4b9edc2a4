"""What the database keeps of the rows of runs: the journal of what became of each.

Each row is journaled exactly once: every write says whose claim on the run it relies on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, func, insert, select, update

from dashboard.domain.inference import RowTiming
from dashboard.domain.run import RowState
from dashboard.store.schema import RUN_ROWS, RUNS

if TYPE_CHECKING:
    from sqlalchemy import Connection, RowMapping

    from dashboard.store.database import Store

_TIMES = ("queue_ms", "send_ms", "wait_ms", "engine_read_ms", "model_ms", "receive_ms", "overflow")


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


class RowRecords:
    """Reads and writes the rows of runs. Checks nobody's access."""

    def __init__(self, store: Store) -> None:
        self._store = store

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
