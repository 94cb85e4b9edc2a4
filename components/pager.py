"""The pages of a long list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import streamlit as st

from dashboard.domain.connection_list import Page

_KEY: Final = "connections_page"
_VERSION: Final = "_connections_page_version"
_WIDTH_PX: Final = 320


def pager(page: Page, on_page: Callable[[int], None]) -> None:
    """Draw the pages, if there are several; `on_page` is called with the number chosen."""
    if page.pages < 2:
        return
    # The widget's page cannot be set from outside, only where it begins: another filter, or a step
    # back in the browser, draws another widget.
    version = st.session_state.get(_VERSION, 0)
    if st.session_state.get(f"{_KEY}_{version}", page.number) != page.number:
        version += 1
        st.session_state[_VERSION] = version
    key = f"{_KEY}_{version}"
    st.pagination(
        page.pages,
        default=page.number,
        # With the width of its content it leaves pages out that there is room for.
        width=_WIDTH_PX,
        key=key,
        on_change=lambda: on_page(int(st.session_state[key])),
    )
