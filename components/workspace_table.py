"""The table of workspaces."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo

import pandas as pd
import streamlit as st

from components.tables import name_column
from components.text import count, plain, told_when
from dashboard.domain.workspace import Workspace

_OPEN = "workspaces_open"


def made_by(room: Workspace, *, me: str) -> str:
    """Say who created a workspace; the platform gives ids, and `me` is the reader's own."""
    return "you" if room.created_by == me else "another person"


def workspace_table(
    rooms: Sequence[Workspace],
    *,
    names: Mapping[int, str],
    linked: Mapping[int, int],
    me: str,
    zone: tzinfo,
    on_open: Callable[[str], None],
) -> None:
    """Draw the table; `on_open` is called with the id of the workspace whose name was pressed.

    Parameters
    ----------
    linked
        How many connections are linked, by workspace id; those not known yet are not in it.
    """
    now = datetime.now(UTC)
    frame = pd.DataFrame(
        {
            "Name": [plain(names[room.workspace_id]) for room in rooms],
            "Linked connections": pd.array(
                [linked.get(room.workspace_id) for room in rooms], dtype="Int64"
            ),
            "Models": [len(room.model_ids) for room in rooms],
            "Pipelines": [len(room.pipeline_ids) for room in rooms],
            "Created": [told_when(room.created_at, now=now, zone=zone) for room in rooms],
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
        height=min(38 * len(ids) + 36, 610),
        key="workspaces_table",
        column_config={
            "Name": name_column("Name", ids, on_open, key=_OPEN, width_px=320),
        },
        alt=f"{count(len(ids), 'workspace')}: name, linked connections, models and pipelines",
    )
