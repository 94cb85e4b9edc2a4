"""One connection, opened over the page Connections; the address says which."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from components.connection_drawer import DrawerAct, DrawerIntent, connection_drawer
from components.text import md, short
from dashboard import live, runtime, session
from dashboard.connectors import registry
from dashboard.domain.connection import Connection
from dashboard.domain.workspace import Workspace, labels
from dashboard.services.connections import linked_ids
from dashboard.services.reads import Read

_OPENED = "connection"


def open_drawer(connection_id: str) -> None:
    """Open a connection. For callbacks."""
    st.query_params[_OPENED] = connection_id


def close_drawer() -> None:
    """Close the connection. For callbacks."""
    st.query_params.pop(_OPENED, None)


def draw_drawer(known: Read[tuple[Connection, ...]], rooms: Sequence[Workspace]) -> None:
    """Draw the opened connection, if one is and no dialog stands before it."""
    opened_id = st.query_params.get(_OPENED)
    if opened_id is None or session.dialog() != ("", ""):
        return
    opened = next((one for one in known.value or () if one.connection_id == opened_id), None)
    if opened is not None:
        _drawer(opened, rooms)
    elif not known.is_loading and known.error is None:
        close_drawer()
        st.toast("That connection does not exist any more.", icon=":material/info:")


def _drawer(connection: Connection, rooms: Sequence[Workspace]) -> None:
    current = runtime.current()
    who = current.identity()
    names = [room.name for room in rooms]
    members = {
        room.workspace_id: live.read(
            current.catalog.linked_connections(who, room.workspace_id)
        ).value
        or ()
        for room in rooms
        if names.count(room.name) > 1 and room.name in connection.workspace_names
    }
    linked = linked_ids(connection, rooms, members)

    @st.dialog(
        md(short(connection.name, 80)) or "(no name)",
        width=560,
        position="right",
        icon=":material/link:",
        on_dismiss=close_drawer,
    )
    def drawer() -> None:
        live.pursue()
        connection_drawer(
            connection,
            workspaces=labels(rooms),
            linked=linked,
            can_fetch=registry.can_fetch(connection.type),
            is_busy=bool(current.jobs.running(who)),
            zone=session.zone(),
            on_act=lambda intent: _act(connection, rooms, linked, intent),
        )

    drawer()


def _act(
    connection: Connection,
    rooms: Sequence[Workspace],
    linked: Sequence[int],
    intent: DrawerIntent,
) -> None:
    current = runtime.current()
    who = current.identity()
    if intent.act is DrawerAct.SET_LINKS:
        wanted = intent.workspace_ids
        link = [room for room in rooms if room.workspace_id in set(wanted) - set(linked)]
        unlink = [room for room in rooms if room.workspace_id in set(linked) - set(wanted)]
        live.submit(
            lambda: current.connections.set_links(who, connection.name, link=link, unlink=unlink),
            doing=f"Linking {connection.name}",
            once=f"links:{connection.connection_id}:{sorted(wanted)}",
        )
    elif intent.act is DrawerAct.DELETE:
        close_drawer()
        live.submit(
            lambda: current.connections.delete(who, connection),
            doing=f"Deleting {connection.name}",
            once=f"delete:{connection.connection_id}",
        )
    else:
        session.go_to(
            "summarize",
            workspace=str(intent.workspace_ids[0]),
            connection=connection.connection_id,
        )
