"""The file of an export is strict, bounded, and never quoted."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from dashboard.domain.connection import Connection
from dashboard.domain.detail_tree import ValueKind
from dashboard.errors import InvalidInput
from dashboard.masking import REDACTOR
from dashboard.services.portable_file import Exported, drafts_in, text_of, written
from dashboard.services.slots import Slot

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "n" * 200,
    "مرحبا \u202eabc\u2066",
    "👩‍🔬 déjà-vu",
    '=1+1\t"\\ \u2028',
    "${SECRET:x}",
]


def connection(name="press", rooms=("desk",)):
    return Connection("id-1", name, "HTTP", NOW, workspace_names=rooms)


def file(*connections, **changes):
    content = {
        "format": "wallaroo-dashboard-connections",
        "version": 1,
        "connections": list(connections),
    }
    return json.dumps({**content, **changes})


def one(name="a", **changes):
    return {"name": name, "type": "HTTP", "details": {}, **changes}


def test_the_file_says_what_it_is_and_what_stands_in_each_slot():
    slots = (
        Slot("press/token", "token"),
        Slot("press/port", "port", ValueKind.NUMBER),
        Slot("press/pem", "pem", has_lines=True),
    )
    template = {"token": "${SECRET:press/token}", "format": "csv"}
    text = written([Exported(connection(), template, slots)], at=NOW)
    assert json.loads(text) == {
        "format": "wallaroo-dashboard-connections",
        "version": 1,
        "exported_at": "2026-11-22T10:30:00+00:00",
        "connections": [
            {
                "name": "press",
                "type": "HTTP",
                "details": template,
                "workspaces": ["desk"],
                "slots": {
                    "press/token": {"kind": "text", "label": "token"},
                    "press/port": {"kind": "number", "label": "port"},
                    "press/pem": {"kind": "text", "label": "pem", "lines": "many"},
                },
            }
        ],
    }


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_comes_back_as_it_was_and_turns_no_line_around(name):
    text = written([Exported(connection(name, (name,)), {name: ""}, ())], at=NOW)
    assert not {"\u202e", "\u2066", "\u2028"} & set(text)
    (draft,) = drafts_in(text_of(text.encode()))
    assert (draft.name, draft.workspaces) == (name, (name,))
    assert draft.template.reveal() == {name: ""}
    assert draft.slots == ()


def test_a_bare_connection_and_a_list_of_them_are_read_too():
    bare = {"name": "a", "type": "S3", "details": {"k": "x-${SECRET:k}", "n": 1}}
    for content in (bare, [bare]):
        (draft,) = drafts_in(json.dumps(content))
        assert (draft.name, draft.type, draft.workspaces, draft.values) == ("a", "S3", (), 1)
        assert draft.slots == (Slot("k", "k"),)


def test_a_declared_slot_that_is_not_in_the_details_is_not_asked_for():
    entry = one(slots={"gone": {"kind": "text", "label": "x"}}, details={"a": "${SECRET:b}"})
    (draft,) = drafts_in(file(entry))
    assert [slot.name for slot in draft.slots] == ["b"]


def test_a_slot_is_called_after_its_place_whatever_the_file_calls_it():
    slots = {"a": {"kind": "text", "label": "your platform's password"}}
    (draft,) = drafts_in(file(one(details={"headers": {"X": "${SECRET:a}"}}, slots=slots)))
    assert draft.slots == (Slot("a", "headers.X"),)


def test_a_byte_order_mark_is_no_error():
    assert drafts_in(text_of(b"\xef\xbb\xbf" + file(one()).encode()))


def nested(levels):
    return json.loads("[" * levels + "]" * levels)


REFUSED = {
    "nothing": ("  ", "nothing in it"),
    "no JSON": ('{"name": "s3cret"', "line 1, character"),
    "a text": ('"s3cret"', "not an export"),
    "another object": ('{"s3cret": 1}', "not an export"),
    "another format": (file(one(), format="s3cret"), "not an export"),
    "no version": (file(one(), version=True), "version"),
    "a newer version": (file(one(), version=2), "newer version"),
    "no list": (file(connections={"s3cret": 1}), "not an export"),
    "none": (file(), "no connection"),
    "no details": (file({"name": "s3cret", "type": "HTTP"}), "Connection 1 in the file has no"),
    "no name": (file(one("  ")), "its name"),
    "a long name": (file(one("s3cret" * 400)), "longer than"),
    "no type": (file(one(type=7)), "its type"),
    "the same name twice": (file(one("s3cret"), one(), one("s3cret")), "1 and 3"),
    "the same key twice": ('[{},\n{"name": "s3cret", "name": "b"}]', "line 2, character 20"),
    "NaN": ('{"s3cret": NaN}', "line 1, character 12 is NaN"),
    "a number without end": ('{"s3cret": 1e999}', "character 12 is a number"),
    "a long number": ("9" * 5000, "number"),
    "a deep list": ("[" * 100_000, "line 1, character 201 is nested more"),
    "a deeper list": (file(one(details=nested(200))), "deep"),
    "details too deep by one": (
        file(one("s3cret"), one("b", details=nested(101))),
        "Connection 2 in the file: its details are nested more than 100 levels",
    ),
    "too many values": (file(one(details=["s3cret"] * 100_001)), "100,000 values"),
    "half a character": (file(one(details={"s3cret": "\ud800"})), "half a character"),
    "workspaces that are none": (file(one(workspaces="s3cret")), "as the export writes"),
    "a workspace that is none": (file(one(workspaces=[{"s3cret": 1}])), "workspace's name"),
    "a slot of no kind": (
        file(one(details="${SECRET:a}", slots={"a": {"kind": "s3cret"}})),
        "slot of it",
    ),
    "a slot of a kind that is a group": (
        file(one(details="${SECRET:a}", slots={"a": {"kind": {"s3cret": 1}}})),
        "slot of it",
    ),
    "a slot that is a text": (
        file(one(details="${SECRET:a}", slots={"a": "s3cret"})),
        "slot of it",
    ),
    "a thousand and one": (file(*(one(str(n)) for n in range(1001))), "1,001 connections"),
    "too many slots": (
        file(one(details=[f"${{SECRET:{n}}}" for n in range(301)])),
        "more than 300 slots",
    ),
    "too large": ('"' + "s3cret" * 900_000 + '"', "5 MB"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_export_is_refused_with_a_next_step_and_never_quoted(case):
    text, expected = REFUSED[case]
    with pytest.raises(InvalidInput) as caught:
        drafts_in(text)
    error = caught.value
    assert error.field == "file"
    assert expected in error.message
    assert error.hint
    assert error.__context__ is None
    assert "s3cret" not in error.message + error.hint


@pytest.mark.parametrize("content", [b"\xff\xfe{\x00}\x00", b"x" * 5_000_001])
def test_a_file_that_is_no_text_or_too_large_is_refused(content):
    with pytest.raises(InvalidInput) as caught:
        text_of(content)
    assert caught.value.field == "file"
    assert caught.value.__context__ is None


def test_details_as_deep_as_may_be_typed_are_read_in_every_form_of_a_file():
    for text in (json.dumps(one(details=nested(100))), file(one(details=nested(100)))):
        (draft,) = drafts_in(text)
        assert draft.template.reveal() == nested(100)


def test_what_is_only_looked_at_does_not_fill_the_redactor():
    text = "only-looked-at-77c1"
    drafts_in(file(one(details={"token": text})))
    assert REDACTOR.redact(text) == text


def test_each_connection_that_is_read_is_told():
    told = []
    drafts_in(file(one("a"), one("b")), on_progress=lambda *progress: told.append(progress))
    assert told == [(1, 2), (2, 2)]


def test_an_export_that_no_import_would_read_is_not_made():
    exported = [Exported(connection(), {"k": [True] * 100_000}, ())]
    with pytest.raises(InvalidInput, match="100,000 values"):
        written(exported, at=NOW)
