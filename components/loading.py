"""The loading state: the place of what is coming, and from one second on, what is awaited."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import streamlit as st

from components.text import md

_SAY_AFTER_S = 1.0


class Awaited(Protocol):
    """Something under way: how long it has been loading, in s."""

    @property
    def loading_s(self) -> float:
        """Seconds since the attempt began."""
        ...


def skeleton(what: str, awaited: Awaited | Sequence[Awaited], *, height: int) -> None:
    """Draw a placeholder of `height` px, with what is awaited once it has taken a second."""
    parts = awaited if isinstance(awaited, Sequence) else [awaited]
    st.skeleton(height=height)
    waited_s = max((one.loading_s for one in parts), default=0.0)
    if waited_s >= _SAY_AFTER_S:
        st.markdown(f":small[:gray[Waiting for the platform to list {md(what)}…]]")
    else:
        st.markdown(f":small[:gray[Loading {md(what)}…]]")
