"""Importing and exporting connections on the screens, over a real sandbox."""

from __future__ import annotations

import json
import pickle

import pyarrow as pa
import pytest

from dashboard import session
from dashboard.domain.detail_tree import is_same, leaves_of, value_at
from dashboard.masking import Secret
from dashboard.services import portable as portable_service
from dashboard.services import portable_file
from tests.app.conftest import settle, shown, words
from tests.support.secrets import found_in, planted_details, secrets

ROOM = "workshop-workspace-summarization"
HOSTILE = "<img src=x onerror=alert(1)> **b** =1 مرحبا 👩‍🔬 " + "n" * 120
TYPED = "typed-s3cret-token"
ENTRY = {
    "name": "press",
    "type": "HTTP",
    "details": {
        "url": "https://files.example.org/${SECRET:path}/week.csv",
        "token": "${SECRET:press/token}",
        "note": "file-s3cret",
    },
    "workspaces": [ROOM, "elsewhere"],
}


def paste(at, content):
    text = content if isinstance(content, str) else json.dumps(content)
    (field,) = [one for one in at.text_area if one.label == "Text of the file"]
    field.input(text)
    return settle(at.run())


def box(at, label):
    (found,) = [one for one in at.text_input if shown(one.label).startswith(label)]
    return found


def press(at):
    at.button(key="import_connections_import").click()
    return settle(at.run())


def table(at):
    with pa.ipc.open_stream(at.dataframe[0].proto.arrow_data.data) as reader:
        return reader.read_all().to_pylist()


def names(platform):
    return [one.name for one in platform.current.gateway().list_connections(platform.who)]


def details(platform, name):
    return platform.current.gateway().read_details(platform.who, name)[1].reveal()


def everything(at):
    """Return all that a run sends to the browser, as the bytes it is sent in."""
    return "".join(str(element.proto) for element in at._tree if hasattr(element, "proto"))


def kept(at):
    widgets = {"import_connections_file", "import_connections_fill"}
    state = at.session_state.to_dict()
    ours = {key: value for key, value in state.items() if not key.startswith(tuple(widgets))}
    return pickle.dumps(ours)


def test_the_page_says_what_the_file_holds(demo, open_page):
    at = settle(open_page("import_connections"))
    assert [one.value for one in at.title] == ["Import connections"]
    assert "${SECRET:press-releases/token}" in words(at)
    assert not at.button


def test_an_import_asks_for_its_slots_makes_the_connection_and_links_it(demo, open_page):
    at = paste(settle(open_page("import_connections")), ENTRY)
    (row,) = table(at)
    assert row == {
        "Name": "press",
        "State": "✓ New",
        "To fill in": 2,
        "From the file": "1 value",
        "Type": "HTTP",
        "Host": "files.example.org",
        "Workspaces": f"{ROOM}, elsewhere (not here)",
    }
    at = press(at)
    assert "Fill this in" in words(at)
    assert "press" not in names(demo)
    box(at, "url").input("path-s3cret")
    box(at, "token").input(TYPED)
    at = press(at)
    assert details(demo, "press") == {
        "url": "https://files.example.org/path-s3cret/week.csv",
        "token": TYPED,
        "note": "file-s3cret",
    }
    made = demo.current.gateway().get_connection(demo.who, "press")
    assert made.workspace_names == (ROOM,)
    assert [one.value for one in at.title] == ["Connections"]
    assert any("Imported 1 connection" in shown(one.value) for one in at.success)
    left = pickle.dumps(at.session_state.to_dict()) + everything(at).encode()
    assert b"Imported 1 connection" in left
    for secret in (TYPED, "path-s3cret", "file-s3cret"):
        assert secret.encode() not in left


def test_neither_the_file_nor_what_is_typed_comes_back_or_is_kept(demo, open_page):
    at = paste(settle(open_page("import_connections")), ENTRY)
    box(at, "token").input(TYPED)
    at = press(at)
    drawn = everything(at)
    assert "press" in drawn
    assert "Fill this in" in drawn
    for secret in (TYPED, "file-s3cret"):
        assert secret not in drawn + str(table(at))
        assert secret.encode() not in kept(at)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"s3cret": ', "not JSON"),
        ({"format": "s3cret"}, "not an export"),
        ([ENTRY, ENTRY], "have the same name"),
        ([], "no connection"),
    ],
)
def test_a_wrong_file_is_told_without_quoting_it(demo, open_page, content, told):
    at = paste(settle(open_page("import_connections")), content)
    assert told in shown(words(at))
    assert "s3cret" not in words(at)
    assert not at.button


def test_another_file_forgets_what_was_typed_for_the_one_before(demo, open_page):
    at = paste(settle(open_page("import_connections")), ENTRY)
    box(at, "token").input(TYPED)
    at = press(at)
    at = paste(at, {**ENTRY, "name": "other"})
    assert box(at, "token").value == ""
    assert "Fill this in" not in words(at)


def test_leaving_the_page_forgets_the_file_and_what_was_typed(demo, open_page):
    at = paste(settle(open_page("import_connections")), ENTRY)
    box(at, "token").input(TYPED)
    at = settle(at.run())
    assert TYPED.encode() in pickle.dumps(at.session_state.to_dict())
    at.button(key="import_connections_cancel").click()
    at = settle(at.run())
    left = pickle.dumps(at.session_state.to_dict())
    assert [one.value for one in at.title] == ["Connections"]
    assert TYPED.encode() not in left
    assert b"file-s3cret" not in left


def test_a_taken_name_is_left_out_until_it_gets_another_one(demo, open_page):
    demo.connect("press")
    at = paste(settle(open_page("import_connections")), [ENTRY, {**ENTRY, "name": "other"}])
    assert "exists already" in words(at)
    assert at.button(key="import_connections_import").label == "Import 1 connection"
    (tick,) = [one for one in at.checkbox if not one.value]
    at = settle(tick.check().run())
    for number, field in enumerate(one for one in at.text_input if "from" in one.label):
        field.input(f"v{number}")
    at = press(at)
    assert "Give this one another name" in words(at)
    box(at, "New name").input(HOSTILE)
    at = press(at)
    assert names(demo)[-2:] == [HOSTILE, "other"]


def test_a_connection_that_is_not_ticked_is_left_out(demo, open_page):
    pair = [{"name": each, "type": "S3", "details": {"a": 1}} for each in (HOSTILE, "free")]
    at = paste(settle(open_page("import_connections")), pair)
    at.checkbox[1].uncheck()
    at = press(settle(at.run()))
    assert names(demo)[-1] == HOSTILE
    assert "free" not in names(demo)


def test_a_long_file_is_imported_part_by_part(demo, open_page):
    many = [{"name": f"part-{n:02}", "type": "S3", "details": {}} for n in range(52)]
    at = paste(settle(open_page("import_connections")), many)
    assert at.button(key="import_connections_import").label == "Import 50 connections"
    at = press(at)
    assert [one.value for one in at.title] == ["Import connections"]
    assert at.button(key="import_connections_import").label == "Import 2 connections"
    at = press(at)
    assert [one.value for one in at.title] == ["Connections"]
    assert names(demo)[-52:] == [f"part-{n:02}" for n in range(52)]


@pytest.fixture
def reads(demo, monkeypatch):
    """Begin with no file, and give a list that grows with every one that is read."""
    demo.current.portable.close()
    files: list[int] = []
    usual = portable_file.drafts_in

    def drafts_in(text, **options):
        files.append(len(text))
        return usual(text, **options)

    monkeypatch.setattr(portable_service, "drafts_in", drafts_in)
    return files


def kept_files(demo):
    return list(demo.current.portable._files._things)


def test_a_long_file_is_read_once_whatever_is_done_with_it(demo, open_page, reads):
    padding = "file-s3cret" + "x" * 1_000
    many = [{"name": f"big-{n:02}", "type": "S3", "details": {"k": padding}} for n in range(120)]
    at = paste(settle(open_page("import_connections")), many)
    assert at.button(key="import_connections_import").label == "Import 50 connections"
    (part,) = at.selectbox
    at = settle(part.set_value(2).run())
    assert at.button(key="import_connections_import").label == "Import 20 connections"
    at = settle(at.checkbox[0].uncheck().run())
    assert at.button(key="import_connections_import").label == "Import 19 connections"
    assert len(reads) == 1
    assert b"file-s3cret" not in kept(at)
    assert len(kept_files(demo)) == 1


@pytest.mark.parametrize("size", [10, 40_000])
def test_what_was_read_goes_when_another_file_comes_and_when_the_page_is_left(
    demo, open_page, reads, size
):
    at = paste(settle(open_page("import_connections")), ENTRY)
    (first,) = kept_files(demo)
    at = paste(at, {**ENTRY, "details": {"k": "x" * size}})
    (second,) = kept_files(demo)
    assert first != second
    assert len(reads) == 2
    at.button(key="import_connections_cancel").click()
    settle(at.run())
    assert kept_files(demo) == []


def test_what_was_read_goes_when_all_of_it_is_imported(demo, open_page, reads):
    at = paste(settle(open_page("import_connections")), {**ENTRY, "details": {}, "name": "kept"})
    assert len(kept_files(demo)) == len(reads) == 1
    press(at)
    assert "kept" in names(demo)
    assert kept_files(demo) == []


def test_an_import_of_what_is_not_kept_any_more_is_told_and_goes_the_second_time(demo, open_page):
    at = paste(settle(open_page("import_connections")), {**ENTRY, "details": {}, "name": "late"})
    demo.current.portable.close()
    at = press(at)
    assert "not kept any more" in shown(words(at))
    assert "late" not in names(demo)
    press(at)
    assert "late" in names(demo)


def test_an_import_needs_to_know_which_names_are_free(demo, open_page):
    with demo.down():
        at = paste(settle(open_page("import_connections")), ENTRY)
        assert "which names are free" in shown(words(at))


def test_an_export_offers_a_file_without_secrets(demo, open_page):
    body = {"name": HOSTILE, "type": "HTTP", "details": planted_details()}
    made = demo.post("/v1/api/connections/create", body)["id"]
    at = settle(open_page("home"))
    at.session_state[session._DIALOG] = ("export_connections", made)
    at = settle(at.run())
    assert "1 connection: " in shown(words(at))
    at.button(key="export_connections_make").click()
    at = settle(at.run())
    assert "12 secrets are left out as slots." in shown(words(at))
    (download,) = at.get("download_button")
    assert download.proto.label == "Download the file"
    # AppTest cannot download; this is what the button was given.
    text = next(
        one.outcome.result
        for one in demo.current.jobs._shelf.jobs.values()
        if one.outcome is not None and HOSTILE in one.outcome.result
    )
    assert found_in(text.encode(), secrets()) == []
    at.button(key="export_connections_close").click()
    at = settle(at.run())
    assert not at.get("download_button")


def test_an_export_that_is_imported_again_gives_equal_details(demo):
    deep: dict[str, object] = {"deep": [1.5, {"x": None}]}
    for level in range(12):
        deep = {f"level {level}": deep}
    given = {
        "url": "https://files.example.org/week.csv",
        "format": "csv",
        "port": 5432,
        "ratio": 1e-7,
        "tls": False,
        "pem": "-----BEGIN\nline\n",
        HOSTILE: {"${SECRET:x}": "${SECRET:y} ${HOME}", "": [], "n": None},
        "deep": deep,
    }
    made = demo.post(
        "/v1/api/connections/create", {"name": HOSTILE, "type": "HTTP", "details": given}
    )
    who, portable = demo.who, demo.current.portable
    (one,) = [
        each
        for each in demo.current.gateway().list_connections(who)
        if each.connection_id == made["id"]
    ]
    outcome = portable.export(who, [one])
    file_id = portable.file_id(who, outcome.result)
    portable.read(who, outcome.result, file_id)
    (draft,) = portable.found(who, file_id).drafts
    filled = {(0, slot.name): Secret(answer(given, slot)) for slot in draft.slots}
    done = portable.import_(who, [draft], filled, names=["again"], link=False)
    assert done.message == "Imported 1 connection."
    assert is_same(details(demo, "again"), given)
    kept = draft.template.reveal()
    assert isinstance(kept, dict)
    assert (kept["url"], kept["format"]) == ("https://files.example.org/week.csv", "csv")


def answer(given, slot):
    """Return what a person types into a slot who knows the details."""
    (leaf,) = [one for one in leaves_of(given) if one.label == slot.label]
    value = value_at(given, leaf.path)
    return value if isinstance(value, str) else json.dumps(value)


def test_an_export_of_everything_counts_everything(demo, open_page):
    at = settle(open_page("home"))
    at.session_state[session._DIALOG] = ("export_connections", "")
    at = settle(at.run())
    assert f"{len(names(demo))} connections: " in shown(words(at))


def test_an_export_of_what_was_deleted_says_so(demo, open_page):
    at = settle(open_page("home"))
    at.session_state[session._DIALOG] = ("export_connections", "gone")
    at = settle(at.run())
    assert "There is no connection to export any more." in words(at)
