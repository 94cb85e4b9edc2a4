"""The frames between the fleet and its workers: what goes in comes out, however long."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.sandbox.engine.frames import HEADER_BYTES, decode, encode

_numbers = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.booleans()
_leaves = st.none() | _numbers | st.text(max_size=5)
_values = st.recursive(_leaves, lambda inner: st.lists(inner, max_size=4), max_leaves=12)
_long = st.lists(st.floats(allow_nan=False), min_size=60, max_size=70) | st.lists(
    st.integers(-(2**65), 2**65), min_size=60, max_size=70
)


def there_and_back(message: dict[str, Any]) -> dict[str, Any]:  # Any: user data
    return decode(encode(message)[HEADER_BYTES:])


@given(st.lists(st.dictionaries(st.text(max_size=5), _values | _long, max_size=3), max_size=3))
def test_rows_come_out_as_they_went_in_types_included(rows):
    for name in ("rows", "outputs"):
        back = there_and_back({"op": "x", name: rows})
        assert json.dumps(back) == json.dumps({"op": "x", name: rows})


@pytest.mark.parametrize(
    "value",
    [
        [0.1] * 100,
        list(range(100)),
        [[[0.5] * 8] * 8] * 3,
        [[1.0] * 100, [1.0] * 99],
        [[1.0] * 100, 1.0],
        [True] * 100,
        [1.0, 2] * 100,
        [2**63] * 100,
        [float("inf"), float("-inf")] * 50,
        [[]] * 100,
    ],
    ids=lambda value: str(value)[:20],
)
def test_long_lists_keep_their_shape_and_their_kind(value):
    row = {"tensor": value, "other": "x"}
    assert repr(there_and_back({"rows": [row]})) == repr({"rows": [row]})
    assert row == {"tensor": value, "other": "x"}, "the sender's row is left alone"


def test_a_picture_takes_about_as_many_bytes_as_it_has_numbers():
    assert len(encode({"rows": [{"tensor": [1 / 3] * 90_000}]})) < 90_000 * 11
