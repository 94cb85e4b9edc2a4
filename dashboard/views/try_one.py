"""Try one: paste a text, get its summary, without a connection.

The text and its summary are private: they stay in this session while the fold is on the screen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import streamlit as st

from components import outage, presenting
from components.messages import field_error
from components.reading_pane import reading_pane
from components.text import md, milliseconds, plain
from dashboard import live, runtime, session, strings
from dashboard.domain.pipeline import Pipeline, PipelineState
from dashboard.domain.run import RunRow
from dashboard.domain.workspace import Workspace
from dashboard.services.try_one import MOST_CHARACTERS
from dashboard.views import deploying

_TEXT: Final = "try_one_text"
_PIPELINE: Final = "try_one_pipeline"
_READY: Final = (PipelineState.RUNNING, PipelineState.DEGRADED)


def draw(room: Workspace, pipelines: Sequence[Pipeline]) -> None:
    """Draw the fold below the choice of a table."""
    here = [
        one for one in pipelines if one.workspace_id == room.workspace_id and _takes_a_text(one)
    ]
    if not here:
        return  # what this workspace lacks is said above, and other models take no text
    with st.expander("Try one text", icon=":material/edit_note:", key="try_one"):
        _form(here)
        _answer()


def _takes_a_text(pipeline: Pipeline) -> bool:
    version = deploying.model_version_of(pipeline)
    return version is None or version.is_summarizer


def _form(here: Sequence[Pipeline]) -> None:
    current = runtime.current()
    who = current.identity()
    st.text_area(
        "Text",
        height=160,
        max_chars=MOST_CHARACTERS,
        placeholder="Paste a text in English here.",
        key=_TEXT,
    )
    st.markdown(
        ":small[:gray[:material/lock: The text goes to the pipeline alone. Text and summary are "
        "not stored here, and go when you leave this page.]]"
    )
    states = {one.pipeline_id: current.watch.look(who, one).state for one in here}
    ordered = sorted(here, key=lambda one: states[one.pipeline_id] not in _READY)
    pipeline = ordered[0]
    if len(ordered) > 1:
        by_id = {one.pipeline_id: one for one in ordered}
        chosen = st.selectbox(
            "Pipeline",
            list(by_id),
            format_func=lambda one: _label(by_id[one], states[one]) if one in by_id else "",
            key=_PIPELINE,
        )
        pipeline = by_id.get(chosen, pipeline)
    state = states[pipeline.pipeline_id]
    with st.container(horizontal=True, vertical_alignment="center"):
        _buttons(pipeline, state, here)
        if len(ordered) == 1:
            st.markdown(f":small[:gray[{md(_label(pipeline, state))}]]", width="content")


def _label(pipeline: Pipeline, state: PipelineState | None) -> str:
    told = state.value.lower() if state is not None else "asking the platform…"
    return f"{plain(pipeline.name)}: {told}"


def _buttons(pipeline: Pipeline, state: PipelineState | None, here: Sequence[Pipeline]) -> None:
    current = runtime.current()
    trial = session.trial()
    if current.try_one.is_under_way(current.identity(), trial.trial_id):
        st.button("Summarizing…", disabled=True, key="try_one_busy")
        st.button("Cancel", type="tertiary", key="try_one_cancel", on_click=_clear)
        return
    if state is PipelineState.NOT_DEPLOYED:
        st.button(
            "Deploy…",
            icon=":material/rocket_launch:",
            **outage.off(),
            key="try_one_deploy",
            on_click=lambda: session.open_dialog("deploy", str(pipeline.pipeline_id)),
        )
    else:
        st.button(
            "Summarize it",
            icon=":material/play_arrow:",
            **outage.off(disabled=state not in _READY),
            key="try_one_send",
            on_click=_send,
            args=(pipeline, here),
        )
    if trial.trial_id:
        st.button("Clear", type="tertiary", key="try_one_clear", on_click=_clear_all)


def _send(drawn: Pipeline, here: Sequence[Pipeline]) -> None:
    current = runtime.current()
    who = current.identity()
    # Read where it is kept: a click can come together with the choice before it.
    chosen = st.session_state.get(_PIPELINE, drawn.pipeline_id)
    pipeline = next((one for one in here if one.pipeline_id == chosen), drawn)
    if current.try_one.is_under_way(who, session.trial().trial_id):
        return  # the second click of a double click
    text = str(st.session_state.get(_TEXT) or "")
    trial_id = current.try_one.begin(who)
    session.begin_trial(trial_id, engine=_engine_words(pipeline))
    live.submit(
        lambda: current.try_one.send(who, pipeline, text, trial_id),
        doing="Summarizing a text",
        once=f"try_one:{trial_id}",
    )


def _engine_words(pipeline: Pipeline) -> str:
    version = deploying.model_version_of(pipeline)
    if version is None:
        return f"Made by the pipeline {plain(pipeline.name)}."
    if version.is_embedded:
        return strings.EMBEDDED_ENGINE
    return f"Made by {plain(version.model_name)}, version {presenting.short_id(version.version)}."


def _clear() -> None:
    current = runtime.current()
    current.try_one.cancel(current.identity(), session.trial().trial_id)
    session.drop_trial()


def _clear_all() -> None:
    _clear()
    st.session_state[_TEXT] = ""


def _answer() -> None:
    current = runtime.current()
    trial = session.trial()
    if trial.trial_id and trial.row is None and trial.error is None:
        came = current.try_one.take(current.identity(), trial.trial_id)
        if came is not None:
            trial = session.end_trial(came.row, came.error)
    if trial.error is not None:
        message, hint = trial.error
        field_error(message, hint)
    elif trial.row is not None:
        _summary(trial.row, trial.engine, trial.trial_id)


def _summary(row: RunRow, engine: str, trial_id: str) -> None:
    st.markdown(f"**Summarized in {milliseconds(row.timing.total_ms)}**")
    reading_pane([row], chosen=0, engine_label=engine, key=f"try_one_pane_{trial_id[:8]}")
    st.markdown(f":small[:gray[**Evidence**: {md(strings.EVIDENCE)}]]")
