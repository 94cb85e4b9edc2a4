"""A test of a connection: its five stages with their times, and what it found in plain words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from components import presenting
from components.text import ago, duration, md, milliseconds
from dashboard.domain.check import STAGE_WORDS, StageResult, StageState
from dashboard.errors import DashboardError

_MARKS = {
    StageState.DONE: ":green[:material/check:]",
    StageState.RUNNING: ":blue[:material/progress_activity:]",
    StageState.FAILED: ":red[:material/close:]",
    StageState.NOT_REACHED: ":gray[:material/radio_button_unchecked:]",
}
_BEFORE = (
    "Asks the source from the server, step by step, for 3 s at most. "
    "It reads the file and stores nothing of it."
)


@dataclass(frozen=True, slots=True)
class PanelState:
    """What there is to show of a test.

    Parameters
    ----------
    stages
        All five; empty where none was begun.
    running_s
        How long it has been running, or ran.
    found
        What a passed test found, such as `24 rows, JSON records`.
    error
        Why it failed or could not be made.
    age_s
        Seconds since it began.
    """

    stages: tuple[StageResult, ...] = ()
    is_running: bool = False
    running_s: float = 0.0
    found: str = ""
    error: DashboardError | None = None
    was_cancelled: bool = False
    age_s: float = 0.0


def stages_panel(
    state: PanelState | None, *, key: str, on_cancel: Callable[[], None], bordered: bool = True
) -> None:
    """Draw the test; `state` is None before any."""
    with st.container(border=bordered, key=f"{key}_test_panel", gap="small"):
        if state is None:
            st.markdown(f"**Test**  \n:small[:gray[{_BEFORE}]]")
            return
        with st.container(horizontal=True, horizontal_alignment="distribute"):
            st.markdown("**Test**", width="content")
            st.markdown(f":small[:gray[{_when(state)}]]", width="content")
        if state.stages:
            _stages(state)
        if state.is_running:
            st.button("Cancel", key=f"{key}_test_cancel", on_click=on_cancel)
        else:
            st.markdown(_verdict(state))


def waiting_stages() -> tuple[StageResult, ...]:
    """Return the stages of a test that is about to begin."""
    first, *others = STAGE_WORDS
    return (
        StageResult(first, StageState.RUNNING),
        *(StageResult(stage, StageState.NOT_REACHED) for stage in others),
    )


def _stages(state: PanelState) -> None:
    with st.container(gap=4):
        for one in state.stages:
            with st.container(
                horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
            ):
                st.markdown(f"{_MARKS[one.state]} {_name(one)}", width="content")
                told = _time(one, is_running=state.is_running)
                st.markdown(f":small[:gray[{told}]]", width="content")


def _name(one: StageResult) -> str:
    if one.state is StageState.NOT_REACHED:
        return f":gray[{one.words}]"
    return f"**{one.words}**" if one.state is StageState.FAILED else one.words


def _time(one: StageResult, *, is_running: bool) -> str:
    """Return the time of a stage, or the word for it where there is none to tell."""
    if one.state is StageState.RUNNING:
        return "running"
    if one.state is StageState.NOT_REACHED:
        return "to come" if is_running else "not reached"
    told = milliseconds(one.elapsed_ms)
    return f"failed after {told}" if one.state is StageState.FAILED else told


def _when(state: PanelState) -> str:
    if state.is_running:
        return f"{state.running_s:.1f} s of 3 s at most"
    return ago(state.age_s)


def _verdict(state: PanelState) -> str:
    if state.was_cancelled:
        return f":gray[:material/block: Cancelled after {duration(state.running_s)}.]"
    if state.error is not None:
        told = f":red[:material/error: {md(presenting.words(state.error.message))}]"
        return f"{told}  \n{md(presenting.words(state.error.hint))}" if state.error.hint else told
    total = f":small[:gray[in {duration(state.running_s)}]]"
    return f":green[:material/check_circle: **Works:** {md(state.found)}] {total}"
