"""Renaming and deleting runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from components.messages import field_box, news
from components.run_table import rows_words, run_title
from components.text import count, md, short, told_when
from dashboard import live, runtime, session
from dashboard.domain.run import Run
from dashboard.errors import DashboardError
from dashboard.services.run_history import LONGEST_TITLE, DeleteImpact
from dashboard.views import ways_back

_MOST_LISTED = 5
_TYPED = "delete_runs_typed"


def draw_rename(subject: str) -> None:
    """Draw the dialog that renames the run with this id."""
    current = runtime.current()
    who = current.identity()
    form = f"rename_run_{subject[:64]}"
    state = live.form_state(form)
    if state.done is not None:
        session.close_dialog()
        return
    known = live.read(current.history.impact(who, [subject]))
    if known.value is not None and not known.value.runs:
        _gone()
        return
    sent_form = live.drawn_form(form)
    key = session.form_key(form, "title")

    def rename() -> None:
        if session.dialog() != ("rename_run", subject):
            return  # the second click of a double click
        title = str(st.session_state.get(key, ""))
        live.submit(
            lambda: current.history.rename(who, subject, title),
            doing="Renaming the run",
            once=f"rename_run:{subject}",
            form=sent_form,
        )

    @st.dialog("Rename this run", on_dismiss=session.close_dialog)
    def dialog() -> None:
        live.pursue()
        if known.value is None:
            _awaited(known.error)
            return
        run = known.value.runs[0]
        with field_box("run_title", state.error):
            st.text_input(
                "Name",
                value=run.title,
                max_chars=LONGEST_TITLE,
                placeholder=short(run.connection_name, 80),
                help="All members of the workspace see it. Without one, the run has the name of "
                "its connection.",
                key=key,
            )
        st.button(
            "Rename",
            type="primary",
            disabled=state.is_busy,
            key="rename_run_submit",
            on_click=rename,
        )

    dialog()


def draw_delete(subject: str) -> None:
    """Draw the dialog that deletes the runs with these ids, joined by commas."""
    current = runtime.current()
    who = current.identity()
    ids = [one for one in subject.split(",") if one]
    known = live.read(current.history.impact(who, ids))
    impact = known.value
    if impact is not None and not impact.runs:
        if not known.is_loading:
            _gone()
        return

    @st.dialog(_title(impact), width="medium", on_dismiss=session.close_dialog)
    def dialog() -> None:
        live.pursue()
        if impact is None:
            _awaited(known.error)
            return
        if len(impact.runs) < len(set(ids)):
            gone = len(set(ids)) - len(impact.runs)
            st.markdown(f":orange[{gone:,} of {len(set(ids)):,} are gone meanwhile.]")
        _what_goes(impact, me=who.user_id)
        _confirmation(subject, impact)

    dialog()


def _title(impact: DeleteImpact | None) -> str:
    if impact is None:
        return "Delete runs?"
    if len(impact.runs) == 1:
        return f"Delete {md(short(run_title(impact.runs[0]), 60))}?"
    return f"Delete {len(impact.runs):,} runs?"


def _what_goes(impact: DeleteImpact, *, me: str) -> None:
    if len(impact.runs) > 1:
        now = datetime.now(UTC)
        named = [
            f"- {md(run_title(run))}, {told_when(run.created_at, now=now, zone=session.zone())}, "
            f"{rows_words(run)}"
            for run in impact.runs[:_MOST_LISTED]
        ]
        if len(impact.runs) > _MOST_LISTED:
            named.append(f"- and {len(impact.runs) - _MOST_LISTED:,} more")
        st.markdown("\n".join(named))
    rows = sum(run.rows_done + run.rows_failed for run in impact.runs)
    goes = [f"{count(rows, 'row')} with summaries and times"]
    if impact.notes:
        goes.append(count(impact.notes, "opinion") + " of readers")
    if impact.tables_going:
        goes.append(f"{count(impact.tables_going, 'fetched table')} with the inputs")
    st.markdown(f"**Goes for good:** {_and(goes)}.")
    st.markdown(f"**Stays:** {_stays(impact)}")
    for warning in _warnings(impact.runs, me):
        st.markdown(f":orange[:material/warning: {warning}]")


def _stays(impact: DeleteImpact) -> str:
    connections = "connection" if len(impact.runs) == 1 else "connections"
    told = f"the {connections} and the source of the data."
    if impact.tables_staying:
        tables = count(impact.tables_staying, "fetched table")
        told = f"{tables} that other runs show, {told}"
    return told


def _warnings(runs: Sequence[Run], me: str) -> list[str]:
    told = []
    moving = sum(not run.state.is_over for run in runs)
    if moving:
        told.append(f"{count(moving, 'run')} not over yet: cancelled first.")
    others = sum(run.owner_id != me for run in runs)
    if others:
        told.append(f"{count(others, 'run')} of other people: they lose what you delete.")
    return told


def _confirmation(subject: str, impact: DeleteImpact) -> None:
    current = runtime.current()
    who = current.identity()
    number = len(impact.runs)
    key = f"{_TYPED}_{impact.runs[0].run_id}_{number}"
    ids = [run.run_id for run in impact.runs]

    def delete() -> None:
        typed = "".join(str(st.session_state.get(key, "")).split()).replace(",", "")
        if session.dialog() != ("delete_runs", subject) or (number > 1 and typed != str(number)):
            return  # the second click of a double click, or not confirmed
        session.close_dialog()
        session.set_ticked_runs([one for one in session.ticked_runs() if one not in set(ids)])
        live.submit(
            lambda: current.history.delete(who, ids),
            doing="Deleting the run" if number == 1 else f"Deleting {number:,} runs",
            once=f"delete_runs:{subject}",
        )

    is_confirmed = number == 1
    if number > 1:
        typed = st.text_input(f"Type {number} to delete them", live=True, width=220, key=key)
        is_confirmed = "".join((typed or "").split()).replace(",", "") == str(number)
    with st.container(horizontal=True):
        st.button(
            "Delete",
            type="primary",
            disabled=not is_confirmed,
            key="delete_runs_confirm",
            on_click=delete,
        )
        st.button("Keep", type="tertiary", key="delete_runs_keep", on_click=session.close_dialog)


def _awaited(error: DashboardError | None) -> None:
    if error is not None:
        ways_back.show(error, what="these runs", key="run_dialog")
    else:
        st.skeleton(height=160)


def _gone() -> None:
    session.close_dialog()
    session.keep_message(news("This run was deleted meanwhile."))


def _and(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
