"""Select fields that follow the address: what they show, and words that tell options apart."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st


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
