"""The table of runs: one page of it, names as buttons, rows to tick."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

import pandas as pd
import streamlit as st

from components import presenting
from components.badges import RUN_LOOKS, cell
from components.tables import Rows, name_column, ticked_table
from components.text import count, milliseconds, on_button, plain, short, told_when
from dashboard.domain.run import Run, RunState
from dashboard.domain.run_filter import RunFacts

_KEY: Final = "runs_table"
_OPEN: Final = "runs_open"
_LONGEST: Final = 200
_VERSION_LETTERS: Final = 8
_STATES: Final = {state: cell(look, state.value) for state, look in RUN_LOOKS.items()}


def run_title(run: Run) -> str:
    """Return what a run is called: its own name, or its connection's. Plain text."""
    return short(run.title or run.connection_name, _LONGEST) or "(no name)"


def run_table(  # noqa: PLR0913 - what a table shows and calls, by keyword
    runs: Sequence[Run],
    *,
    facts: Mapping[str, RunFacts],
    found_in: Mapping[str, int] | None,
    ticked: Collection[str],
    me: str,
    zone: tzinfo,
    on_open: Callable[[str], None],
    on_tick: Callable[[Sequence[str], Sequence[str]], None],
) -> None:
    """Draw one page of the list; see `Rows` for what is ticked and called.

    Parameters
    ----------
    found_in
        While words are searched for: how many rows hold them, by run id. Those that are absent
        were found by their names.
    me
        The platform's id of the reader's account, who is "you".
    """
    ids = [run.run_id for run in runs]
    with st.container(key="runs_list"):
        ticked_table(
            _frame(runs, facts, found_in, me, zone),
            Rows(ids, ticked, on_open, on_tick),
            key=_KEY,
            columns=_columns(ids, on_open, is_search=found_in is not None),
            alt=f"{count(len(runs), 'run')}, newest first: name, when, pipeline and version, "
            "state, rows, what is to be checked, median latency, and by whom",
        )


def rows_words(run: Run) -> str:
    """Say how a run's rows went."""
    if not run.state.is_over:
        return f"{run.rows_done:,} of {run.rows_total:,}"
    told = f"{run.rows_done:,} done"
    if run.rows_failed:
        told += f", {run.rows_failed:,} failed"
    return told + (f", {run.rows_left:,} not sent" if run.rows_left else "")


def _frame(
    runs: Sequence[Run],
    facts: Mapping[str, RunFacts],
    found_in: Mapping[str, int] | None,
    me: str,
    zone: tzinfo,
) -> pd.DataFrame:
    now = datetime.now(UTC)
    known = [facts.get(run.run_id, RunFacts()) for run in runs]
    columns = {
        "Name": [on_button(run_title(run)) for run in runs],
        "When": [told_when(run.created_at, now=now, zone=zone) for run in runs],
        "Pipeline": [_pipeline(run) for run in runs],
        "State": [[_STATES[run.state]] for run in runs],
        "Rows": [rows_words(run) for run in runs],
        "Flags": [f"▲ {one.to_check:,} to check" if one.to_check else "" for one in known],
        "Median": [milliseconds(one.median_ms) for one in known],
        "By": [run_by(run, me=me) for run in runs],
        "Workspace": [short(run.workspace_name, _LONGEST) for run in runs],
    }
    if found_in is not None:
        found = [_found(found_in.get(run.run_id)) for run in runs]
        columns = {"Name": columns.pop("Name"), "Found in": found, **columns}
    return pd.DataFrame(columns)


def _columns(
    ids: Sequence[str], on_open: Callable[[str], None], *, is_search: bool
) -> dict[str, Any]:  # Streamlit's types of columns are not public
    text = st.column_config.TextColumn
    columns = {
        "Name": name_column("Name", ids, on_open, key=_OPEN, width_px=200),
        "When": text("When", width=85),
        "Pipeline": text("Pipeline", width=165),
        "State": st.column_config.MultiselectColumn(
            "State",
            options=list(_STATES.values()),
            color=[RUN_LOOKS[state].color for state in RunState],
            width=100,
        ),
        "Rows": text("Rows", width=125),
        "Flags": text(
            "Flags",
            width=100,
            help="Rows that failed, failed a check, or have a number or name in their summary "
            "that is not in their input.",
        ),
        "Median": text("Median", width=70),
        "By": text("By", width=100),
        "Workspace": text("Workspace", width=150),
    }
    if is_search:
        columns["Found in"] = text("Found in", width=80)
    return columns


def _pipeline(run: Run) -> str:
    version = presenting.short_id(plain(run.pipeline_version), _VERSION_LETTERS)
    return f"{short(run.pipeline_name, _LONGEST)} {version}".strip()


def run_by(run: Run, *, me: str) -> str:
    """Return who started a run; `me` is the reader's own id. Plain text."""
    return (
        "you"
        if run.owner_id == me
        else short(presenting.person(run.owner_email), _LONGEST) or "another person"
    )


def _found(rows: int | None) -> str:
    return "the name" if rows is None else count(rows, "row")
