"""The filters above the list of runs.

What the address may hold comes from outside and goes there; names, and what is typed, are kept by
the widgets alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from typing import Final

import streamlit as st

from components import presenting
from components.badges import RUN_LOOKS, cell
from components.choices import days_field, filter_field, hold, search_field
from components.text import plain, short
from dashboard.domain.run import RunState
from dashboard.domain.run_choice import PERIODS, RunChoice, between, days_of
from dashboard.domain.run_filter import RunChoices

SEARCH_KEY: Final = "runs_search"
_PIPELINE_KEY: Final = "runs_pipeline"
_CONNECTION_KEY: Final = "runs_connection"
_PERSON_KEY: Final = "runs_person"
_WHEN_KEY: Final = "runs_when"
_DAYS_KEY: Final = "runs_days"
_STATE_KEY: Final = "runs_state"
_FLAGGED_KEY: Final = "runs_flagged"
_DAYS: Final = "days"
_PERIOD_WORDS: Final = {"today": "Today", "week": "Last 7 days", "month": "Last 30 days"}
_WEEK: Final = timedelta(days=6)
_LONGEST: Final = 60
_VERSION_LETTERS: Final = 8
#: A search opens every text: it waits until typing pauses.
_PAUSE: Final = "600ms"

#: Takes a change of what is chosen by now.
OnChoose = Callable[[Callable[[RunChoice], RunChoice]], None]


@dataclass(frozen=True, slots=True)
class NamesChosen:
    """What is chosen by name, or typed; empty for all."""

    words: str = ""
    pipeline: str = ""
    connection: str = ""


def run_filters(
    choice: RunChoice, choices: RunChoices, *, me: str, today: date, on_choose: OnChoose
) -> NamesChosen:
    """Draw the filters in one row, and return what is chosen by name.

    Parameters
    ----------
    me
        The platform's id of the reader's account, who is "you" among the people.
    today
        Where the reader is.
    """
    with st.container(
        horizontal=True, vertical_alignment="center", gap="xsmall", key="runs_filters"
    ):
        words = search_field(
            "Search inputs, summaries and names",
            "Search all texts",
            key=SEARCH_KEY,
            width=200,
            pause=_PAUSE,
            on_change=partial(on_choose, _first_page),
        )
        pipeline = _pipeline(choice, choices.pipelines, on_choose)
        connection = _connection(choices, on_choose)
        if len(choices.people) > 1 or choice.person:
            _person(choice, choices.people, me, on_choose)
        _when(choice, today, on_choose)
        _state(choice, on_choose)
        hold(_FLAGGED_KEY, choice.only_flagged)
        st.toggle(
            "To check",
            width="content",
            key=_FLAGGED_KEY,
            on_change=_chosen_flagged,
            args=(on_choose,),
        )
    return NamesChosen(words, pipeline, connection)


def clear_names() -> None:
    """Take away what is chosen by name, or typed. For a callback."""
    st.session_state[SEARCH_KEY] = ""
    st.session_state[_PIPELINE_KEY] = None
    st.session_state[_CONNECTION_KEY] = None


def _first_page(old: RunChoice) -> RunChoice:
    return replace(old, page=1)


def _pipeline(
    choice: RunChoice, pipelines: Mapping[str, tuple[str, ...]], on_choose: OnChoose
) -> str:
    """Draw the choice of a pipeline, or of one of its versions; return the pipeline's name."""
    words: dict[tuple[str, str], str] = {}
    for name, versions in pipelines.items():
        told = short(name, _LONGEST) or "(no name)"
        words[name, ""] = told
        if len(versions) > 1 or choice.version in versions:
            words |= {
                (name, version): f"{told} {presenting.short_id(version, _VERSION_LETTERS)}"
                for version in versions
                if version
            }
    held = st.session_state.get(_PIPELINE_KEY)
    if choice.version:
        known = [one for one in words if one[1] == choice.version]
        held = known[0] if known else ("", choice.version)
        words.setdefault(
            held, f"Version {presenting.short_id(plain(choice.version), _VERSION_LETTERS)}"
        )
    elif held is not None and (held[1] or held not in words):
        held = None
    hold(_PIPELINE_KEY, held)
    chosen = filter_field(
        "Pipeline and version",
        words,
        placeholder="All pipelines",
        key=_PIPELINE_KEY,
        width=135,
        on_change=partial(_chosen_pipeline, on_choose),
    )
    return chosen[0] if chosen else ""


def _connection(choices: RunChoices, on_choose: OnChoose) -> str:
    options = list(choices.connections)
    if st.session_state.get(_CONNECTION_KEY) not in (None, *options):
        st.session_state[_CONNECTION_KEY] = None
    chosen = filter_field(
        "Connection",
        {name: short(name, _LONGEST) or "(no name)" for name in options},
        placeholder="All connections",
        key=_CONNECTION_KEY,
        width=145,
        on_change=partial(on_choose, _first_page),
    )
    return chosen or ""


def _person(choice: RunChoice, people: Mapping[str, str], me: str, on_choose: OnChoose) -> None:
    options = list(people)
    if choice.person and choice.person not in people:
        options.append(choice.person)
    names = {
        one: "You"
        if one == me
        else plain(presenting.person(people.get(one, ""))) or "Another person"
        for one in options
    }
    hold(_PERSON_KEY, choice.person or None)
    filter_field(
        "Person",
        names,
        placeholder="By anybody",
        key=_PERSON_KEY,
        width=115,
        on_change=partial(_chosen_person, on_choose),
    )


def _when(choice: RunChoice, today: date, on_choose: OnChoose) -> None:
    days = days_of(choice.when)
    hold(_WHEN_KEY, _DAYS if days else choice.when or None)
    filter_field(
        "Time",
        {one: _PERIOD_WORDS[one] for one in PERIODS} | {_DAYS: "Choose days"},
        placeholder="Any time",
        key=_WHEN_KEY,
        width=115,
        on_change=partial(_chosen_when, on_choose, today),
    )
    if days is not None:
        days_field(days, key=_DAYS_KEY, on_choose=partial(_chosen_days, on_choose))


def _state(choice: RunChoice, on_choose: OnChoose) -> None:
    hold(_STATE_KEY, choice.state.value if choice.state is not None else None)
    filter_field(
        "State",
        {state.value: cell(look, state.value) for state, look in RUN_LOOKS.items()},
        placeholder="All states",
        key=_STATE_KEY,
        width=115,
        on_change=partial(_chosen_state, on_choose),
    )


def _chosen_pipeline(on_choose: OnChoose) -> None:
    _name, version = st.session_state.get(_PIPELINE_KEY) or ("", "")
    on_choose(lambda old: replace(old, version=version, page=1))


def _chosen_person(on_choose: OnChoose) -> None:
    person = st.session_state.get(_PERSON_KEY) or ""
    on_choose(lambda old: replace(old, person=person, page=1))


def _chosen_when(on_choose: OnChoose, today: date) -> None:
    when = st.session_state.get(_WHEN_KEY) or ""
    if when == _DAYS:
        when = between(today - _WEEK, today)
    on_choose(lambda old: replace(old, when=when, page=1))


def _chosen_days(on_choose: OnChoose, first: date, last: date) -> None:
    when = between(first, last)
    on_choose(lambda old: replace(old, when=when, page=1))


def _chosen_state(on_choose: OnChoose) -> None:
    word = st.session_state.get(_STATE_KEY)
    state = RunState(word) if word else None
    on_choose(lambda old: replace(old, state=state, page=1))


def _chosen_flagged(on_choose: OnChoose) -> None:
    is_on = bool(st.session_state.get(_FLAGGED_KEY))
    on_choose(lambda old: replace(old, only_flagged=is_on, page=1))
