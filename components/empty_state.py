"""The empty state: what the thing is, in two sentences, and how to begin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from components.text import md


@dataclass(frozen=True, slots=True)
class Way:
    """One way to begin: a button's key, label and icon, and what it does."""

    key: str
    label: str
    act: Callable[[], None]
    icon: str | None = None


def empty_state(title: str, explanation: str, ways: Sequence[Way], *, icon: str) -> None:
    """Draw the card. The first way is the primary."""
    with st.container(border=True, key=f"empty_{icon}", horizontal_alignment="center", gap="small"):
        st.space("small")
        st.markdown(
            f"**:primary[:material/{icon}:] {md(title)}**", text_alignment="center", width=560
        )
        st.markdown(md(explanation), text_alignment="center", width=560)
        with st.container(horizontal=True, horizontal_alignment="center"):
            for index, way in enumerate(ways):
                st.button(
                    way.label,
                    type="primary" if index == 0 else "secondary",
                    icon=way.icon,
                    key=way.key,
                    on_click=way.act,
                )
        st.space("small")
