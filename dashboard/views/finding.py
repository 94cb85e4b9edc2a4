"""Finds the connection that an address names, in a list that may be older than the address."""

from __future__ import annotations

import time
from dataclasses import dataclass

import streamlit as st

from dashboard import live, runtime, session
from dashboard.domain.connection import Connection
from dashboard.services import catalog
from dashboard.services.reads import Read


@dataclass(frozen=True, slots=True)
class Found:
    """What an address names.

    Parameters
    ----------
    connection
        None if there is none, or it is not known yet.
    known
        The list it was looked for in.
    is_sure
        Whether one that was not found does not exist.
    """

    connection: Connection | None
    known: Read[tuple[Connection, ...]]
    is_sure: bool


def find(form: str, connection_id: str) -> Found:
    """Look for a connection by its id; a list that was read before it was asked for says little."""
    current = runtime.current()
    query = current.catalog.connections(current.identity())
    known = live.read(query)
    listed = known.value or ()
    found = next((one for one in listed if one.connection_id == connection_id), None)
    if found is not None or not connection_id:
        return Found(found, known, True)
    key = session.form_key(form, "sought")
    sought_id, sought_at = st.session_state.get(key, ("", 0.0))
    if sought_id != connection_id:
        sought_at = time.monotonic()
        st.session_state[key] = (connection_id, sought_at)
        if known.value is not None:
            current.reads.invalidate(current.identity().key, catalog.CONNECTIONS)
            known = live.read(query)
    read_at = time.monotonic() - known.age_s
    return Found(None, known, known.value is not None and read_at > sought_at)
