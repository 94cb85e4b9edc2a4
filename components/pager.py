"""The pages of a long list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import streamlit as st

from dashboard.domain.connection_list import Page

_WIDTH_PX: Final = 320


def pager(page: Page, on_page: Callable[[int], None], *, name: str = "connections_page") -> None:
    """Draw the pages, if there are several; `on_page` is called with the number chosen.

    Parameters
    ----------
    name
        Begins the widget's key; another one for each list.
    """
    if page.pages < 2:
        return
    # The widget's page cannot be set from outside, only where it begins: another filter, or a step
    # back in the browser, draws another widget.
    version = st.session_state.get(f"_{name}_version", 0)
    if st.session_state.get(f"{name}_{version}", page.number) != page.number:
        version += 1
        st.session_state[f"_{name}_version"] = version
    key = f"{name}_{version}"
    st.pagination(
        page.pages,
        default=page.number,
        # With the width of its content it leaves pages out that there is room for.
        width=_WIDTH_PX,
        key=key,
        on_change=lambda: on_page(int(st.session_state[key])),
    )
