"""What tables have in common: names that open a row, and rows that can be ticked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
import streamlit as st

if TYPE_CHECKING:
    from streamlit.elements.arrow import DataframeStateInput

_ROW_PX: Final = 38
_HEADER_PX: Final = 36
_MOST_PX: Final = 610


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a page of a list.

    Parameters
    ----------
    ids
        Of the rows drawn, in order.
    ticked
        Ids that are ticked, among these rows or not.
    on_open
        Called with the id of the row whose name was pressed.
    on_tick
        Called with the ids of the rows drawn, and with those of them that are ticked now.
    """

    ids: Sequence[str]
    ticked: Collection[str]
    on_open: Callable[[str], None]
    on_tick: Callable[[Sequence[str], Sequence[str]], None]


def ticked_table(
    frame: pd.DataFrame,
    rows: Rows,
    *,
    key: str,
    columns: Mapping[str, Any],  # Streamlit's types of columns are not public
    alt: str,
) -> None:
    """Draw a page of a list whose rows can be ticked; what is ticked comes from outside."""
    ids = rows.ids
    ticked = set(rows.ticked)
    ticks = [at for at, one in enumerate(ids) if one in ticked]
    if key in st.session_state and _ticks(key, len(ids)) != ticks:
        # Other rows stand there now, or a tick was taken away elsewhere.
        st.session_state[key] = _selection(ticks)
    st.dataframe(
        frame,
        hide_index=True,
        row_height=_ROW_PX,
        width="stretch",
        height=min(_ROW_PX * len(ids) + _HEADER_PX, _MOST_PX),
        key=key,
        on_select=lambda: rows.on_tick(ids, [ids[at] for at in _ticks(key, len(ids))]),
        selection_mode="multi-row",
        selection_default=_selection(ticks),
        column_config=columns,
        alt=alt,
    )


def name_column(
    label: str, ids: Sequence[str], on_open: Callable[[str], None], *, key: str, width_px: int
) -> Any:  # noqa: ANN401 - Streamlit's types of columns are not public
    """Return a column of names that open their rows.

    Parameters
    ----------
    key
        Key of the column's buttons.
    """
    return st.column_config.ButtonColumn(
        label,
        type="tertiary",
        alignment="left",
        width=width_px,
        key=key,
        on_click=on_pressed_row,
        args=(key, ids, on_open),
    )


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


def _selection(ticks: Sequence[int]) -> DataframeStateInput:
    return {"selection": {"rows": list(ticks), "columns": [], "cells": []}}


def _ticks(key: str, rows: int) -> list[int]:
    chosen = st.session_state[key]["selection"]["rows"]
    return sorted(at for at in chosen if 0 <= at < rows)
