"""A workspace opened, adding members to it, and linking many connections to many workspaces."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from components import link_form
from dashboard.domain.workspace import MemberRole
from dashboard.gateway.wallaroo_sdk import WallarooGateway
from dashboard.views import linking
from tests.app.conftest import Platform, settle, shown, words
from tests.app.test_pages import HOSTILE, column, names_in_table

ROOM = "workshop-workspace-summarization"
OTHER = "workshop-workspace-house-price"
THEIRS = "workshop-workspace-john-cv-medical"
TICKETS = "support-tickets-week-47"
JOHN = "john@sandbox.example"


def room_id(platform: Platform, name: str = ROOM) -> str:
    rooms = platform.post("/v1/api/workspaces/list", {})["workspaces"]
    return str(next(one["id"] for one in rooms if one["name"] == name))


def connection_ids(platform: Platform) -> dict[str, str]:
    listed = platform.post("/v1/api/connections/list", {})["connections"]
    return {one["name"]: one["id"] for one in listed}


def linked_to(platform: Platform, name: str) -> list[str]:
    body = {"workspace_id": int(room_id(platform, name))}
    listed = platform.post("/v1/api/connections/list", body)["connections"]
    return sorted(one["name"] for one in listed)


def title(at: AppTest) -> str:
    (dialog,) = at.get("dialog")
    return shown(dialog.proto.dialog.title)


def text(at: AppTest) -> str:
    return shown(words(at)).replace("\u2068", "").replace("\u2069", "")


def error_at(at: AppTest, field: str) -> str:
    box = at.get_by_key(f"bad_{field}")
    return "\n".join(one.value for one in box.markdown if ":red[" in one.value)


# The drawer


def test_an_opened_workspace_shows_who_and_what_is_in_it(demo, open_page):
    demo.link(TICKETS, ROOM)
    at = settle(open_page("workspaces", workspace=room_id(demo)))
    assert title(at) == ROOM
    told = text(at)
    assert "**you** :gray[you@sandbox.example]" in told
    assert "Nobody but you yet." in told
    assert ":material/shield_person: Owner" in told
    assert at.button(key=f"room_open_{connection_ids(demo)[TICKETS]}").label
    assert "Not tested" in told
    assert told.count("\nhf-summarizer") == 2
    assert not at.button(key="room_add_member").disabled


def test_a_collaborator_cannot_add_people_and_is_told_why(demo, open_page):
    at = settle(open_page("workspaces", workspace=room_id(demo, THEIRS)))
    assert at.button(key="room_add_member").disabled
    assert "Only an owner" in at.button(key="room_add_member").help
    assert JOHN in text(at).replace("\u2060", "")


def test_an_empty_workspace_says_so_and_offers_to_link(empty, open_page):
    empty.post("/v1/api/workspaces/create", {"workspace_name": "new-room"})
    at = settle(open_page("workspaces", workspace=room_id(empty, "new-room")))
    assert "None yet. Link one, and the members can use it." in text(at)
    assert text(at).count("None yet.") == 3
    settle(at.button(key="room_link").click().run())
    assert title(at) == "Link or unlink connections"


def test_what_is_not_known_yet_is_no_empty_workspace(demo, open_page):
    at = settle(open_page("workspaces"))
    with demo.frozen():
        at.query_params["workspace"] = room_id_kept(demo)
        at.run()
        assert title(at) == ROOM
        assert "None yet" not in text(at)
        assert "Nobody but you" not in text(at)
        assert len(at.get("skeleton")) == 3
    settle(at)
    assert "None yet" in text(at)


def room_id_kept(platform: Platform) -> str:
    current = platform.current
    rooms = current.reads.get(current.catalog.workspaces(platform.who)).value
    return str(next(one.workspace_id for one in rooms or () if one.name == ROOM))


def test_a_part_that_cannot_be_read_says_so_beside_the_others(demo, open_page):
    demo.post("/_sandbox/faults", {"route": "/v1/graphql", "status": 500})
    at = settle(open_page("workspaces", workspace=room_id(demo)))
    assert "We cannot show who is in it." in text(at)
    assert "None yet. Link one" in text(at)


def test_an_address_of_a_workspace_that_is_gone_says_so(demo, open_page):
    at = settle(open_page("workspaces", workspace="4711"))
    assert "does not exist any more, or you are not in it" in text(at)
    assert not at.get("dialog")
    assert ROOM in names_in_table(at)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_text_in_the_drawer_and_in_the_dialog(demo, open_page, name):
    connection_id = demo.connect(name, kind=name)
    demo.link(name, ROOM)
    at = settle(open_page("workspaces", workspace=room_id(demo)))
    label = at.button(key=f"room_open_{connection_id}").label
    assert shown(label) == name
    at.button(key="room_link").click().run()
    choose(settle(at), connections=[connection_id], mode=link_form.UNLINK)
    assert at.multiselect(key=link_form.CONNECTIONS_KEY).value == [connection_id]
    assert name in text(at)
    for told in (label, words(at)):
        assert not re.search(r"(?<!\\)(<img|<b>|!\[|\]\(|\*\*bold|\$x|`code|:red\[x)", told)


def test_a_connection_of_the_workspace_opens_on_its_own_page(demo, open_page):
    demo.link(TICKETS, ROOM)
    connection_id = connection_ids(demo)[TICKETS]
    at = settle(open_page("workspaces", workspace=room_id(demo)))
    settle(at.button(key=f"room_open_{connection_id}").click().run())
    assert at.query_params["connection"] == connection_id


def test_a_refused_name_is_told_at_its_field_and_a_created_workspace_stands_open(empty, open_page):
    at = settle(open_page("workspaces"))
    at.button(key="workspaces_new").click().run()
    at.text_input(key="new_workspace_name_0").input("no spaces, please")
    settle(at.button(key="new_workspace_submit").click().run())
    assert error_at(at, "workspace_name")
    assert at.text_input(key="new_workspace_name_0").value == "no spaces, please"
    at.text_input(key="new_workspace_name_0").input("press-desk")
    settle(at.button(key="new_workspace_submit").click().run())
    settle(at.run())
    assert title(at) == "press-desk"
    assert names_in_table(at) == ["press-desk"]


def test_links_of_workspaces_of_one_name_are_counted_apart(demo, open_page, monkeypatch):
    demo.link(TICKETS, ROOM)
    kept_rooms, kept_list = WallarooGateway.list_workspaces, WallarooGateway.list_connections

    def of_one_name(self, who):
        return tuple(replace(room, name="twin") for room in kept_rooms(self, who))

    def linked_to_twins(self, who, **rest):
        found = kept_list(self, who, **rest)
        return tuple(
            replace(one, workspace_names=("twin",) * len(one.workspace_names)) for one in found
        )

    monkeypatch.setattr(WallarooGateway, "list_workspaces", of_one_name)
    monkeypatch.setattr(WallarooGateway, "list_connections", linked_to_twins)
    at = settle(open_page("workspaces"))
    assert names_in_table(at) == [
        f"twin (id {room_id(demo, one)})" for one in (THEIRS, OTHER, ROOM)
    ]
    assert column(at, "Linked connections") == [2, 1, 1]


# Members


def add_member(at: AppTest, platform: Platform, email: str, role: MemberRole | None = None):
    settle(at.button(key="room_add_member").click().run())
    form = f"add_member_{room_id(platform)}"
    at.text_input(key=f"{form}_email_0").input(email)
    if role is not None:
        at.radio(key=f"{form}_role_0").set_value(role)
    return settle(at.button(key="add_member_submit").click().run())


def test_an_added_member_stands_in_the_workspace_at_once(demo, open_page):
    at = settle(open_page("workspaces", workspace=room_id(demo)))
    add_member(at, demo, f" {JOHN.upper()} ", MemberRole.OWNER)
    # No further run: the drawer is back with the one that closes the dialog.
    assert title(at) == ROOM
    assert at.query_params["workspace"] == room_id(demo)
    assert any("is in workshop-workspace-summarization now" in shown(m.value) for m in at.success)
    assert JOHN in text(at).replace("\u2060", "")
    assert words(at).count(":material/shield_person:") == 2
    assert "Nobody but you" not in text(at)


@pytest.mark.parametrize(
    ("email", "told"),
    [
        ("", "Whom do you want to add?"),
        ("no address", "This is no e-mail address."),
        ("nobody@example.com", "Ask the administrator to invite them first."),
        ("you@sandbox.example", "is in this workspace already, as Owner"),
        (HOSTILE[0] + "@x.y", "e-mail address"),
    ],
)
def test_whoever_cannot_be_added_is_told_at_the_address(demo, open_page, email, told):
    at = settle(open_page("workspaces", workspace=room_id(demo)))
    add_member(at, demo, email)
    assert title(at) == "Add a member"
    assert told in shown(error_at(at, "email")).replace("\u2060", "")
    assert at.text_input(key=f"add_member_{room_id(demo)}_email_0").value == email
    assert len(re.findall(r":small\[:red\[", words(at))) == 1


def test_the_dialog_says_what_the_person_will_be_able_to_do(demo, open_page):
    demo.link(TICKETS, ROOM)
    at = settle(open_page("workspaces", workspace=room_id(demo)))
    settle(at.button(key="room_add_member").click().run())
    assert f"They will see **{ROOM}** and can use its 1 connection" in text(at)
    assert at.radio[0].value is MemberRole.COLLABORATOR


# Linking


def open_linking(open_page, subject: str) -> AppTest:
    at = settle(open_page("workspaces"))
    at.session_state["_dialog"] = ("link_connections", subject)
    return settle(at.run())


def choose(at: AppTest, *, connections=None, rooms=None, mode="") -> AppTest:
    if mode:
        settle(at.segmented_control(key=link_form.MODE_KEY).set_value(mode).run())
    if connections is not None:
        at.multiselect(key=link_form.CONNECTIONS_KEY).set_value(connections)
    if rooms is not None:
        at.multiselect(key=link_form.ROOMS_KEY).set_value(rooms)
    return settle(at.run())


def submit(at: AppTest):
    return at.button(key="linking_submit")


def test_many_are_linked_to_many_and_the_preview_is_what_happens(demo, open_page):
    demo.link(TICKETS, ROOM)
    ids = connection_ids(demo)
    names = [TICKETS, "mongodb_atlas", "bq-wl-dev"]
    at = open_linking(open_page, linking.subject_of([ids[name] for name in names]))
    assert submit(at).disabled
    choose(at, rooms=[room_id(demo), room_id(demo, OTHER)])
    assert "**5 new links**, 1 exists already." in text(at)
    assert submit(at).label == "Add 5 links"
    before = set(linked_to(demo, OTHER))
    settle(submit(at).click().run())
    assert not at.get("dialog")
    assert set(linked_to(demo, OTHER)) == before | set(names)
    assert linked_to(demo, ROOM) == sorted(names)


def test_nothing_to_change_says_so_and_cannot_be_sent(demo, open_page):
    demo.link(TICKETS, ROOM)
    subject = linking.subject_of([connection_ids(demo)[TICKETS]])
    at = choose(open_linking(open_page, subject), rooms=[room_id(demo)])
    assert "Nothing to change: 1 link exists already." in text(at)
    assert submit(at).disabled
    choose(at, mode=link_form.UNLINK)
    assert "**1 link to remove**." in text(at)
    assert not submit(at).disabled


def test_unlinking_says_who_loses_what_and_does_it(demo, open_page):
    demo.link(TICKETS, ROOM)
    demo.link("mongodb_atlas", ROOM)
    ids = connection_ids(demo)
    subject = linking.subject_of(
        [ids[TICKETS], ids["mongodb_atlas"], ids["bq-wl-dev"]], unlink=True
    )
    at = choose(open_linking(open_page, subject), rooms=[room_id(demo)])
    assert "**2 links to remove**, 1 not linked anyway." in text(at)
    assert f"The members of **{ROOM}** lose **2 connections**." in text(at)
    settle(submit(at).click().run())
    assert linked_to(demo, ROOM) == []


def test_a_workspace_that_asks_for_links_stands_chosen(demo, open_page):
    at = open_linking(open_page, linking.subject_of_room(int(room_id(demo))))
    assert at.multiselect(key=link_form.ROOMS_KEY).value == [room_id(demo)]
    assert at.multiselect(key=link_form.CONNECTIONS_KEY).value == []
    assert "Choose connections and workspaces" in text(at)


def test_what_is_linked_is_awaited_and_not_taken_for_nothing(demo, open_page):
    subject = linking.subject_of([connection_ids(demo)[TICKETS]])
    at = open_linking(open_page, subject)
    wanted = room_id(demo)
    with demo.frozen():
        at.multiselect(key=link_form.ROOMS_KEY).set_value([wanted]).run()
        assert "new link" not in text(at)
        assert len(at.get("skeleton")) == 1
        assert submit(at).disabled
    settle(at)
    assert "**1 new link**." in text(at)


def test_lists_that_cannot_be_read_are_told_and_nothing_can_be_sent(demo, open_page):
    subject = linking.subject_of([connection_ids(demo)[TICKETS]])
    at = open_linking(open_page, subject)
    demo.post("/_sandbox/faults", {"route": "/v1/api/connections/list", "status": 500})
    choose(at, rooms=[room_id(demo)])
    assert "What is linked there cannot be read." in text(at)
    assert submit(at).disabled


def test_a_connection_that_is_gone_is_told_and_the_others_stay(demo, open_page):
    subject = linking.subject_of(["gone", connection_ids(demo)[TICKETS]])
    at = open_linking(open_page, subject)
    assert "1 connection you chose does not exist any more." in text(at)
    assert at.multiselect(key=link_form.CONNECTIONS_KEY).value == [connection_ids(demo)[TICKETS]]


def test_workspaces_of_one_name_are_told_apart_and_counted_by_their_own_lists(
    demo, open_page, monkeypatch
):
    demo.link(TICKETS, ROOM)
    kept = WallarooGateway.list_workspaces

    def of_one_name(self, who):
        return tuple(replace(room, name="twin") for room in kept(self, who))

    monkeypatch.setattr(WallarooGateway, "list_workspaces", of_one_name)
    ids = [room_id(demo), room_id(demo, OTHER)]
    subject = linking.subject_of([connection_ids(demo)[TICKETS]])
    at = choose(open_linking(open_page, subject), rooms=ids)
    assert "**1 new link**, 1 exists already." in text(at)
    assert f"{TICKETS} :gray[to] twin (id {ids[1]})" in text(at)
    assert f"to] twin (id {ids[0]})" not in text(at)


def test_of_many_pairs_the_first_are_listed_and_the_rest_counted(demo, open_page):
    made = [demo.connect(f"many-{number:02}") for number in range(25)]
    at = choose(
        open_linking(open_page, linking.subject_of(made)),
        rooms=[room_id(demo), room_id(demo, OTHER)],
    )
    assert "**50 new links**." in text(at)
    assert "many-19 :gray[to]" in text(at)
    assert "many-20 :gray[to]" not in text(at)
    assert ":gray[and 30 more]" in text(at)


def test_very_many_ticked_ones_are_told_and_not_drawn_one_by_one(demo, open_page):
    made = [demo.connect(f"many-{number:02}") for number in range(40)]
    at = open_linking(open_page, linking.subject_of(made))
    assert "**40 connections**, as ticked in the list: many-00, many-01, many-02 and 37 more." in (
        text(at)
    )
    assert [one.key for one in at.multiselect] == [link_form.ROOMS_KEY]
    choose(at, rooms=[room_id(demo)])
    assert submit(at).label == "Add 40 links"


def test_a_link_made_elsewhere_meanwhile_does_no_harm(demo, open_page):
    subject = linking.subject_of([connection_ids(demo)[TICKETS]])
    at = choose(open_linking(open_page, subject), rooms=[room_id(demo)])
    demo.link(TICKETS, ROOM)
    settle(submit(at).click().run())
    assert linked_to(demo, ROOM) == [TICKETS]
    assert not at.error
