"""Details become templates without secrets, and the same details again."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.connectors import registry
from dashboard.domain.detail_tree import ValueKind, is_same, value_at
from dashboard.errors import InvalidInput
from dashboard.services.slots import (
    Slot,
    fields_with,
    filled,
    host_of,
    slots_in,
    surveyed,
    typed_value,
    with_slots,
)
from tests.support.secrets import found_in, planted_details, secrets

TEXTS = st.text(max_size=20) | st.sampled_from(
    ["${SECRET:x}", "a ${SECRET:x/y} b", "${HOME}", "$PATH", "${SECRET:", "}", "line\nbreak"]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=25,
)
KEYS = st.sampled_from(["url", "host", "format", "token", "headers"]) | TEXTS


def nothing(_path, _value):
    return False


def slotted(details, may_show=nothing, name="c"):
    return with_slots(details, name=name, may_show=may_show, taken=set())


def answers(details: Any, template: Any, slots) -> dict[str, tuple[str, Any]]:
    """Fill each slot in as a person who knows `details` would."""
    paths = {value: path for path, value in walk(template) if isinstance(value, str)}
    values = {}
    for slot in slots:
        value = value_at(details, paths[f"${{SECRET:{slot.name}}}"])
        typed = value if slot.kind is ValueKind.TEXT else json.dumps(value)
        values[slot.name] = (typed, typed_value(slot, typed))
    return values


def walk(value, path=()):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from walk(inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from walk(inner, (*path, place))
    else:
        yield path, value


@settings(deadline=None, max_examples=300)
@given(details=JSON | st.dictionaries(KEYS, JSON, max_size=5), kind=st.sampled_from(["HTTP", "S3"]))
def test_the_same_answers_give_equal_details_in_value_and_type(details, kind):
    may_show = registry.connector_for(kind).may_show
    template, slots = slotted(details, may_show)
    through_a_file = json.loads(json.dumps(template))
    assert set(slots_in(through_a_file)) == {slot.name for slot in slots}
    again = filled(through_a_file, answers(details, through_a_file, slots))
    assert is_same(again, details)


@settings(deadline=None, max_examples=200)
@given(details=JSON)
def test_nothing_that_is_set_stays_where_nothing_may_be_shown(details):
    template, _slots = slotted(details)
    left = [value for _path, value in walk(template) if value not in (None, "", [], {})]
    assert all(isinstance(value, str) and slots_in(value) for value in left)


def test_no_planted_secret_stays_in_a_template():
    for kind in ("HTTP", "S3"):
        template, slots = slotted(planted_details(), registry.connector_for(kind).may_show)
        text = json.dumps(template) + repr(slots)
        assert found_in(text.encode(), secrets()) == []
        assert len(slots) == 12


def test_a_stored_text_that_looks_like_a_slot_is_a_slot_itself():
    details = {"format": "csv", "note": "${SECRET:other}"}
    template, slots = slotted(details, lambda _path, _value: True)
    assert template == {"format": "csv", "note": "${SECRET:c/note}"}
    assert filled(template, answers(details, template, slots)) == details


def test_slot_names_are_unique_and_without_braces():
    taken: set[str] = set()
    details = {"a.b": 1, "a": {"b": 2}, "{x}": "y"}
    _, slots = with_slots(details, name="n{1}", may_show=nothing, taken=taken)
    assert [slot.name for slot in slots] == ["n(1)/a.b", "n(1)/a.b 2", "n(1)/(x)"]
    _, again = with_slots(details, name="n(1)", may_show=nothing, taken=taken)
    assert not {slot.name for slot in again} & {slot.name for slot in slots}


def test_details_with_thousands_of_values_are_few_slots():
    details = {"rows": [{"n": n} for n in range(5_000)], "token": "t"}
    template, slots = slotted(details)
    assert [slot.kind for slot in slots] == [ValueKind.LIST, ValueKind.TEXT]
    assert filled(template, answers(details, template, slots)) == details


def test_a_text_with_line_breaks_is_asked_for_in_several_lines():
    _, slots = slotted(planted_details())
    assert [slot.label for slot in slots if slot.has_lines] == ["certificate"]


def test_a_typed_slot_or_variable_is_not_filled_in_again(monkeypatch):
    monkeypatch.setenv("REGION", "from-the-environment")
    assert os.environ["REGION"]
    template = {"a": "${SECRET:one}", "b": "x-${SECRET:one}-${SECRET:two}", "c": "${REGION}"}
    values = {"one": ("${SECRET:two}", "${SECRET:two}"), "two": ("$REGION", "$REGION")}
    assert filled(template, values) == {
        "a": "${SECRET:two}",
        "b": "x-${SECRET:two}-$REGION",
        "c": "${REGION}",
    }


def test_a_number_inside_a_longer_text_stands_there_as_it_was_typed():
    slot = Slot("port", "port", ValueKind.NUMBER)
    values = {"port": ("0443", 443)}
    assert filled(["${SECRET:port}", "h:${SECRET:port}"], values) == [443, "h:0443"]
    assert typed_value(slot, "1e3") == 1000.0


@pytest.mark.parametrize(
    ("kind", "typed"),
    [
        (ValueKind.TEXT, ""),
        (ValueKind.NUMBER, "twelve-s3cret"),
        (ValueKind.NUMBER, "true"),
        (ValueKind.NUMBER, "NaN"),
        (ValueKind.NUMBER, "1e999"),
        (ValueKind.NUMBER, "9" * 5000),
        (ValueKind.TRUTH, "yes-s3cret"),
        (ValueKind.LIST, '{"a": "s3cret"}'),
        (ValueKind.OBJECT, '["s3cret"'),
        (ValueKind.OBJECT, "[" * 100_000),
    ],
)
def test_what_does_not_fit_a_slot_is_refused_without_quoting_it(kind, typed):
    with pytest.raises(InvalidInput) as caught:
        typed_value(Slot("s", "s", kind), typed)
    assert caught.value.__context__ is None
    assert "s3cret" not in f"{caught.value.message}{caught.value.hint}"


def test_a_truth_is_read_in_any_case():
    assert typed_value(Slot("s", "s", ValueKind.TRUTH), " True ") is True


def test_the_host_is_told_only_where_no_slot_has_a_say_in_it():
    def host(kind, url):
        return host_of(kind, {"url": url}, slots_in(url))

    assert host("HTTP", "https://h.example/${SECRET:path}") == "h.example"
    assert host("HTTP", "https://${SECRET:h}.example/a.csv") is None
    assert host("HTTP", "https://${SECRET:u}@h.example/a.csv") == "h.example"
    assert host("HTTP", "${SECRET:url}") is None
    assert host("S3", "https://h.example") is None


def test_slots_are_found_at_the_keys_below_which_they_stand():
    template = {"a": {"b": ["${SECRET:x}"]}, "c": "-${SECRET:x}-", "d": 1, "e": ""}
    assert fields_with(template, "x") == ("a", "c")


def test_one_way_through_a_template_finds_slots_values_and_depth():
    template = {"a": {"b": ["${SECRET:x}", "-${SECRET:y}${SECRET:x}-"]}, "d": 1, "e": "", "f": []}
    survey = surveyed(template)
    assert list(survey.labels.items()) == [("x", "a.b[0]"), ("y", "a.b[1]")]
    assert (survey.values, survey.levels) == (1, 3)


def test_a_label_tells_no_more_than_the_upper_levels():
    template: object = "${SECRET:x}"
    for _ in range(80):
        template = [template]
    assert surveyed(template).labels == {"x": "[0]" * 8}
