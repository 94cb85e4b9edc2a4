"""A run on the page Summarize: its progress while it runs, and its rows to read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import streamlit as st

from components import loading, presenting
from components.badges import run_badge
from components.frame import page_header
from components.reading_pane import reading_pane
from components.run_bar import RunAct, RunProgress, progress_bar
from components.text import count, duration, md, short, told_when
from components.value_table import value_table
from dashboard import live, runtime, session, strings
from dashboard.domain.model import EMBEDDED_IMAGE_PREFIX
from dashboard.domain.run import Run, RunState
from dashboard.errors import DashboardError, NotFound
from dashboard.views import row_notes, ways_back

_PAGE_ROWS = 200
_MOVING_S = 0.7


def engine_words(run: Run) -> str:
    """Say in one sentence what made the summaries."""
    if run.engine.startswith(EMBEDDED_IMAGE_PREFIX):
        return strings.EMBEDDED_ENGINE
    return f"Made by {run.model_name}, version {presenting.short_id(run.model_version)}."


def draw(run_id: str) -> None:
    """Draw the run, live while it moves."""
    current = runtime.current()
    who = current.identity()
    rooms = live.read(current.catalog.workspaces(who))
    if rooms.value is None:
        # Whether this run may be seen is for the platform to say.
        page_header("Summarize")
        if rooms.error is not None:
            ways_back.show(rooms.error, what="this run", key="run_rooms")
        else:
            loading.skeleton("your workspaces", rooms, height=448)
        return
    try:
        run = current.runs.run(who, run_id)
    except NotFound:
        page_header("Summarize")
        st.markdown("This run is not kept any more.")
        st.button("Choose a table", type="primary", key="run_gone", on_click=st.query_params.clear)
        return
    except DashboardError as error:
        page_header("Summarize")
        ways_back.show(error, what="this run", key="run")
        return
    _header(run)
    every_s = None if run.state.is_over else _MOVING_S
    st.fragment(_body, run_every=every_s, key="run_body")(run_id)


def _header(run: Run) -> None:
    now = datetime.now(UTC)
    when = told_when(run.created_at, now=now, zone=session.zone())
    rows = count(run.rows_total, "row")
    if run.state.is_over:  # before that the bar below counts, and this line stands still
        rows = f"{run.rows_done:,} of {rows} done"
    took = ""
    if run.started_at and run.finished_at:
        took = f" in {duration((run.finished_at - run.started_at).total_seconds())}"
    detail = f"Run {when} on {md(run.pipeline_name)}. {rows}{took}. {md(engine_words(run))}"
    with page_header(md(short(run.title or run.connection_name, 80)), detail):
        st.button(
            "New run",
            icon=":material/arrow_back:",
            key="run_new",
            on_click=st.query_params.from_dict,
            args=(_as_before(run),),
        )
        st.button(
            "Timing",
            icon=":material/timer:",
            key="run_timing",
            on_click=lambda: session.go_to("latency", run=run.run_id),
        )
        _more(run)
        if run.state.is_over and run.rows_failed:
            st.button(
                f"Retry {count(run.rows_failed, 'failed row')}",
                icon=":material/replay:",
                key="run_retry",
                on_click=_act,
                args=(run, RunAct.RETRY),
            )


def _as_before(run: Run) -> dict[str, str]:
    """Return the address of the choice this run began with."""
    return {
        "table": run.table_id,
        "workspace": str(run.workspace_id),
        # A run knows it by its name, which an edit leaves as it is.
        "connection": run.connection_name,
    }


def _more(run: Run) -> None:
    # Another element while a dialog is open: an open popover would stay above it.
    key = "run_more_away" if session.dialog()[0] else "run_more"
    with st.popover("More", icon=":material/more_horiz:", key=key):
        ways: tuple[tuple[str, str, str, Callable[[], None]], ...] = (
            (
                "compare",
                "Compare",
                "compare_arrows",
                lambda: session.go_to("compare", a=run.run_id),
            ),
            (
                "export",
                "Export…",
                "download",
                lambda: session.open_dialog("export_run", run.run_id),
            ),
            ("rename", "Rename…", "edit", lambda: session.open_dialog("rename_run", run.run_id)),
            ("delete", "Delete…", "delete", lambda: session.open_dialog("delete_runs", run.run_id)),
        )
        for key, label, icon, act in ways:
            st.button(
                label,
                icon=f":material/{icon}:",
                type="tertiary",
                key=f"run_{key}",
                on_click=act,
                **(presenting.off() if key in ("export", "delete") else {}),
            )


def _body(run_id: str) -> None:
    live.pursue()
    current = runtime.current()
    who = current.identity()
    try:
        run = current.runs.run(who, run_id)
    except NotFound:
        st.rerun()  # deleted meanwhile: the page says so
    if not run.state.is_over:
        progress = current.runs.progress(who, run_id)
        progress_bar(
            run,
            RunProgress(
                done=progress.done,
                failed=progress.failed,
                total=run.rows_total,
                rate_per_s=progress.rate_rows_per_s,
                left_s=progress.left_s,
            ),
            on_act=lambda asked: _act(run, asked),
        )
    elif session.run_was_moving(run_id):
        # It has just ended: the header and this fragment's own pace must learn of it.
        session.note_run(run_id, moving=False)
        st.rerun()
    else:
        _ended(run)
    session.note_run(run_id, moving=not run.state.is_over)
    _rows(run)


def _ended(run: Run) -> None:
    if run.state is RunState.DONE and run.message:
        st.markdown(f":small[:gray[{md(run.message)}]]")
    if run.state is not RunState.DONE:
        st.markdown(f"{run_badge(run.state)} {md(run.message)}")
    elif run.rows_failed:
        told = f"{run.rows_failed} of {run.rows_total} failed"
        st.markdown(run_badge(RunState.FAILED, told))


def _rows(run: Run) -> None:
    current = runtime.current()
    page = 1
    if run.rows_total > _PAGE_ROWS:
        pages = -(-run.rows_total // _PAGE_ROWS)
        page = st.pagination(pages, key=f"run_page_{run.run_id}")
    rows = current.runs.rows(
        current.identity(), run.run_id, offset=(page - 1) * _PAGE_ROWS, limit=_PAGE_ROWS
    )
    if not rows:
        st.markdown(":gray[No rows yet.]")
        return
    if not run.is_of_texts:
        value_table(rows, key=f"run_values_{run.run_id}_{page}")
        st.markdown(f":small[:gray[{md(strings.SHARED_TIMES)}]]")
        return
    shown = reading_pane(
        rows,
        chosen=session.row_read(run.run_id, default=rows[0].index),
        engine_label=engine_words(run),
        key=f"pane_{run.run_id}_{page}",
        opinions=row_notes.marks(run),
    )
    session.note_row(run.run_id, shown)
    row_notes.draw(run, shown)
    st.markdown(f":small[:gray[**Evidence**: {md(strings.EVIDENCE)}]]")
    st.markdown(f":small[:gray[**Anomaly count**: {md(strings.ANOMALY_COUNT)}]]")


def _act(run: Run, act: RunAct) -> None:
    current = runtime.current()
    who = current.identity()
    if act is RunAct.CANCEL:
        live.submit(
            lambda: current.run_actions.cancel(who, run.run_id),
            doing="Cancelling the run",
            once=f"cancel:{run.run_id}",
        )
    elif act is RunAct.RETRY:
        live.submit(
            lambda: current.run_actions.retry(who, run.run_id),
            doing="Starting the failed rows again",
            once=f"retry:{run.run_id}",
        )
        session.note_run(run.run_id, moving=True)
