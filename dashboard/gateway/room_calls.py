"""Workspaces and who is in them, through the SDK.

The SDK asks Keycloak for each member one by one, takes the first person its look-up by address
finds, and tells most refusals by the same text. Here members come in two requests, a person is
looked for among all that the look-up finds and added only if the address is theirs, and the
members are read again before it is called done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import httpx

from dashboard.domain.workspace import NAME_RULE, Member, MemberRole, Workspace
from dashboard.errors import (
    AccessDenied,
    Conflict,
    DashboardError,
    InvalidInput,
    NotFound,
)
from dashboard.gateway import translate
from dashboard.gateway.clients import Session
from dashboard.gateway.sdk_errors import Doing
from dashboard.gateway.sdk_errors import translate as translate_error

_MEMBERS = """
query DashboardMembers($id: bigint!) {
  workspace_by_pk(id: $id) { id created_by users { user_id user_type } }
}"""
_MEMBERS_UNTYPED = """
query DashboardMembersUntyped($id: bigint!) {
  workspace_by_pk(id: $id) { id created_by users { user_id } }
}"""
_PEOPLE_PATH = "/v1/api/users/query"
_LOOK_UP_PATH = "/auth/admin/realms/master/users"
_ADD_USER_PATH = "/v1/api/workspaces/add_user"

_PER_PAGE: Final = 100
_MOST_PAGES: Final = 5

_ROLES = {"OWNER": MemberRole.OWNER, "COLLABORATOR": MemberRole.COLLABORATOR}

ADDING_MEMBER = Doing("add the person", field="email")
_LOOKING_UP = Doing("look the person up", field="email")


@dataclass(frozen=True, slots=True)
class _Person:
    """Somebody the platform knows, and the address as it is kept there."""

    user_id: str
    email: str


def create_workspace(session: Session, name: str) -> Workspace:
    """Create a workspace and read it again."""
    if not NAME_RULE.fullmatch(name):
        raise InvalidInput(
            "A workspace name holds ASCII letters, digits and dashes, starts with a letter, does "
            "not end with a dash and has at most 63 characters.",
            field="name",
        )
    try:
        made = session.client.create_workspace(name)
    except Exception as exc:  # noqa: BLE001 - the text is the same for every failure
        error = translate_error(exc, session.wire, creating_workspace(name))
    else:
        for fields in session.sdk.list_workspaces(session.client):
            if fields["id"] == made.id():
                return translate.workspace(fields)
        raise NotFound(f'The workspace "{name}" was made, but you cannot see it.')
    if isinstance(error, InvalidInput) and _is_taken(session, name):
        error = _taken(name)
    raise error


def creating_workspace(name: str) -> Doing:
    """Say what `create_workspace` is about."""
    return Doing("create the workspace", taken=_taken(name).message, field="name")


def list_members(session: Session, workspace_id: int) -> tuple[Member, ...]:
    """List the people in a workspace: owners first, then by address."""
    return _members(session, _roles(session, workspace_id))


def _members(session: Session, roles: Mapping[str, MemberRole | None]) -> tuple[Member, ...]:
    emails = _emails(session, list(roles))
    members = [
        Member(user_id, emails.get(user_id, ""), role or MemberRole.COLLABORATOR)
        for user_id, role in roles.items()
    ]
    return tuple(sorted(members, key=_owners_first))


def add_member(
    session: Session, workspace_id: int, email: str, role: MemberRole
) -> tuple[Member, ...]:
    """Put a person into a workspace, and see that they are in it as what they were meant to be."""
    wanted = email.strip()
    before = _roles(session, workspace_id)
    person = _person(session, wanted)
    if person.user_id in before:
        kept = f", as {before[person.user_id]}" if before[person.user_id] else ""
        raise Conflict(f"{person.email} is in this workspace already{kept}.", field="email")
    problem: DashboardError | None = None
    try:
        _add(session, workspace_id, person, role)
    except Exception as exc:  # noqa: BLE001 - refused or cut off; the wire tells why
        problem = _refusal(translate_error(exc, session.wire, ADDING_MEMBER), session)
    refusal = session.wire.last
    if problem is not None and refusal is not None and refusal.status is None:
        raise problem
    now = _roles(session, workspace_id)
    if person.user_id in now and now[person.user_id] in (role, None):
        return _members(session, now)
    raise problem or _not_as_asked(person, role, now.get(person.user_id))


def _add(session: Session, workspace_id: int, person: _Person, role: MemberRole) -> None:
    # The SDK's own calls look the address up once more, and take the first person found.
    asked = {
        "email": person.email,
        "user_id": person.user_id,
        "user_type": role.name.lower(),
        "workspace_id": workspace_id,
        "url": str(session.http.base_url),
    }
    session.http.post(_ADD_USER_PATH, json=asked).raise_for_status()


def _person(session: Session, email: str) -> _Person:
    """Return the person whose address this is, whatever its case."""
    first = 0
    # Keycloak may search for a part of the address: whose it is may stand anywhere in the hits.
    for _page in range(_MOST_PAGES):
        hits = _look_up(session, email, first)
        for hit in hits:
            if str(hit.get("email")).casefold() == email.casefold():
                return _Person(str(hit["id"]), str(hit["email"]))
        if len(hits) < _PER_PAGE:
            raise NotFound(
                f"Nobody with the address {email} is known to the platform.",
                hint="Ask the administrator to invite them first.",
                field="email",
            )
        first += len(hits)
    raise NotFound(
        f"The address {email} could not be found for certain: too many people have one like it.",
        hint="Check that it is the whole address, or ask the administrator to add them.",
        field="email",
    )


def _look_up(session: Session, email: str, first: int) -> list[Mapping[str, Any]]:
    """Return a page of the people whom the platform's look-up finds for an address."""
    asked = urlencode({"email": email, "exact": "true", "first": first, "max": _PER_PAGE})
    hits: list[Mapping[str, Any]] = []
    problem: DashboardError | None = None
    try:
        hits = _people_in(session.http.get(f"{_LOOK_UP_PATH}?{asked}"))
    except Exception as exc:  # noqa: BLE001 - refused or misshapen; the wire tells why
        problem = translate_error(exc, session.wire, _LOOKING_UP)
    if isinstance(problem, AccessDenied):
        problem = AccessDenied(
            "Your account may not look people up by their address.",
            hint="Ask the platform's administrator to add them.",
            field="email",
        )
    if problem is not None:
        raise problem
    return hits


def _people_in(answer: httpx.Response) -> list[Mapping[str, Any]]:
    answer.raise_for_status()
    hits: list[Mapping[str, Any]] = answer.json()
    if not isinstance(hits, list) or not all(isinstance(hit, Mapping) for hit in hits):
        raise TypeError("the answer is no list of people")
    return hits


def _refusal(error: DashboardError, session: Session) -> DashboardError:
    """Return the error of a refused write as the form should tell it."""
    last = session.wire.last
    of_the_write = last is not None and last.path.endswith(_ADD_USER_PATH)
    if of_the_write and isinstance(error, AccessDenied):
        return AccessDenied(
            "Only an owner of the workspace can add people.",
            hint="Ask one of its owners.",
            field="email",
        )
    if isinstance(error, NotFound | Conflict | InvalidInput):
        error.field = "email"
    return error


def _not_as_asked(person: _Person, role: MemberRole, now: MemberRole | None) -> Conflict:
    if now is None:
        text = f"The platform said nothing, but {person.email} is not in the workspace."
    else:
        text = f"{person.email} is in the workspace as {now}, not as {role}."
    return Conflict(text, hint="Look again; if it stays so, ask the administrator.", field="email")


def _roles(session: Session, workspace_id: int) -> dict[str, MemberRole | None]:
    """Return who is in a workspace, in the order they came; None where no role is told."""
    room = _room(session, workspace_id)
    if room is None:
        raise NotFound("There is no such workspace, or you are not in it.")
    roles = {
        str(row["user_id"]): _ROLES.get(str(row.get("user_type")).upper()) for row in room["users"]
    }
    # Where the platform tells no roles, whoever made the workspace owns it.
    maker = str(room.get("created_by") or "")
    if roles.get(maker, MemberRole.OWNER) is None:
        roles[maker] = MemberRole.OWNER
    return roles


def _room(session: Session, workspace_id: int) -> Mapping[str, Any] | None:
    answer: Mapping[str, Any]
    try:
        answer = session.query(_MEMBERS, id=workspace_id)
    except Exception as exc:
        # A platform that keeps the roles to itself refuses the field by its name.
        if "user_type" not in str(getattr(exc, "errors", "")):
            raise
        answer = session.query(_MEMBERS_UNTYPED, id=workspace_id)
    room: Mapping[str, Any] | None = answer["workspace_by_pk"]
    return room


def _emails(session: Session, user_ids: list[str]) -> dict[str, str]:
    """Return the addresses the platform tells, by id; ids alone will do where it does not."""
    try:
        answer = session.http.post(_PEOPLE_PATH, json={"user_ids": user_ids})
        people = answer.json()["users"] if answer.is_success else {}
        return {
            user_id: str(people[user_id].get("email") or "")
            for user_id in user_ids
            if user_id in people
        }
    except Exception:  # noqa: BLE001 - whatever was refused or misshapen: the members are known
        return {}


def _owners_first(member: Member) -> tuple[bool, str, str]:
    return (member.role is not MemberRole.OWNER, member.email.casefold(), member.user_id)


def _taken(name: str) -> Conflict:
    text = f'There is a workspace "{name}" already. Choose another name.'
    return Conflict(text, field="name")


def _is_taken(session: Session, name: str) -> bool:
    return any(fields["name"] == name for fields in session.sdk.list_workspaces(session.client))
