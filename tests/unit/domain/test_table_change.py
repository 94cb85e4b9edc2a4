"""What became of a connection's table since an earlier fetch, and whether it fits the model."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from dashboard.domain.table import ColumnFacts, Passport, TableChange, change_of, fit_of

WHEN = datetime(2026, 11, 12, 9, 30, tzinfo=UTC)
BEFORE = Passport(
    table_id="a",
    connection_name="week-47",
    workspace_id=7,
    rows=12,
    columns=(ColumnFacts("inputs", "string"), ColumnFacts("id", "int64")),
    raw_bytes=1_000,
    fingerprint="f" * 64,
    fetched_at=WHEN,
    fetch_ms=3.0,
    format="CSV",
)


def test_an_equal_file_is_the_same_whatever_else_is_known():
    assert change_of(replace(BEFORE, table_id="b"), BEFORE) == TableChange(WHEN, is_same_file=True)


def test_rows_size_and_columns_are_compared():
    columns = (
        ColumnFacts("inputs", "string"),
        ColumnFacts("lang", "string"),
        ColumnFacts("id", "string"),
    )
    now = replace(BEFORE, rows=24, raw_bytes=900, columns=columns, fingerprint="e" * 64)
    assert change_of(now, BEFORE) == TableChange(
        WHEN,
        is_same_file=False,
        rows=12,
        size_bytes=-100,
        new=("lang",),
        other_type=(ColumnFacts("id", "string"),),
    )
    back = change_of(BEFORE, now)
    assert (back.rows, back.new, back.gone) == (-12, (), ("lang",))


def test_columns_in_another_order_are_no_change_of_columns():
    now = replace(BEFORE, columns=BEFORE.columns[::-1], fingerprint="e" * 64)
    assert change_of(now, BEFORE) == TableChange(WHEN, is_same_file=False)


def test_a_setting_of_another_type_is_left_out_and_no_misfit():
    wrong = ColumnFacts("return_text", "string")
    fit = fit_of([ColumnFacts("inputs", "string"), wrong])
    assert fit.fits
    assert fit.ignored == (wrong,)


def test_a_setting_without_any_value_is_neither():
    fit = fit_of([ColumnFacts("inputs", "string"), ColumnFacts("return_text", "null")])
    assert (fit.fits, fit.ignored) == (True, ())
