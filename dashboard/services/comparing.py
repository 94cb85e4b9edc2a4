"""Two runs side by side: read in stretches, off the page's thread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dashboard.domain.identity import Identity
from dashboard.domain.run import Run, RunRow
from dashboard.domain.run_comparison import Comparison, RowDiff, diff_rows, pair_rows
from dashboard.services.reads import Query
from dashboard.services.runs import RunService

#: Of longer runs the first rows are compared.
ROWS_AT_MOST = 20_000
#: Rows of either run in memory at a time.
_STRETCH_ROWS = 500
_LIVE_FRESH_S = 2.0
_OVER_FRESH_S = 600.0


def rows_compared(a: Run, b: Run) -> int:
    """Return how many places both runs have, of those that are compared."""
    return min(a.rows_total, b.rows_total, ROWS_AT_MOST)


def comparison(runs: RunService, who: Identity, a: Run, b: Run) -> Query[Comparison]:
    """Return how every row of one run compares with that of the other, without texts."""

    def load() -> Comparison:
        pairs = _both(runs, who, (a, b), range(rows_compared(a, b)))
        return Comparison(tuple(pair_rows(*pair) for pair in pairs))

    return Query((who.key, "comparison", *_standing(a, b)), load, _fresh_s(a, b))


def rows(
    runs: RunService, who: Identity, a: Run, b: Run, indexes: Sequence[int]
) -> Query[tuple[RowDiff, ...]]:
    """Return some rows of both runs to read, compared word by word.

    Parameters
    ----------
    indexes
        Which, in rising order; one page of them.
    """

    def load() -> tuple[RowDiff, ...]:
        return tuple(diff_rows(*pair) for pair in _both(runs, who, (a, b), indexes))

    key = (who.key, "comparison_rows", *_standing(a, b), *indexes)
    return Query(key, load, _fresh_s(a, b))


def _standing(a: Run, b: Run) -> tuple[object, ...]:
    """Return what changes when a run that is over changes; a live one is only read again."""
    return tuple(
        (run.run_id, *((run.rows_done, run.rows_failed) if run.state.is_over else ()))
        for run in (a, b)
    )


def _fresh_s(a: Run, b: Run) -> float:
    return _OVER_FRESH_S if a.state.is_over and b.state.is_over else _LIVE_FRESH_S


def _both(
    runs: RunService, who: Identity, pair: tuple[Run, Run], indexes: Sequence[int]
) -> Iterator[tuple[RunRow, RunRow]]:
    for first, end in _stretches(indexes):
        a_rows, b_rows = (
            runs.rows(who, run.run_id, offset=first, limit=end - first) for run in pair
        )
        yield from zip(a_rows, b_rows, strict=True)


def _stretches(indexes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Join neighbours: (first, end) of what can be read at once."""
    at = 0
    while at < len(indexes):
        end = at + 1
        while (
            end < len(indexes) and indexes[end] == indexes[end - 1] + 1 and end - at < _STRETCH_ROWS
        ):
            end += 1
        yield indexes[at], indexes[end - 1] + 1
        at = end
