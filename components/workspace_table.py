"""The table of workspaces, and one workspace opened: what is in it and what is linked to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

import pandas as pd
import streamlit as st

from components.tables import on_pressed_row
from components.text import count, md, moment, plain
from dashboard.domain.connection import Connection
from dashboard.domain.workspace import Workspace

_OPEN = "workspaces_open"


@dataclass(frozen=True, slots=True)
class MembersChange:
    """Connections to link to and to unlink from a workspace."""

    link: tuple[Connection, ...]
    unlink: tuple[Connection, ...]


def made_by(room: Workspace, *, me: str) -> str:
    """Say who created a workspace; the platform gives ids, and `me` is the reader's own."""
    return "you" if room.created_by == me else "another person"


def workspace_table(
    rooms: Sequence[Workspace],
    *,
    names: Mapping[int, str],
    connections: Sequence[Connection],
    me: str,
    zone: tzinfo,
    on_open: Callable[[str], None],
) -> None:
    """Draw the table; `on_open` is called with the id of the workspace whose name was pressed."""
    now = datetime.now(UTC)
    linked = [
        sum(room.name in connection.workspace_names for connection in connections) for room in rooms
    ]
    frame = pd.DataFrame(
        {
            "Name": [plain(names[room.workspace_id]) for room in rooms],
            "Linked connections": linked,
            "Models": [len(room.model_ids) for room in rooms],
            "Pipelines": [len(room.pipeline_ids) for room in rooms],
            "Created": [moment(room.created_at, now=now, zone=zone) for room in rooms],
            "By": [made_by(room, me=me) for room in rooms],
        }
    )
    with st.container(key="workspaces_list"):
        _grid(frame, [str(room.workspace_id) for room in rooms], on_open)
    st.markdown(f":small[:gray[{count(len(rooms), 'workspace')}. Click a name to open it.]]")


def _grid(frame: pd.DataFrame, ids: Sequence[str], on_open: Callable[[str], None]) -> None:
    st.dataframe(
        frame,
        hide_index=True,
        row_height=38,
        width="stretch",
        height=min(38 * len(ids) + 37, 610),
        key="workspaces_table",
        column_config={
            "Name": st.column_config.ButtonColumn(
                "Name",
                type="tertiary",
                alignment="left",
                width=320,
                key=_OPEN,
                on_click=on_pressed_row,
                args=(_OPEN, ids, on_open),
            ),
        },
        alt=f"{count(len(ids), 'workspace')}: name, linked connections, models and pipelines",
    )


def workspace_drawer(  # noqa: PLR0913 - what the drawer shows, by keyword
    room: Workspace,
    *,
    connections: Sequence[Connection],
    linked: Sequence[Connection] | None,
    models: Sequence[str],
    pipelines: Sequence[str],
    is_busy: bool,
    me: str,
    zone: tzinfo,
    on_change: Callable[[MembersChange], None],
) -> None:
    """Draw the drawer's body.

    Parameters
    ----------
    linked
        The workspace's own list of connections; None while it is loading.
    on_change
        Called with the links to change when Save was pressed.
    """
    created = moment(room.created_at, now=datetime.now(UTC), zone=zone)
    st.markdown(f":small[:gray[Created {created} by {made_by(room, me=me)}]]")
    for title, things in (("Models", models), ("Pipelines", pipelines)):
        told = ", ".join(md(name) for name in things) or ":gray[none]"
        st.markdown(f"**{title}** {told}")
    st.markdown("**Linked connections** :gray[which its members can use]")
    if linked is None:
        st.skeleton(height=40)
    else:
        _members(room, connections, linked, is_busy=is_busy, on_change=on_change)


def _members(
    room: Workspace,
    connections: Sequence[Connection],
    linked: Sequence[Connection],
    *,
    is_busy: bool,
    on_change: Callable[[MembersChange], None],
) -> None:
    by_id = {one.connection_id: one for one in (*connections, *linked)}
    now_linked = [one.connection_id for one in linked]
    version = abs(hash(tuple(sorted(now_linked))))
    key = f"room_links_{room.workspace_id}_{version}"
    st.multiselect(
        "Linked connections",
        list(by_id),
        default=now_linked,
        format_func=lambda one: plain(by_id[one].name) if one in by_id else "",
        placeholder="Choose a connection",
        label_visibility="collapsed",
        disabled=is_busy,
        key=key,
    )

    def change() -> MembersChange:
        # Read where it is kept: a click can come together with the choice before it.
        wanted = st.session_state.get(key, now_linked)
        return MembersChange(
            link=tuple(by_id[one] for one in wanted if one not in now_linked),
            unlink=tuple(by_id[one] for one in now_linked if one not in wanted),
        )

    asked = change()
    told = []
    if asked.link:
        told.append("Link **" + ", ".join(md(one.name) for one in asked.link) + "**.")
    if asked.unlink:
        told.append("Unlink **" + ", ".join(md(one.name) for one in asked.unlink) + "**.")
    if told:
        st.markdown(":small[" + " ".join(told) + "]")
        st.button(
            "Save links",
            disabled=is_busy,
            key="room_save_links",
            on_click=lambda: on_change(change()),
        )
