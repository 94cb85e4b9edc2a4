"""What the actions of an opened connection do."""

from __future__ import annotations

from collections.abc import Sequence

from components.connection_drawer import DrawerAct, DrawerIntent
from dashboard import live, runtime, session
from dashboard.domain.connection import Connection
from dashboard.domain.workspace import Workspace
from dashboard.services.connections import LinkChange


def take(
    connection: Connection,
    rooms: Sequence[Workspace],
    linked: Sequence[int],
    intent: DrawerIntent,
) -> None:
    """Do what was asked for in the drawer of a connection. For callbacks."""
    connection_id = connection.connection_id
    if intent.act is DrawerAct.SET_LINKS:
        _set_links(connection, rooms, linked, intent.workspace_ids)
    elif intent.act is DrawerAct.FETCH:
        room = str(intent.workspace_ids[0])
        session.go_to("summarize", workspace=room, connection=connection_id)
    elif intent.act is DrawerAct.EDIT:
        session.go_to("edit_connection", connection=connection_id)
    elif intent.act is DrawerAct.DUPLICATE:
        session.go_to("new_connection", **{"from": connection_id})
    elif intent.act is DrawerAct.EXPORT:
        session.open_dialog("export_connections", connection_id)
    else:
        session.open_dialog("delete_connections", connection_id)


def _set_links(
    connection: Connection,
    rooms: Sequence[Workspace],
    linked: Sequence[int],
    wanted: Sequence[int],
) -> None:
    current = runtime.current()
    who = current.identity()
    changes = [
        LinkChange(connection, room, link=room.workspace_id in wanted)
        for room in rooms
        if (room.workspace_id in wanted) != (room.workspace_id in linked)
    ]
    live.submit(
        lambda: current.connections.change_links(who, changes),
        doing=f"Linking {connection.name}",
        once=f"links:{connection.connection_id}:{sorted(wanted)}",
    )
