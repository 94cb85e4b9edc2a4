from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.domain.inference import RowTiming
from dashboard.domain.run import RowState, RunRow
from dashboard.domain.run_comparison import (
    Comparison,
    RowChange,
    diff_rows,
    has_same_input,
    pair_rows,
)
from dashboard.domain.word_diff import Piece, PieceKind, joined, word_diff
from tests.app import stories

texts = st.text(alphabet="ab .\n", max_size=40)


def row(
    summary: str, *, index: int = 0, state: RowState = RowState.DONE, ms: float | None = 10
) -> RunRow:
    timing = RowTiming(wait_ms=ms, model_ms=ms)
    error = "It broke." if state is RowState.FAILED else ""
    return RunRow(index, state, "An input.", summary, 0, None, timing, error)


FAILED = row("", state=RowState.FAILED, ms=None)
WAITING = row("", state=RowState.WAITING, ms=None)


@pytest.mark.parametrize(
    ("a", "b", "change"),
    [
        (row("one"), row("one"), RowChange.SAME),
        (row("one"), row("two"), RowChange.CHANGED),
        (row("one"), row(""), RowChange.CHANGED),
        (row("one"), FAILED, RowChange.FAILED_IN_ONE),
        (FAILED, row("one"), RowChange.FAILED_IN_ONE),
        (FAILED, FAILED, RowChange.FAILED_IN_BOTH),
        (row("one"), WAITING, RowChange.WAITING),
        (FAILED, WAITING, RowChange.WAITING),
    ],
)
def test_how_two_rows_compare(a, b, change):
    assert pair_rows(a, b).change is change
    assert change.is_difference == (change in (RowChange.CHANGED, RowChange.FAILED_IN_ONE))


def test_figures_are_of_rows_answered_in_both():
    pairs = (
        pair_rows(row("a b", ms=100), row("a b c", ms=80)),
        pair_rows(row("a b", index=1, ms=200), row("a b", index=1, ms=60)),
        pair_rows(row("a b c d e f", index=2, ms=9_000), replace(FAILED, index=2)),
    )
    known = Comparison(pairs)
    assert known.medians_ms() == (200, 80)
    assert known.mean_words() == (2, 2.5)
    assert known.answered_in_both == 2
    assert known.indexes(only_differences=True) == (0, 2)
    assert known.indexes(only_differences=False) == (0, 1, 2)


def test_runs_without_a_common_answer_have_no_figures():
    known = Comparison((pair_rows(row("a"), FAILED),))
    assert known.medians_ms() is None
    assert known.mean_words() is None


def test_a_row_that_failed_in_one_shows_the_other_summary_unmarked():
    told = diff_rows(row("The dog."), FAILED)
    assert told.pieces == (Piece("The dog.", PieceKind.SAME),)
    assert told.errors == ("", "It broke.")


@pytest.mark.parametrize(
    "other", [{"fingerprint": "cd34"}, {"rows_total": 25}, {"text_column": "body"}]
)
def test_the_same_input_is_the_same_table_rows_and_column(other):
    run = stories.run()
    assert has_same_input(run, replace(run, run_id="r2", pipeline_version="x"))
    assert not has_same_input(run, replace(run, **other))


@given(texts, texts)
def test_joined_pieces_still_make_up_both_texts(before, after):
    pieces = joined(word_diff(before, after))
    assert "".join(p.text for p in pieces if p.kind is not PieceKind.NEW) == before
    assert "".join(p.text for p in pieces if p.kind is not PieceKind.GONE) == after


def test_a_new_phrase_reads_as_one():
    assert joined(word_diff("It cost one euro.", "It cost two crowns.")) == (
        Piece("It cost ", PieceKind.SAME),
        Piece("one euro", PieceKind.GONE),
        Piece("two crowns", PieceKind.NEW),
        Piece(".", PieceKind.SAME),
    )
