"""The steps of a preflight: a tick, a time, and after a failure what to do next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import streamlit as st

from components import presenting
from components.text import ago, md, milliseconds
from dashboard.domain.preflight import Mark, PreflightView, StepResult, Way, all_steps

_MARKS: Final = {
    Mark.TO_COME: ":gray[:material/radio_button_unchecked:]",
    Mark.NOW: ":blue[:material/progress_activity:]",
    Mark.DONE: ":green[:material/check_circle:]",
    Mark.FAILED: ":red[:material/cancel:]",
    Mark.NOT_TRIED: ":gray[:material/radio_button_unchecked:]",
}
#: Puts what is told under the words of its step.
_UNDER: Final = "\u2003\u2009"
#: The ways that lead somewhere else; a deploy has a button of its own beside "Go on".
_WAYS: Final = {
    Way.CONNECTION: ("See the connection", "link"),
    Way.TABLE: ("Look at the table", "table"),
    Way.PIPELINE: ("See the pipeline", "account_tree"),
}


def preflight_card(
    view: PreflightView | None,
    *,
    on_cancel: Callable[[], None],
    on_way: Callable[[Way], None],
) -> None:
    """Draw the steps; `view` is None before any preflight of what is chosen."""
    with st.container(border=True, key="preflight_steps", gap="small"):
        _headline(view)
        for one in view.steps if view is not None else all_steps():
            _step(one, is_walked=view is not None, on_way=on_way)
        if view is not None and view.is_running:
            st.button("Cancel", key="preflight_cancel", on_click=on_cancel)


def verdict(view: PreflightView) -> str:
    """Return Markdown of how it ended, with its age."""
    if view.is_running:
        return ":blue-badge[:material/progress_activity: Under way]"
    when = ago(view.age_s)
    if view.was_cancelled:
        return f":gray-badge[:material/block: Cancelled {when}]"
    told = f"{'Green' if view.is_green else 'Red'} {when}"
    if view.is_from_before:
        told = f"Last time: {'all green' if view.is_green else 'red'}, {when}"
    if view.is_stale:
        return f":gray-badge[:material/history: {told}, of an older version]"
    if view.is_green:
        return f":green-badge[:material/check_circle: {told}]"
    return f":red-badge[:material/cancel: {told}]"


def _headline(view: PreflightView | None) -> None:
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        st.markdown("**Steps**", width="content")
        if view is not None:
            st.markdown(verdict(view), width="content")
    if view is not None and view.is_stale:
        st.markdown(
            ":small[:gray[:material/info: The pipeline has another version by now. Run it again to "
            "know.]]"
        )
    if view is None:
        st.markdown(
            ":small[:gray[Tests the connection, reads the table, and sends its first row to the "
            "model. Nothing of it is stored.]]"
        )


def _step(one: StepResult, *, is_walked: bool, on_way: Callable[[Way], None]) -> None:
    with st.container(gap=4, key=f"preflight_{one.step.name.lower()}"):
        with st.container(
            horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
        ):
            st.markdown(f"{_MARKS[one.mark]} {_name(one)}", width="content")
            st.markdown(f":small[:gray[{_time(one, is_walked=is_walked)}]]", width="content")
        told = md(presenting.words(one.told))
        if one.mark is Mark.FAILED:
            hint = md(presenting.words(one.hint))
            st.markdown(f":red[{_UNDER}{told}]" + (f"  \n{_UNDER}{hint}" if hint else ""))
            if one.way in _WAYS:
                label, icon = _WAYS[one.way]
                st.button(
                    label,
                    icon=f":material/{icon}:",
                    key=f"preflight_way_{one.way}",
                    on_click=on_way,
                    args=(one.way,),
                )
        elif told:
            st.markdown(f":small[:gray[{_UNDER}{told}]]")


def _name(one: StepResult) -> str:
    if one.mark in (Mark.TO_COME, Mark.NOT_TRIED):
        return f":gray[{one.step.value}]"
    return f"**{one.step.value}**"


def _time(one: StepResult, *, is_walked: bool) -> str:
    if one.mark is Mark.NOW:
        return "running"
    if one.mark is Mark.NOT_TRIED:
        return "not tried"
    if one.mark is Mark.TO_COME:
        return "to come" if is_walked else ""
    took = milliseconds(one.elapsed_ms)
    if one.mark is not Mark.FAILED:
        return took
    # What is known at once took no time worth telling.
    return f"failed after {took}" if (one.elapsed_ms or 0.0) >= 1 else "failed"
