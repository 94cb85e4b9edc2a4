"""The cards of the home page: connections, what runs now, the last run, and recent runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from functools import partial

import pandas as pd
import streamlit as st

from components import idle_guard, outage, presenting
from components.badges import RUN_LOOKS, health_badge, pipeline_badge, run_badge
from components.run_table import run_by
from components.text import count, duration, md, plain, short, told_when
from components.vocabulary import vocabulary
from dashboard.domain.check import Health, HealthState
from dashboard.domain.connection import Connection
from dashboard.domain.idle import GuardView
from dashboard.domain.pipeline import Pipeline, PipelineState
from dashboard.domain.run import Run

Running = tuple[Pipeline, PipelineState, float]


@dataclass(frozen=True, slots=True)
class HomeIntent:
    """What was asked for: a page with its query, or something with a pipeline (its id).

    Parameters
    ----------
    undeploy_mine
        Whether everything that the reader started is meant.
    """

    page: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    undeploy: int | None = None
    keep: int | None = None
    undeploy_mine: bool = False


Ask = Callable[[HomeIntent], None]


def place_line(*, is_sandbox: bool, zone: tzinfo) -> str:
    """Return the line under the title: the place, the day and the time."""
    now = datetime.now(UTC).astimezone(zone)
    place = "Sandbox" if is_sandbox else "Instance"
    return f"{place}, {now:%A} {now.day} {now:%B}, {now:%H:%M}"


def cards_row(  # noqa: PLR0913 - what the three cards show, by keyword
    *,
    connections: Sequence[Connection],
    health: Mapping[str, Health],
    workspaces: int,
    running: Sequence[Running],
    last_run: Run | None,
    on_ask: Ask,
    guards: Mapping[int, GuardView | None] | None = None,
    mine: int = 0,
) -> None:
    """Draw the three cards.

    Parameters
    ----------
    health
        Of the connections that were ever tested or used, by their ids.
    guards
        What the idle guard says of the running pipelines, by their ids.
    mine
        How many of them the reader started.
    on_ask
        Called with what was asked for.
    """
    left, middle, right = st.columns([1, 1.25, 1])
    with left, st.container(border=True, height="stretch", key="home_connections", gap="xsmall"):
        _connections_card(connections, health, workspaces, on_ask)
    with middle, st.container(border=True, height="stretch", key="home_running", gap="xsmall"):
        _running_card(running, guards or {}, mine, on_ask)
    with right, st.container(border=True, height="stretch", key="home_last_run", gap="xsmall"):
        _last_run_card(last_run, on_ask)


def _connections_card(
    connections: Sequence[Connection], health: Mapping[str, Health], workspaces: int, on_ask: Ask
) -> None:
    linked = sum(bool(one.workspace_names) for one in connections)
    st.markdown(f"**Connections** :gray[{len(connections):,} in all]")
    if not connections:
        st.markdown(":small[None yet. A connection is the address of your data.]")
    else:
        _health(connections, health, on_ask)
        told = f"{linked:,} linked, {len(connections) - linked:,} found by name only. "
        st.markdown(f":small[:gray[{told}{count(workspaces, 'workspace')} you are in.]]")
    _ask_button("See connections", "home_see_connections", HomeIntent("connections"), on_ask)


def _health(connections: Sequence[Connection], health: Mapping[str, Health], on_ask: Ask) -> None:
    """Count the connections by health, and name the one to mend."""
    states = Counter(
        health[one.connection_id].state if one.connection_id in health else HealthState.UNTESTED
        for one in connections
    )
    with st.container(horizontal=True, gap="xsmall"):
        for state in HealthState:
            if states[state]:
                words = f"{states[state]:,} {state.value.lower()}"
                st.markdown(health_badge(state, words), width="content")
    failing = [
        one
        for one in connections
        if one.connection_id in health and health[one.connection_id].state is HealthState.FAILING
    ]
    if failing:
        st.button(
            f"Look at {md(short(failing[-1].name, 30))}",
            type="tertiary",
            icon=":material/build:",
            key="home_fix_connection",
            on_click=on_ask,
            args=(HomeIntent("connections", {"connection": failing[-1].connection_id}),),
        )


def _running_card(
    running: Sequence[Running], guards: Mapping[int, GuardView | None], mine: int, on_ask: Ask
) -> None:
    st.markdown("**Running now**")
    if outage.is_on() or not running:
        told = "Nothing is deployed. No CPU or memory is in use."
        st.markdown(f":small[{outage.NOT_KNOWN if outage.is_on() else told}]")
        _ask_button("See pipelines", "home_see_pipelines", HomeIntent("pipelines"), on_ask)
        return
    for pipeline, state, since_s in running[:3]:
        words = f"{state.value} for {duration(since_s)}" if since_s > 5 else state.value
        st.markdown(f"**{md(pipeline.name)}** {pipeline_badge(state, words)}")
        st.markdown(f":small[:gray[{md(pipeline.workspace_name)}]]")
        _guard(pipeline.pipeline_id, guards.get(pipeline.pipeline_id), on_ask)
    if len(running) > 3:
        st.markdown(f":small[and {len(running) - 3} more on the page Pipelines]")
    if mine:
        st.button(
            "Undeploy everything I started…",
            type="tertiary",
            icon=":material/stop_circle:",
            key="home_undeploy_mine",
            **presenting.off(),
            on_click=on_ask,
            args=(HomeIntent(undeploy_mine=True),),
        )


def _guard(number: int, view: GuardView | None, on_ask: Ask) -> None:
    """Draw when it stops, and the two ways to change that."""
    now = datetime.now(UTC)
    counts = view is not None and view.stops_at is not None
    if view is not None:
        icon = "timer" if not view.problem else "warning"
        sentence = idle_guard.guard_sentence(view, now=now)
        st.markdown(f":small[:material/{icon}: {sentence}]")
    if counts:
        idle_guard.guard_progress(view, now=now, key=f"home_guard_{number}")
    with st.container(horizontal=True):
        if counts:
            idle_guard.keep_button(f"home_keep_{number}", partial(on_ask, HomeIntent(keep=number)))
        _ask_button("Undeploy…", f"home_undeploy_{number}", HomeIntent(undeploy=number), on_ask)


def _last_run_card(run: Run | None, on_ask: Ask) -> None:
    st.markdown("**Last run**")
    if run is None:
        st.markdown(":small[No run yet. A run sends a table through a pipeline, row by row.]")
        return
    failed = f"{run.rows_failed:,} of {run.rows_total:,} failed" if run.rows_failed else ""
    st.markdown(f"**{md(run.connection_name)}** {run_badge(run.state, failed)}")
    rows = f"{run.rows_done:,} of {count(run.rows_total, 'row')} done"
    if run.started_at and run.finished_at:
        rows += f", {duration((run.finished_at - run.started_at).total_seconds())}"
    st.markdown(f":small[:gray[{rows}]]")
    with st.container(horizontal=True):
        query = {"run": run.run_id}
        reading = vocabulary(is_of_texts=run.is_of_texts).reading
        _ask_button(reading, "home_read_last", HomeIntent("summarize", query), on_ask)
        _ask_button("Timing", "home_time_last", HomeIntent("latency", query), on_ask)


def _ask_button(label: str, key: str, intent: HomeIntent, on_ask: Ask) -> None:
    may = presenting.off() if intent.undeploy is not None else {}
    st.button(label, key=key, on_click=on_ask, args=(intent,), **may)


def recent_runs(runs: Sequence[Run], *, me: str, zone: tzinfo) -> None:
    """Draw the table of recent runs.

    Parameters
    ----------
    me
        The platform's id of the reader's account, who is "you".
    """
    now = datetime.now(UTC)
    frame = pd.DataFrame(
        {
            "When": [told_when(run.created_at, now=now, zone=zone) for run in runs],
            "Connection": [plain(run.connection_name) for run in runs],
            "Pipeline": [plain(run.pipeline_name) for run in runs],
            "Rows": [run.rows_total for run in runs],
            "Result": [[_result(run)] for run in runs],
            "By": [run_by(run, me=me) for run in runs],
        }
    )
    colors = {
        _result(run): "orange" if run.rows_failed else RUN_LOOKS[run.state].color for run in runs
    }
    st.dataframe(
        frame,
        hide_index=True,
        row_height=34,
        width="stretch",
        key="home_runs",
        column_config={
            "Result": st.column_config.MultiselectColumn(
                "Result",
                options=list(colors),
                color=list(colors.values()),
            )
        },
        alt="Recent runs: when, connection, pipeline, rows, result and by whom",
    )


def _result(run: Run) -> str:
    glyph = RUN_LOOKS[run.state].glyph
    if run.rows_failed:
        return f"▲ {run.rows_failed:,} failed"
    return f"{glyph} {run.state.value}"
