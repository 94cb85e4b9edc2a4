"""The table of connections: one page of it, details masked, names as buttons, rows to tick."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

import pandas as pd
import streamlit as st

from components.badges import HEALTH_LOOKS
from components.tables import on_pressed_row
from components.text import ago, count, moment, on_button, plain
from dashboard.domain.check import CheckKind, Health, HealthState
from dashboard.domain.connection_list import Page, Row

_DETAILS_MASK: Final = "*****"
_KEY: Final = "connections_table"
_OPEN: Final = "connections_open"
_ROW_PX: Final = 38
_MOST_PX: Final = 610
_DAY_S: Final = 86_400.0
_STATUS: Final = re.compile(r"\((\d{3})\)")

_HEALTH_WORDS: Final = {state: f"{look.glyph} {state}" for state, look in HEALTH_LOOKS.items()}

#: Why a check failed, in a table's cell; the drawer has the sentence.
_CAUSE_WORDS: Final = {
    "name_not_found": "host not found",
    "refused": "not accepted",
    "tls": "bad certificate",
    "unauthorised": "sign-in refused",
    "not_found": "not found",
    "redirect_refused": "leads elsewhere",
    "blocked_address": "not allowed",
    "not_a_table": "not a table",
    "too_big": "too big",
    "timed_out": "timed out",
    "invalid_link": "link incomplete",
}


def connection_table(
    rows: Sequence[Row],
    *,
    ticked: Collection[str],
    zone: tzinfo,
    on_open: Callable[[str], None],
    on_tick: Callable[[Sequence[str], Sequence[str]], None],
) -> None:
    """Draw one page of the list.

    Parameters
    ----------
    ticked
        Ids of the connections that are ticked, on this page or not.
    on_open
        Called with the id of the connection whose name was pressed.
    on_tick
        Called with the ids of the rows drawn, and with those of them that are ticked now.
    """
    ids = [row.connection.connection_id for row in rows]
    ticks = [at for at, one in enumerate(ids) if one in set(ticked)]
    if _KEY in st.session_state and _ticks(len(ids)) != ticks:
        # Other rows stand there now, or a tick was taken away elsewhere.
        st.session_state[_KEY] = {"selection": {"rows": ticks, "columns": [], "cells": []}}
    with st.container(key="connections_list"):
        st.dataframe(
            _frame(rows, zone),
            hide_index=True,
            row_height=_ROW_PX,
            width="stretch",
            height=min(_ROW_PX * len(rows) + 37, _MOST_PX),
            key=_KEY,
            on_select=lambda: on_tick(ids, [ids[at] for at in _ticks(len(ids))]),
            selection_mode="multi-row",
            selection_default={"selection": {"rows": ticks, "columns": [], "cells": []}},
            column_config=_columns(ids, on_open),
            alt=f"{count(len(rows), 'connection')}: name, type, host, health, its proof, linked "
            "workspaces, last run, date of creation and masked details",
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
        return f"{verb} {_when(last.at, now=now, zone=zone)}"
    status = _STATUS.search(last.message)
    words = status[1] if status else _CAUSE_WORDS.get(last.cause_code, "failed")
    return f"{words} since {moment(last.failing_since or last.at, now=now, zone=zone)}"


def _frame(rows: Sequence[Row], zone: tzinfo) -> pd.DataFrame:
    now = datetime.now(UTC)
    return pd.DataFrame(
        {
            "Name": [on_button(row.connection.name) or "(no name)" for row in rows],
            "Type": [plain(row.connection.type) for row in rows],
            "Host": [plain(row.connection.host or "") for row in rows],
            "Health": [[_HEALTH_WORDS[row.health.state]] for row in rows],
            "Proof": [proof(row.health, now=now, zone=zone) for row in rows],
            "Used by": [
                [plain(name) for name in row.connection.workspace_names] or ["not linked"]
                for row in rows
            ],
            "Last run": [
                _when(row.last_run_at, now=now, zone=zone) if row.last_run_at else "–"
                for row in rows
            ],
            "Created": [moment(row.connection.created_at, now=now, zone=zone) for row in rows],
            "Details": [_DETAILS_MASK] * len(rows),
        }
    )


def _columns(
    ids: Sequence[str], on_open: Callable[[str], None]
) -> dict[str, Any]:  # Streamlit's types of columns are not public
    text = st.column_config.TextColumn
    return {
        "Name": st.column_config.ButtonColumn(
            "Name",
            type="tertiary",
            alignment="left",
            width=230,
            key=_OPEN,
            on_click=on_pressed_row,
            args=(_OPEN, ids, on_open),
        ),
        "Type": text("Type", width=105),
        "Host": text("Host", width=150),
        "Health": st.column_config.MultiselectColumn(
            "Health",
            options=[_HEALTH_WORDS[state] for state in HealthState],
            color=[HEALTH_LOOKS[state].color for state in HealthState],
            width=110,
        ),
        "Proof": text("Proof", width=140),
        "Used by": st.column_config.ListColumn("Used by", width=220),
        "Last run": text("Last run", width=95),
        "Created": text("Created", width=85),
        "Details": text("Details", width=70),
    }


def _ticks(rows: int) -> list[int]:
    chosen = st.session_state[_KEY]["selection"]["rows"]
    return sorted(at for at in chosen if 0 <= at < rows)


def _when(at: datetime, *, now: datetime, zone: tzinfo) -> str:
    seconds = (now - at).total_seconds()
    return ago(seconds) if seconds < _DAY_S else moment(at, now=now, zone=zone)
