"""Exporting connections as JSON with slots for secrets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import streamlit as st

from components import loading, outage
from components.messages import field_error
from components.text import count, md, short
from dashboard import live, runtime, session
from dashboard.domain.connection import Connection
from dashboard.services.jobs import Job, JobState
from dashboard.services.portable import MOST_CONNECTIONS

_MOST_NAMES = 6


@dataclass(frozen=True, slots=True)
class _Choice:
    """What is to be exported, and the form that follows it."""

    subject: str
    connections: Sequence[Connection]
    form: str


def draw(subject: str) -> None:
    """Draw the dialog. `subject` is ids joined by commas; an empty one means all connections."""
    current = runtime.current()
    who = current.identity()
    known = live.read(current.catalog.connections(who))
    # A form for each choice: the file of one is never offered for another.
    form = f"export_connections_{hashlib.sha256(subject.encode()).hexdigest()[:12]}"

    def close() -> None:
        session.renew_form(form)
        session.close_dialog()

    @st.dialog("Export connections", width="medium", on_dismiss=close)
    def dialog() -> None:
        live.pursue()
        if known.value is None:
            if known.error is not None:
                field_error(known.error.message, known.error.hint)
            else:
                loading.skeleton("your connections", known, height=120)
            return
        ids = frozenset(subject.split(","))
        chosen = [one for one in known.value if not subject or one.connection_id in ids]
        if not chosen:
            st.markdown(
                "There is no connection to export any more."
                if subject
                else "There is no connection yet: create one first."
            )
            return
        _explain(chosen)
        _act(_Choice(subject, chosen, form), close)

    dialog()


def _explain(chosen: Sequence[Connection]) -> None:
    names = ", ".join(f"**{md(short(one.name, 60))}**" for one in chosen[:_MOST_NAMES])
    more = f" and {len(chosen) - _MOST_NAMES:,} more" if len(chosen) > _MOST_NAMES else ""
    st.markdown(f"{count(len(chosen), 'connection')}: {names}{more}.")
    st.markdown(
        ":material/check: **In the file:** names, types, workspaces' names, the names of the "
        "details, and the values that are safe to show, such as a format.  \n"
        ":material/lock: **Not in the file:** every other value. A slot such as "
        "`${SECRET:press-releases/token}` stands in its place, and an import asks for it."
    )


def _act(choice: _Choice, close: Callable[[], None]) -> None:
    chosen = choice.connections
    current = runtime.current()
    who = current.identity()
    session.note_form_drawn(choice.form)
    job = current.jobs.find(who, session.job_of(choice.form))
    sent_form = live.drawn_form(choice.form)

    def start() -> None:
        if session.dialog() != ("export_connections", choice.subject):
            return  # the second click of a double click
        mark = session.mark()
        live.submit(
            lambda: current.portable.export(who, chosen, mark),
            doing=f"Exporting {count(len(chosen), 'connection')}",
            once="export_connections",
            form=sent_form,
        )

    if job is not None and job.state is JobState.DONE and job.outcome is not None:
        _download(job.outcome.message, job.outcome.result, close)
        return
    if job is not None and job.error is not None:
        field_error(f"{job.error.title}. {job.error.message}", job.error.hint)
    is_busy = job is not None and job.state is JobState.RUNNING
    if len(chosen) > MOST_CONNECTIONS:
        field_error(
            f"One file holds at most {MOST_CONNECTIONS:,} connections.",
            "Choose fewer in the list.",
        )
    if is_busy and job is not None:
        _follow(job)
    with st.container(horizontal=True):
        st.button(
            "Making the file…" if is_busy else "Make the file",
            type="primary",
            **outage.off(disabled=is_busy or len(chosen) > MOST_CONNECTIONS),
            key="export_connections_make",
            on_click=start,
        )
        st.button("Cancel", type="tertiary", key="export_connections_cancel", on_click=close)


def _download(message: str, text: str, close: Callable[[], None]) -> None:
    st.markdown(f":green[:material/check_circle:] {md(message)}")
    with st.container(horizontal=True):
        st.download_button(
            "Download the file",
            data=text,
            file_name=f"connections-{datetime.now(session.zone()):%Y-%m-%d}.json",
            mime="application/json",
            type="primary",
            icon=":material/download:",
            key="export_connections_download",
            on_click="ignore",
        )
        st.button("Close", type="tertiary", key="export_connections_close", on_click=close)


def _follow(job: Job) -> None:
    session.follow_job(job.job_id)

    @st.fragment(run_every=0.5, key="export_connections_progress")
    def progress() -> None:
        current = runtime.current()
        known = current.portable.progress(current.identity(), session.mark())
        if known is not None:
            read, most = known
            st.progress(read / most, text=f"{read:,} of {count(most, 'connection')} read")

    progress()
