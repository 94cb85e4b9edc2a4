"""The rail below the navigation, on every page: the place, and what runs and costs something."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from urllib.parse import urlsplit

import streamlit as st

from components import idle_guard, outage, presenting
from components.badges import Look, badge
from components.text import md
from dashboard import live, runtime, session
from dashboard.domain.idle import GuardView
from dashboard.domain.pipeline import Pipeline, PipelineState
from dashboard.views import guarding

_MOST_NAMED = 4
_SANDBOX = Look("science", "yellow", "")
_RAIL_WORDS = {
    PipelineState.STARTING: "starting",
    PipelineState.STOPPING: "stopping",
    PipelineState.ERROR: "in error",
}
_RAIL_ORDER = ("running", *_RAIL_WORDS.values())
_INSTANCE = Look("cloud", "green", "")


def draw() -> None:
    """Draw both cards. Waits for nothing."""
    with st.sidebar:
        _place_card()
        # What ran before is not known to run, to cost anything or to stop.
        if not outage.is_on():
            _running_card()
        _presenter_switch()


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
            st.markdown(f":small[:gray[{md(presenting.host(host))}]]")
        if place.wait_ms:
            st.markdown(f":small[Each row waits {place.wait_ms:.0f} ms more, to rehearse.]")
        if place.is_sandbox:
            st.button(
                "Use an instance",
                icon=":material/cloud:",
                type="tertiary",
                key="rail_use_instance",
                **presenting.off(),
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
    guards = {one.pipeline_id: current.guard.view(one.pipeline_id) for one, _ in busy}
    with st.container(border=True, key="rail_running", gap="xsmall"):
        st.markdown(f"**{_counts(view.state for _, view in busy)}**")
        _first_stop(guards, count_of=len(busy))
        for pipeline, view in busy[:_MOST_NAMED]:
            st.markdown(f":small[{md(pipeline.name)}: {md(str(view.state).lower())}]")
        if len(busy) > _MOST_NAMED:
            st.markdown(f":small[and {len(busy) - _MOST_NAMED} more]")
        _last_minutes([one for one, _ in busy], guards)
        st.button(
            "Undeploy…",
            key="rail_undeploy",
            **presenting.off(),
            width="stretch",
            on_click=_undeploy,
            args=([pipeline for pipeline, _ in busy],),
        )


def _counts(states: Iterable[PipelineState | None]) -> str:
    """Say how many do what, such as `2 pipelines running, 1 starting`."""
    words = Counter(_RAIL_WORDS.get(state, "running") for state in states if state is not None)
    told = [f"{words[word]:,} {word}" for word in _RAIL_ORDER if words[word]]
    first, *rest = told
    number, _, word = first.partition(" ")
    noun = "pipeline" if number == "1" else "pipelines"
    return ", ".join([f"{number} {noun} {word}", *rest])


def _first_stop(guards: Mapping[int, GuardView | None], *, count_of: int) -> None:
    first = idle_guard.first_stop(guards.values())
    if first is None or first.stops_at is None:
        return
    left = idle_guard.time_left(first.stops_at - datetime.now(UTC))
    begin = "first stop in" if count_of > 1 else "stops in"
    st.markdown(f":material/timer: {begin} **{left}**")


def _last_minutes(busy: Sequence[Pipeline], guards: Mapping[int, GuardView | None]) -> None:
    """Say what is about to stop, and offer to put it off, on whatever page one is."""
    now = datetime.now(UTC)
    soon = [one for one in busy if idle_guard.is_soon(guards[one.pipeline_id], now=now)]
    for pipeline in soon[:2]:
        view = guards[pipeline.pipeline_id]
        is_notice = view is not None and view.is_notice
        # The countdown of the only one stands there already.
        if is_notice or len(busy) > 1:
            why = "unused while this dashboard was away" if is_notice else "unused"
            told = f"{md(pipeline.name)} {idle_guard.countdown(view, now=now)}, {why}."
            st.markdown(f":small[:yellow[:material/warning: {told}]]")
        idle_guard.keep_button(
            f"rail_keep_{pipeline.pipeline_id}", partial(guarding.keep, pipeline), is_narrow=True
        )


def _presenter_switch() -> None:
    st.toggle(
        "Presenter mode",
        key=presenting.SWITCH,
        help="Large type; without hosts, e-mail addresses, ids and raw JSON; nothing can be "
        "deleted or stopped. It is kept in the address.",
        on_change=_present,
    )


def _present() -> None:
    presenting.switch(is_wanted=bool(st.session_state[presenting.SWITCH]))


def _undeploy(pipelines: list[Pipeline]) -> None:
    if len(pipelines) == 1:
        session.open_dialog("undeploy", str(pipelines[0].pipeline_id))
    else:
        session.go_to("pipelines")
