"""The one line that says what changed since the last fetch."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from components.table_card import change_line
from dashboard.domain.table import ColumnFacts, TableChange

NOW = datetime(2026, 11, 13, 12, 0, tzinfo=UTC)
YESTERDAY = datetime(2026, 11, 12, 9, 30, tzinfo=UTC)
EARLIER = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
TODAY = datetime(2026, 11, 13, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (TableChange(YESTERDAY, is_same_file=True), "Unchanged since yesterday."),
        (TableChange(TODAY, is_same_file=True), "Unchanged for 2 h."),
        (TableChange(EARLIER, is_same_file=False), "Another file than on 2 Nov."),
        (
            TableChange(EARLIER, is_same_file=False, rows=12, new=("lang",)),
            "12 rows more than on 2 Nov; column **lang** is new.",
        ),
        (
            TableChange(TODAY, is_same_file=False, rows=-1, gone=("a", "b")),
            "1 row fewer than 2 h ago; columns **a**, **b** are gone.",
        ),
        (
            TableChange(YESTERDAY, is_same_file=False, size_bytes=2_000),
            "As many rows as yesterday; the file is 2 kB larger.",
        ),
        (
            TableChange(
                YESTERDAY, is_same_file=False, rows=2, other_type=(ColumnFacts("id", "int64"),)
            ),
            "2 rows more than yesterday; column **id** now holds int64.",
        ),
        (
            TableChange(YESTERDAY, is_same_file=False, rows=1, new=tuple("abcdef")),
            "1 row more than yesterday; columns **a**, **b**, **c**, **d** and 2 more are new.",
        ),
    ],
)
def test_a_change_is_one_calm_line(change, told):
    assert change_line(change, now=NOW, zone=UTC) == told


def test_a_hostile_column_name_is_text_in_it():
    change = TableChange(YESTERDAY, is_same_file=False, rows=1, new=("<b>*x*",))
    assert "**\\<b\\>\\*x\\***" in change_line(change, now=NOW, zone=UTC)
