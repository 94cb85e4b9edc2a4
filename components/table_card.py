"""A fetched table: its passport, whether it fits the model, and its first rows."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import streamlit as st

from components.text import ago, count, md, milliseconds, plain, short, size
from dashboard.domain.table import TEXT_COLUMN, Fit, Passport, fit_of

#: A cell shows the beginning of a text; the reading pane shows all of it.
_CELL_CHARACTERS = 400


def table_card(
    passport: Passport, first_rows: Sequence[Mapping[str, Any]], *, key: str
) -> tuple[str, Fit]:
    """Draw the card.

    Parameters
    ----------
    first_rows
        The table's first rows, in order.
    key
        Key of the choice of the text column; another one for each table.

    Returns
    -------
    The column chosen as the text to summarize, and whether the table fits the model with it.
    """
    with st.container(border=True, key="summarize_table"):
        head = st.container(horizontal=True, vertical_alignment="center")
        _figures(passport)
        text_column = _text_column(passport, key)
        fit = fit_of(passport.columns, text_column)
        with head:
            _head(passport, fit)
        _misfit(passport, fit, text_column)
        _preview(passport, first_rows, text_column)
    return text_column, fit


def _head(passport: Passport, fit: Fit) -> None:
    with st.container(horizontal=True, vertical_alignment="center", width="stretch"):
        st.markdown("**Table**", width="content")
        if fit.fits:
            st.markdown(":green-badge[:material/check_circle: Fits the model]")
        else:
            st.markdown(":red-badge[:material/cancel: Does not fit the model]")
        st.markdown(f":gray-badge[{md(passport.format)}]")
    age_s = (datetime.now(UTC) - passport.fetched_at).total_seconds()
    took = milliseconds(passport.fetch_ms)
    st.markdown(f":small[:gray[fetched {ago(age_s)} in {took}]]", width="content")


def _text_column(passport: Passport, key: str) -> str:
    """Draw the choice of the text column where there is one to make."""
    usual = fit_of(passport.columns)
    has_usual = not usual.missing
    if has_usual and len(usual.candidates) < 2:
        return TEXT_COLUMN
    if not usual.candidates:
        return TEXT_COLUMN
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        # The names are data: the browser gets them as labels, the choice is kept by their place.
        places = range(len(usual.candidates))
        first = usual.candidates.index(TEXT_COLUMN) if TEXT_COLUMN in usual.candidates else None
        chosen = st.selectbox(
            "Text to summarize",
            places,
            index=first,
            format_func=functools.partial(_label, usual.candidates),
            placeholder="Choose the column",
            help=f"The model reads its text from {TEXT_COLUMN}. Another column can be sent as it.",
            width=300,
            key=key,
        )
        if chosen is None:
            st.button(
                f"Use {md(short(usual.candidates[0], 40))} as {TEXT_COLUMN}",
                type="tertiary",
                icon=":material/auto_fix_high:",
                key=f"{key}_use",
                on_click=_choose_first,
                args=(key,),
            )
    return TEXT_COLUMN if chosen is None else usual.candidates[chosen]


def _figures(passport: Passport) -> None:
    with st.container(horizontal=True, gap="large"):
        st.metric("Rows", f"{passport.rows:,}", width="content")
        st.metric("Columns", f"{len(passport.columns):,}", width="content")
        st.metric("Size", size(passport.raw_bytes), width="content")
        if passport.longest_text_words is not None:
            longest = count(passport.longest_text_words, "word")
            st.metric("Longest text", longest, width="content")
        mark = f"{passport.fingerprint[:4]} {passport.fingerprint[4:8]}"
        st.metric(
            "Fingerprint",
            mark,
            help="The first characters of the file's SHA-256. Equal files have equal fingerprints.",
            width="content",
        )


def _label(names: Sequence[str], place: int) -> str:
    return plain(names[place]) or "(no name)"


def _choose_first(key: str) -> None:
    st.session_state[key] = 0


def _misfit(passport: Passport, fit: Fit, text_column: str) -> None:
    if fit.missing:
        have = ", ".join(f"**{md(short(column.name, 40))}**" for column in passport.columns[:8])
        st.markdown(
            f":red[:material/error: The column **{md(fit.missing[0])}** is missing.] "
            f"The table has {have or 'no columns'}. The model reads the text to summarize from "
            f"**{TEXT_COLUMN}**."
        )
    for name in fit.twice:
        st.markdown(f":red[:material/error: The column **{md(name)}** is there twice.]")
    for column in fit.wrong_type:
        wanted = "text" if column.name == text_column else "true or false"
        st.markdown(
            f":red[:material/error: The column **{md(column.name)}** must hold {wanted}; it holds "
            f"{md(column.type)}.]"
        )
    if text_column != TEXT_COLUMN and fit.fits:
        st.markdown(
            f":small[:gray[**{md(short(text_column, 40))}** is sent as **{TEXT_COLUMN}**.]]"
        )
    if fit.fits and fit.extra:
        names = ", ".join(md(short(name, 40)) for name in fit.extra[:6])
        more = f" and {len(fit.extra) - 6} more" if len(fit.extra) > 6 else ""
        st.markdown(f":small[:gray[Not read by the model, so not sent: {names}{more}.]]")


def _preview(passport: Passport, first_rows: Sequence[Mapping[str, Any]], text_column: str) -> None:
    names = [column.name for column in passport.columns]
    # The model's text comes first, whatever its place in the file.
    names.sort(key=lambda name: name != text_column)
    frame = pd.DataFrame({name: [_cell(row.get(name)) for row in first_rows] for name in names})
    frame.index = pd.RangeIndex(1, len(frame) + 1, name="Row")
    config = {
        TEXT_COLUMN: st.column_config.TextColumn(TEXT_COLUMN, width=560),
    }
    st.dataframe(
        frame,
        height=214,
        row_height=34,
        width="stretch",
        key=f"summarize_preview_{passport.table_id}",
        column_config=config,
        alt=f"First {count(len(frame), 'row')} of the fetched table",
    )
    shown = (
        f"{count(passport.rows, 'row')}, all shown."
        if len(frame) == passport.rows
        else f"Rows 1–{len(frame):,} of {passport.rows:,}."
    )
    st.markdown(
        f":small[:gray[{shown} **{TEXT_COLUMN}** is the text to summarize; the other columns are "
        "settings of the model.]]"
    )


def _cell(value: Any) -> Any:  # noqa: ANN401 - any value a table can hold
    return short(value, _CELL_CHARACTERS) if isinstance(value, str) else value
