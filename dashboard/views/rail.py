"""The rail below the navigation, on every page: the place, and what runs and costs something."""

from __future__ import annotations

from urllib.parse import urlsplit

import streamlit as st

from components.badges import Look, badge
from components.text import count, md
from dashboard import live, runtime, session
from dashboard.domain.pipeline import Pipeline, PipelineState

_SANDBOX = Look("science", "yellow", "")
_INSTANCE = Look("cloud", "green", "")


def draw() -> None:
    """Draw both cards. Waits for nothing."""
    with st.sidebar:
        _place_card()
        _running_card()


def _place_card() -> None:
    place = runtime.current().place()
    with st.container(border=True, key="rail_place", gap="xsmall"):
        if place.is_sandbox:
            st.markdown(badge(_SANDBOX, "Sandbox"))
        else:
            st.markdown(badge(_INSTANCE, "Instance"))
        if place.down_since is not None:
            st.markdown(":red[:material/cancel:] Not answering")
            st.markdown(f":small[since {place.down_since.astimezone():%H:%M:%S}]")
        elif place.is_sandbox:
            st.markdown(":small[:gray[On this computer. Nothing leaves it but the fetches.]]")
        else:
            host = urlsplit(place.url).hostname or ""
            st.markdown(f":small[:gray[{md(host)}]]")
        if place.wait_ms:
            st.markdown(f":small[Each row waits {place.wait_ms:.0f} ms more, to rehearse.]")
        if place.is_sandbox:
            st.button(
                "Use an instance",
                icon=":material/cloud:",
                type="tertiary",
                key="rail_use_instance",
                on_click=session.open_dialog,
                args=("use_instance",),
            )


def _running_card() -> None:
    current = runtime.current()
    who = current.identity()
    pipelines = live.read(current.catalog.pipelines(who), wait=False).value or ()
    busy = [
        (pipeline, view)
        for pipeline, view in ((one, current.watch.look(who, one)) for one in pipelines)
        if view.state is not None and view.state.uses_resources
    ]
    if not busy:
        return
    running = sum(view.state is not PipelineState.STARTING for _, view in busy)
    told = [count(running, "pipeline") + " running"] if running else []
    if running < len(busy):
        told.append(f"{len(busy) - running} starting")
    with st.container(border=True, key="rail_running", gap="xsmall"):
        st.markdown(f"**{', '.join(told)}**")
        for pipeline, view in busy[:4]:
            st.markdown(f":small[{md(pipeline.name)}: {md(str(view.state).lower())}]")
        st.button(
            "Undeploy…",
            key="rail_undeploy",
            width="stretch",
            on_click=_undeploy,
            args=([pipeline for pipeline, _ in busy],),
        )


def _undeploy(pipelines: list[Pipeline]) -> None:
    if len(pipelines) == 1:
        session.open_dialog("undeploy", str(pipelines[0].pipeline_id))
    else:
        session.go_to("pipelines")
