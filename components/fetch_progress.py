"""A fetch under way: what it is doing, how much of the file is in, and the way to stop it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from components.text import duration, md, size

_SAY_AFTER_S = 1.0


def fetch_progress(  # noqa: PLR0913 - what there is to tell, by keyword
    *,
    stage: str,
    running_s: float,
    received_bytes: int,
    expected_bytes: int | None,
    rows: int,
    is_cancelled: bool,
    on_cancel: Callable[[], None],
) -> None:
    """Draw the progress of a fetch; one that is quick gets no more than a placeholder.

    Parameters
    ----------
    expected_bytes
        How much the source has announced, or None where it has not.
    """
    if running_s < _SAY_AFTER_S:
        st.skeleton(height=260)
        return
    with st.container(border=True, key="summarize_progress"):
        told = [md("Stopping" if is_cancelled else stage)]
        if rows:
            told.append(f"{rows:,} rows")
        elif received_bytes:
            of = f" of {size(expected_bytes)}" if expected_bytes else ""
            told.append(f"{size(received_bytes)}{of}")
        told.append(duration(running_s))
        share = 0.0
        if expected_bytes:
            share = min(received_bytes / expected_bytes, 1.0)
        st.progress(share, text=" · ".join(told))
        st.button("Cancel", key="summarize_fetch_cancel", disabled=is_cancelled, on_click=on_cancel)
