"""Two people at once: what another made, edited or deleted meanwhile is told, never overwritten.

The other one works past this dashboard, which has not noticed yet when the first one acts.
"""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.conftest import Platform, settle, shown

NAME = "shared-press"
ROOM = "workshop-workspace-summarization"
OTHERS = {"bucket": "of-the-other-one"}


def make(demo: Platform, details: object) -> str:
    """Make a connection of a type that is not tested."""
    body = {"name": NAME, "type": "S3", "details": details}
    return str(demo.post("/v1/api/connections/create", body)["id"])


def edit_elsewhere(demo: Platform) -> None:
    demo.current.gateway().delete_connection(demo.who, NAME)
    make(demo, OTHERS)


def delete_elsewhere(demo: Platform) -> None:
    demo.current.gateway().delete_connection(demo.who, NAME)


def is_there(demo: Platform) -> bool:
    return NAME in {one.name for one in demo.current.gateway().list_connections(demo.who)}


def is_the_others(demo: Platform) -> bool:
    return bool(demo.current.gateway().read_details(demo.who, NAME)[1].reveal() == OTHERS)


def told(at: AppTest) -> str:
    """Return all that the page says, wherever it stands."""
    some: list[Any] = [*at.markdown, *at.error, *at.info, *at.success, *at.warning]
    return shown("\n".join(one.value for one in some))


def open_the_dialog(demo: Platform, open_page: Any) -> AppTest:
    at = settle(open_page("connections", connection=make(demo, {"bucket": "mine"})))
    settle(at.button(key="drawer_delete").click().run())
    field = next(one for one in at.text_input if str(one.key).startswith("delete_typed"))
    return field.input(NAME).run()


def test_a_name_taken_elsewhere_while_the_form_was_open_is_told_at_its_field(demo, open_page):
    at = settle(open_page("new_connection"))
    at.segmented_control(key="new_connection_kind_0").select("").run()
    at.text_input(key="new_connection_name_0").input(NAME)
    at.text_input(key="new_connection_type_0").input("S3")
    at.text_area(key="new_connection_details_0").input('{"bucket": "mine"}').run()
    make(demo, OTHERS)
    settle(at.button(key="new_connection_save").click().run())
    assert f"{NAME} exists already" in told(at)
    assert is_the_others(demo)


def test_an_edit_over_another_edit_overwrites_nothing(demo, open_page):
    at = settle(open_page("edit_connection", connection=make(demo, {"bucket": "mine"})))
    at.segmented_control(key="edit_connection_act0_0").select("Replace").run()
    at.text_input(key="edit_connection_value0_0").input("mine-again").run()
    edit_elsewhere(demo)
    settle(at.button(key="edit_connection_save").click().run())
    assert "elsewhere meanwhile" in told(at)
    assert "Nothing of it is overwritten" in told(at)
    assert is_the_others(demo)


def test_an_edit_of_what_was_deleted_does_not_bring_it_back(demo, open_page):
    at = settle(open_page("edit_connection", connection=make(demo, {"bucket": "mine"})))
    at.segmented_control(key="edit_connection_act0_0").select("Replace").run()
    at.text_input(key="edit_connection_value0_0").input("mine-again").run()
    delete_elsewhere(demo)
    settle(at.button(key="edit_connection_save").click().run())
    assert "replaced or deleted elsewhere meanwhile" in told(at)
    assert not is_there(demo)


def test_what_was_edited_elsewhere_is_not_deleted(demo, open_page):
    at = open_the_dialog(demo, open_page)
    edit_elsewhere(demo)
    settle(at.button(key="delete_confirm").click().run())
    assert f'Another connection is called "{NAME}" by now. It was not deleted.' in told(at)
    assert is_the_others(demo)


def test_deleting_what_is_gone_says_so_calmly(demo, open_page):
    at = open_the_dialog(demo, open_page)
    delete_elsewhere(demo)
    settle(at.button(key="delete_confirm").click().run())
    assert not at.exception
    assert NAME in told(at)
    assert not is_there(demo)


@pytest.mark.parametrize("elsewhere", [edit_elsewhere, delete_elsewhere])
def test_links_wanted_for_what_is_another_one_by_now_are_not_made(demo, open_page, elsewhere):
    at = settle(open_page("connections", connection=make(demo, {"bucket": "mine"})))
    rooms = demo.current.gateway().list_workspaces(demo.who)
    room_id = next(one.workspace_id for one in rooms if one.name == ROOM)
    field = next(one for one in at.multiselect if str(one.key).startswith("drawer_links_"))
    field.select(room_id).run()
    elsewhere(demo)
    settle(at.button(key="drawer_save_links").click().run())
    assert "meanwhile" in told(at)
    linked = demo.current.gateway().list_connections(demo.who, workspace_id=room_id)
    assert NAME not in {one.name for one in linked}
