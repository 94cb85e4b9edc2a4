"""Full-text search through runs, whose texts are sealed at rest: a scan, newest run first.

No index is kept: it would hold the texts in clear. Texts are opened block by block and looked
through by Arrow, which lets other threads work meanwhile.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from dashboard.errors import DashboardError

if TYPE_CHECKING:
    from dashboard.domain.run import Run
    from dashboard.services.tables import TableStore
    from dashboard.store.blocks import BlockSpot
    from dashboard.store.run_records import RunRecords

_BUDGET_S: Final = 3.0
_HEADERS_AT_ONCE: Final = 200
_MOST_WORDS: Final = 12
_LONGEST: Final = 400
_KEPT_COUNTS: Final = 20_000
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Ids of the runs found, in the order asked for.

    Parameters
    ----------
    rows
        How many rows hold the words, for the runs that were not found by their header alone.
    is_complete
        False when not all texts could be read in time, or at all.
    """

    run_ids: tuple[str, ...]
    rows: Mapping[str, int]
    is_complete: bool


def words_of(text: str) -> tuple[str, ...]:
    """Return the words to look for, in lower case, as texts are stored."""
    words = text[:_LONGEST].split()[:_MOST_WORDS]
    return tuple(dict.fromkeys(_lower(word) for word in words))


class RunSearch:
    """Looks for words in runs. Thread-safe; checks nobody's access.

    What was counted is kept: the same search, asked for again, goes on where its time ended.
    """

    def __init__(
        self,
        records: RunRecords,
        tables: TableStore,
        *,
        budget_s: float = _BUDGET_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._records = records
        self._tables = tables
        self._budget_s = budget_s
        self._clock = clock
        self._counts = _Counts()

    def look(self, run_ids: Sequence[str], words: tuple[str, ...]) -> SearchResult:
        """Return those of these runs that hold all of `words`, which are from `words_of`."""
        scan = _Scan(self._records, self._tables, lambda: self._clock() > deadline)
        deadline = self._clock() + self._budget_s
        found: list[str] = []
        rows: dict[str, int] = {}
        is_complete = True
        for first in range(0, len(run_ids), _HEADERS_AT_ONCE):
            if scan.is_late():
                return SearchResult(tuple(found), rows, is_complete=False)
            for run in self._records.headers(run_ids[first : first + _HEADERS_AT_ONCE]):
                missing = _missing(run, words)
                number = self._rows_with(run, missing, scan) if missing else None
                is_complete &= number is None or number.is_whole
                if number is None:
                    found.append(run.run_id)
                elif number.rows:
                    found.append(run.run_id)
                    rows[run.run_id] = number.rows
        return SearchResult(tuple(found), rows, is_complete)

    def _rows_with(self, run: Run, words: tuple[str, ...], scan: _Scan) -> _Number:
        # Rows are added to a run that moves, and changed by a retry.
        key = (run.run_id, run.rows_done, run.rows_failed, run.finished_at, words)
        known = self._counts.get(key)
        if known is not None:
            return _Number(known, is_whole=True)
        number = scan.count(run, words)
        if number.is_whole:
            self._counts.put(key, number.rows)
        return number


@dataclass(frozen=True, slots=True)
class _Number:
    """How many rows hold the words, and whether all of them were looked at."""

    rows: int
    is_whole: bool


class _Scan:
    """One pass through the texts. Several runs may show one table: its part is done once."""

    def __init__(
        self, records: RunRecords, tables: TableStore, is_late: Callable[[], bool]
    ) -> None:
        self._records = records
        self._tables = tables
        self._inputs: dict[tuple[str, int, tuple[str, ...], tuple[str, ...]], list[pa.Array]] = {}
        self.is_late = is_late

    def count(self, run: Run, words: tuple[str, ...]) -> _Number:
        number = 0
        try:
            for spot in self._tables.spots(run.table_id):
                if self.is_late():
                    return _Number(number, is_whole=False)
                number += self._count_in(run, spot, words)
        except DashboardError:
            # One damaged file must not hide all other runs.
            _LOG.warning("a run's texts could not be searched: %s", run.run_id)
            return _Number(number, is_whole=False)
        return _Number(number, is_whole=True)

    def _count_in(self, run: Run, spot: BlockSpot, words: tuple[str, ...]) -> int:
        known = self._records.summaries(run.run_id, spot.first_row, spot.end_row)
        summaries = pc.utf8_lower(
            pa.array([known.get(row, "") for row in range(spot.first_row, spot.end_row)])
        )
        masks = [
            pc.or_(in_input, pc.match_substring(summaries, word))
            for in_input, word in zip(self._in_inputs(run, spot, words), words, strict=True)
        ]
        return pc.sum(reduce(pc.and_, masks)).as_py() or 0 if spot.row_count else 0

    def _in_inputs(self, run: Run, spot: BlockSpot, words: tuple[str, ...]) -> list[pa.Array]:
        """Return for each word which inputs of the block hold it."""
        shown = (run.text_column, *run.input_columns)
        key = (run.table_id, spot.number, shown, words)
        if key not in self._inputs:
            lowered = pc.utf8_lower(
                _inputs(run, self._tables.block(run.table_id, spot, keep=False))
            )
            self._inputs[key] = [
                pc.fill_null(pc.match_substring(lowered, word), fill_value=False) for word in words
            ]
        return self._inputs[key]


class _Counts:
    """Numbers of rows by run and words, those used last. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[Hashable, int] = OrderedDict()

    def get(self, key: Hashable) -> int | None:
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
            return self._known.get(key)

    def put(self, key: Hashable, number: int) -> None:
        with self._lock:
            self._known[key] = number
            while len(self._known) > _KEPT_COUNTS:
                self._known.popitem(last=False)


def _inputs(run: Run, block: pa.Table) -> pa.Array:
    """Return the texts that a run sent of a block; of columns, those that hold texts."""
    if run.is_of_texts:
        return block.column(run.text_column).combine_chunks()
    texts = [
        block.column(name).combine_chunks().cast(pa.string())
        for name in run.input_columns
        if pa.types.is_string(block.schema.field(name).type)
        or pa.types.is_large_string(block.schema.field(name).type)
    ]
    if not texts:
        return pa.nulls(block.num_rows, pa.string())
    return pc.binary_join_element_wise(*texts, "\n", null_handling="replace")


def _missing(run: Run, words: Sequence[str]) -> tuple[str, ...]:
    """Those of the words that the run's header does not hold."""
    header = _lower(f"{run.title}\n{run.connection_name}")
    return tuple(word for word in words if word not in header)


def _lower(text: str) -> str:
    # By the same rule as the texts, or letters beyond ASCII might differ. They are stored without
    # lone surrogates, which have no UTF-8 form.
    whole = text.encode("utf-8", "replace").decode()
    lowered: Any = pc.utf8_lower(pa.scalar(whole)).as_py()  # Arrow's values have no static type
    return str(lowered)
