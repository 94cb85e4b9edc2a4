"""The activity log as a table, and what it is filtered by."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, tzinfo
from math import ceil

import pandas as pd
import streamlit as st

from components import presenting
from components.badges import ACTIVITY_LOOKS, cell
from components.tables import Rows, ticked_table
from components.text import count, is_today, md, short, told_when
from dashboard.domain.activity import Act, Activity, ActivityFilter, ActResult, sentence

_WORDS = "activity_words"
_ACT = "activity_act"
_RESULT = "activity_result"
_PAGE = "activity_page"
_MOST_CHARACTERS = 300
#: So many stand in the table; all of a sentence is told below it.
_CHARACTERS_A_LINE = 66
_RESULTS = {result: cell(look, result.value) for result, look in ACTIVITY_LOOKS.items()}


def filters() -> ActivityFilter:
    """Draw the filters; return what is wanted. The words typed do not stand in the URL."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        words = st.text_input(
            "Search",
            placeholder="Connection, pipeline or person",
            icon=":material/search:",
            label_visibility="collapsed",
            width=270,
            live=True,
            key=_WORDS,
            on_change=_to_first_page,
        )
        act = st.selectbox(
            "What was done",
            [act.value for act in Act],
            index=None,
            placeholder="All acts",
            label_visibility="collapsed",
            width=190,
            key=_ACT,
            bind="query-params",
            on_change=_to_first_page,
        )
        results = st.pills(
            "How it ended",
            [result.value for result in ActResult],
            selection_mode="multi",
            label_visibility="collapsed",
            key=_RESULT,
            bind="query-params",
            on_change=_to_first_page,
        )
    return ActivityFilter(
        acts=(Act(act),) if act else (),
        results=tuple(ActResult(value) for value in results),
        words=words or "",
    )


def clear_filters() -> None:
    """Take all filters away. For a callback."""
    st.session_state[_WORDS] = ""
    st.session_state[_ACT] = None
    st.session_state[_RESULT] = []
    _to_first_page()


def page_picker(total: int, *, per_page: int) -> int:
    """Draw the pages of `total` entries, if there are several; return the chosen one, from 1."""
    pages = max(1, ceil(total / per_page))
    if pages == 1:
        return 1
    with st.container(horizontal=True, horizontal_alignment="center"):
        return st.pagination(pages, key=_PAGE, bind="query-params")


def activity_table(  # noqa: PLR0913 - what a table shows and calls, by keyword
    entries: Sequence[Activity],
    *,
    me: str,
    zone: tzinfo,
    first: int,
    total: int,
    ticked: Collection[str],
    on_tick: Callable[[Sequence[str]], None],
) -> None:
    """Draw some entries, and in full those that are ticked.

    Parameters
    ----------
    me
        The platform's id of the reader's account: what they did themselves was done by "you".
    first
        Place of the first of them among all, from 1.
    ticked
        Ids of the entries that are read in full.
    on_tick
        Called with the ids of those that are ticked now.
    """
    now = datetime.now(UTC)
    told_of = [presenting.words(sentence(entry)) for entry in entries]
    ids = [str(entry.activity_id) for entry in entries]
    frame = pd.DataFrame(
        {
            "When": [when(entry.at, now=now, zone=zone) for entry in entries],
            "What happened": [short(told, _CHARACTERS_A_LINE) for told in told_of],
            "Connection": [_cell(entry.connection_name) for entry in entries],
            "Result": [[_RESULTS[entry.result]] for entry in entries],
            "By": [by(entry, me=me) for entry in entries],
        }
    )
    with st.container(key="activity_list"):
        rows = Rows(ids, ticked, lambda _id: None, lambda _shown, ticks: on_tick(ticks))
        _grid(frame, rows)
    read = [
        f"**{md(when(entry.at, now=now, zone=zone))}** {md(told)}"
        for one, entry, told in zip(ids, entries, told_of, strict=True)
        if one in ticked
    ]
    if read:
        with st.container(border=True, key="activity_read"):
            st.markdown("  \n".join(read))
    last = first + len(entries) - 1
    shown = f"{first:,}–{last:,} of {total:,}" if total > len(entries) else f"All {total:,}"
    told = shown if total > 1 else "One entry"
    is_cut = any(len(told) > _CHARACTERS_A_LINE for told in told_of)
    hint = " Tick a row to read all of it." if is_cut and not read else ""
    st.markdown(f":small[:gray[{told}, newest first.{hint}]]")


def nothing_fits(on_clear: Callable[[], None]) -> None:
    """Say that no entry fits the filters, with the way back."""
    with st.container(border=True, key="activity_none", horizontal_alignment="center", gap="small"):
        st.space("small")
        st.markdown("**No entry fits these filters**", text_alignment="center")
        st.button("Clear the filters", key="activity_clear", on_click=on_clear)
        st.space("small")


def when(at: datetime, *, now: datetime, zone: tzinfo) -> str:
    """Return a time of the log: an age under a day, then the day and the time."""
    told = told_when(at, now=now, zone=zone)
    return told if is_today(at, now) else f"{told}, {at.astimezone(zone):%H:%M}"


def by(entry: Activity, *, me: str) -> str:
    """Return who did it; `me` is the reader's own id."""
    return "you" if entry.who_id == me else _cell(presenting.person(entry.who)) or "another person"


def _grid(frame: pd.DataFrame, rows: Rows) -> None:
    text = st.column_config.TextColumn
    ticked_table(
        frame,
        rows,
        key="activity_table",
        columns={
            "When": text("When", width=96),
            "What happened": text("What happened", width=430),
            "Connection": text("Connection", width=180),
            "Result": st.column_config.MultiselectColumn(
                "Result",
                options=list(_RESULTS.values()),
                color=[ACTIVITY_LOOKS[result].color for result in _RESULTS],
                width=112,
            ),
            "By": text("By", width=125),
        },
        alt=f"{count(len(frame), 'entry', 'entries')} of the activity log, newest first: when, "
        "what happened to which connection, how it ended, and by whom",
    )


def _cell(text: str) -> str:
    return short(text, _MOST_CHARACTERS)


def _to_first_page() -> None:
    if st.session_state.get(_PAGE, 1) != 1:
        st.session_state[_PAGE] = 1
