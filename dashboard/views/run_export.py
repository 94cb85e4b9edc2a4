"""Taking a run out: its rows as a file, its receipt, a notebook that repeats it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from typing import Final

import streamlit as st

from components.messages import field_error
from components.text import count, md, short
from dashboard import live, runtime, session
from dashboard.domain.run import Run
from dashboard.errors import DashboardError
from dashboard.services.jobs import JobState
from dashboard.services.run_export import MOST_ROWS_AT_ONCE, RowForm

_NOT_SAFE: Final = re.compile(r"[^A-Za-z0-9]+")
_FORMS: Final = {
    RowForm.CSV: ("CSV", "For spreadsheets; no cell is taken for a formula."),
    RowForm.PARQUET: ("Parquet", "For programs; numbers and times keep their types."),
    RowForm.JSON: ("JSON", "One record for each row."),
}


@dataclass(frozen=True, slots=True)
class _Download:
    """One button: what it is called and what it gives."""

    key: str
    label: str
    help: str
    ending: str
    mime: str
    make: Callable[[], bytes | str]


def draw(subject: str) -> None:
    """Draw the dialog for the run with this id."""
    current = runtime.current()
    form = f"export_run_{subject}"

    def close() -> None:
        session.renew_form(form)
        session.close_dialog()

    @st.dialog("Export a run", width="medium", on_dismiss=close)
    def dialog() -> None:
        live.pursue()
        try:
            run = current.runs.run(current.identity(), subject)
        except DashboardError as error:
            field_error(error.message, error.hint)
            return
        _explain(run)
        _rows(run, form)
        _receipt(run)
        _notebook(run)

    dialog()


def file_stem(run: Run) -> str:
    """Return how a run's files begin: its connection and its time, in safe characters only."""
    name = _NOT_SAFE.sub("-", run.connection_name)[:40].strip("-").lower() or "run"
    return f"{name}-{run.created_at.astimezone(UTC):%Y%m%d-%H%M%S}"


def _explain(run: Run) -> None:
    name = md(short(run.title or run.connection_name, 60))
    told = f"**{name}**, {count(run.rows_total, 'row')}."
    if not run.state.is_over:
        told += " It is still going on: files hold what is there now."
    st.markdown(told)


def _group(title: str, words: str) -> None:
    st.markdown(f"**{title}**  \n:small[:gray[{words}]]")


def _rows(run: Run, form: str) -> None:
    _group(
        "Rows",
        "Every text with its summary, state, times and notes. "
        ":material/lock: Texts are private data: keep the file where only those may read it "
        "who may read the texts.",
    )
    if run.rows_total <= MOST_ROWS_AT_ONCE:
        _downloads(run, [_rows_at_once(run, kind) for kind in RowForm])
    else:
        _prepared(run, form)


def _rows_at_once(run: Run, kind: RowForm) -> _Download:
    current = runtime.current()
    who = current.identity()
    label, told = _FORMS[kind]
    return _Download(
        kind.value,
        label,
        told,
        f"-rows.{kind.value}",
        kind.mime,
        lambda: current.exports.rows(who, run.run_id, kind),
    )


def _prepared(run: Run, form: str) -> None:
    """Draw the way to a file that takes a while: chosen, made as a job, then downloaded."""
    current = runtime.current()
    who = current.identity()
    session.note_form_drawn(form)
    file_id, chosen = session.export_of(run.run_id)
    job = current.jobs.find(who, session.job_of(form))
    is_busy = job is not None and job.state is JobState.RUNNING
    # The dialog may have been closed and opened again meanwhile.
    if is_busy or current.exports.progress(who, file_id) is not None:
        _progress(run, file_id)
        return
    if job is not None and job.error is not None:
        field_error(f"{job.error.title}. {job.error.message}", job.error.hint)
    if chosen and current.exports.is_ready(who, file_id):
        kind = RowForm(chosen)
        label, told = _FORMS[kind]
        ready = _Download(
            "ready",
            f"Download {label}",
            told,
            f"-rows.{kind.value}",
            kind.mime,
            lambda: current.exports.file(who, file_id),
        )
        _downloads(run, [ready], is_primary=True)
    sent_form = live.drawn_form(form)
    with st.container(horizontal=True):
        for kind in RowForm:
            label, told = _FORMS[kind]
            st.button(
                f"Make {label}",
                help=told,
                key=f"export_run_make_{kind.value}",
                on_click=_make,
                args=(run, kind, sent_form),
            )


def _make(run: Run, kind: RowForm, form: live.Form) -> None:
    if session.dialog() != ("export_run", run.run_id):
        return
    current = runtime.current()
    who = current.identity()
    if current.exports.progress(who, session.export_of(run.run_id)[0]) is not None:
        return  # the second click of a double click
    session.drop_job(form.name)
    file_id = session.note_export(run.run_id, kind.value)
    live.submit(
        lambda: current.exports.make_file(who, run.run_id, kind, file_id),
        doing=f"Making a file of {count(run.rows_total, 'row')}",
        once=f"export_run:{run.run_id}",
        form=form,
    )


def _progress(run: Run, file_id: str) -> None:
    @st.fragment(run_every=0.5, key="export_run_progress")
    def progress() -> None:
        current = runtime.current()
        rows = current.exports.progress(current.identity(), file_id) or 0
        told = f"{rows:,} of {count(run.rows_total, 'row')} written"
        st.progress(rows / run.rows_total if run.rows_total else 1.0, text=told)

    progress()


def _receipt(run: Run) -> None:
    current = runtime.current()
    who = current.identity()
    _group(
        "Receipt",
        "What was run on what, by whom and when, its settings, counts and times. No text, no "
        "address and nothing of the connection but its name.",
    )
    _downloads(
        run,
        [
            _Download(
                "receipt_json",
                "Receipt as JSON",
                "For programs.",
                "-receipt.json",
                "application/json",
                lambda: current.exports.receipt_json(who, run.run_id),
            ),
            _Download(
                "receipt_page",
                "Receipt to print",
                "A page of its own for the browser; it loads nothing.",
                "-receipt.html",
                "text/html",
                lambda: current.exports.receipt_page(who, run.run_id),
            ),
        ],
    )


def _notebook(run: Run) -> None:
    current = runtime.current()
    who = current.identity()
    _group(
        "Notebook",
        "Repeats this run with the Wallaroo SDK: signs in by its environment variables, reads the "
        "connection anew, and says when the source has changed. It holds no text and no secret.",
    )
    made = _Download(
        "notebook",
        "Notebook",
        "For Jupyter.",
        ".ipynb",
        "application/x-ipynb+json",
        lambda: current.exports.notebook(who, run.run_id),
    )
    _downloads(run, [made])


def _downloads(run: Run, offered: list[_Download], *, is_primary: bool = False) -> None:
    with st.container(horizontal=True):
        for one in offered:
            st.download_button(
                one.label,
                data=one.make,
                file_name=f"{file_stem(run)}{one.ending}",
                mime=one.mime,
                help=one.help,
                icon=":material/download:",
                type="primary" if is_primary else "secondary",
                key=f"export_run_{one.key}",
                on_click="ignore",
            )
