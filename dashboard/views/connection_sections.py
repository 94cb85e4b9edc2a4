"""The sections of an opened connection. Only what the chosen one shows is read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

import streamlit as st

from components import loading
from components.connection_code import code_section
from components.connection_details import details_list
from components.connection_links import links_choice, use_lines
from components.connection_log import acts_list
from components.drawer_actions import drawer_actions
from components.messages import field_error
from dashboard import live, runtime, session
from dashboard.connectors import registry
from dashboard.domain.check import Check, CheckKind, Health, health_of
from dashboard.domain.connection import Connection
from dashboard.domain.workspace import Workspace, labels
from dashboard.services.activity import ActivityFilter
from dashboard.services.snippets import create_snippet, use_snippet
from dashboard.views import connection_testing
from dashboard.views.connection_acts import take

_NEWEST = 20


def health(connection: Connection) -> Health | None:
    """Return a connection's health; None while it is not known."""
    checks = _checks(connection)
    return health_of(checks, datetime.now(UTC)) if checks is not None else None


def overview(connection: Connection, rooms: Sequence[Workspace], linked: Sequence[int]) -> None:
    """Draw what it holds, how it does, where it is used, and what can be done with it."""
    current = runtime.current()
    who = current.identity()
    on_act = partial(take, connection, tuple(rooms), tuple(linked))
    is_busy = bool(current.jobs.running(who))
    can_fetch = registry.can_fetch(connection.type)
    outline = live.read(current.replacing.outline(who, connection))
    checks = _checks(connection)
    known = health_of(checks or (), datetime.now(UTC))
    addresses = (
        {path[0] for path in outline.value.addresses} if outline.value is not None else set()
    )
    details_list(
        connection.parts,
        outline.value.leaves if outline.value is not None else None,
        created_at=connection.created_at,
        last_passed_at=known.last_passed_at,
        zone=session.zone(),
        uses=lambda key: registry.connector_for(connection.type).uses((key,)),
        proven=lambda key: known.asks_for_sign_in or key in addresses,
        trouble=outline.error.message if outline.error and outline.value is None else "",
    )
    connection_testing.draw(connection, checks)
    names = {room.name for room in rooms}
    known_rooms = live.read(current.catalog.workspaces(who))
    with st.container(gap="xsmall", key="drawer_use"):
        links_choice(
            connection.connection_id,
            workspaces=None if known_rooms.value is None else labels(rooms),
            linked=linked,
            others=[one for one in connection.workspace_names if one not in names],
            is_busy=is_busy,
            on_act=on_act,
        )
        _uses(connection, checks or ())
    drawer_actions(
        can_fetch=can_fetch,
        fetch_from=next(iter(linked), None),
        is_busy=is_busy,
        on_act=on_act,
    )


def activity(connection: Connection) -> None:
    """Draw what was done to it."""
    current = runtime.current()
    who = current.identity()
    wanted = ActivityFilter(connection_name=connection.name)
    known = live.read(current.activity.query(who, wanted, limit=_NEWEST))
    if known.value is not None:
        acts_list(
            known.value.entries,
            known.value.total,
            reader_id=who.user_id,
            zone=session.zone(),
            on_all=lambda: session.go_to("activity"),
        )
    elif known.error is not None:
        field_error(known.error.message, known.error.hint)
    else:
        loading.skeleton("the activity", known, height=200)


def code(connection: Connection) -> None:
    """Draw it as code."""
    current = runtime.current()
    outline = live.read(current.replacing.outline(current.identity(), connection))
    leaves = outline.value.leaves if outline.value is not None else None
    code_section(
        use_snippet(connection),
        create_snippet(connection, leaves) if leaves is not None else None,
        trouble=outline.error.message if outline.error is not None else "",
    )


def _checks(connection: Connection) -> tuple[Check, ...] | None:
    current = runtime.current()
    known = live.read(current.checks.newest(current.identity(), connection.connection_id))
    return known.value


def _uses(connection: Connection, checks: Sequence[Check]) -> None:
    current = runtime.current()
    who = current.identity()
    recent = live.read(current.run_actions.recent(who)).value or ()
    last_runs = live.read(current.run_actions.last_runs(who)).value or {}
    last_run = next((one for one in recent if one.connection_name == connection.name), None)
    at = last_run.created_at if last_run is not None else last_runs.get(connection.name)
    last_use = next((one for one in checks if one.kind is CheckKind.USE), None)
    use_lines(last_use, last_run, at, reader_id=who.user_id, zone=session.zone())
