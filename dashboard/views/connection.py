"""One connection, opened over the page Connections; the address says which."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from components.connection_drawer import (
    Section,
    drawer_head,
    section_choice,
    took_place_notice,
)
from components.messages import news
from components.text import md, plain, short
from dashboard import live, runtime, session
from dashboard.domain.connection import Connection
from dashboard.domain.workspace import Workspace
from dashboard.services.connections import linked_ids
from dashboard.services.reads import Read
from dashboard.views import connection_sections as sections
from dashboard.views import connection_testing

_OPENED = "connection"


def open_drawer(connection_id: str) -> None:
    """Open a connection. For callbacks."""
    st.query_params[_OPENED] = connection_id


def close_drawer() -> None:
    """Close the connection. For callbacks."""
    st.query_params.pop(_OPENED, None)


def close_drawer_of(connection_ids: Sequence[str]) -> None:
    """Close the connection if it is one of these. For callbacks."""
    if st.query_params.get(_OPENED) in connection_ids:
        close_drawer()


def draw_drawer(known: Read[tuple[Connection, ...]], rooms: Sequence[Workspace]) -> None:
    """Draw the opened connection, if one is and no dialog stands before it."""
    opened_id = st.query_params.get(_OPENED)
    if opened_id is None or session.dialog() != ("", ""):
        return
    opened = next((one for one in known.value or () if one.connection_id == opened_id), None)
    if opened is None and not known.is_loading and known.error is None:
        opened = _successor(opened_id, known.value or ())
    if opened is None:
        return
    if session.opened()[0] != opened.connection_id:
        session.note_opened(opened.connection_id, opened.name)
    _drawer(opened, rooms)


def draw_missing(known: Read[tuple[Connection, ...]]) -> None:
    """Say that the address names a connection that is not in the list, if it does."""
    opened_id = st.query_params.get(_OPENED)
    if opened_id is None or known.value is None or known.is_loading or known.error is not None:
        return
    is_here = any(one.connection_id == opened_id for one in known.value)
    # What became of one that was known here is told by its drawer.
    if not is_here and _name_of(opened_id) is None:
        st.info("This connection is not here (any more).", icon=":material/info:")


def linked_rooms(connection: Connection, rooms: Sequence[Workspace]) -> tuple[int, ...]:
    """Ids of those of `rooms` that a connection is linked to, as far as it is known by now."""
    current = runtime.current()
    names = [room.name for room in rooms]
    members = {
        room.workspace_id: live.read(
            current.catalog.linked_connections(current.identity(), room.workspace_id)
        ).value
        or ()
        for room in rooms
        if names.count(room.name) > 1 and room.name in connection.workspace_names
    }
    return linked_ids(connection, rooms, members)


def _successor(opened_id: str, present: Sequence[Connection]) -> Connection | None:
    """Find what stands under the name of one that is gone, and say what became of it."""
    name = _name_of(opened_id)
    if name is None:
        return None  # `draw_missing` says so
    found = next((one for one in present if one.name == name), None)
    if found is None:
        close_drawer()
        told = short(name, 80) if plain(name) else "That connection"
        session.keep_message(news(f"{told} was deleted meanwhile."))
        return None
    st.query_params[_OPENED] = found.connection_id
    session.note_opened(found.connection_id, found.name, took_place=True)
    return found


def _name_of(connection_id: str) -> str | None:
    """Name of a connection that is gone: as it was shown here, or as one of our edits knew it."""
    noted_id, name, _ = session.opened()
    if noted_id == connection_id:
        return name
    current = runtime.current()
    edits = live.read(current.replacing.replacements(current.identity())).value or ()
    return next((one.connection_name for one in edits if one.old_id == connection_id), None)


def _drawer(connection: Connection, rooms: Sequence[Workspace]) -> None:
    key = f"drawer_section_{connection.connection_id}"
    zone = session.zone()
    # Read here, not inside: a dialog that redraws itself alone follows no read.
    health = sections.health(connection)
    linked = linked_rooms(connection, rooms)
    took_place = session.opened() == (connection.connection_id, connection.name, True)

    @st.dialog(
        md(short(connection.name, 80)) or "(no name)",
        width=560,
        position="right",
        icon=":material/link:",
        on_dismiss=close_drawer,
    )
    def drawer() -> None:
        live.pursue()
        if took_place:
            took_place_notice(connection.name, connection.created_at, zone=zone)
        drawer_head(connection, health, zone=zone)
        chosen = section_choice(
            key,
            on_change=session.note_submitted,
            beside={Section.OVERVIEW: lambda: connection_testing.button(connection)},
        )
        if chosen is Section.ACTIVITY:
            sections.activity(connection)
        elif chosen is Section.CODE:
            sections.code(connection)
        else:
            sections.overview(connection, rooms, linked)

    drawer()
