from __future__ import annotations

import csv
import io
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dashboard.services.spreadsheet import safe_cell

FORMULA = "=+-@＝＋－＠﹢﹣﹦﹫"
PASSED_OVER = " \t\r\n\u00a0\u2003\u3000\u200b\ufeff\u202e\0\"'`“”‘’«＂"


@pytest.mark.parametrize("sign", FORMULA)
@pytest.mark.parametrize(
    "before", ["", " ", "\u3000", "\ufeff", "\u200b", '"', "'", " \"'“ ", "\0"]
)
def test_a_formula_gets_an_apostrophe_whatever_stands_before_it(sign: str, before: str):
    cell = f"{before}{sign}cmd|' /C calc'!A0"
    assert safe_cell(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["\tx", "\rx", "\nx", "\r\n"])
def test_a_cell_that_begins_with_a_tab_or_a_line_break_gets_one_too(cell: str):
    assert safe_cell(cell) == f"'{cell}"


@pytest.mark.parametrize(
    "cell", ["", "press-releases", " a=b", "2026-11-22", "'quoted'", "a@b.example", "\u2014 note"]
)
def test_what_is_no_formula_stays_as_it_is(cell: str):
    assert safe_cell(cell) == cell


@given(st.text(alphabet=st.sampled_from(FORMULA + PASSED_OVER + "a1,;|\n")) | st.text())
@example("")
@example(PASSED_OVER + "＝")
def test_no_text_is_a_formula_afterwards_and_nothing_of_it_is_lost(text: str):
    cell = safe_cell(text)
    assert cell in (text, f"'{text}")
    if cell == text:
        bare = "".join(unicodedata.normalize("NFKC", letter) for letter in text)
        assert not bare.lstrip().startswith(("=", "+", "-", "@"))
        assert text[:1] not in ("\t", "\r", "\n")


@given(
    st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
)
def test_cells_come_through_a_csv_file_as_they_were_made_safe(texts: list[str]):
    file = io.StringIO(newline="")
    csv.writer(file, quoting=csv.QUOTE_ALL).writerow(["first", *map(safe_cell, texts)])
    (row,) = csv.reader(io.StringIO(file.getvalue(), newline=""))
    assert row == ["first", *map(safe_cell, texts)]
