"""What a model gets for a cell of a table."""

from __future__ import annotations

import json
import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.domain.sent_value import (
    ANY_NUMBER,
    ANY_NUMBERS,
    UnfitValueError,
    guessed_type,
    is_converted,
    misfit,
    reads_of,
    sent_row,
    sent_value,
)
from dashboard.domain.table import ColumnFacts

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
#: How Arrow itself writes the types of models.
WHOLE = {f"{sign}int{bits}": bits for sign in ("", "u") for bits in (8, 16, 32, 64)}
FLOATS = [str(kind) for kind in (pa.float16(), pa.float32(), pa.float64())]
LIST = str(pa.list_(pa.float32()))
THREE = str(pa.list_(pa.float32(), 3))
TWO_BY_TWO = str(pa.list_(pa.list_(pa.int64(), 2), 2))


@given(NUMBERS, st.sampled_from(FLOATS), st.sampled_from(["{}", " {} ", "\t{}"]))
def test_a_text_that_is_a_number_becomes_that_number(number: float, kind: str, form: str):
    sent = sent_value(form.format(repr(number)), kind)
    assert type(sent) is float
    assert sent == number


@given(st.integers(-(2**70), 2**70), st.sampled_from(sorted(WHOLE)))
def test_a_whole_number_goes_out_exactly_or_not_at_all(number: int, kind: str):
    bits = WHOLE[kind]
    least, most = (0, 2**bits - 1) if kind[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    for text in (str(number), f"{number}.0", f"+{number}" if number >= 0 else str(number)):
        if least <= number <= most:
            sent = sent_value(text, kind)
            assert type(sent) is int
            assert sent == number
        else:
            with pytest.raises(UnfitValueError):
                sent_value(text, kind)


@given(st.text() | NUMBERS.map(repr), st.sampled_from([*WHOLE, *FLOATS, "bool", LIST, THREE]))
def test_any_text_is_sent_as_what_it_was_read_as_or_refused(text: str, kind: str):
    try:
        sent = sent_value(text, kind)
    except UnfitValueError:
        return
    assert json.loads(json.dumps(sent, allow_nan=False)) == sent
    assert (sent is None) is (not text.strip())
    # Sending it again changes nothing.
    assert sent_value(sent, kind) == sent


@given(st.lists(NUMBERS, max_size=6))
def test_a_list_goes_out_as_it_was_written_if_it_has_as_many_values_as_the_model_reads(
    numbers: list[float],
):
    text = json.dumps(numbers)
    assert sent_value(text, LIST) == numbers
    for value in (text, numbers):
        if len(numbers) == 3:
            assert sent_value(value, THREE) == numbers
        else:
            with pytest.raises(UnfitValueError, match=f"holds {len(numbers)}$"):
                sent_value(value, THREE)


@given(
    st.none() | st.integers() | NUMBERS | st.booleans() | st.binary() | st.text(),
    st.sampled_from(["string", "large_string", "", "timestamp[ms]", "struct<a: int64>"]),
)
def test_a_model_of_texts_or_of_unknown_types_gets_the_cell_as_it_is(value: Any, kind: str):
    assert sent_value(value, kind) is value


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("1,5", "float", "a number; this row holds a text"),
        ("0x1F", "int64", "a whole number; this row holds a text"),
        ("1_000", "double", "a number; this row holds a text"),
        ("nan", "float", "a number; this row holds a text"),
        ("inf", "float", "a number; this row holds a text"),
        ("١٢", "float", "a number; this row holds a text"),
        ("1e999", "double", "a number; this row holds one that is too large"),
        ("1e99999999", "int64", "a whole number; this row holds one that is too large"),
        ("1.5", "int32", "a whole number; this row holds a fraction"),
        ("300", "uint8", "a whole number from 0 to 255; this row holds another one"),
        ("yes", "bool", "true or false; this row holds a text"),
        ("2", "bool", "true or false; this row holds a number"),
        ("true", "float", "a number; this row holds true or false"),
        ("[1, 2]", "float", "a number; this row holds a list"),
        ("[1, 2]", THREE, "a list of 3 numbers; this row holds 2"),
        ("7", THREE, "a list of 3 numbers; this row holds 1"),
        ("[1, null, 3]", THREE, "a list of 3 numbers; this row holds a list of something else"),
        ('[1, "2", 3]', THREE, "a list of 3 numbers; this row holds a list of something else"),
        ("[1, 2, NaN]", THREE, "a list of 3 numbers; this row holds a text"),
        ("[1.5]", "list<item: int64>", "a list of whole numbers; this row holds a list of some"),
        ("[" * 100_000, LIST, "a list of numbers; this row holds a text"),
        ("1" * 5_000, "double", "a number; this row holds a number"),
    ],
)
def test_what_is_no_such_value_is_named_by_its_kind(text: str, kind: str, said: str):
    sent, problem = sent_row({"x": text}, {"x": kind})
    assert sent == {"x": text}
    assert problem.startswith(f"Column “x” must hold {said}")
    assert problem.endswith(".")


def test_empty_cells_and_one_value_for_a_list_of_one():
    assert sent_value("  ", "float") is None
    assert sent_value("", THREE) is None
    assert sent_value("0.5", "fixed_size_list<item: float not null>[1]") == [0.5]
    assert sent_value("TRUE", "bool") is True
    assert sent_value("[true, false]", "list<item: bool>") == [True, False]
    assert sent_value('["a"]', "list<item: string>") == ["a"]
    assert sent_value("[[1, 2], [3, 4]]", TWO_BY_TWO) == [[1, 2], [3, 4]]
    assert reads_of(TWO_BY_TWO) is not None
    assert sent_value("7", "double") == 7.0
    assert math.copysign(1, sent_value("-0.0", "double")) == -1


@pytest.mark.parametrize(
    ("cells", "is_untyped", "kind"),
    [
        (["", None, "3.5", "n/a"], True, ANY_NUMBER),
        (["3.5"], False, ""),
        (["007"], True, ""),
        (["n/a", "3"], True, ""),
        ([], True, ""),
        (["[1, 2.5]"], False, ANY_NUMBERS),
        (["[true]"], False, "list<item: bool>"),
        (["[see below]"], True, ""),
    ],
)
def test_where_no_type_is_told_the_first_cell_says_what_a_column_holds(cells, is_untyped, kind):
    assert guessed_type(cells, is_untyped=is_untyped) == kind


def test_a_number_of_which_no_type_is_told_goes_out_as_it_is_written():
    assert [repr(sent_value(text, ANY_NUMBER)) for text in ("3", "3.0", "-7")] == ["3", "3.0", "-7"]
    assert repr(sent_value("[1, 2.0]", ANY_NUMBERS)) == "[1, 2.0]"


@pytest.mark.parametrize(
    ("held", "kind", "said"),
    [
        ("string", "float", ""),
        ("string", THREE, ""),
        ("int64", "float", ""),
        ("int64", "", ""),
        ("int64", "string", "reads string from “x”; the table holds int64 there"),
        ("string", "timestamp[ms]", "reads timestamp[ms] from “x”; the table holds string"),
        ("double", THREE, "reads 3 values from “x”; the table holds 1"),
        (str(pa.list_(pa.float32(), 4)), THREE, "reads 3 values from “x”; the table holds 4"),
        (str(pa.list_(pa.float32(), 4)), TWO_BY_TWO, ""),
        (LIST, THREE, ""),
    ],
)
def test_a_column_that_cannot_fit_is_told_before_any_row_is_sent(held: str, kind: str, said: str):
    told = misfit(ColumnFacts("x", held), kind)
    assert said in told
    assert bool(said) is bool(told)


def test_only_texts_become_something_else():
    assert is_converted("string", "float")
    assert not is_converted("string", "string")
    assert not is_converted("int64", "float")
