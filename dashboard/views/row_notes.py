"""What the reader thinks of the row that is shown: a thumb, a note, a better summary."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime

import streamlit as st

from components import presenting
from components.text import count, md, told_when
from dashboard import live, runtime, session
from dashboard.domain.row_note import RowNote, Thumb
from dashboard.domain.run import Run
from dashboard.errors import DashboardError
from dashboard.services.run_history import LONGEST_NOTE, LONGEST_SUMMARY

_MOST_NAMED = 12
_MARKS = {Thumb.UP: "judged good", Thumb.DOWN: "judged bad", Thumb.NONE: "noted"}
_THUMB_WORDS = {Thumb.UP: ":material/thumb_up: Good", Thumb.DOWN: ":material/thumb_down: Bad"}


def draw(run: Run, row_index: int) -> None:
    """Draw the fields under the reading pane, closed until somebody opens them."""
    current = runtime.current()
    known = live.read(current.history.notes(current.identity(), run.run_id), wait=False)
    notes = known.value or {}
    opinion = st.expander(
        f"Your opinion on row {row_index + 1:,}",
        # With another row it is another one: whoever judges row after row finds it open.
        session.opinion_begins_open(row_index),
        icon=":material/rate_review:",
        key=f"row_opinion_{row_index}",
        on_change="rerun",
    )
    session.note_opinion_open(row_index, is_open=bool(opinion.open))
    # Closed, it costs nothing: no text is opened and no field is sent.
    if opinion.open:
        with opinion:
            if known.value is not None:
                _fields(run, row_index, notes.get(row_index))
            elif known.error is not None:
                st.markdown(f":orange[Opinions cannot be shown. {md(known.error.message)}]")
            else:
                st.skeleton(height=160)
    if notes:
        st.markdown(f":small[:gray[{_overview(notes)}]]")


def marks(run: Run) -> Mapping[int, str]:
    """Return what somebody thinks of each row, in words for the list of rows."""
    current = runtime.current()
    known = live.read(current.history.notes(current.identity(), run.run_id), wait=False)
    return {index: _MARKS[note.thumb] for index, note in (known.value or {}).items()}


def _fields(run: Run, row_index: int, kept: RowNote | None) -> None:
    version = session.opinion_version(run.run_id, row_index, kept.at if kept is not None else None)
    key = f"{run.run_id}_{row_index}_{version}"
    thumb_key, note_key, better_key = f"thumb_{key}", f"note_{key}", f"better_{key}"

    def save() -> None:
        note = RowNote(
            row_index,
            who="",
            at=datetime.now(UTC),
            thumb=Thumb(st.session_state.get(thumb_key) or Thumb.NONE),
            note=str(st.session_state.get(note_key) or "").strip(),
            corrected=str(st.session_state.get(better_key) or "").strip(),
        )
        session.note_opinion(run.run_id, row_index, note.at)
        _save(run, note)

    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.segmented_control(
            "How good is this summary?",
            [int(thumb) for thumb in _THUMB_WORDS],
            format_func=lambda value: _THUMB_WORDS[Thumb(value)],
            default=int(kept.thumb) if kept is not None and kept.thumb else None,
            key=thumb_key,
            on_change=save,
        )
        st.markdown(_state(run, row_index, kept), width="content")
    summary = _summary(run, row_index)

    def begin() -> None:
        st.session_state[better_key] = summary

    models, better = st.columns(2, gap="medium")
    with models:
        st.markdown(":small[The model's summary]")
        st.markdown(md(summary) or ":gray[None]")
        if summary:
            st.button(
                "Start from it",
                icon=":material/edit:",
                type="tertiary",
                key=f"better_begin_{key}",
                on_click=begin,
            )
    with better:
        st.text_area(
            "A better summary",
            value=kept.corrected if kept is not None else "",
            height=120,
            max_chars=LONGEST_SUMMARY,
            help="Kept beside the model's, which stays as it is.",
            key=better_key,
            on_change=save,
        )
    st.text_area(
        "Note",
        value=kept.note if kept is not None else "",
        height=80,
        max_chars=LONGEST_NOTE,
        key=note_key,
        on_change=save,
    )
    st.markdown(
        ":small[:gray[Saved when you leave a field. All members of the workspace see it; a newer "
        "opinion takes its place.]]"
    )


def _save(run: Run, note: RowNote) -> None:
    current = runtime.current()
    who = current.identity()
    live.submit(
        lambda: current.history.put_note(who, run.run_id, note),
        doing=f"Saving your opinion on row {note.row_index + 1:,}",
        # What is typed while the one before is being saved must be saved too.
        once=f"{_once(run, note.row_index)}{secrets.token_hex(8)}",
    )


def _once(run: Run, row_index: int) -> str:
    return f"opinion:{run.run_id}:{row_index}:"


def _state(run: Run, row_index: int, kept: RowNote | None) -> str:
    current = runtime.current()
    who = current.identity()
    begins = _once(run, row_index)
    if any(job.once.startswith(begins) for job in current.jobs.running(who)):
        return ":small[:gray[:material/progress_activity: Saving…]]"
    if kept is None:
        return ""
    author = "you" if kept.who == who.email else md(presenting.person(kept.who)) or "another person"
    return f":small[:gray[:material/check: Saved by {author}, {_when(kept.at)}]]"


def _when(at: datetime) -> str:
    return told_when(at, now=datetime.now(UTC), zone=session.zone())


def _summary(run: Run, row_index: int) -> str:
    current = runtime.current()
    try:
        return current.runs.row(current.identity(), run.run_id, row_index).summary
    except DashboardError:  # the pane above says what is wrong
        return ""


def _overview(notes: Mapping[int, RowNote]) -> str:
    """Say which rows somebody has an opinion on."""
    words = {Thumb.UP: "good", Thumb.DOWN: "bad", Thumb.NONE: "a note"}
    told = [
        f"row {index + 1:,} ({words[note.thumb]})"
        for index, note in sorted(notes.items())[:_MOST_NAMED]
    ]
    more = len(notes) - len(told)
    return f"Opinions on {count(len(notes), 'row')}: {', '.join(told)}" + (
        f" and {more:,} more." if more else "."
    )
