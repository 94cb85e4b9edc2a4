from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dashboard.domain.activity import Act
from dashboard.domain.identity import Identity
from dashboard.domain.workspace import Member, MemberRole, Workspace
from dashboard.errors import Conflict, DashboardError, InvalidInput, NotFound
from dashboard.services.workspaces import Workspaces

WHO = Identity("k", "u1", "me@example.com")
ROOM = Workspace(7, "press-desk", datetime(2026, 11, 1, tzinfo=UTC), "u1")


class Platform:
    """What a test needs of a gateway; `problem` is raised instead of an answer."""

    def __init__(self) -> None:
        self.problem: DashboardError | None = None
        self.asked: list[tuple[int, str, MemberRole]] = []

    def create_workspace(self, _who, name):
        if self.problem is not None:
            raise self.problem
        return Workspace(9, name, ROOM.created_at, "u1")

    def add_member(self, _who, *, workspace_id, email, role):
        self.asked.append((workspace_id, email, role))
        if self.problem is not None:
            raise self.problem
        return (
            Member("u1", "me@example.com", MemberRole.OWNER),
            Member("u2", "John@Example.com", role),
        )


class Seen:
    """Keeps what it is told, whoever tells it."""

    def __init__(self) -> None:
        self.invalidated: list[tuple[object, ...]] = []
        self.notes: list[tuple[Act, dict[str, object]]] = []

    def invalidate(self, *prefix):
        self.invalidated.append(prefix)

    def note(self, _who, act, **parts):
        self.notes.append((act, parts))


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def rooms(platform, seen) -> Workspaces:
    return Workspaces(lambda: platform, seen, seen)


def add(rooms, email="john@example.com", role=MemberRole.COLLABORATOR):
    return rooms.add_member(WHO, ROOM, email=email, role=role)


def test_a_created_workspace_is_told_noted_and_read_again(rooms, seen):
    outcome = rooms.create(WHO, "new-room")
    assert (outcome.result, "new-room" in outcome.message) == ("9", True)
    assert seen.invalidated == [("k", "workspaces")]
    assert seen.notes == [(Act.WORKSPACE_CREATED, {"workspace": "new-room", "workspace_id": 9})]


def test_a_workspace_that_was_not_created_is_not_noted(rooms, platform, seen):
    platform.problem = Conflict("taken", field="name")
    with pytest.raises(Conflict):
        rooms.create(WHO, "new-room")
    assert seen.notes == []
    assert seen.invalidated == [("k", "workspaces")]


def test_an_added_member_is_told_as_the_platform_writes_the_address(rooms, platform, seen):
    outcome = add(rooms, "  john@EXAMPLE.com ")
    assert platform.asked == [(7, "john@EXAMPLE.com", MemberRole.COLLABORATOR)]
    assert outcome.message == "John@Example.com is in press-desk now, as Collaborator."
    note = {
        "workspace": "press-desk",
        "workspace_id": 7,
        "note": "John@Example.com joined as Collaborator",
    }
    assert seen.notes == [(Act.MEMBER_ADDED, note)]
    assert seen.invalidated == [("k", "members", 7)]


@pytest.mark.parametrize(
    "email",
    [
        "",
        "  ",
        "john",
        "@",
        "a@",
        "@b",
        "a@b@c",
        "a b@c.d",
        "a\n@b",
        "x" * 250 + "@b.de",
        "a\u202e@b",
    ],
)
def test_what_is_no_address_is_refused_before_anybody_is_asked(rooms, platform, seen, email):
    with pytest.raises(InvalidInput) as caught:
        add(rooms, email)
    assert caught.value.field == "email"
    assert platform.asked == []
    assert seen.notes == []


def test_a_refused_member_is_not_noted_and_the_members_are_read_again(rooms, platform, seen):
    platform.problem = NotFound("nobody", field="email")
    with pytest.raises(NotFound):
        add(rooms)
    assert seen.notes == []
    assert seen.invalidated == [("k", "members", 7)]
