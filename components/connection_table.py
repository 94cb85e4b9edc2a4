"""The table of connections: one page of it, no details, names as buttons, rows to tick."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

import pandas as pd
import streamlit as st

from components import presenting
from components.badges import HEALTH_LOOKS, cell
from components.health_words import short_cause
from components.tables import Rows, name_column, ticked_table
from components.text import count, on_button, plain, told_since, told_when
from dashboard.domain.check import CheckKind, Health, HealthState
from dashboard.domain.connection_list import Page, Row

_KEY: Final = "connections_table"
_OPEN: Final = "connections_open"
_HEALTH_WORDS: Final = {state: cell(look, state.value) for state, look in HEALTH_LOOKS.items()}

#: Widths in pixels, in the order they stand: together with the ticks they fit a window of 1280
#: pixels, and the first two fit a phone. A wider window widens them all.
_WIDTHS_PX: Final = {
    "Name": 202,
    "Health": 106,
    "Proof": 118,
    "Type": 84,
    "Host": 128,
    "Used by": 144,
    "Last run": 80,
    "Created": 78,
}


def connection_table(
    rows: Sequence[Row],
    *,
    ticked: Collection[str],
    zone: tzinfo,
    on_open: Callable[[str], None],
    on_tick: Callable[[Sequence[str], Sequence[str]], None],
) -> None:
    """Draw one page of the list; see `Rows` for what is ticked and called."""
    ids = [row.connection.connection_id for row in rows]
    with st.container(key="connections_list"):
        ticked_table(
            _frame(rows, zone),
            Rows(ids, ticked, on_open, on_tick),
            key=_KEY,
            columns=_columns(ids, on_open),
            alt=f"{count(len(rows), 'connection')}: name, health, its proof, type, host, linked "
            "workspaces, last run and date of creation",
        )


def result_count(page: Page, *, found: int, total: int) -> str:
    """Return how much of how many is shown, as a sentence."""
    if not found:
        return f"None of {total:,}."
    told = f"{page.first + 1:,}–{page.first + len(page.positions):,} of {found:,}"
    return f"{told}, filtered from {total:,}." if found != total else f"{told}."


def proof(health: Health, *, now: datetime, zone: tzinfo) -> str:
    """Return in a few words what a connection's health rests on."""
    last = health.last
    if last is None:
        return "no check yet"
    if last.passed:
        verb = "used" if last.kind is CheckKind.USE else "tested"
        return f"{verb} {told_when(last.at, now=now, zone=zone)}"
    since = told_since(last.failing_since or last.at, now=now, zone=zone)
    return f"{short_cause(last) or 'failed'} {since}"


def _widths_px() -> Mapping[str, int]:
    """Return the columns there are; an audience sees none of what tells where the data are."""
    left_out = ("Host",) if presenting.is_on() else ()
    return {name: width for name, width in _WIDTHS_PX.items() if name not in left_out}


def _frame(rows: Sequence[Row], zone: tzinfo) -> pd.DataFrame:
    now = datetime.now(UTC)
    cells: dict[str, list[object]] = {
        "Name": [on_button(row.connection.name) or "(no name)" for row in rows],
        "Health": [[_HEALTH_WORDS[row.health.state]] for row in rows],
        "Proof": [proof(row.health, now=now, zone=zone) for row in rows],
        "Type": [plain(row.connection.type) for row in rows],
        "Host": [plain(row.connection.host or "") for row in rows],
        "Used by": [
            [plain(name) for name in row.connection.workspace_names] or ["not linked"]
            for row in rows
        ],
        "Last run": [
            told_when(row.last_run_at, now=now, zone=zone) if row.last_run_at else "–"
            for row in rows
        ],
        "Created": [told_when(row.connection.created_at, now=now, zone=zone) for row in rows],
    }
    return pd.DataFrame({name: cells[name] for name in _widths_px()})


def _columns(
    ids: Sequence[str], on_open: Callable[[str], None]
) -> dict[str, Any]:  # Streamlit's types of columns are not public
    columns: dict[str, Any] = {
        name: st.column_config.TextColumn(name, width=width) for name, width in _widths_px().items()
    }
    columns["Name"] = name_column("Name", ids, on_open, key=_OPEN, width_px=_WIDTHS_PX["Name"])
    columns["Health"] = st.column_config.MultiselectColumn(
        "Health",
        options=[_HEALTH_WORDS[state] for state in HealthState],
        color=[HEALTH_LOOKS[state].color for state in HealthState],
        width=_WIDTHS_PX["Health"],
    )
    columns["Used by"] = st.column_config.ListColumn("Used by", width=_WIDTHS_PX["Used by"])
    return columns
