"""Details as a tree: one change touches one place, and nothing else in value or type."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.domain.detail_tree import (
    Change,
    ChangeAct,
    ValueKind,
    changed,
    is_same,
    label_of,
    leaves_of,
    scalars_of,
    value_at,
)
from dashboard.errors import InvalidInput
from dashboard.masking import Secret

KEYS = st.one_of(st.text(max_size=6), st.sampled_from(["", "a.b", "x[0]", "ключ", "\x00", "🔑"]))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**30, max_value=10**40),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(), max_size=8),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)
GROUPS = st.dictionaries(KEYS, VALUES, max_size=6)


def replaced(path: Any, value: Any) -> Change:
    return Change(path, ChangeAct.REPLACE, Secret(value))


def removed(path: Any) -> Change:
    return Change(path, ChangeAct.REMOVE)


def written(value: object) -> str:
    return json.dumps(value)


@given(VALUES)
def test_no_change_is_equal_in_every_value_and_type(details):
    assert written(changed(details, [])) == written(details)
    assert is_same(changed(details, []), details)


@given(GROUPS, st.data(), SCALARS)
def test_one_replaced_leaf_leaves_every_other_one_as_it_was(details, data, value):
    leaves = leaves_of(details)
    if not leaves:
        return
    before = copy.deepcopy(details)
    path = data.draw(st.sampled_from(leaves)).path
    after = changed(details, [replaced(path, value)])
    assert written(details) == written(before)
    assert is_same(value_at(after, path), value)
    assert [leaf.path for leaf in leaves_of(after)] == [leaf.path for leaf in leaves]
    for leaf in leaves:
        if leaf.path != path:
            assert written(value_at(after, leaf.path)) == written(value_at(before, leaf.path))
    # Put back, it is the same text, byte for byte: the order of keys too.
    undone = changed(after, [replaced(path, value_at(before, path))])
    assert written(undone) == written(before)


@given(GROUPS, st.data())
def test_one_removed_leaf_leaves_every_other_one_as_it_was(details, data):
    leaves = leaves_of(details)
    if not leaves:
        return
    path = data.draw(st.sampled_from(leaves)).path
    after = changed(details, [removed(path)])
    kept = [written(value_at(details, leaf.path)) for leaf in leaves if leaf.path != path]
    left = [written(value_at(after, leaf.path)) for leaf in leaves_of(after)]
    # The group that held it alone is an empty one now.
    assert left == kept or [text for text in left if text not in ("{}", "[]")] == [
        text for text in kept if text not in ("{}", "[]")
    ]


@given(GROUPS, KEYS, VALUES)
def test_an_added_key_stands_last_and_moves_nothing(details, key, value):
    if key in details:
        return
    after = changed(details, [replaced((key,), value)])
    assert written(after) == written({**details, key: value})


def test_values_are_told_apart_by_type():
    assert not is_same(1, 1.0)
    assert not is_same(1, True)
    assert not is_same(0.0, -0.0)
    assert not is_same([1], [True])
    assert not is_same({"a": 1}, {"a": 1, "b": None})
    assert is_same({"a": [10**30, {"": None}]}, {"a": [10**30, {"": None}]})
    assert is_same({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert is_same([1, 2.5], [1.0, 2.5], as_numbers=True)
    assert not is_same([1], [True], as_numbers=True)


def test_places_in_a_list_are_those_before_the_changes():
    details = {"keys": ["a", "b", "c", "d"]}
    changes = [
        removed(("keys", 0)),
        replaced(("keys", 1), "B"),
        removed(("keys", 2)),
        replaced(("keys", 4), "e"),
        replaced(("keys", 5), "f"),
    ]
    for order in (changes, changes[::-1]):
        assert changed(details, order) == {"keys": ["B", "d", "e", "f"]}


def test_missing_groups_on_the_way_are_made():
    added = [replaced(("auth", "oauth", "token"), "t"), replaced(("list", 0, "a"), 1)]
    assert changed({"url": "u"}, added) == {
        "url": "u",
        "auth": {"oauth": {"token": "t"}},
        "list": [{"a": 1}],
    }


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (replaced(("url", "x"), 1), "url"),
        (replaced(("keys", 3), 1), "keys"),
        (replaced(("keys", -1), 1), "keys"),
        (replaced(("keys", "0"), 1), "keys"),
        (replaced(("nothing", "x"), 1), "nothing"),
        (replaced((0,), 1), "details"),
        (removed(("gone",)), "gone"),
        (removed(("keys", 5)), "keys"),
        (removed(()), "details"),
        (replaced(("url",), float("nan")), "url"),
        (replaced(("url",), (1, 2)), "url"),
        (replaced(("url",), {1: 2}), "url"),
        (replaced(("url",), b"x"), "url"),
    ],
)
def test_what_does_not_fit_is_refused_at_its_field(change, field):
    with pytest.raises(InvalidInput) as caught:
        changed({"url": "u", "keys": ["a"], "nothing": None}, [change])
    assert caught.value.field == field


@pytest.mark.parametrize("other", [("a",), ("a", "b"), ("a", "b", "c")])
def test_two_changes_of_one_place_are_refused(other):
    with pytest.raises(InvalidInput):
        changed({"a": {"b": {"c": 1}}}, [replaced(("a", "b"), 1), replaced(other, 2)])


def test_leaves_say_where_and_what_kind_but_hold_no_value():
    leaves = leaves_of(
        {
            "a": "s3cret",
            "n": 0,
            "t": False,
            "z": None,
            "e": {},
            "l": [],
            "x": "",
            "deep": {"y": [1]},
        }
    )
    assert [(leaf.label, leaf.kind, leaf.is_set) for leaf in leaves] == [
        ("a", ValueKind.TEXT, True),
        ("n", ValueKind.NUMBER, True),
        ("t", ValueKind.TRUTH, True),
        ("z", ValueKind.NULL, False),
        ("e", ValueKind.OBJECT, False),
        ("l", ValueKind.LIST, False),
        ("x", ValueKind.TEXT, False),
        ("deep.y[0]", ValueKind.NUMBER, True),
    ]
    assert "s3cret" not in repr(leaves)


@pytest.mark.parametrize("details", ["text", 5, None, [1, 2], True])
def test_details_that_are_no_group_are_one_leaf(details):
    (leaf,) = leaves_of(details)
    assert leaf.path == ()
    assert leaf.label == "Details"
    assert changed(details, [replaced((), {"a": 1})]) == {"a": 1}


def test_depth_and_number_of_leaves_are_bounded():
    deep: Any = "end"
    for _level in range(5000):
        deep = {"k": deep}
    (leaf,) = leaves_of(deep)
    assert (len(leaf.path), leaf.kind) == (8, ValueKind.OBJECT)
    wide = {"few": {"a": 1}, "many": list(range(500)), "b": 2}
    assert [leaf.label for leaf in leaves_of(wide)] == ["few.a", "many", "b"]
    too_wide = {str(number): number for number in range(301)}
    assert [leaf.path for leaf in leaves_of(too_wide)] == [()]
    assert len(list(scalars_of(deep))) == 1


def test_labels_are_short_and_plain():
    assert label_of(("auth", "keys", 1, "X-Api-Key")) == "auth.keys[1].X-Api-Key"
    assert label_of(("k" * 10_000,)) == "k" * 59 + "…"
    assert label_of(("a\n\u202eb", "")) == "a\ufffd\ufffdb.(no name)"
    assert label_of(()) == "Details"
