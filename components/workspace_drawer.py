"""One workspace, opened: who is in it, what is linked to it, its models and pipelines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Protocol, TypeVar

import streamlit as st

from components import outage, presenting
from components.badges import Look, badge, health_badge
from components.messages import field_error
from components.text import count, md, short, told_when
from components.workspace_table import made_by
from dashboard.domain.check import Health
from dashboard.domain.connection import Connection
from dashboard.domain.workspace import Member, MemberRole, Workspace
from dashboard.errors import DashboardError

#: So many rows of a kind are drawn; the rest is counted.
_MOST_ROWS = 25
_MOST_TYPE = 12
_FACTS_PX = 190
_ROLE_LOOKS = {
    MemberRole.OWNER: Look("shield_person", "blue", ""),
    MemberRole.COLLABORATOR: Look("person", "gray", ""),
}

T_co = TypeVar("T_co", covariant=True)


class Known(Protocol[T_co]):
    """Something that was read: its value, None while there is none, and why the last try failed."""

    @property
    def value(self) -> T_co | None:
        """What is known."""
        ...

    @property
    def error(self) -> DashboardError | None:
        """Why the last attempt failed."""
        ...


class RoomAct(StrEnum):
    """What was asked for."""

    ADD_MEMBER = "add_member"
    LINK = "link"
    OPEN_CONNECTION = "open_connection"
    SHOW_CONNECTIONS = "show_connections"
    FETCH = "fetch"


@dataclass(frozen=True, slots=True)
class RoomFacts:
    """What the drawer shows of a workspace.

    Parameters
    ----------
    health
        Health of the connections that were ever tried, by id; None while it is not known.
    models, pipelines
        Their names; None while they are not known.
    me
        The reader's own id.
    """

    room: Workspace
    members: Known[Sequence[Member]]
    linked: Known[Sequence[Connection]]
    health: Mapping[str, Health] | None
    models: Known[Sequence[str]]
    pipelines: Known[Sequence[str]]
    me: str

    @property
    def may_add(self) -> bool:
        """Whether the reader may add people; the platform decides where roles are not known yet."""
        own = [one for one in self.members.value or () if one.user_id == self.me]
        return not own or own[0].role is MemberRole.OWNER


def workspace_drawer(
    facts: RoomFacts, *, zone: tzinfo, on_act: Callable[[RoomAct, str], None]
) -> None:
    """Draw the drawer's body.

    Parameters
    ----------
    on_act
        Called with what was asked for, and the id of the connection it is about, if any.
    """
    created = told_when(facts.room.created_at, now=datetime.now(UTC), zone=zone)
    st.markdown(f":small[:gray[Created {created} by {made_by(facts.room, me=facts.me)}]]")
    with _section():
        _members(facts, on_act)
    with _section():
        _connections(facts, on_act)
    with _section():
        _names("Models", "what turns a text into a summary", facts.models, "room_models")
    with _section():
        _names("Pipelines", "models that can be started", facts.pipelines, "room_pipelines")


def _members(facts: RoomFacts, on_act: Callable[[RoomAct, str], None]) -> None:
    known = facts.members
    with _heading("Members", known):
        st.button(
            "Add a member…",
            type="tertiary",
            icon=":material/person_add:",
            **outage.off(
                **presenting.off(
                    disabled=not facts.may_add,
                    help=None
                    if facts.may_add
                    else "Only an owner of the workspace can add people.",
                )
            ),
            key="room_add_member",
            on_click=on_act,
            args=(RoomAct.ADD_MEMBER, ""),
        )
    if not _is_known(known, "who is in it"):
        return
    members = known.value or ()
    with st.container(gap=2, key="room_members"):
        for member in members[:_MOST_ROWS]:
            with _row():
                st.markdown(_who(member, me=facts.me), width="stretch")
                st.markdown(badge(_ROLE_LOOKS[member.role], member.role.value), width="content")
        _rest(len(members))
        if [one.user_id for one in members] == [facts.me]:
            st.markdown(":small[:gray[Nobody but you yet.]]")


def _who(member: Member, *, me: str) -> str:
    email = presenting.person(member.email)
    if member.user_id == me:
        return "**you**" + (f" :gray[{md(email)}]" if email else "")
    # Where the platform tells no addresses, the id is all there is.
    if presenting.is_on():
        return ":gray[another person]"
    return md(email) if email else f":gray[person {md(member.user_id)}]"


def _connections(facts: RoomFacts, on_act: Callable[[RoomAct, str], None]) -> None:
    known = facts.linked
    is_empty = known.value is not None and not known.value
    with _heading("Linked connections", known):
        st.button(
            "Link or unlink…",
            type="primary" if is_empty else "tertiary",
            icon=":material/add_link:",
            key="room_link",
            on_click=on_act,
            args=(RoomAct.LINK, ""),
            **outage.off(),
        )
    if not _is_known(known, "what is linked to it"):
        return
    linked = known.value or ()
    with st.container(gap=2, key="room_connections"):
        for connection in linked[:_MOST_ROWS]:
            _connection(connection, facts.health, on_act)
        if not linked:
            st.markdown(":small[:gray[None yet. Link one, and the members can use it.]]")
    if len(linked) > _MOST_ROWS:
        st.button(
            f"Show all {len(linked):,} in Connections",
            type="tertiary",
            key="room_all_connections",
            on_click=on_act,
            args=(RoomAct.SHOW_CONNECTIONS, ""),
        )
    if linked:
        st.button(
            "Fetch a table",
            type="primary",
            key="room_fetch",
            on_click=on_act,
            args=(RoomAct.FETCH, ""),
            **outage.off(),
        )


def _connection(
    connection: Connection,
    health: Mapping[str, Health] | None,
    on_act: Callable[[RoomAct, str], None],
) -> None:
    with _row():
        with st.container(width="stretch"):
            st.button(
                md(connection.name) or "(no name)",
                type="tertiary",
                wrap=True,
                key=f"room_open_{connection.connection_id}",
                on_click=on_act,
                args=(RoomAct.OPEN_CONNECTION, connection.connection_id),
            )
        with st.container(
            horizontal=True,
            width=_FACTS_PX,
            horizontal_alignment="right",
            vertical_alignment="center",
            gap="xsmall",
        ):
            kind = md(short(connection.type, _MOST_TYPE)) or "no type"
            st.markdown(f":small[:gray[{kind}]]", width="content")
            # Not known yet is not the same as never tested.
            if health is not None:
                state = health.get(connection.connection_id, Health()).state
                st.markdown(health_badge(state), width="content")


def _names(title: str, meaning: str, known: Known[Sequence[str]], key: str) -> None:
    _heading(title, known, meaning)
    if not _is_known(known, title.lower()):
        return
    names = known.value or ()
    with st.container(gap=2, key=key):
        for name in names[:_MOST_ROWS]:
            st.markdown(md(name))
        _rest(len(names))
        if not names:
            st.markdown(":small[:gray[None yet.]]")


def _heading(
    title: str, known: Known[Sequence[object]], meaning: str = ""
) -> st.delta_generator.DeltaGenerator:
    """Draw a section's heading with its count; return the place of its action."""
    number = f" :gray[{len(known.value):,}]" if known.value else ""
    told = f" :small[:gray[{meaning}]]" if meaning else ""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{title}**{number}{told}", width="stretch")
        return st.container(width="content")


def _section() -> st.delta_generator.DeltaGenerator:
    return st.container(gap="xsmall")


def _row() -> st.delta_generator.DeltaGenerator:
    return st.container(horizontal=True, vertical_alignment="center", gap="small", wrap=False)


def _rest(number: int) -> None:
    if number > _MOST_ROWS:
        st.markdown(f":small[:gray[and {count(number - _MOST_ROWS, 'more', 'more')}]]")


def _is_known(known: Known[object], what: str) -> bool:
    """Draw the loading or the error state of a section, unless there is something to show."""
    if known.value is not None:
        return True
    if known.error is not None:
        field_error(f"We cannot show {what}. {known.error.message}", known.error.hint)
    else:
        st.skeleton(height=40)
    return False
