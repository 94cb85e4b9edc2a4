"""A fetched table: its passport, whether it fits the model, and its first rows."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

import pandas as pd
import streamlit as st

from components import presenting
from components.table_fit import SentColumns, misfit, sent_badge, texts_first, unfit
from components.text import (
    ago,
    count,
    is_today,
    md,
    milliseconds,
    plain,
    short,
    size,
    told_since,
    told_when,
)
from dashboard.domain.table import (
    TEXT_COLUMN,
    Fit,
    Passport,
    TableChange,
    change_of,
    fit_of,
)

#: A cell shows the beginning of a text; the reading pane shows all of it.
_CELL_CHARACTERS = 400
PAGE_ROWS = 100
#: Whoever has more columns than this looks at them elsewhere.
_MOST_COLUMNS = 40
_MOST_NAMED = 4
_PAGER_WIDTH_PX = 400


def shown_rows(passport: Passport) -> tuple[int, int]:
    """Return the offset of the page of rows the card shows, and how many rows a page has."""
    number = int(st.session_state.get(_page_key(passport), 1))
    return (min(max(number, 1), _pages(passport)) - 1) * PAGE_ROWS, PAGE_ROWS


def table_card(  # noqa: PLR0913 - what is drawn, by keyword
    passport: Passport,
    rows: Sequence[Mapping[str, Any]],
    *,
    key: str,
    host: str = "",
    before: Passport | None = None,
    zone: tzinfo = UTC,
    is_of_texts: bool = True,
    sent: SentColumns | None = None,
    first_rows: Sequence[Mapping[str, Any]] | None = None,
) -> tuple[str, Fit]:
    """Draw the card.

    Parameters
    ----------
    rows
        The rows that `shown_rows` asks for.
    key
        Key of the choice of the text column; another one for each table.
    host
        What is shown of the connection's address; empty where there is nothing to show.
    before
        The table of the last fetch of the same connection before this one.
    is_of_texts
        Whether the model is a summarizer. Any other takes columns: there is no text to choose.
    sent
        What such a model gets; None while that is not known.
    first_rows
        The first rows of the table where `rows` are later ones.

    Returns
    -------
    The column chosen as the text to summarize, and whether the table fits the model with it.
    """
    with st.container(border=True, key="summarize_table"):
        head = st.container(horizontal=True, vertical_alignment="center")
        _source(passport, host, before, zone)
        _figures(passport)
        usual = fit_of(passport.columns).candidates if is_of_texts else ()
        texts = texts_first(usual, rows if first_rows is None else first_rows)
        text_column = _text_column(passport, key, *texts) if is_of_texts else ""
        fit = fit_of(passport.columns, text_column) if is_of_texts else Fit()
        with head:
            _head(passport, fit if is_of_texts else None, sent)
        if is_of_texts:
            misfit(passport, fit, text_column)
        elif sent is not None:
            unfit(rows, sent, first_row=shown_rows(passport)[0])
        _preview(passport, rows, text_column)
    return text_column, fit


def chosen_text_column(passport: Passport, key: str) -> str | None:
    """Return the column chosen now as the text to summarize; None where none fits. For callbacks.

    Parameters
    ----------
    key
        As it was given to `table_card`.
    """
    usual = fit_of(passport.columns)
    place = st.session_state.get(key)
    column = TEXT_COLUMN
    if isinstance(place, int) and 0 <= place < len(usual.candidates):
        column = usual.candidates[place]
    return column if fit_of(passport.columns, column).fits else None


def _head(passport: Passport, fit: Fit | None, sent: SentColumns | None) -> None:
    with st.container(horizontal=True, vertical_alignment="center", width="stretch"):
        st.markdown("**Table**", width="content")
        if fit is None:
            st.markdown(":gray-badge[:material/view_column: Sent as columns]")
            sent_badge(passport, sent)
        elif fit.fits:
            st.markdown(":green-badge[:material/check_circle: Fits the model]")
        else:
            st.markdown(":red-badge[:material/cancel: Does not fit the model]")
        st.markdown(f":gray-badge[{md(passport.format)}]")
    age_s = (datetime.now(UTC) - passport.fetched_at).total_seconds()
    took = milliseconds(passport.fetch_ms)
    st.markdown(f":small[:gray[fetched {ago(age_s)} in {took}]]", width="content")


def _source(passport: Passport, host: str, before: Passport | None, zone: tzinfo) -> None:
    """Say where the table comes from and what became of it since the last fetch, in one line."""
    told = f"From **{md(short(passport.connection_name, 80))}**"
    told += f" ({md(host)})." if host and not presenting.is_on() else "."
    if before is not None:
        now = datetime.now(UTC)
        told += f" {change_line(change_of(passport, before), now=now, zone=zone)}"
    st.markdown(f":small[{told}]")


def change_line(change: TableChange, *, now: datetime, zone: tzinfo) -> str:
    """Return what changed since the last fetch as a Markdown sentence or two."""
    when = told_when(change.since, now=now, zone=zone)
    if when == "just now":
        when = "a moment ago"
    elif not is_today(change.since, now) and when != "yesterday":
        when = f"on {when}"
    if change.is_same_file:
        return f"Unchanged {told_since(change.since, now=now, zone=zone)}."
    than = f"than {when}"
    first = "Another file " + than
    if change.rows:
        more = "more" if change.rows > 0 else "fewer"
        first = f"{count(abs(change.rows), 'row')} {more} {than}"
    elif change.size_bytes:
        larger = "larger" if change.size_bytes > 0 else "smaller"
        first = f"As many rows as {when}; the file is {size(abs(change.size_bytes))} {larger}"
    parts = [
        first,
        *_columns_told(change.new, "is new", "are new"),
        *_columns_told(change.gone, "is gone", "are gone"),
        *(
            f"column **{md(short(one.name, 40))}** now holds {md(one.type)}"
            for one in change.other_type[:_MOST_NAMED]
        ),
    ]
    return "; ".join(parts) + "."


def _columns_told(names: Sequence[str], one: str, many: str) -> list[str]:
    if not names:
        return []
    told = ", ".join(f"**{md(short(name, 40))}**" for name in names[:_MOST_NAMED])
    if len(names) > _MOST_NAMED:
        told += f" and {len(names) - _MOST_NAMED} more"
    return [f"column {told} {one}" if len(names) == 1 else f"columns {told} {many}"]


def _text_column(passport: Passport, key: str, places: Sequence[int], suggested: int | None) -> str:
    """Draw the choice of the text column where there is one to make."""
    usual = fit_of(passport.columns)
    has_usual = not usual.missing
    if has_usual and len(usual.candidates) < 2:
        return TEXT_COLUMN
    if not usual.candidates:
        return TEXT_COLUMN
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        # The names are data: the browser gets them as labels, the choice is kept by their place.
        has_first = TEXT_COLUMN in usual.candidates
        first = places.index(usual.candidates.index(TEXT_COLUMN)) if has_first else None
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
        if chosen is None and suggested is not None:
            st.button(
                f"Use {md(short(usual.candidates[suggested], 40))} as {TEXT_COLUMN}",
                type="tertiary",
                icon=":material/auto_fix_high:",
                key=f"{key}_use",
                on_click=_choose,
                args=(key, suggested),
            )
    return TEXT_COLUMN if chosen is None else usual.candidates[chosen]


def _figures(passport: Passport) -> None:
    with st.container(horizontal=True, gap="large"):
        st.metric("Rows", f"{passport.rows:,}", width="content")
        kinds = "\n".join(
            f"- **{md(short(one.name, 40))}**: {md(one.type)}"
            for one in passport.columns[:_MOST_COLUMNS]
        )
        columns = f"{len(passport.columns):,}"
        st.metric("Columns", columns, help=kinds or None, width="content")
        st.metric("Size", size(passport.raw_bytes), width="content")
        if passport.longest_text_words is not None:
            longest = count(passport.longest_text_words, "word")
            st.metric("Longest text", longest, width="content")
        if presenting.is_on():
            return
        mark = f"{passport.fingerprint[:4]} {passport.fingerprint[4:8]}"
        st.metric(
            "Fingerprint",
            mark,
            help="The first characters of the file's SHA-256. Equal files have equal fingerprints.",
            width="content",
        )


def _label(names: Sequence[str], place: int) -> str:
    return plain(names[place]) or "(no name)"


def _choose(key: str, place: int) -> None:
    st.session_state[key] = place


def _preview(passport: Passport, rows: Sequence[Mapping[str, Any]], text_column: str) -> None:
    names = [column.name for column in passport.columns]
    # The model's text comes first, whatever its place in the file.
    names.sort(key=lambda name: name != text_column)
    first, _most = shown_rows(passport)
    told = _range(passport, first, len(rows))
    rows_grid(
        {name: [row.get(name) for row in rows] for name in names[:_MOST_COLUMNS]},
        row_count=len(rows),
        first_row=first,
        text_column=text_column,
        key=f"summarize_preview_{passport.table_id}",
        alt=f"{told} of the fetched table",
    )
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        told += "."
        if text_column in names:
            told += f" **{md(short(text_column, 40))}** is the text to summarize."
        if len(names) > _MOST_COLUMNS:
            told += f" {_MOST_COLUMNS} of {len(names):,} columns are shown."
        st.markdown(f":small[:gray[{told}]]", width="content")
        if _pages(passport) > 1:
            st.pagination(_pages(passport), width=_PAGER_WIDTH_PX, key=_page_key(passport))


def rows_grid(
    columns: Mapping[str, Sequence[Any]],  # any values a table can hold
    *,
    row_count: int,
    first_row: int,
    text_column: str,
    key: str,
    alt: str,
) -> None:
    """Draw rows of a table, the text to summarize in a wide column.

    Parameters
    ----------
    first_row
        Index of the first of them in the whole table.
    """
    labels = _labels(list(columns))
    frame = pd.DataFrame(
        {label: [_cell(value) for value in columns[name]] for name, label in labels.items()},
        index=pd.RangeIndex(first_row + 1, first_row + row_count + 1, name="Row"),
    )
    wide = st.column_config.TextColumn(width=560)
    st.dataframe(
        frame,
        height=214,
        row_height=34,
        width="stretch",
        key=key,
        column_config={labels[text_column]: wide} if text_column in labels else None,
        alt=alt,
    )


def _range(passport: Passport, first: int, shown: int) -> str:
    if shown == passport.rows:
        return f"{count(passport.rows, 'row')}, all shown"
    return f"Rows {first + 1:,}–{first + shown:,} of {passport.rows:,}"


def _labels(names: Sequence[str]) -> dict[str, str]:
    """Return what heads each column: told apart even where only hidden signs do."""
    labels: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        wanted = label = short(name, 60) or "(no name)"
        number = 2
        while label in taken:
            label, number = f"{wanted} ({number})", number + 1
        taken.add(label)
        labels[name] = label
    return labels


def _pages(passport: Passport) -> int:
    return max(1, -(-passport.rows // PAGE_ROWS))


def _page_key(passport: Passport) -> str:
    return f"summarize_page_{passport.table_id}"


def _cell(value: Any) -> Any:  # noqa: ANN401 - any value a table can hold
    return short(value, _CELL_CHARACTERS) if isinstance(value, str) else value
