"""The dialog that deletes connections: what breaks, the lesser act, the name to type."""

from __future__ import annotations

from typing import Any

import pytest

from components.delete_dialog import asked_text, is_confirmed
from dashboard import runtime
from dashboard.services.jobs import Outcome
from tests.app import stories
from tests.app.conftest import settle, shown, words

ROOM = "workshop-workspace-summarization"


def asked(open_page: Any, *connection_ids: str) -> Any:
    """Open the dialog over the page, as the list does for ticked rows."""
    at = settle(open_page("connections"))
    at.session_state["_dialog"] = ("delete_connections", ",".join(connection_ids))
    return settle(at.run())


def typed_field(at: Any) -> Any:
    return next(one for one in at.text_input if str(one.key).startswith("delete_typed"))


def names(platform: Any) -> set[str]:
    return {one.name for one in platform.current.gateway().list_connections(platform.who)}


def test_the_dialog_tells_what_breaks(demo, open_page):
    connection_id = demo.connect("week-47")
    demo.link("week-47", ROOM)
    demo.keep_run(["a"])
    runtime.current().checks.note_use(connection_id, rows=1)
    at = asked(open_page, connection_id)
    told = shown(words(at))
    assert shown(at.get("dialog")[0].proto.dialog.title) == "Delete week-47?"
    assert f"1 workspace loses it: **{ROOM}**." in told
    assert "Last fetch: just now." in told
    assert "Last run: never." not in told
    assert "Scripts that look it up by name stop working." in told
    assert "There is no undo on the platform" in told


def test_only_the_exact_name_lets_it_be_deleted(empty, open_page):
    connection_id = empty.connect("short-lived")
    at = asked(open_page, connection_id)
    for typed in ("", "short-live", "Short-lived", "short-lived2"):
        typed_field(at).input(typed).run()
        assert at.button(key="delete_confirm").disabled, typed
    typed_field(at).input(" short-lived ").run()
    assert not at.button(key="delete_confirm").disabled
    settle(at.button(key="delete_confirm").click().run())
    assert "No connections yet" in words(at)
    assert not at.get("dialog")


def test_deleting_the_opened_connection_closes_its_drawer_quietly(demo, open_page):
    connection_id = demo.connect("short-lived")
    at = settle(open_page("connections", connection=connection_id))
    settle(at.button(key="drawer_delete").click().run())
    typed_field(at).input("short-lived").run()
    settle(at.button(key="delete_confirm").click().run())
    assert "connection" not in at.query_params
    assert not at.get("dialog")
    assert not at.info
    assert "short-lived" not in names(demo)


def test_unlinking_instead_keeps_the_connection(demo, open_page):
    connection_id = demo.connect("week-47")
    demo.link("week-47", ROOM)
    at = asked(open_page, connection_id)
    settle(at.button(key="delete_unlink").click().run())
    gateway = demo.current.gateway()
    assert gateway.get_connection(demo.who, "week-47").workspace_names == ()
    assert not at.get("dialog")


def test_there_is_nothing_to_unlink_where_nothing_is_linked(empty, open_page):
    at = asked(open_page, empty.connect("week-47"))
    assert at.button(key="delete_unlink").disabled
    assert "No workspace loses it." in words(at)


def test_several_are_deleted_by_their_number(demo, open_page):
    ids = [demo.connect(f"bulk-{number}") for number in range(7)]
    demo.link("bulk-0", ROOM)
    at = asked(open_page, *ids)
    told = shown(words(at))
    assert "1 workspace loses these connections" in told
    assert "And 2 more." in told
    typed_field(at).input("bulk-0").run()
    assert at.button(key="delete_confirm").disabled
    typed_field(at).input("delete 7").run()
    settle(at.button(key="delete_confirm").click().run())
    assert not {name for name in names(demo) if name.startswith("bulk-")}


def test_those_that_are_gone_meanwhile_are_counted(demo, open_page):
    at = asked(open_page, demo.connect("week-47"), "gone")
    assert "1 of 2 are gone or were edited meanwhile" in words(at)
    assert not at.button(key="delete_export").disabled


def test_a_dialog_over_nothing_closes_and_says_so(demo, open_page):
    at = asked(open_page, "gone")
    assert not at.get("dialog")
    assert "deleted or edited meanwhile" in at.info[0].value


def test_the_second_of_two_clicks_deletes_nothing(demo, open_page, monkeypatch):
    connection_id = demo.connect("week-47")
    at = asked(open_page, connection_id)
    typed_field(at).input("week-47").run()
    calls: list[object] = []

    def counted(_who: object, connections: object) -> Outcome:
        calls.append(connections)
        return Outcome("Done.")

    monkeypatch.setattr(demo.current.connections, "delete_all", counted)
    at.button(key="delete_confirm").click()
    at.session_state["_dialog"] = ("", "")  # as the first click has left it
    settle(at.run())
    assert calls == []


def test_export_is_offered_first(demo, open_page):
    connection_id = demo.connect("week-47")
    at = asked(open_page, connection_id)
    at.button(key="delete_export").click().run()
    assert at.session_state["_dialog"] == ("export_connections", connection_id)


@pytest.mark.parametrize(
    ("name", "typed", "confirmed"),
    [
        ("<img src=x>", "<img src=x>", True),
        ("invoice\u202efdp.exe", "invoicefdp.exe", True),
        ("two\nlines", "two lines", True),
        ("مرحبا 👩‍🔬", "مرحبا 👩‍🔬", True),
        (" ", "", False),
        (" ", "delete 1", True),
        ("week-47", "WEEK-47", False),
    ],
)
def test_a_name_is_confirmed_as_it_is_or_as_it_is_shown(name, typed, confirmed):
    assert is_confirmed(typed, [stories.connection(name)]) is confirmed


def test_nothing_is_confirmed_for_no_connection():
    assert not is_confirmed("delete 0", [])
    assert asked_text([stories.connection("a"), stories.connection("b")]) == "delete 2"
