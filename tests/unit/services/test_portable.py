"""What an export leaves out, and what an import checks before it makes anything."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from dashboard.domain.activity import Act
from dashboard.domain.connection import Connection
from dashboard.domain.identity import Identity
from dashboard.domain.workspace import Workspace
from dashboard.errors import Conflict, DashboardError, InvalidInput, NotFound, PlatformUnreachable
from dashboard.masking import Secret
from dashboard.services import portable_file, slots
from dashboard.services.jobs import Outcome
from dashboard.services.portable import Portable
from tests.support.secrets import found_in, planted_details, secrets

NOW = datetime(2026, 11, 22, tzinfo=UTC)
ANN = Identity("ann", "u-1", "ann@example.org")
BOB = Identity("bob", "u-2", "bob@example.org")


@dataclass
class Platform:
    """The few calls that exports and imports make, answered from memory."""

    stored: dict[str, tuple[Connection, Any]] = field(default_factory=dict)
    rooms: tuple[Workspace, ...] = ()
    links: list[tuple[str, int]] = field(default_factory=list)
    noted: list[dict[str, Any]] = field(default_factory=list)
    fails_at: str = ""
    error: DashboardError = field(default_factory=lambda: PlatformUnreachable("It is gone."))
    seen: list[tuple[int, int] | None] = field(default_factory=list)

    def __post_init__(self):
        anything = cast("Any", self)  # stands in for all three
        self.portable = Portable(lambda: anything, anything, anything, now=lambda: NOW)

    def add(self, name, details, *, kind="S3", rooms=()):
        made = Connection(f"id-{name}", name, kind, NOW, workspace_names=rooms)
        self.stored[name] = (made, details)
        return made

    def read_details(self, who, name):
        self.seen.append(self.portable.progress(who, "tab"))
        if name == self.fails_at:
            raise self.error
        if name not in self.stored:
            raise NotFound("No.")
        made, details = self.stored[name]
        return made, Secret(details)

    def list_connections(self, _who):
        return tuple(made for made, _ in self.stored.values())

    def list_workspaces(self, _who):
        return self.rooms

    def save(self, who, draft, *, act):
        self.seen.append(self.portable.progress(who, "tab"))
        assert act is Act.IMPORTED
        if draft.name == self.fails_at:
            raise self.error
        made = self.add(draft.name, draft.details.reveal(), kind=draft.type)
        return Outcome("Saved.", result=made.connection_id)

    def change_links(self, _who, changes):
        self.links += [(one.connection.name, one.room.workspace_id) for one in changes]
        return Outcome("Linked.")

    def note(self, _who, act, **entry):
        self.noted.append({"act": act, **entry})


@pytest.fixture
def platform():
    return Platform()


def room(number, name, *, archived=False):
    return Workspace(number, name, NOW, "ann", archived=archived)


def exported(platform, *connections):
    outcome = platform.portable.export(ANN, connections, "tab")
    return outcome, json.loads(outcome.result)


def held(platform, content):
    file_id = platform.portable.file_id(ANN, content)
    platform.portable.read(ANN, content, file_id)
    return platform.portable.found(ANN, file_id)


def drafts(platform, *entries):
    return held(platform, json.dumps(list(entries))).drafts


def entry(name, details=None, *, kind="S3", **more):
    return {"name": name, "type": kind, "details": details or {}, **more}


def take(platform, read, filled=None, *, names=None, link=False):
    names = [one.name for one in read] if names is None else names
    typed = {place: Secret(text) for place, text in (filled or {}).items()}
    return platform.portable.import_(ANN, read, typed, names=names, link=link, mark="tab")


def refused(platform, read, filled=None, *, names=None):
    before = dict(platform.stored)
    with pytest.raises(DashboardError) as caught:
        take(platform, read, filled, names=names)
    assert platform.stored == before
    assert caught.value.__context__ is None
    return caught.value


# Export


def test_an_export_holds_no_planted_secret_and_says_how_many_it_left_out(platform):
    one = platform.add("planted", planted_details(), kind="HTTP", rooms=("desk",))
    other = platform.add("custom", {"format": "csv", "n": None, "e": []})
    outcome, content = exported(platform, one, other)
    assert found_in(outcome.result.encode(), secrets()) == []
    assert outcome.message == "Exported 2 connections. 13 secrets are left out as slots."
    assert content["exported_at"] == "2026-11-22T00:00:00+00:00"
    assert content["connections"][0]["workspaces"] == ["desk"]
    assert content["connections"][0]["details"]["token"] == "${SECRET:planted/token}"  # noqa: S105
    assert content["connections"][1]["details"] == {
        "format": "${SECRET:custom/format}",
        "n": None,
        "e": [],
    }


def test_what_the_type_lets_be_shown_stays_in_the_file(platform):
    details = {"url": "https://files.example.org/week.csv", "format": "csv", "token": "t-1"}
    _, content = exported(platform, platform.add("press", details, kind="HTTP"))
    assert content["connections"][0]["details"] == {
        "url": "https://files.example.org/week.csv",
        "format": "csv",
        "token": "${SECRET:press/token}",
    }


def test_an_export_is_noted_for_each_connection_with_names_and_no_values(platform):
    one = platform.add("planted", planted_details())
    exported(platform, one, platform.add("open", {}))
    first, second = platform.noted
    assert (first["act"], first["connection_id"]) == (Act.EXPORTED, "id-planted")
    assert "auth.outer.inner" in first["fields"]
    assert found_in(repr(platform.noted).encode(), secrets()) == []
    assert (second["connection_name"], list(second["fields"])) == ("open", [])


def test_a_connection_deleted_meanwhile_is_told_and_left_out(platform):
    one, other = platform.add("press", {"a": 1}), platform.add("gone", {})
    del platform.stored["gone"]
    outcome, content = exported(platform, one, other)
    assert [each["name"] for each in content["connections"]] == ["press"]
    assert outcome.message == (
        "Exported 1 connection. 1 secret is left out as a slot. "
        "Deleted meanwhile, so not in the file: gone."
    )
    with pytest.raises(NotFound):
        platform.portable.export(ANN, [other])


def test_a_connection_replaced_meanwhile_is_told_and_exported_as_it_is_now(platform):
    old = platform.add("press", {"a": 1})
    platform.stored["press"] = (Connection("id-new", "press", "S3", NOW), {"b": 2})
    outcome, content = exported(platform, old)
    assert list(content["connections"][0]["details"]) == ["b"]
    assert "Replaced meanwhile, and exported as now: press." in outcome.message


def test_an_export_that_fails_in_the_middle_notes_nothing(platform):
    pair = platform.add("a", {}), platform.add("b", {})
    platform.fails_at = "b"
    with pytest.raises(PlatformUnreachable):
        platform.portable.export(ANN, pair, "tab")
    assert platform.noted == []
    assert platform.portable.progress(ANN, "tab") is None


def test_an_export_tells_how_far_it_is(platform):
    exported(platform, platform.add("a", {}), platform.add("b", {}))
    assert platform.seen == [(0, 2), (1, 2)]
    assert platform.portable.progress(ANN, "tab") is None


def test_more_than_a_file_takes_is_refused_before_anything_is_read(platform):
    one = platform.add("a", {})
    for connections in ([one] * 1001, []):
        with pytest.raises(InvalidInput):
            platform.portable.export(ANN, connections)
    assert platform.seen == []


def test_a_file_larger_than_an_import_takes_is_refused(platform):
    with pytest.raises(InvalidInput, match="5 MB"):
        platform.portable.export(ANN, [platform.add("a", {"k" * 5_000_000: ""})])


def test_an_export_tells_what_is_too_deep_to_be_imported_again(platform):
    deep = json.loads("[" * 100 + "]" * 100)
    one = platform.add("a", {"k": 1, "deep": deep})
    outcome, _ = exported(platform, one, platform.add("b", {"fits": deep[0]}))
    assert outcome.message.endswith("Too deep or too large to be imported again: a (deep).")


# Import


def test_a_file_that_was_read_is_its_owners_until_it_is_dropped(platform):
    content = json.dumps(entry("a"))
    portable = platform.portable
    file_id = portable.file_id(ANN, content)
    assert file_id == portable.file_id(ANN, content.encode())
    assert file_id not in (portable.file_id(BOB, content), portable.file_id(ANN, content + " "))
    assert file_id != Platform().portable.file_id(ANN, content)
    assert portable.found(ANN, file_id) is None
    assert portable.read(ANN, content, file_id) == Outcome("")
    assert [one.name for one in portable.found(ANN, file_id).drafts] == ["a"]
    assert portable.found(BOB, file_id) is None
    portable.drop(BOB, file_id)
    assert portable.found(ANN, file_id) is not None
    portable.drop(ANN, file_id)
    assert portable.found(ANN, file_id) is None


def test_a_wrong_file_is_kept_as_what_is_wrong_with_it(platform):
    read = held(platform, b"\xff")
    assert (read.drafts, read.problem.field) == ((), "file")
    assert read.problem.__traceback__ is None


def test_the_reading_of_a_file_is_counted(platform, monkeypatch):
    seen = []
    content = json.dumps([entry("a"), entry("b")])
    file_id = platform.portable.file_id(ANN, content)
    usual = slots.host_of

    def host_of(*given):
        seen.append(platform.portable.progress(ANN, file_id))
        return usual(*given)

    monkeypatch.setattr(portable_file, "host_of", host_of)
    platform.portable.read(ANN, content, file_id)
    assert seen == [(0, 0), (1, 2)]
    assert platform.portable.progress(ANN, file_id) is None


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("[" * 101 + "]" * 101, "character 101 is nested"),
        ('{"s3cret": 1,\n"s3cret": 2}', "line 2, character 1"),
        ("[" * 99 + "]" * 99, "With it the details"),
    ],
)
def test_a_typed_group_that_is_too_deep_or_doubled_is_told_at_its_slot(platform, typed, told):
    kind = "list" if typed[0] == "[" else "group"
    slots = {name: {"kind": kind, "label": name} for name in ("g", "h")}
    details = {"a": "${SECRET:h}", "b": {"c": "${SECRET:g}"}}
    read = drafts(platform, entry("a", details, slots=slots))
    small = "[]" if kind == "list" else "{}"
    error = refused(platform, read, {(0, "g"): typed, (0, "h"): small})
    assert error.field == "slot:0:g"
    assert told in error.message
    assert "s3cret" not in error.message + error.hint


def test_an_import_makes_what_was_exported(platform):
    details = {"token": "t-1", "port": 5432, "tls": False, "ids": [1, 2.0], "n": None}
    _, content = exported(platform, platform.add("press", details))
    platform.stored.clear()
    read = held(platform, json.dumps(content)).drafts
    typed = {
        (0, "press/token"): "t-1",
        (0, "press/port"): "5432",
        (0, "press/tls"): "false",
        (0, "press/ids[0]"): "1",
        (0, "press/ids[1]"): "2.0",
    }
    assert take(platform, read, typed).message == "Imported 1 connection."
    assert json.dumps(platform.stored["press"][1]) == json.dumps(details)


def test_an_empty_name_leaves_a_connection_out_and_asks_for_none_of_its_slots(platform):
    read = drafts(platform, entry("a", {"k": "${SECRET:k}"}), entry("b"))
    take(platform, read, names=["", "new b"])
    assert list(platform.stored) == ["new b"]
    assert "All of them" in refused(platform, read, names=["", " "]).message


def test_a_slot_that_is_empty_or_does_not_fit_is_told_at_its_field(platform):
    slots = {"p": {"kind": "number", "label": "port"}}
    read = drafts(platform, entry("a"), entry("b", {"port": "${SECRET:p}"}, slots=slots))
    for typed in ("", "s3cret"):
        error = refused(platform, read, {(1, "p"): typed})
        assert error.field == "slot:1:p"
        assert "s3cret" not in error.message + error.hint


def test_a_name_that_is_taken_or_used_twice_is_told_at_its_field(platform):
    platform.add("there", {})
    read = drafts(platform, entry("a"), entry("there"))
    error = refused(platform, read)
    assert (type(error), error.field) == (Conflict, "name:1")
    assert refused(platform, read, names=["same", "same"]).field == "name:1"


def test_a_typed_value_that_breaks_the_types_rules_is_told_at_its_slot(platform):
    read = drafts(platform, entry("a", {"url": "${SECRET:u}"}, kind="HTTP"))
    error = refused(platform, read, {(0, "u"): "ftp://h.example/s3cret.csv"})
    assert error.field == "slot:0:u"
    assert "s3cret" not in error.message + error.hint


def test_a_value_in_the_file_that_breaks_the_types_rules_is_told_at_its_connection(platform):
    read = drafts(platform, entry("a"), entry("b", {"url": "ftp://h.example/a"}, kind="HTTP"))
    error = refused(platform, read)
    assert error.field == "draft:1"
    assert "in the file" in error.hint


def test_links_go_to_the_one_workspace_of_the_name_and_what_is_missing_is_told(platform):
    platform.rooms = (
        room(1, "desk"),
        room(2, "twin"),
        room(3, "twin"),
        room(4, "old", archived=True),
    )
    read = drafts(
        platform,
        entry("a", workspaces=["desk", "twin"]),
        entry("b", workspaces=["desk", "old", "desk"]),
    )
    outcome = take(platform, read, link=True)
    assert platform.links == [("a", 1), ("b", 1)]
    assert outcome.message == (
        "Imported 2 connections. Linked. "
        "Not linked, as you are in no one workspace of that name: old, twin."
    )


def test_nothing_is_linked_when_nobody_asked_for_it(platform):
    platform.rooms = (room(1, "desk"),)
    take(platform, drafts(platform, entry("a", workspaces=["desk"])))
    assert platform.links == []


def test_a_failed_link_does_not_look_like_a_failed_import(platform, monkeypatch):
    def fail(_who, _changes):
        raise PlatformUnreachable("It is gone.")

    monkeypatch.setattr(platform, "change_links", fail)
    platform.rooms = (room(1, "desk"),)
    outcome = take(platform, drafts(platform, entry("a", workspaces=["desk"])), link=True)
    assert outcome.message == "Imported 1 connection. They could not be linked: It is gone."


def test_a_failure_in_the_middle_tells_what_exists_now_and_what_does_not(platform):
    read = drafts(platform, entry("a"), entry("b"), entry("c"))
    platform.fails_at = "b"
    with pytest.raises(DashboardError) as caught:
        take(platform, read)
    assert caught.value.message == "b: It is gone. Imported before that: a. Not imported: b, c."
    assert caught.value.field is None
    assert platform.portable.progress(ANN, "tab") is None
    platform.fails_at = ""
    # The one that exists is not skipped in silence.
    assert refused(platform, read).field == "name:0"
    take(platform, read, names=["", "b", "c"])
    assert list(platform.stored) == ["a", "b", "c"]


def test_a_name_taken_between_the_check_and_the_making_is_told_at_its_field(platform):
    read = drafts(platform, entry("a"), entry("b"))
    for name in ("a", "b"):
        platform.error = Conflict("It is taken.", field="name")
        platform.fails_at = name
        platform.stored.clear()
        with pytest.raises(Conflict) as caught:
            take(platform, read)
        assert caught.value.field == f"name:{'ab'.index(name)}"


def test_a_failure_before_anything_was_made_is_the_platforms_own(platform):
    platform.fails_at = "a"
    with pytest.raises(PlatformUnreachable):
        take(platform, drafts(platform, entry("a"), entry("b")))
