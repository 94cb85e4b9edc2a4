"""Two runs side by side, row by row: what changed in the summaries and in the times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from dashboard.domain.latency import quantile, split_ms
from dashboard.domain.reading import word_count
from dashboard.domain.run import RowState, Run, RunRow
from dashboard.domain.word_diff import Piece, joined, word_diff


class RowChange(StrEnum):
    """How a row's two results compare."""

    CHANGED = "changed"
    SAME = "same"
    FAILED_IN_ONE = "failed in one"
    FAILED_IN_BOTH = "failed in both"
    WAITING = "not answered yet"

    @property
    def is_difference(self) -> bool:
        """Whether the two runs disagree on the row."""
        return self in (RowChange.CHANGED, RowChange.FAILED_IN_ONE)


@dataclass(frozen=True, slots=True)
class RowPair:
    """One row of both runs, without its texts.

    Parameters
    ----------
    index
        Counts from 0; screens add 1.
    times_ms
        All of the row's time in either run; None where it was not answered.
    words
        Length of either summary; 0 where there is none.
    answered
        Whether there is a summary, in either run.
    """

    index: int
    change: RowChange
    times_ms: tuple[float | None, float | None]
    words: tuple[int, int]
    answered: tuple[bool, bool]


@dataclass(frozen=True, slots=True)
class RowDiff:
    """One row of both runs to read.

    Parameters
    ----------
    inputs
        Of either run; equal unless their inputs differ.
    pieces
        What leads from the first summary to the second; of a row that failed, none.
    errors
        Why it failed in either run; empty where it did not.
    """

    pair: RowPair
    inputs: tuple[str, str]
    pieces: tuple[Piece, ...]
    errors: tuple[str, str]


def has_same_input(a: Run, b: Run) -> bool:
    """Whether both runs sent the same texts or columns, in the same order."""
    return (a.fingerprint, a.rows_total, a.text_column, a.input_columns) == (
        b.fingerprint,
        b.rows_total,
        b.text_column,
        b.input_columns,
    )


def pair_rows(a: RunRow, b: RunRow) -> RowPair:
    """Compare two rows of one place."""
    return RowPair(
        index=a.index,
        change=_change(a, b),
        times_ms=(_time_ms(a), _time_ms(b)),
        words=(word_count(a.summary), word_count(b.summary)),
        answered=(a.state is RowState.DONE, b.state is RowState.DONE),
    )


def diff_rows(a: RunRow, b: RunRow) -> RowDiff:
    """Compare two rows of one place, word by word."""
    answered = [row.summary for row in (a, b) if row.state is RowState.DONE]
    return RowDiff(
        pair=pair_rows(a, b),
        inputs=(a.input_text, b.input_text),
        # With one summary there is nothing to compare it with.
        pieces=joined(word_diff(answered[0], answered[-1])) if answered else (),
        errors=(a.error, b.error),
    )


def _change(a: RunRow, b: RunRow) -> RowChange:
    states = (a.state, b.state)
    if RowState.WAITING in states:
        return RowChange.WAITING
    failed = states.count(RowState.FAILED)
    if failed:
        return RowChange.FAILED_IN_BOTH if failed == len(states) else RowChange.FAILED_IN_ONE
    return RowChange.SAME if a.summary == b.summary else RowChange.CHANGED


def _time_ms(row: RunRow) -> float | None:
    parts = split_ms(row.timing) if row.state is RowState.DONE else None
    return sum(parts.values()) if parts is not None else None


@dataclass(frozen=True, slots=True)
class Comparison:
    """All rows of two runs that stand at the same place."""

    pairs: tuple[RowPair, ...]

    def number(self, change: RowChange) -> int:
        """Return how many rows compare so."""
        return sum(pair.change is change for pair in self.pairs)

    @property
    def answered_in_both(self) -> int:
        """How many rows have a summary in both runs."""
        return len(self._both())

    def medians_ms(self) -> tuple[float, float] | None:
        """Return half of the rows' time in either run; None where no row was timed in both.

        Only of rows timed in both: another choice of rows would be another question.
        """
        both = [
            (a_ms, b_ms)
            for a_ms, b_ms in (pair.times_ms for pair in self.pairs)
            if a_ms is not None and b_ms is not None
        ]
        if not both:
            return None
        return (
            quantile([a_ms for a_ms, _ in both], 0.5),
            quantile([b_ms for _, b_ms in both], 0.5),
        )

    def mean_words(self) -> tuple[float, float] | None:
        """Return the summaries' mean length in either run, of rows answered in both."""
        both = self._both()
        if not both:
            return None
        return (
            sum(pair.words[0] for pair in both) / len(both),
            sum(pair.words[1] for pair in both) / len(both),
        )

    def indexes(self, *, only_differences: bool) -> tuple[int, ...]:
        """Return the rows to list, in their order."""
        return tuple(
            pair.index for pair in self.pairs if pair.change.is_difference or not only_differences
        )

    def _both(self) -> Sequence[RowPair]:
        return [pair for pair in self.pairs if pair.change in (RowChange.CHANGED, RowChange.SAME)]
