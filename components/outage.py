"""While the sandbox is down: what needs it is off and says why, and its start is the one way on.

The frame notes it for the whole run, so that all parts of a page agree with the notice above it.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

WHY_OFF: Final = "The sandbox is not answering."
NOT_KNOWN: Final = "Not known while the sandbox is down."

_STATE: Final = "_sandbox_is_down"


def begin(*, is_down: bool) -> None:
    """Note whether the sandbox is down. First in every run of the frame."""
    st.session_state[_STATE] = is_down


def is_on() -> bool:
    """Whether it is down; no, where there is no session."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return False
    return bool(st.session_state.get(_STATE))


def why_off() -> str:
    """Return why what needs the platform is off; empty while it is not."""
    return WHY_OFF if is_on() else ""


def off(*, disabled: bool = False, help: str | None = None) -> dict[str, Any]:  # noqa: A002 - a widget's
    """Return `disabled` and `help` of what needs the platform: a widget's arguments."""
    return {"disabled": True, "help": WHY_OFF} if is_on() else {"disabled": disabled, "help": help}


def primary() -> Literal["primary", "secondary"]:
    """Return the type of a page's first button: while it is down, that is the sandbox's start."""
    return "secondary" if is_on() else "primary"
