"""Who is in a workspace, through the SDK: over the real sandbox, and over a platform that lies."""

from __future__ import annotations

from secrets import token_hex
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from dashboard.domain.connection import Description
from dashboard.domain.workspace import MemberRole
from dashboard.errors import (
    AccessDenied,
    AuthenticationFailed,
    Conflict,
    NotFound,
    PlatformUnreachable,
    TimedOut,
    UnexpectedAnswer,
)
from dashboard.gateway.base import Account
from dashboard.gateway.wallaroo_sdk import WallarooGateway
from dashboard.masking import SecretText
from tests.contract.scripted import GRAPHQL
from tests.support import sandbox as sandboxes

JOHN = "john@sandbox.example"
THEIRS = "workshop-workspace-john-cv-medical"
OWNER, COLLABORATOR = MemberRole.OWNER, MemberRole.COLLABORATOR


# Over the real sandbox


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    with sandboxes.running_sandbox(tmp_path_factory.mktemp("members")) as running:
        yield running


@pytest.fixture(scope="module")
def opened(sandbox):
    gateway = WallarooGateway(base_url=sandbox.url, describe=lambda _kind, _details: Description())
    account = Account(sandbox.url, sandbox.username, SecretText(sandbox.password))
    yield gateway, gateway.sign_in("local", account)
    gateway.close()


@pytest.fixture
def real(opened):
    return opened[0]


@pytest.fixture
def who(opened):
    return opened[1]


@pytest.fixture(scope="module")
def http(sandbox):
    headers = {"Authorization": f"Bearer {sandboxes.token(sandbox)}"}
    with httpx.Client(base_url=sandbox.url, headers=headers, trust_env=False) as client:
        yield client


@pytest.fixture
def room(real, who):
    return real.create_workspace(who, f"room-{token_hex(4)}")


def add(gateway, who, room, email, role=COLLABORATOR):
    return gateway.add_member(who, workspace_id=room.workspace_id, email=email, role=role)


def invite(http, email):
    answer = http.post("/v1/api/users/invite", json={"email": email, "password": "pw-ann-77"})
    assert answer.status_code == 200
    return answer.json()["id"]


def test_a_new_workspace_has_its_maker_as_owner(real, who, room):
    (me,) = real.list_members(who, room.workspace_id)
    assert (me.user_id, me.email, me.role) == (who.user_id, who.email, OWNER)


@pytest.mark.parametrize("role", [COLLABORATOR, OWNER])
@pytest.mark.parametrize("typed", [JOHN, f"  {JOHN.upper()} "])
def test_a_person_is_added_by_address_whatever_its_case(real, who, room, role, typed):
    members = add(real, who, room, typed, role)
    assert [(one.email, one.role) for one in members if one.user_id != who.user_id] == [
        (JOHN, role)
    ]
    assert members == real.list_members(who, room.workspace_id)
    assert members[0].role is OWNER


def test_an_address_with_a_plus_is_the_person_it_names(real, who, room, http):
    invite(http, "ann+press@example.com")
    assert "ann+press@example.com" in [
        one.email for one in add(real, who, room, "ann+press@example.com")
    ]


@pytest.mark.parametrize("email", ["nobody@example.com", "john@sandbox", "", "'\"<b>&=%@x.y"])
def test_an_unknown_person_is_told_at_the_address(real, who, room, email):
    with pytest.raises(NotFound) as caught:
        add(real, who, room, email)
    assert caught.value.field == "email"
    assert "invite" in caught.value.hint
    assert len(real.list_members(who, room.workspace_id)) == 1


@pytest.mark.parametrize("role", [COLLABORATOR, OWNER])
def test_a_member_is_not_added_twice_and_keeps_the_role(real, who, room, role):
    add(real, who, room, JOHN)
    with pytest.raises(Conflict) as caught:
        add(real, who, room, JOHN.title(), role)
    assert caught.value.field == "email"
    assert "as Collaborator" in caught.value.message
    assert real.list_members(who, room.workspace_id)[-1].role is COLLABORATOR


def test_a_collaborator_may_not_add_people(real, who):
    theirs = next(one for one in real.list_workspaces(who) if one.name == THEIRS)
    before = real.list_members(who, theirs.workspace_id)
    with pytest.raises(Conflict):
        add(real, who, theirs, JOHN)
    with pytest.raises(AccessDenied) as caught:
        real.add_member(
            who,
            workspace_id=theirs.workspace_id,
            email=_stranger(real, who),
            role=COLLABORATOR,
        )
    assert caught.value.field == "email"
    assert "owner" in caught.value.message
    assert real.list_members(who, theirs.workspace_id) == before


def _stranger(real, who):
    with real._clients.lend(who) as session:
        session.client.invite_user("stranger@example.com", "pw-1")
    return "stranger@example.com"


def test_a_workspace_that_is_not_there_is_not_found(real, who):
    with pytest.raises(NotFound):
        real.list_members(who, 10**6)
    with pytest.raises(NotFound):
        real.add_member(who, workspace_id=10**6, email=JOHN, role=OWNER)


# The SDK leaves the files of its documents to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_whoever_is_taken_out_by_a_script_is_listed_no_more(real, who, room):
    add(real, who, room, JOHN)
    with real._clients.lend(who) as session:
        session.client.get_workspace(room.name).remove_user(JOHN)
    assert [one.user_id for one in real.list_members(who, room.workspace_id)] == [who.user_id]
    add(real, who, room, JOHN)


# Over a platform that lies

ROOM_ID = 4
PEOPLE = "/auth/admin/realms/master/users"
ADD_USER = "/v1/api/workspaces/add_user"
QUERY = "/v1/api/users/query"
ANN, BOB = "user-1", "user-2"
BOBS_ADDRESS = "Bob@example.com"


def person(user_id, email):
    return {
        "id": user_id,
        "email": email,
        "username": email,
        "enabled": True,
        "createdTimestamp": 1,
    }


class Room:
    """A scripted workspace: who is in it, and what an addition does to it."""

    def __init__(self, platform):
        self.users = {ANN: "OWNER"}
        self.tells_types = True
        self.platform = platform
        self.addition = self.add
        platform.scripts[GRAPHQL] = self.graphql
        platform.scripts[ADD_USER] = self.answer_addition
        platform.scripts[PEOPLE] = (200, [person(BOB, BOBS_ADDRESS)])
        platform.scripts[QUERY] = (
            200,
            {"users": {ANN: person(ANN, "ann@example.com"), BOB: person(BOB, BOBS_ADDRESS)}},
        )

    def graphql(self, body):
        if "user_type" in body["query"] and not self.tells_types:
            text = "field 'user_type' not found in type: 'workspace_users'"
            return 200, {"errors": [{"message": text, "extensions": {"code": "validation-failed"}}]}
        rows = [
            {"user_id": user_id, **({"user_type": kind} if self.tells_types else {})}
            for user_id, kind in self.users.items()
        ]
        room = {"id": ROOM_ID, "created_by": ANN, "users": rows}
        return 200, {"data": {"workspace_by_pk": room}}

    def answer_addition(self, body):
        return self.addition(body)

    def add(self, body):
        self.users[body["user_id"]] = body["user_type"].upper()
        return 200, {}


@pytest.fixture
def scripted(platform):
    return Room(platform)


def add_bob(gateway, ann, role=COLLABORATOR):
    return gateway.add_member(ann, workspace_id=ROOM_ID, email="bob@example.com", role=role)


def test_members_take_two_requests_however_many_they_are(gateway, platform, ann, scripted):
    scripted.users |= {f"user-{number}": "COLLABORATOR" for number in range(2, 102)}
    platform.seen.clear()
    assert len(gateway.list_members(ann, ROOM_ID)) == 101
    assert [seen.path for seen in platform.seen if "config" not in seen.path] == [GRAPHQL, QUERY]
    (asked,) = platform.requests("users/query")
    assert asked.body == {"user_ids": list(scripted.users)}


def test_adding_takes_no_request_per_member(gateway, platform, ann, scripted):
    scripted.users |= {f"user-{number}": "COLLABORATOR" for number in range(3, 103)}
    platform.seen.clear()
    assert len(add_bob(gateway, ann)) == 102
    assert len(platform.seen) <= 8


@pytest.mark.parametrize(
    "answer",
    [
        (403, {"msg": "no", "code": 403}),
        (401, {"msg": "no", "code": 401}),
        (501, b"<html>"),
        (200, {"users": [1]}),
        (200, {"users": {ANN: None}}),
        (200, []),
    ],
)
def test_members_are_listed_by_id_where_addresses_are_not_told(
    gateway, platform, ann, scripted, answer
):
    scripted.users[BOB] = "COLLABORATOR"
    platform.scripts[QUERY] = answer
    members = gateway.list_members(ann, ROOM_ID)
    assert [(one.user_id, one.email) for one in members] == [(ANN, ""), (BOB, "")]


def test_without_roles_the_maker_owns_the_workspace(gateway, ann, scripted):
    scripted.tells_types = False
    scripted.users[BOB] = ""
    members = gateway.list_members(ann, ROOM_ID)
    assert [(one.user_id, one.role) for one in members] == [(ANN, OWNER), (BOB, COLLABORATOR)]
    del scripted.users[BOB]
    assert len(add_bob(gateway, ann, OWNER)) == 2


def test_somebody_else_whom_the_lookup_finds_first_is_not_added(gateway, platform, ann, scripted):
    # Keycloak finds parts of addresses, and the SDK takes the first.
    platform.scripts[PEOPLE] = (200, [person("user-9", "bigbob@example.com")])
    with pytest.raises(NotFound) as caught:
        add_bob(gateway, ann)
    assert caught.value.field == "email"
    assert platform.requests("add_user") == []


def crowd(before, *people):
    return [person(f"user-{number}", f"{number}bob@example.com") for number in range(before)] + [
        person(*one) for one in people
    ]


@pytest.mark.parametrize("before", [1, 99, 100, 250])
def test_the_person_is_found_behind_others_with_a_part_of_the_address(
    gateway, platform, ann, scripted, before, monkeypatch
):
    scripted_pages(platform, monkeypatch, crowd(before, (BOB, BOBS_ADDRESS)))
    assert BOB in [one.user_id for one in add_bob(gateway, ann)]
    (asked,) = platform.requests("add_user")
    assert asked.body["user_id"] == BOB


def test_nobody_is_called_unknown_before_all_hits_were_seen(
    gateway, platform, ann, scripted, monkeypatch
):
    scripted_pages(platform, monkeypatch, crowd(10_000))
    with pytest.raises(NotFound, match="could not be found for certain") as caught:
        add_bob(gateway, ann)
    assert caught.value.field == "email"
    assert platform.requests("add_user") == []


@pytest.mark.parametrize("answer", [(200, {"users": []}), (200, [1]), (200, b"<html>")])
def test_a_lookup_without_a_usable_answer_says_nothing_about_the_person(
    gateway, platform, ann, scripted, answer
):
    platform.scripts[PEOPLE] = answer
    with pytest.raises(UnexpectedAnswer):
        add_bob(gateway, ann)


def scripted_pages(platform, monkeypatch, people):
    """Answer look-ups as a Keycloak does that knows pages, but no exact match."""
    asked = []
    real_get = httpx.Client.get

    def get(self, url, **options):
        if "email=" in str(url):
            asked.append(parse_qs(urlsplit(str(url)).query))
        return real_get(self, url, **options)

    def answer(_body):
        first, most = int(asked[-1]["first"][0]), int(asked[-1]["max"][0])
        return 200, people[first : first + most]

    monkeypatch.setattr(httpx.Client, "get", get)
    platform.scripts[PEOPLE] = answer


def test_a_refused_lookup_of_people_is_told_as_such(gateway, platform, ann, scripted):
    platform.scripts[PEOPLE] = (403, {"error": "unknown_error"})
    with pytest.raises(AccessDenied) as caught:
        add_bob(gateway, ann)
    assert caught.value.field == "email"
    assert "look people up" in caught.value.message
    assert platform.requests("add_user") == []


def test_an_addition_that_did_nothing_is_not_called_done(gateway, ann, scripted):
    scripted.addition = lambda _body: (200, {})
    with pytest.raises(Conflict) as caught:
        add_bob(gateway, ann)
    assert "is not in the workspace" in caught.value.message


def test_another_role_than_was_asked_for_is_told(gateway, ann, scripted):
    def demote(body):
        scripted.users[body["user_id"]] = "COLLABORATOR"
        return 200, {}

    scripted.addition = demote
    with pytest.raises(Conflict) as caught:
        add_bob(gateway, ann, OWNER)
    assert "as Collaborator, not as Owner" in caught.value.message


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, AuthenticationFailed),
        (403, AccessDenied),
        (404, NotFound),
        (409, Conflict),
        (500, UnexpectedAnswer),
        (503, PlatformUnreachable),
    ],
)
def test_a_refusal_is_told_by_its_cause(gateway, ann, scripted, status, error):
    scripted.addition = lambda _body: (status, {"msg": "no", "code": status})
    with pytest.raises(error) as caught:
        add_bob(gateway, ann)
    assert (caught.value.field == "email") == (status in (403, 404, 409))


def test_an_addition_that_worked_and_was_answered_by_an_error_is_done(gateway, ann, scripted):
    def fail_late(body):
        scripted.add(body)
        return 500, {"msg": "the mail was not sent", "code": 500}

    scripted.addition = fail_late
    assert len(add_bob(gateway, ann)) == 2


def test_an_addition_without_an_answer_in_time_says_to_look_first(gateway, platform, ann, scripted):
    scripted.addition = lambda _body: (200, {"workspace_id": ROOM_ID})
    platform.drip_s[ADD_USER] = 0.7
    with pytest.raises(TimedOut) as caught:
        add_bob(gateway, ann)
    assert "look before you try again" in caught.value.hint
    assert len(platform.requests("add_user")) == 1


def test_the_address_travels_as_one_parameter(gateway, platform, ann, scripted, monkeypatch):
    asked = []
    real_post = httpx.Client.get

    def get(self, url, **options):
        asked.append(str(url))
        return real_post(self, url, **options)

    monkeypatch.setattr(httpx.Client, "get", get)
    with pytest.raises(NotFound):
        gateway.add_member(
            ann, workspace_id=ROOM_ID, email="bob@example.com&max=1", role=COLLABORATOR
        )
    (url,) = [one for one in asked if "email=" in one]
    sent = parse_qs(urlsplit(url).query)
    assert (sent["email"], sent["max"]) == (["bob@example.com&max=1"], ["100"])
