"""One pipeline: what it is doing, whether it costs anything, and what can be done about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import streamlit as st

from components.badges import pipeline_badge
from components.text import count, duration, md, memory
from dashboard import strings
from dashboard.domain.deployment import MAY_RECOVER_S, Phase, PhaseState
from dashboard.domain.deployment_settings import DeploymentSettings
from dashboard.domain.model import ModelVersion
from dashboard.domain.pipeline import DeploymentStatus, Pipeline, PipelineState, Pod

_PHASE_TITLES = {
    "accepted": "Settings accepted",
    "room": "Room found on the platform",
    "engine": "Engine ready",
    "sidekick": "Sidekick has loaded the model",
    "ready": "Ready to answer",
}


class PipelineAct(StrEnum):
    """What was asked for."""

    DEPLOY = "deploy"
    UNDEPLOY = "undeploy"
    SUMMARIZE = "summarize"


@dataclass(frozen=True, slots=True)
class PipelineFacts:
    """What the card shows.

    Parameters
    ----------
    status
        None while the platform has not answered yet.
    since_s, started_s, usual_start_s
        Seconds in this state; since the start was asked for; that earlier starts took.
    settings
        What the running deployment was asked to take, if known.
    problem
        Why the platform could not be asked for the state the last time.
    """

    pipeline: Pipeline
    status: DeploymentStatus | None
    since_s: float
    started_s: float | None
    usual_start_s: float | None
    phases: Sequence[Phase]
    settings: DeploymentSettings | None
    model_version: ModelVersion | None
    problem: str = ""


def pipeline_card(
    facts: PipelineFacts, *, is_busy: bool, on_act: Callable[[PipelineAct], None]
) -> None:
    """Draw the card; `on_act` is called with what was asked for. Open while it moves or runs."""
    pipeline, status = facts.pipeline, facts.status
    key = f"pipeline_{pipeline.pipeline_id}"
    with st.container(border=True, key=key):
        with st.container(horizontal=True, vertical_alignment="center"):
            with st.container(horizontal=True, vertical_alignment="center", width="stretch"):
                st.markdown(f"**{md(pipeline.name)}**", width="content")
                if status is None:
                    st.markdown(":gray-badge[Asking the platform…]")
                else:
                    st.markdown(pipeline_badge(status.state, state_words(facts)))
            with st.container(horizontal=True, width="content", gap="small"):
                _buttons(facts, key=key, is_busy=is_busy, on_act=on_act)
        if facts.problem:
            st.markdown(f":small[:orange[:material/warning: {md(facts.problem)}]]")
        if status is not None and status.state.uses_resources:
            _open(facts)
        else:
            st.markdown(f":small[:gray[{md(_one_line(facts))}]]")


def state_words(facts: PipelineFacts) -> str:  # noqa: PLR0911 - one answer a state
    """Return the state in words with its time, as on the badge."""
    if facts.status is None:
        return ""
    state = facts.status.state
    if state is PipelineState.STARTING:
        told = f"Starting, {duration(facts.started_s or facts.since_s)}"
        return f"{told} of about {duration(facts.usual_start_s)}" if facts.usual_start_s else told
    if state is PipelineState.STOPPING:
        return f"Stopping, {duration(facts.since_s)}"
    if state is PipelineState.ERROR:
        return "Error, may recover" if _may_recover(facts) else "Error, final"
    if state is PipelineState.DEGRADED:
        answering = sum(pod.status == "Running" for pod in facts.status.engines)
        replicas = len(facts.status.engines)
        return f"Degraded: {answering} of {count(replicas, 'replica')} answers"
    if state is PipelineState.RUNNING and facts.since_s > 10:
        return f"Running for {duration(facts.since_s)}"
    return state.value


def _buttons(
    facts: PipelineFacts, *, key: str, is_busy: bool, on_act: Callable[[PipelineAct], None]
) -> None:
    def button(label: str, act: PipelineAct, name: str, *, is_primary: bool = False) -> None:
        st.button(
            label,
            type="primary" if is_primary else "secondary",
            disabled=is_busy and act is not PipelineAct.SUMMARIZE,
            key=f"{key}_{name}",
            on_click=on_act,
            args=(act,),
        )

    state = facts.status.state if facts.status is not None else None
    if state is PipelineState.NOT_DEPLOYED:
        button("Deploy…", PipelineAct.DEPLOY, "deploy", is_primary=True)
    elif state is PipelineState.STARTING:
        button("Cancel and undeploy", PipelineAct.UNDEPLOY, "cancel")
    elif state in (PipelineState.RUNNING, PipelineState.DEGRADED):
        button("Summarize", PipelineAct.SUMMARIZE, "summarize", is_primary=True)
    if state in (PipelineState.RUNNING, PipelineState.DEGRADED, PipelineState.ERROR):
        button("Deploy again…", PipelineAct.DEPLOY, "redeploy")
        button("Undeploy…", PipelineAct.UNDEPLOY, "undeploy")


def _one_line(facts: PipelineFacts) -> str:
    versions = facts.pipeline.versions
    steps = versions[0].steps if versions else ()
    model = steps[0].model_name if steps else "no model yet"
    state = facts.status.state if facts.status is not None else None
    uses = "Uses nothing now." if state is PipelineState.NOT_DEPLOYED else ""
    room = facts.pipeline.workspace_name
    return f"Model {model}, {count(len(versions), 'version')}, in {room}. {uses}"


def _open(facts: PipelineFacts) -> None:
    left, right = st.columns([1.6, 1])
    with left:
        if facts.status is not None and facts.status.state is PipelineState.ERROR:
            _why(facts)
        if facts.phases and facts.status is not None:
            _timeline(facts.phases, facts.started_s or 0.0)
        if facts.status is not None:
            _pods(facts.status)
    with right:
        _uses(facts)


def _timeline(phases: Sequence[Phase], elapsed_s: float) -> None:
    for phase in phases:
        title = _PHASE_TITLES[phase.key]
        if phase.state is PhaseState.DONE:
            st.status(f"{title} :gray[{duration(phase.at_s or 0)}]", state="complete", type="step")
        elif phase.state is PhaseState.NOW:
            told = f"{title}: waiting, {duration(elapsed_s)} so far"
            st.status(told, state="running", type="step")
        elif phase.state is PhaseState.FAILED:
            st.status(f"{title}: not yet", state="error", type="step")
        else:
            st.markdown(f":gray[:material/circle: {title}]")


def _why(facts: PipelineFacts) -> None:
    assert facts.status is not None  # noqa: S101 - the caller has looked
    pods = (*facts.status.engines, *facts.status.load_balancers, *facts.status.sidekicks)
    lacking = next((pod for pod in pods if pod.required_cpu or pod.required_memory), None)
    if lacking is not None:
        needs = f"{lacking.required_cpu} CPU" if lacking.required_cpu else lacking.required_memory
        st.markdown(
            f"The platform has no room for it: {md(facts.pipeline.name)} needs {md(needs)}. "
            f"{'It keeps trying. ' if _may_recover(facts) else ''}"
            "Ask for a smaller size, or undeploy something else."
        )
        return
    reason = next((pod.reason for pod in pods if pod.reason), "")
    told = f" The platform says: {md(reason)}." if reason else ""
    hope = (
        "It may recover within ten minutes of the deploy."
        if _may_recover(facts)
        else "It has not recovered within ten minutes. Undeploy it, then deploy it again."
    )
    st.markdown(f"It does not start.{told} {hope}")


def _may_recover(facts: PipelineFacts) -> bool:
    return facts.started_s is None or facts.started_s < MAY_RECOVER_S


def _pods(status: DeploymentStatus) -> None:
    with st.expander("The platform's own words", type="compact"):
        rows = [
            (kind, pod)
            for kind, pods in (
                ("Engine", status.engines),
                ("Load balancer", status.load_balancers),
                ("Sidekick", status.sidekicks),
            )
            for pod in pods
        ]
        st.markdown(f":small[State: {md(status.platform_word or 'none')}]")
        for kind, pod in rows:
            st.markdown(f":small[{kind} {md(pod.name)}: {md(_pod_words(pod))}]")


def _pod_words(pod: Pod) -> str:
    return ". ".join(part for part in (pod.status, pod.reason, *pod.details) if part)


def _uses(facts: PipelineFacts) -> None:
    settings = facts.settings
    if settings is not None:
        st.markdown("**Uses** :gray[until undeployed]")
        st.markdown(
            f":small[{settings.total_cpus:g} CPU, {memory(settings.total_memory_bytes)}, "
            f"{count(settings.replicas, 'replica')}]"
        )
    version = facts.model_version
    if version is not None:
        st.markdown(f"**Model** :gray[version {md(version.version[:8])}]")
        if version.is_embedded:
            st.markdown(f":small[{md(strings.EMBEDDED_ENGINE)}]")
        else:
            st.markdown(f":small[{md(version.model_name)}, {md(version.image_path)}]")
