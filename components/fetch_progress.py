"""A fetch under way: what it is doing, how much of the file is in, and the way to stop it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from components.table_card import rows_grid
from components.text import count, duration, md, short, size
from dashboard.domain.table import TEXT_COLUMN, FirstRows

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
    source: str = "",
    first_rows: FirstRows | None = None,
) -> None:
    """Draw the progress of a fetch; one that is quick gets no more than a placeholder.

    Parameters
    ----------
    expected_bytes
        How much the source has announced, or None where it has not.
    source
        Name of the connection.
    first_rows
        What is in of the table's beginning, to be looked at while the rest comes.
    """
    has_rows = first_rows is not None and bool(first_rows.names and first_rows.rows)
    if running_s < _SAY_AFTER_S and not has_rows:
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
        if first_rows is not None and has_rows:
            _look(source, first_rows)


def _look(source: str, first_rows: FirstRows) -> None:
    """Draw the rows as what they are: a beginning, not yet the table."""
    shown = len(first_rows.rows)
    rows_grid(
        dict(zip(first_rows.names, zip(*first_rows.rows, strict=True), strict=True)),
        row_count=shown,
        first_row=0,
        text_column=TEXT_COLUMN,
        key="summarize_first_rows",
        alt="The first rows of the file that is being fetched",
    )
    what = "The first row" if shown == 1 else f"The first {count(shown, 'row')}"
    st.markdown(
        f":small[:gray[{what} from **{md(short(source, 80))}**. The rest is still being read.]]"
    )
