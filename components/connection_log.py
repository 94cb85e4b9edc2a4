"""What was done to one connection, newest first, in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo

import streamlit as st

from components import presenting
from components.text import md, short, told_when
from dashboard.domain.activity import Act, Activity, ActResult

_LONGEST = 60
_MOST_FIELDS = 6
_RESULT_MARKS = {
    ActResult.DONE: ":green[:material/check:]",
    ActResult.FAILED: ":red[:material/close:]",
    ActResult.UNFINISHED: ":orange[:material/warning:]",
}
_RESULT_WORDS = {
    ActResult.DONE: "",
    ActResult.FAILED: ", :red[failed]",
    ActResult.UNFINISHED: ", :orange[unfinished]",
}


def acts_list(
    entries: Sequence[Activity],
    total: int,
    *,
    reader_id: str,
    zone: tzinfo,
    on_all: Callable[[], None],
) -> None:
    """Draw the newest `entries` of `total`.

    Parameters
    ----------
    reader_id
        The platform's id of the reader, who is "you".
    on_all
        Called when the whole log is asked for.
    """
    if not entries:
        st.markdown("Nothing was done to it from here yet. What scripts do is not in this log.")
        return
    now = datetime.now(UTC)
    with st.container(gap="xsmall", key="drawer_acts"):
        for entry in entries:
            when = told_when(entry.at, now=now, zone=zone)
            line = f"{_RESULT_MARKS[entry.result]} :gray[{when}, {_person(entry, reader_id)}:] "
            line += act_words(entry) + _RESULT_WORDS[entry.result]
            if entry.note:
                line += f"  \n:small[:gray[{md(short(presenting.words(entry.note), 300))}]]"
            st.markdown(line)
    left = total - len(entries)
    if left > 0:
        st.markdown(f":small[:gray[{left:,} older not shown.]]")
    st.button(
        "See the whole log",
        type="tertiary",
        icon=":material/history:",
        key="drawer_all_activity",
        on_click=on_all,
    )


def act_words(entry: Activity) -> str:
    """Return Markdown of what was done: `Edited token`, `Linked to press-desk`."""
    told = entry.act.value
    if entry.act in (Act.LINKED, Act.UNLINKED) and entry.workspace:
        way = "to" if entry.act is Act.LINKED else "from"
        return f"{told} {way} **{md(short(entry.workspace, _LONGEST))}**"
    names = [f"**{md(short(name, _LONGEST))}**" for name in entry.fields[:_MOST_FIELDS]]
    if len(entry.fields) > _MOST_FIELDS:
        names.append(f"{len(entry.fields) - _MOST_FIELDS} more")
    if not names:
        return told
    joined = ", ".join(names)
    return f"{told} {joined}" if entry.act is Act.EDITED else f"{told} with {joined}"


def _person(entry: Activity, reader_id: str) -> str:
    if entry.who_id == reader_id:
        return "you"
    return md(short(presenting.person(entry.who), _LONGEST)) or "somebody"
