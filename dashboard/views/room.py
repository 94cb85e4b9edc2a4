"""One workspace, opened over the page Workspaces; the address says which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from components.text import md, short
from components.workspace_drawer import RoomAct, RoomFacts, workspace_drawer
from dashboard import live, runtime, session
from dashboard.domain.connection import Connection
from dashboard.domain.workspace import Workspace, labels
from dashboard.errors import DashboardError
from dashboard.services.reads import Read
from dashboard.views import linking

_OPENED = "workspace"


@dataclass(frozen=True, slots=True)
class _Names:
    """Names taken from a list that was read, or why it was not."""

    value: Sequence[str] | None
    error: DashboardError | None


def open_drawer(workspace_id: str) -> None:
    """Open a workspace. For callbacks."""
    st.query_params[_OPENED] = workspace_id


def close_drawer() -> None:
    """Close the workspace. For callbacks."""
    st.query_params.pop(_OPENED, None)


def linked_counts(
    rooms: Sequence[Workspace], connections: Sequence[Connection] | None
) -> Mapping[int, int]:
    """How many connections are linked to each workspace, by id.

    Connections tell the names of their workspaces. Where several share a name, only each one's own
    list can tell. What is not known yet is not in the answer.
    """
    if connections is None:
        return {}
    current = runtime.current()
    by_name = Counter(name for one in connections for name in set(one.workspace_names))
    sharing = Counter(room.name for room in rooms)
    counts = {}
    for room in rooms:
        if sharing[room.name] == 1 or not by_name[room.name]:
            counts[room.workspace_id] = by_name[room.name]
            continue
        query = current.catalog.linked_connections(current.identity(), room.workspace_id)
        own = live.read(query, wait=False).value
        if own is not None:
            counts[room.workspace_id] = len(own)
    return counts


def draw_drawer(known: Read[tuple[Workspace, ...]]) -> None:
    """Draw the opened workspace, if one is and no dialog stands before it."""
    opened_id = st.query_params.get(_OPENED)
    rooms = known.value or ()
    if not opened_id or session.dialog() != ("", ""):
        return
    opened = next((room for room in rooms if str(room.workspace_id) == opened_id), None)
    if opened is not None:
        _drawer(opened, md(short(labels(rooms)[opened.workspace_id], 80)))
    elif not known.is_loading and known.error is None:
        st.markdown(
            ":orange[:material/info: The workspace of this address does not exist any more, or "
            "you are not in it.]"
        )


def _drawer(room: Workspace, title: str) -> None:
    current = runtime.current()
    who = current.identity()

    @st.dialog(
        title,
        width=560,
        position="right",
        icon=":material/folder_shared:",
        on_dismiss=close_drawer,
    )
    def drawer() -> None:
        live.pursue()
        members = live.read(current.catalog.members(who, room.workspace_id))
        linked = live.read(current.catalog.linked_connections(who, room.workspace_id))
        models = live.read(current.catalog.models(who, room.workspace_id))
        pipelines = live.read(current.catalog.pipelines(who))
        here = [one for one in pipelines.value or () if one.workspace_id == room.workspace_id]
        workspace_drawer(
            RoomFacts(
                room,
                members=members,
                linked=linked,
                health=live.read(current.checks.health(who)).value,
                models=_names(models, [one.name for one in models.value or ()]),
                pipelines=_names(pipelines, [one.name for one in here]),
                me=who.user_id,
            ),
            zone=session.zone(),
            on_act=lambda act, subject: _act(room, act, subject),
        )

    drawer()


def _names(known: Read[Any], names: Sequence[str]) -> _Names:  # of whatever kind the list is
    return _Names(names if known.value is not None else None, known.error)


def _act(room: Workspace, act: RoomAct, connection_id: str) -> None:
    if act is RoomAct.ADD_MEMBER:
        session.open_dialog("add_member", str(room.workspace_id))
    elif act is RoomAct.LINK:
        session.open_dialog("link_connections", linking.subject_of_room(room.workspace_id))
    elif act is RoomAct.OPEN_CONNECTION:
        session.go_to("connections", connection=connection_id)
    elif act is RoomAct.SHOW_CONNECTIONS:
        session.go_to("connections", workspace=str(room.workspace_id))
    else:
        session.go_to("summarize", workspace=str(room.workspace_id))
