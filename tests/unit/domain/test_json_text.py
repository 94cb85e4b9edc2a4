"""JSON that people type is read as it stands, or told where it is wrong and never quoted."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.connectors.custom import CustomConnector
from dashboard.domain.detail_tree import is_same
from dashboard.domain.json_text import Limits, fits, json_trouble, json_value
from dashboard.errors import InvalidInput

TEXTS = st.text(max_size=8) | st.sampled_from(['"', "\\", "{", "]", "NaN", "\U0001f600", "a:"])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None)
@given(value=VALUES, indent=st.sampled_from([None, 1]), in_ascii=st.booleans())
def test_every_json_value_is_read_as_it_is(value, indent, in_ascii):
    text = json.dumps(value, indent=indent, ensure_ascii=in_ascii)
    assert is_same(json_value(text), value)


@settings(deadline=None)
@given(text=st.text(alphabet='[]{}",:\\\\1e-NaN true\\n', max_size=40))
def test_no_text_raises_anything_else_or_is_quoted(text):
    trouble = json_trouble(text)
    if trouble:
        with pytest.raises(InvalidInput, match="line") as caught:
            json_value(text)
        assert caught.value.__context__ is None
    elif text.strip():
        assert is_same(json_value(text), json.loads(text))


REFUSED = {
    "no JSON": ('{"s3cret"\n 1}', "line 2, character 2"),
    "an unended text": ('{"s3cret": "NaN NaN', "line 1, character 12"),
    "a bracket too many": ("[]] NaN", "line 1, character 3"),
    "a doubled name": ('{"s3cret": 1,\n "s3cret": 2}', "line 2, character 2 has the name"),
    "a doubled name, escaped": ('{"s3cret": 1, "\\u00733cret": 2}', "character 15 has the name"),
    "a doubled name deep within": ('[{"a": {}}, {"a": {"b": [], "b": 1}}]', "character 29 has"),
    "NaN": ('["s3cret", NaN]', "line 1, character 12 is NaN or Infinity"),
    "minus Infinity": ("[-Infinity]", "character 2 is NaN or Infinity"),
    "a number without end": ("[1,\n-1e999]", "line 2, character 1 is a number"),
    "a number of many digits": ("9" * 4001, "character 1 is a number"),
    "half a character": ('["\\ud83d\\ude00", "s3cret\\ud800"]', "character 18 holds half"),
    "half a character in a name": ('{"\\ud800": 1}', "character 2 holds half"),
    "half a character as it is": ('["\ud800"]', "character 3 holds half"),
    "101 levels": ("[" * 101 + "]" * 101, "character 101 is nested more than 100 levels"),
    "levels without end": ('{"a":' * 150_000, "nested more than 100 levels"),
    "too many values": ("[" + "1," * 100_000 + "1]", "more than the 100,000 values"),
    "too long": ('"' + "s" * 1_000_000 + '"', "longer than 1,000,000 characters"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_told_with_its_place_in_the_form_as_anywhere(case):
    text, told = REFUSED[case]
    with pytest.raises(InvalidInput) as caught:
        CustomConnector("KAFKA").validate({"details": text})
    error = caught.value
    assert told in error.message
    assert error.field == "details"
    assert error.__context__ is None
    assert "s3cret" not in error.message + error.hint
    assert json_trouble(text) == error.message


def test_the_same_name_in_two_groups_is_no_double():
    text = '{"a": {"a": 1}, "b": [{"a": "a"}, {"a": "a"}], "c": "a"}'
    assert json_value(text) == json.loads(text)


def test_as_deep_and_as_much_as_allowed_is_read():
    deep = "[" * 100 + "]" * 100
    assert fits(json_value(deep))
    assert not fits([json_value(deep)])
    assert json_value("[1, {}, []]", limits=Limits(values=4)) == [1, {}, []]
    with pytest.raises(InvalidInput):
        json_value("[1, {}, []]", limits=Limits(values=3))
    assert fits([0] * 99_999)
    assert not fits([[0] * 50_000, [0] * 50_000])


def test_custom_details_are_a_group():
    with pytest.raises(InvalidInput, match="JSON object"):
        CustomConnector("KAFKA").validate({"details": " "})
    with pytest.raises(InvalidInput, match="JSON object"):
        CustomConnector("KAFKA").validate({"details": "[]"})
    assert CustomConnector("KAFKA").validate({"details": '{"a": 1}'}) == {"a": 1}
