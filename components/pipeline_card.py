"""One pipeline: what it is doing, whether it costs anything, and what can be done about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import streamlit as st

from components import presenting
from components.badges import pipeline_badge
from components.idle_guard import guard_progress, guard_sentence, keep_button, policy_popover
from components.pipeline_facts import (
    PipelineAct,
    PipelineFacts,
    last_use_words,
    one_line,
    since_words,
    state_words,
    uses_words,
)
from components.pipeline_phases import own_words, process_log, processes, timeline
from components.pipeline_trouble import why
from components.pipeline_versions import pipeline_versions
from components.text import duration, md
from dashboard import strings
from dashboard.domain.deployment import PhaseState
from dashboard.domain.model import ModelVersion
from dashboard.domain.pipeline import PipelineState

#: For so long after a start its phases stay to be looked at.
_PHASES_STAY_S: Final = 90.0
_SERVING: Final = (PipelineState.RUNNING, PipelineState.DEGRADED)

OnAct = Callable[[PipelineAct], None]
#: Takes after how many minutes unused it is to stop; None is off.
OnGuard = Callable[[int | None], None]


def pipeline_card(
    facts: PipelineFacts,
    *,
    is_busy: bool,
    on_act: OnAct,
    on_guard: OnGuard,
    is_open: bool = True,
    is_only: bool = True,
) -> st.delta_generator.DeltaGenerator:
    """Draw the card; `on_act` is called with what was asked for, `on_guard` with a new policy.

    Returns its container, for what else belongs below.

    Parameters
    ----------
    is_busy
        Whether a deploy or undeploy of it is on its way.
    is_open
        Whether it is drawn with everything there is to say, rather than in one line.
    is_only
        Whether it is the only one, so that there is nothing to open or close.
    """
    card = st.container(border=True, key=f"pipeline_{facts.pipeline.pipeline_id}")
    with card:
        with st.container(horizontal=True, vertical_alignment="center"):
            with st.container(width="stretch", gap="xxsmall"):
                _heading(facts)
                if not is_open:
                    _short(facts)
            with st.container(horizontal=True, width="content", gap="small"):
                if facts.why_off:
                    _buttons_off(facts)
                else:
                    _buttons(facts, is_busy=is_busy, is_open=is_open, on_act=on_act)
                if not is_only:
                    _open_button(facts, is_open=is_open, on_act=on_act)
        if is_open:
            _open(facts, is_busy=is_busy, on_guard=on_guard)
    return card


def _heading(facts: PipelineFacts) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{md(facts.pipeline.name)}**", width="content")
        if facts.status is None:
            asking = "Not known" if facts.problem or facts.why_off else "Asking the platform…"
            st.markdown(f":gray-badge[{asking}]", width="content")
        else:
            badge = pipeline_badge(facts.status.state, state_words(facts))
            st.markdown(badge, width="content")
    if facts.problem:
        st.markdown(f":small[:orange[:material/warning: {md(facts.problem)}]]")


def _short(facts: PipelineFacts) -> None:
    if facts.state in (PipelineState.ERROR, PipelineState.DEGRADED):
        why(facts)
    st.markdown(f":small[:gray[{md(one_line(facts))}]]")


def _buttons(facts: PipelineFacts, *, is_busy: bool, is_open: bool, on_act: OnAct) -> None:
    key = f"pipeline_{facts.pipeline.pipeline_id}"

    def button(label: str, act: PipelineAct, name: str, *, is_primary: bool = False) -> None:
        st.button(
            label,
            type="primary" if is_primary and is_open else "secondary",
            **(
                presenting.off(disabled=is_busy)
                if act in (PipelineAct.UNDEPLOY, PipelineAct.CANCEL)
                else {"disabled": is_busy and act is not PipelineAct.SUMMARIZE}
            ),
            key=f"{key}_{name}",
            on_click=on_act,
            args=(act,),
        )

    state = facts.state
    if state is PipelineState.NOT_DEPLOYED:
        button("Deploy…", PipelineAct.DEPLOY, "deploy", is_primary=True)
    elif state is PipelineState.STARTING and _serves_already(facts):
        button("Undeploy…", PipelineAct.UNDEPLOY, "undeploy")
    elif state is PipelineState.STARTING:
        button("Cancel and undeploy", PipelineAct.CANCEL, "cancel")
    elif state in _SERVING and is_open:
        version = facts.model_version
        does = "Summarize" if version is None or version.is_summarizer else "Run a table"
        button(does, PipelineAct.SUMMARIZE, "summarize", is_primary=True)
    if state in _SERVING and facts.guard is not None and facts.guard.stops_at is not None:
        keep_button(f"{key}_keep", lambda: on_act(PipelineAct.KEEP))
    if state in (*_SERVING, PipelineState.ERROR):
        if is_open:
            button("Deploy again…", PipelineAct.DEPLOY, "redeploy")
        button("Undeploy…", PipelineAct.UNDEPLOY, "undeploy")


def _buttons_off(facts: PipelineFacts) -> None:
    key = f"pipeline_{facts.pipeline.pipeline_id}"
    for label, name in (("Deploy…", "deploy"), ("Undeploy…", "undeploy")):
        st.button(label, key=f"{key}_{name}", disabled=True, help=facts.why_off)


def _serves_already(facts: PipelineFacts) -> bool:
    """Whether an earlier version answers while this one starts: stopping it needs a question."""
    earlier = {one.version for one in facts.pipeline.versions[1:]}
    running = facts.status.running_versions if facts.status is not None else ()
    return not earlier.isdisjoint(running)


def _open_button(facts: PipelineFacts, *, is_open: bool, on_act: OnAct) -> None:
    label, act = ("Close", PipelineAct.CLOSE) if is_open else ("Details", PipelineAct.OPEN)
    st.button(
        label,
        type="tertiary",
        icon=":material/expand_less:" if is_open else ":material/expand_more:",
        key=f"pipeline_{facts.pipeline.pipeline_id}_{act}",
        on_click=on_act,
        args=(act,),
    )


def _open(facts: PipelineFacts, *, is_busy: bool, on_guard: OnGuard) -> None:
    left, right = st.columns([1.6, 1], gap="medium")
    with left:
        _progress(facts)
    with right, st.container(gap="small"):
        _guard(facts, is_busy=is_busy, on_guard=on_guard)
        _uses(facts)
        _model(facts.model_version)
    running = facts.status.running_versions if facts.status is not None else ()
    pipeline_versions(facts.pipeline, running, now=facts.now, zone=facts.zone)


def _progress(facts: PipelineFacts) -> None:
    state = facts.state
    if state in (PipelineState.ERROR, PipelineState.DEGRADED, PipelineState.STARTING):
        why(facts)
    is_fresh = facts.since_s < _PHASES_STAY_S and bool(facts.phases)
    if state in (PipelineState.STARTING, PipelineState.ERROR) or (state in _SERVING and is_fresh):
        timeline(facts)
    elif state in _SERVING and facts.phases and facts.phases[-1].state is PhaseState.DONE:
        took = duration(facts.phases[-1].at_s or 0.0)
        st.markdown(f":small[:gray[It was ready {took} after it was deployed.]]")
    elif not facts.uses_resources:
        st.markdown(f":small[:gray[{md(one_line(facts))}]]")
    if state is PipelineState.STOPPING:
        st.markdown(":small[:gray[Its processes are ending. Usually this takes under a minute.]]")
    if facts.uses_resources:
        processes(facts)
        process_log(facts)
        own_words(facts)


def _section(title: str, *lines: str) -> None:
    """Draw a heading with muted lines below it. Markdown."""
    with st.container(gap=None):
        if title:
            st.markdown(title)
        st.markdown("  \n".join(f":small[:gray[{line}]]" for line in lines if line))


def _guard(facts: PipelineFacts, *, is_busy: bool, on_guard: OnGuard) -> None:
    guard = facts.guard
    if not facts.uses_resources:
        return
    is_on = guard is not None and guard.minutes is not None
    with st.container(gap="xsmall"):
        sentence = "It runs until somebody undeploys it."
        if guard is not None:
            sentence = guard_sentence(guard, now=facts.now)
        _section(f"**Idle guard** :gray[{'on' if is_on else 'off'}]", sentence)
        if guard is not None:
            key = f"pipeline_{facts.pipeline.pipeline_id}_guard"
            guard_progress(guard, now=facts.now, key=f"{key}_left")
            policy_popover(guard.minutes, key=key, on_set=on_guard, is_busy=is_busy)


def _uses(facts: PipelineFacts) -> None:
    since = md(since_words(facts)) if facts.uses_resources else ""
    lines = [since, md(last_use_words(facts))]
    if facts.uses_resources and facts.settings is not None:
        _section("**Uses** :gray[until undeployed]", uses_words(facts.settings), *lines)
    elif any(lines):
        _section("", *lines)


def _model(version: ModelVersion | None) -> None:
    if version is None:
        return
    told = strings.EMBEDDED_ENGINE if version.is_embedded else version.model_name
    if not version.is_embedded and version.image_path and not presenting.is_on():
        told = f"{version.model_name}, {version.image_path}"
    number = "" if presenting.is_on() else f" :gray[version {md(version.version[:8])}]"
    _section(f"**Model**{number}", md(told))
