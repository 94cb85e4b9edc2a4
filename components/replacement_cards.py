"""Edits of connections that are unfinished, under way, or just over."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import streamlit as st

from components import presenting
from components.replacement_words import NowThere, leaving_words, now_words, receipt_words
from components.text import count, md, short
from dashboard.domain.replacement import Replacement, ReplaceState

_LONGEST = 80


class ReplaceAct(StrEnum):
    """What is to become of an unfinished edit."""

    FINISH = "finish"
    RESTORE = "restore"
    LEAVE = "leave"


def unfinished_card(
    edit: Replacement,
    now_there: NowThere | None,
    *,
    is_first: bool,
    is_busy: bool,
    on_act: Callable[[ReplaceAct], None],
) -> None:
    """Draw an unfinished edit and the ways out of it.

    Parameters
    ----------
    now_there
        None while it is not known.
    is_first
        Whether this is the first card, which has the page's primary button.
    """
    key = f"replace_{edit.replacement_id}"
    name = md(short(edit.connection_name, _LONGEST))
    with st.container(border=True, key=key, gap="xsmall"):
        st.markdown(f"**:orange[:material/warning:] {name}: the edit is unfinished**")
        reason = md(edit.reason) if edit.reason else "It was stopped in the middle."
        st.markdown(f"{reason} {now_words(edit, now_there)}")
        links = f", with {count(len(edit.rooms), 'link')}" if edit.rooms else ""
        finish = (
            "The new details are in place: deletes the temporary copies."
            if edit.settled is ReplaceState.NEW
            else f"Puts the new details under the name{links}."
        )
        restore = (
            "The old details are in place: deletes the temporary copies."
            if edit.settled is ReplaceState.OLD
            else f"Puts the old details back under the name{links}."
        )
        _way("Finish", finish, ReplaceAct.FINISH, key, on_act, is_busy=is_busy, primary=is_first)
        _way("Take back", restore, ReplaceAct.RESTORE, key, on_act, is_busy=is_busy)
        with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="small"):
            with st.popover("Leave as it is…", type="tertiary", key=f"{key}_leave_ask"):
                st.markdown(leaving_words(now_there))
                st.button(
                    "Leave as it is",
                    **presenting.off(disabled=is_busy),
                    key=f"{key}_leave",
                    on_click=on_act,
                    args=(ReplaceAct.LEAVE,),
                )
            st.markdown(":small[:gray[Closes this. You are asked first.]]", width="stretch")


def running_line(edit: Replacement) -> None:
    """Draw an edit that is under way."""
    name = md(short(edit.connection_name, _LONGEST))
    st.markdown(
        f":small[:gray[:material/progress_activity: {name} is being edited. Its name may be "
        "missing for a moment.]]"
    )


def under_way_card(name: str) -> None:
    """Say on the page of an edit that this edit is under way."""
    with st.container(border=True, key="edit_connection_under_way", gap="xsmall"):
        of = f" of {md(short(name, _LONGEST))}" if name else ""
        st.markdown(f"**:material/progress_activity: Your edit{of} is under way**")
        st.markdown(":small[:gray[This page goes on by itself when that is done.]]")


def receipt_card(edit: Replacement, *, on_dismiss: Callable[[], None]) -> None:
    """Draw what an edit did."""
    key = f"receipt_{edit.replacement_id}"
    with (
        st.container(border=True, key=key),
        st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="small"),
    ):
        st.markdown(receipt_words(edit), width="stretch")
        st.button("Dismiss", type="tertiary", key=f"{key}_dismiss", on_click=on_dismiss)


def _way(  # noqa: PLR0913 - a way's parts, by place
    label: str,
    told: str,
    act: ReplaceAct,
    key: str,
    on_act: Callable[[ReplaceAct], None],
    *,
    is_busy: bool,
    primary: bool = False,
) -> None:
    with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="small"):
        st.button(
            label,
            type="primary" if primary else "secondary",
            width=130,
            disabled=is_busy,
            key=f"{key}_{act.value}",
            on_click=on_act,
            args=(act,),
        )
        st.markdown(f":small[:gray[{told}]]", width="stretch")
