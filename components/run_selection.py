"""What can be done with the runs that are ticked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, Final

import streamlit as st

from components import presenting


class RunBarAct(StrEnum):
    """What the reader wants to do with the ticked runs."""

    COMPARE = "compare"
    RENAME = "rename"
    EXPORT = "export"
    DELETE = "delete"
    TICK_ALL = "all"
    CLEAR = "clear"


_QUIET: Final = (RunBarAct.DELETE, RunBarAct.TICK_ALL, RunBarAct.CLEAR)
_NOT_ON_STAGE: Final = (RunBarAct.EXPORT, RunBarAct.DELETE)
#: How many runs an act needs; those not here take any number.
NEEDED: Final = {RunBarAct.COMPARE: 2, RunBarAct.RENAME: 1, RunBarAct.EXPORT: 1}
_NEEDS_WORDS: Final = {
    RunBarAct.COMPARE: "Tick exactly two runs",
    RunBarAct.RENAME: "Tick one run only",
    RunBarAct.EXPORT: "Tick one run only",
}


def run_bar(
    chosen: Sequence[str], *, elsewhere: int, found: int, on_act: Callable[[RunBarAct], None]
) -> None:
    """Draw what can be done with the ticked runs, or how to get it.

    Parameters
    ----------
    elsewhere
        How many of the ticked ones are not among the rows that are shown.
    found
        How many runs fit the filters, on all pages.
    """
    if not chosen:
        st.markdown(
            ":small[:gray[Click a name to read the run. Tick one to rename, export or delete it, "
            "two to compare them.]]"
        )
        return
    number = len(chosen)
    labels = {
        RunBarAct.COMPARE: "Compare",
        RunBarAct.RENAME: "Rename…",
        RunBarAct.EXPORT: "Export…",
        RunBarAct.DELETE: "Delete…",
        RunBarAct.TICK_ALL: f"Select all {found:,}",
        RunBarAct.CLEAR: "Clear",
    }
    if found <= number:
        del labels[RunBarAct.TICK_ALL]
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="runs_bar"):
        hidden = f" :small[:gray[({elsewhere:,} not here)]]" if elsewhere else ""
        st.markdown(f"**{number:,} selected**{hidden}", width="content")
        for act, label in labels.items():
            st.button(
                label,
                type="tertiary" if act in _QUIET else "secondary",
                **_state(act, number),
                key=f"runs_bar_{act}",
                on_click=on_act,
                args=(act,),
            )


def _state(act: RunBarAct, number: int) -> dict[str, Any]:
    """Return whether a button is off, and its help, as arguments."""
    needed = _need(act, number)
    return presenting.off(**needed) if act in _NOT_ON_STAGE else needed


def _need(act: RunBarAct, number: int) -> dict[str, Any]:
    """Return the arguments of a button that needs a certain number of ticked runs."""
    is_off = act in NEEDED and number != NEEDED[act]
    return {"disabled": is_off, "help": _NEEDS_WORDS[act] if is_off else None}
