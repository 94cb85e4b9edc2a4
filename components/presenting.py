"""Presenter mode: what an audience must not see is left out on the server, before it is drawn.

It is kept in the address, so that a reload on stage begins with it, and in the session, which
writes it back into an address that has lost it. Turning it off takes the switch.
"""

from __future__ import annotations

import re
import time
from typing import Any, Final

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

#: The parameter of the address.
PARAMETER: Final = "present"
#: The switch's key.
SWITCH: Final = "rail_present"
WHY_OFF: Final = "Off in presenter mode."
HIDDEN: Final = "hidden"

_ON: Final = "1"
_STATE: Final = "_presenting"
_LEFT_AT: Final = "_presenting_left_at"
#: A run asked for before the browser had the new address carries the one before.
_ADDRESS_LAG_S: Final = 1.5

_VERSION_LETTERS: Final = 8

_MAIL: Final = re.compile(r"[^\s@<>()\[\],;:\"']+@[^\s@<>()\[\],;:\"']+")
_LINK: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://[^\s<>\"']+")
_ADDRESS: Final = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?(?![\d.])")
_ID: Final = re.compile(
    r"(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|\b[0-9a-f]{32,}\b"
)
#: The last part of a host is no ending of a file, and nothing begins behind it.
_FILES: Final = "json|csv|tsv|parquet|arrow|feather|zip|gz|txt|py|md|xlsx|onnx|df|log|db"
_HOST: Final = re.compile(
    rf"(?i)(?<![\w.@/-])(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)+(?!(?:{_FILES})\b)"
    r"[a-z][a-z0-9-]+\b(?::\d+)?(?!\()|\blocalhost\b(?::\d+)?"
)


def begin() -> None:
    """Take the mode from the address, or write it back there. First in every run of the frame."""
    asked = st.query_params.get(PARAMETER) == _ON
    if asked and not st.session_state.get(_STATE):
        # Turned off a moment ago: this run was asked for before.
        if time.monotonic() - st.session_state.get(_LEFT_AT, -_ADDRESS_LAG_S) < _ADDRESS_LAG_S:
            st.query_params.pop(PARAMETER, None)
        else:
            st.session_state[_STATE] = True
    elif not asked and st.session_state.get(_STATE):
        st.query_params[PARAMETER] = _ON
    st.session_state[SWITCH] = is_on()


def is_on() -> bool:
    """Whether this session presents; no, where there is no session."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return False
    return bool(st.session_state.get(_STATE))


def switch(*, is_wanted: bool) -> None:
    """Turn the mode on or off. For a callback."""
    st.session_state[_STATE] = is_wanted
    if is_wanted:
        st.query_params[PARAMETER] = _ON
    else:
        st.session_state[_LEFT_AT] = time.monotonic()
        st.query_params.pop(PARAMETER, None)


def address() -> dict[str, str]:
    """Return what the address of every page carries along."""
    return {PARAMETER: _ON} if is_on() else {}


def off(*, disabled: bool = False, help: str | None = None) -> dict[str, Any]:  # noqa: A002 - a widget's
    """Return `disabled` and `help` of what an audience must not set off: a widget's arguments."""
    return {"disabled": True, "help": WHY_OFF} if is_on() else {"disabled": disabled, "help": help}


def short_id(text: str, letters: int = _VERSION_LETTERS) -> str:
    """Return the beginning of an id, or a word instead."""
    if not text:
        return ""
    return HIDDEN if is_on() else text[:letters]


def version(version_id: str, number: int) -> str:
    """Return what a version of a pipeline or model is called on every page: how its id begins.

    Parameters
    ----------
    number
        Its place among all of them, the oldest is 1: what it is called on stage.
    """
    return str(number) if is_on() else version_id[:_VERSION_LETTERS]


def host(text: str) -> str:
    """Return a host, or a word instead."""
    return HIDDEN if text and is_on() else text


def person(email: str) -> str:
    """Return a person's e-mail address; empty while presenting, as where nobody knows it."""
    return "" if is_on() else email


def words(text: str) -> str:
    """Return a sentence that may quote hosts, such as an error's, without them."""
    return _HOST.sub(HIDDEN, net(text)) if is_on() else text


def net(text: str) -> str:
    """Return any text without links, e-mail addresses, numeric addresses and whole ids.

    What is drawn goes through it last, whether or not whoever draws it has thought of presenting.
    """
    # Asked first: this is called for every cell of every table.
    if not is_on():
        return text
    for pattern in _CAUGHT:
        text = pattern.sub(HIDDEN, text)
    return text


_CAUGHT: Final = (_LINK, _MAIL, _ADDRESS, _ID)
