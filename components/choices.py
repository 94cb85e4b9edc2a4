"""The filters of lists: search, select, day and pill fields, and words that tell options apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import TypeVar

import streamlit as st

T = TypeVar("T")


def search_field(
    label: str,
    placeholder: str,
    *,
    key: str,
    width: int,
    pause: str,
    on_change: Callable[[], None],
) -> str:
    """Draw a search and return its words.

    Parameters
    ----------
    pause
        How long typing must pause before it is searched for, such as `100ms`.
    """
    words = st.text_input(
        label,
        placeholder=placeholder,
        icon=":material/search:",
        label_visibility="collapsed",
        width=width,
        live=pause,
        key=key,
        on_change=on_change,
    )
    return words or ""


def filter_field(
    label: str,
    options: Mapping[T, str],
    *,
    placeholder: str | None,
    key: str,
    width: int,
    on_change: Callable[[], None],
) -> T | None:
    """Draw a filter and return what is chosen; None is for all.

    Parameters
    ----------
    options
        What can be chosen, with its words. Words that are the same are numbered.
    placeholder
        Stands there while all are wanted; None where one of the options always holds.
    """
    told = dict(zip(options, distinct(list(options.values())), strict=True))
    return st.selectbox(
        label,
        list(options),
        index=None if placeholder is not None else 0,
        placeholder=placeholder,
        format_func=lambda one: told.get(one, ""),
        label_visibility="collapsed",
        width=width,
        key=key,
        on_change=on_change,
    )


def pills_field(
    label: str,
    options: Mapping[str, str],
    *,
    chosen: str,
    key: str,
    on_change: Callable[[], None],
) -> None:
    """Draw pills of which one always holds.

    Parameters
    ----------
    options
        What can be chosen, with its words, such as `All 12`.
    """
    # Told anew each time: the browser knows a pill by its words, and the counts in them change.
    st.session_state[key] = chosen
    st.pills(
        label,
        list(options),
        required=True,
        format_func=lambda one: options.get(one, ""),
        label_visibility="collapsed",
        key=key,
        on_change=on_change,
    )


def days_field(
    days: tuple[date, date], *, key: str, on_choose: Callable[[date, date], None]
) -> None:
    """Draw a field for a first and a last day; told once both are picked."""
    shown = st.session_state.get(key)
    if not isinstance(shown, tuple) or len(shown) != 1:  # one: the second is still to come
        hold(key, days)
    st.date_input(
        "Days",
        value=days,
        format="YYYY-MM-DD",
        label_visibility="collapsed",
        width=230,
        key=key,
        on_change=_days_chosen,
        args=(key, on_choose),
    )


def _days_chosen(key: str, on_choose: Callable[[date, date], None]) -> None:
    days = st.session_state.get(key)
    if isinstance(days, tuple | list) and len(days) == 2:
        on_choose(*days)


def hold(key: str, value: object) -> None:
    """Let a widget show what is chosen: it may have changed by the address."""
    # Told anew each time where it is not as usual: a browser that was given the first run of a page
    # and the second at once has missed what the first told, shows the usual, and sends that back.
    if value or key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value


def distinct(words: Sequence[str]) -> list[str]:
    """Number words that are the same: a select field cannot tell them apart."""
    used: dict[str, int] = {}
    told = []
    for word in words:
        used[word] = used.get(word, 0) + 1
        told.append(word if used[word] == 1 else f"{word} ({used[word]})")
    return told
