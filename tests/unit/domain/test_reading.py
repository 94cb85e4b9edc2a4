from __future__ import annotations

import json
import time

from hypothesis import given
from hypothesis import strategies as st

from dashboard.domain.reading import value_lines, value_text

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES, st.integers(1, 60))
def test_a_cut_value_is_the_beginning_of_the_whole_one(value: object, limit: int):
    whole = value_text(value, limit=2**31)
    if isinstance(value, list | dict | bool):
        assert json.loads(whole) == value
    cut = value_text(value, limit=limit)
    assert len(cut) <= limit
    assert cut == whole if len(whole) <= limit else whole.startswith(cut[:-1])


def test_a_value_of_many_numbers_costs_no_more_than_what_is_shown_of_it():
    picture = [[[0.5] * 1000] * 1000] * 10
    began_s = time.perf_counter()
    assert value_text(picture).endswith("…")
    assert time.perf_counter() - began_s < 1


def test_values_are_read_one_in_each_line():
    values = {"town": "Oslo", "tensor": [1.5, 2], "gap": None, "is_new": True, "rooms": 3}
    assert value_lines(values) == "town: Oslo\ntensor: [1.5, 2]\ngap: \nis_new: true\nrooms: 3"
