"""The table of connections: details masked, names as buttons that open the drawer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo

import pandas as pd
import streamlit as st

from components.tables import on_pressed_row
from components.text import count, moment, plain
from dashboard.domain.connection import Connection

_DETAILS_MASK = "*****"
_KEY = "connections_table"
_OPEN = "connections_open"


def matching(
    connections: Sequence[Connection], *, words: str, connection_type: str | None
) -> list[Connection]:
    """Return the connections whose name, type, host or workspace holds every word."""
    wanted = words.casefold().split()
    shown = []
    for one in connections:
        if connection_type is not None and one.type != connection_type:
            continue
        text = " ".join((one.name, one.type, one.host or "", *one.workspace_names)).casefold()
        if all(word in text for word in wanted):
            shown.append(one)
    return shown


def filters(connections: Sequence[Connection]) -> tuple[str, str | None]:
    """Draw the filters; return the search words and the chosen type, None for all."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        words = st.text_input(
            "Search",
            placeholder="Name, host or workspace",
            icon=":material/search:",
            label_visibility="collapsed",
            width=230,
            live=True,
            key="connections_search",
        )
        types = sorted({one.type for one in connections})
        chosen = st.selectbox(
            "Type",
            types,
            index=None,
            placeholder="All types",
            format_func=lambda kind: plain(kind) or "(no type)",
            label_visibility="collapsed",
            width=180,
            key="connections_type",
        )
    return words or "", chosen


def connection_table(
    shown: Sequence[Connection], *, total: int, zone: tzinfo, on_open: Callable[[str], None]
) -> None:
    """Draw the table; `on_open` is called with the id of the connection whose name was pressed."""
    ids = [one.connection_id for one in shown]
    now = datetime.now(UTC)
    frame = pd.DataFrame(
        {
            "Name": [plain(one.name) or "(no name)" for one in shown],
            "Type": [plain(one.type) for one in shown],
            "Host": [plain(one.host or "") for one in shown],
            "Details": [_DETAILS_MASK] * len(shown),
            "Linked workspaces": [
                [plain(name) for name in one.workspace_names] or ["not linked"] for one in shown
            ],
            "Created": [moment(one.created_at, now=now, zone=zone) for one in shown],
        }
    )
    with st.container(key="connections_list"):
        _grid(frame, ids, len(shown), on_open)
    st.markdown(f":small[:gray[{len(shown):,} of {total:,} shown. Click a name to open it.]]")


def _grid(
    frame: pd.DataFrame, ids: Sequence[str], rows: int, on_open: Callable[[str], None]
) -> None:
    st.dataframe(
        frame,
        hide_index=True,
        row_height=38,
        width="stretch",
        height=min(38 * rows + 37, 610),
        key=_KEY,
        column_config={
            "Name": st.column_config.ButtonColumn(
                "Name",
                type="tertiary",
                alignment="left",
                width=250,
                key=_OPEN,
                on_click=on_pressed_row,
                args=(_OPEN, ids, on_open),
            ),
            "Type": st.column_config.TextColumn("Type", width=90),
            "Host": st.column_config.TextColumn("Host", width=170),
            "Details": st.column_config.TextColumn("Details", width=70),
            "Linked workspaces": st.column_config.ListColumn("Linked workspaces", width=260),
            "Created": st.column_config.TextColumn("Created", width=90),
        },
        alt=f"{count(rows, 'connection')}: name, type, host, masked details, "
        "linked workspaces and date of creation",
    )
