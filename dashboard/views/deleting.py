"""Deleting connections: what breaks first, then the name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import streamlit as st

from components import loading
from components.delete_dialog import confirmation, is_confirmed, lesser_acts
from components.delete_impact import Impact, impact_list, told_impacts
from components.messages import news
from components.text import md, short
from dashboard import live, runtime, session
from dashboard.domain.check import CheckKind
from dashboard.domain.connection import Connection
from dashboard.services.connections import LinkChange
from dashboard.views.connection import close_drawer_of, linked_rooms

_NAME = "delete_connections"
_TYPED = "delete_typed"


def draw(subject: str) -> None:
    """Draw the dialog.

    Parameters
    ----------
    subject
        Ids of the connections, joined by commas.
    """
    current = runtime.current()
    who = current.identity()
    ids = [one for one in subject.split(",") if one]
    known = live.read(current.catalog.connections(who))
    by_id = {one.connection_id: one for one in known.value or ()}
    chosen = [by_id[one] for one in ids if one in by_id]
    if known.value is not None and not chosen:
        if not known.is_loading:
            session.close_dialog()
            session.keep_message(news("What you wanted to delete was deleted or edited meanwhile."))
        return
    rooms = live.read(current.catalog.workspaces(who)).value or ()
    changes = [
        LinkChange(one, room, link=False)
        for one in chosen
        for room in rooms
        if room.workspace_id in linked_rooms(one, rooms)
    ]
    impacts = _impacts(told_impacts(chosen))

    @st.dialog(_title(chosen), width="medium", on_dismiss=session.close_dialog)
    def dialog() -> None:
        live.pursue()
        if not chosen:
            loading.skeleton("your connections", known, height=220)
            return
        if len(chosen) < len(ids):
            gone = len(ids) - len(chosen)
            st.markdown(f":orange[{gone:,} of {len(ids):,} are gone or were edited meanwhile.]")
        impact_list(
            impacts,
            chosen,
            own_rooms=frozenset(room.name for room in rooms),
            zone=session.zone(),
        )
        _acts(subject, chosen, changes)

    dialog()


def _title(chosen: Sequence[Connection]) -> str:
    if len(chosen) == 1:
        return f"Delete {md(short(chosen[0].name, 60)) or 'this connection'}?"
    return f"Delete {len(chosen):,} connections?" if chosen else "Delete connections?"


def _impacts(told: Sequence[Connection]) -> list[Impact]:
    current = runtime.current()
    who = current.identity()
    runs = live.read(current.run_actions.last_runs(who))
    return [_impact(one, runs.value) for one in told]


def _impact(connection: Connection, last_runs: Mapping[str, datetime] | None) -> Impact:
    current = runtime.current()
    checks = live.read(current.checks.newest(current.identity(), connection.connection_id))
    uses = [one for one in checks.value or () if one.kind is CheckKind.USE]
    return Impact(
        connection,
        (last_runs or {}).get(connection.name),
        uses[0] if uses else None,
        is_known=last_runs is not None and checks.value is not None,
    )


def _acts(subject: str, chosen: Sequence[Connection], changes: Sequence[LinkChange]) -> None:
    current = runtime.current()
    who = current.identity()
    is_busy = bool(current.jobs.running(who))
    ids = [one.connection_id for one in chosen]
    what = chosen[0].name if len(chosen) == 1 else f"{len(chosen):,} connections"
    key = f"{_TYPED}_{ids[0]}_{len(ids)}"

    def is_open() -> bool:
        return session.dialog() == (_NAME, subject)  # not after the first of two clicks

    def unlink() -> None:
        if is_open():
            session.close_dialog()
            live.submit(
                lambda: current.connections.change_links(who, changes),
                doing=f"Unlinking {what}",
                once=f"unlink:{subject}",
            )

    def export() -> None:
        if is_open():
            session.open_dialog("export_connections", ",".join(ids))

    def delete() -> None:
        if is_open() and is_confirmed(str(st.session_state.get(key, "")), chosen):
            session.close_dialog()
            close_drawer_of(ids)
            live.submit(
                lambda: current.connections.delete_all(who, chosen),
                doing=f"Deleting {what}",
                once=f"delete:{subject}",
            )

    lesser_acts(
        rooms=list(dict.fromkeys(change.room.name for change in changes)),
        is_linked=any(one.workspace_names for one in chosen),
        many=len(chosen) > 1,
        is_busy=is_busy,
        on_unlink=unlink,
        on_export=export,
    )
    confirmation(chosen, key=key, is_busy=is_busy, on_delete=delete, on_keep=session.close_dialog)
