"""The error state of a page: what is not shown and why, what is safe, a way back."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import streamlit as st

from components import presenting
from components.text import ago, md
from dashboard.errors import DashboardError, UnexpectedAnswer


class WayBack(StrEnum):
    """What the reader chose to do about an error."""

    START_AGAIN = "start"
    TRY_AGAIN = "try"


def error_panel(
    error: DashboardError,
    *,
    what: str,
    key: str,
    can_start: bool,
    on_way_back: Callable[[WayBack], None],
) -> None:
    """Draw the panel.

    Parameters
    ----------
    what
        What the page cannot show, such as `your connections`.
    can_start
        Whether the platform is a sandbox of ours that can be started again.
    on_way_back
        Called with the way back that was chosen.
    """
    with st.container(border=True, key=f"{key}_error"):
        st.markdown(f"#### :red[:material/cloud_off:] {md(error.title)}")
        st.markdown(f"We cannot show {md(what)}. {md(presenting.words(error.message))}")
        if error.hint:
            st.markdown(md(presenting.words(error.hint)))
        with st.container(horizontal=True):
            _ways(key=key, can_start=can_start, on_way_back=on_way_back)
        if presenting.is_on():
            return
        with st.expander("For the person who looks after this", type="compact"):
            st.markdown(f"Kind: {md(type(error).__name__)}")
            if isinstance(error, UnexpectedAnswer):
                st.markdown(f"Error id: {md(error.error_id)}. The log has the rest.")


def stale_notice(
    error: DashboardError,
    *,
    age_s: float | None,
    can_start: bool,
    on_way_back: Callable[[WayBack], None],
) -> None:
    """Say above a page that it shows what was known `age_s` seconds ago (if told), and why."""
    shown = "what was known before" if age_s is None else f"what was known {ago(age_s)}"
    with (
        st.container(border=True, key="stale_notice"),
        st.container(horizontal=True, vertical_alignment="center"),
    ):
        st.markdown(
            f"**:red[:material/cloud_off:] {md(error.title)}.** "
            f"{md(presenting.words(f'{error.message} {error.hint}'))} :gray[Shown is {shown}.]",
            width="stretch",
        )
        _ways(key="stale", can_start=can_start, on_way_back=on_way_back)


def _ways(*, key: str, can_start: bool, on_way_back: Callable[[WayBack], None]) -> None:
    if can_start:
        st.button(
            "Start it again",
            type="primary",
            icon=":material/restart_alt:",
            key=f"{key}_start_again",
            on_click=on_way_back,
            args=(WayBack.START_AGAIN,),
        )
    st.button(
        "Try once more",
        type="secondary" if can_start else "primary",
        key=f"{key}_try_again",
        on_click=on_way_back,
        args=(WayBack.TRY_AGAIN,),
    )
