"""The filters above the list of pipelines. What is chosen comes from outside and goes there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final

import streamlit as st

from components.badges import PIPELINE_LOOKS
from components.choices import distinct, hold, pills_field
from components.text import plain
from dashboard.domain.pipeline import PipelineState
from dashboard.domain.pipeline_choice import PipelineChoice, slug, state_of

SEARCH_KEY: Final = "pipelines_search"
_STATE_KEY: Final = "pipelines_state"
_ROOM_KEY: Final = "pipelines_workspace"
_ALL: Final = "all"
#: How long typing must pause before it is searched for.
_PAUSE: Final = "100ms"

#: Takes a change of what is chosen by now: what was drawn may be older.
OnChoose = Callable[[Callable[[PipelineChoice], PipelineChoice]], None]


def search_box(on_choose: OnChoose) -> str:
    """Draw the search and return its words."""
    words = st.text_input(
        "Search",
        placeholder="Name, model or workspace",
        icon=":material/search:",
        label_visibility="collapsed",
        width=230,
        live=_PAUSE,
        key=SEARCH_KEY,
        on_change=on_choose,
        args=(lambda old: replace(old, page=0),),
    )
    return words or ""


def room_choice(choice: PipelineChoice, rooms: Mapping[int, str], on_choose: OnChoose) -> None:
    """Draw the filter by workspace; `rooms` are their words by their ids."""
    told = dict(zip(rooms, distinct([plain(name) for name in rooms.values()]), strict=True))
    hold(_ROOM_KEY, choice.workspace or None)
    st.selectbox(
        "Workspace",
        list(told),
        index=None,
        placeholder="All workspaces",
        format_func=lambda one: told.get(one, ""),
        label_visibility="collapsed",
        width=260,
        key=_ROOM_KEY,
        on_change=_chosen_room,
        args=(on_choose,),
    )


def state_pills(
    choice: PipelineChoice, by_state: Mapping[PipelineState, int], on_choose: OnChoose
) -> None:
    """Draw the states there are, each with how many the other filters leave of it."""

    def words(option: str) -> str:
        state = state_of(option)
        if state is None:
            return f"All {sum(by_state.values()):,}"
        return f":material/{PIPELINE_LOOKS[state].icon}: {state.value} {by_state.get(state, 0):,}"

    shown = [state for state in PipelineState if by_state.get(state) or state is choice.state]
    pills_field(
        "State",
        {one: words(one) for one in (_ALL, *map(slug, shown))},
        chosen=slug(choice.state) if choice.state is not None else _ALL,
        key=_STATE_KEY,
        on_change=partial(_chosen_state, on_choose),
    )


def _chosen_room(on_choose: OnChoose) -> None:
    room = st.session_state.get(_ROOM_KEY)
    on_choose(lambda old: replace(old, workspace=int(room or 0), page=0))


def _chosen_state(on_choose: OnChoose) -> None:
    picked = st.session_state.get(_STATE_KEY)
    # None is the pill of a count that has changed under the click; there is no other way to it.
    if picked is not None:
        on_choose(lambda old: replace(old, state=state_of(picked), page=0))
