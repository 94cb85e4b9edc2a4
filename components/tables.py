"""What tables have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st


def on_pressed_row(key: str, ids: Sequence[str], on_open: Callable[[str], None]) -> None:
    """Call `on_open` with the id of the row whose button was pressed. For a callback.

    Parameters
    ----------
    key
        Key of the table's `ButtonColumn`.
    ids
        Ids of the rows as they were drawn, in order.
    """
    row = getattr(st.session_state.get(key), "row", None)
    if isinstance(row, int) and 0 <= row < len(ids):
        on_open(ids[row])
