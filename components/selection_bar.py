"""What can be done with the rows that are ticked."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import streamlit as st

from components import outage, presenting


class BarAct(StrEnum):
    """What the reader wants to do with them."""

    LINK = "link"
    UNLINK = "unlink"
    TEST = "test"
    EXPORT = "export"
    DELETE = "delete"
    CLEAR = "clear"


_LABELS = {
    BarAct.LINK: "Link…",
    BarAct.UNLINK: "Unlink…",
    BarAct.TEST: "Test",
    BarAct.EXPORT: "Export…",
}


def selection_bar(
    ticked: int, *, elsewhere: int, is_testing: bool, on_act: Callable[[BarAct], None]
) -> None:
    """Draw the bar, or how to get one.

    Parameters
    ----------
    elsewhere
        How many of the ticked ones are not among the rows that are shown.
    is_testing
        Whether connections are being tested already.
    """
    if not ticked:
        st.markdown(
            ":small[:gray[Tick rows to link, test, export or delete several at once.]]",
            width="content",
        )
        return
    with st.container(
        horizontal=True, vertical_alignment="center", gap="xsmall", key="connections_bar"
    ):
        hidden = f" :small[:gray[({elsewhere:,} not here)]]" if elsewhere else ""
        st.markdown(f"**{ticked:,} selected**{hidden}", width="content")
        # What harms nobody stands at one end, what cannot be undone at the other, with a gap.
        _button(BarAct.CLEAR, "Clear", on_act, is_quiet=True)
        for act, label in _LABELS.items():
            _button(act, label, on_act, is_off=act is BarAct.TEST and is_testing)
        st.space("medium")
        _button(BarAct.DELETE, "Delete…", on_act, is_quiet=True)


def _state(act: BarAct, *, is_off: bool) -> dict[str, Any]:
    """Return whether a button is off, and its help, as arguments."""
    told: dict[str, Any] = {"disabled": is_off}
    if act in (BarAct.UNLINK, BarAct.EXPORT, BarAct.DELETE):
        told = presenting.off(disabled=is_off)
    return told if act is BarAct.CLEAR else outage.off(**told)


def _button(
    act: BarAct,
    label: str,
    on_act: Callable[[BarAct], None],
    *,
    is_quiet: bool = False,
    is_off: bool = False,
) -> None:
    st.button(
        label,
        type="tertiary" if is_quiet else "secondary",
        **_state(act, is_off=is_off),
        key=f"connections_bar_{act}",
        on_click=on_act,
        args=(act,),
    )
