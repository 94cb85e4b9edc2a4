"""The filters above the list of connections. What is chosen comes from outside and goes there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import streamlit as st

from components.badges import HEALTH_LOOKS
from components.choices import filter_field, hold, pills_field, search_field
from components.text import plain, short
from dashboard.domain.check import HealthState
from dashboard.domain.connection_list import Order
from dashboard.domain.list_choice import NOT_LINKED, ListChoice, slug, state_of

SEARCH_KEY: Final = "connections_search"
_HEALTH_KEY: Final = "connections_health"
_TYPE_KEY: Final = "connections_type"
_ROOM_KEY: Final = "connections_workspace"
_ORDER_KEY: Final = "connections_sort"
_ALL: Final = "all"

#: How long typing must pause before it is searched for. A search takes less than that.
_PAUSE: Final = "100ms"
_LONGEST_NAME: Final = 60

_ORDER_WORDS: Final = {
    Order.NEWEST: "Newest first",
    Order.OLDEST: "Oldest first",
    Order.NAME: "Name",
    Order.TYPE: "Type",
    Order.HOST: "Host",
    Order.HEALTH: "Health, worst first",
    Order.CHECKED: "Last checked",
    Order.LAST_RUN: "Last run",
}
#: Takes a change of what is chosen by now. A click may come in before the run that the click before
#: it started has drawn anything: what was drawn is no ground to change anything upon.
OnChoose = Callable[[Callable[[ListChoice], ListChoice]], None]


@dataclass(frozen=True, slots=True)
class FilterFacts:
    """What there is to choose from.

    Parameters
    ----------
    types
        Of all connections, sorted.
    rooms
        Words for each workspace, by its id.
    """

    types: Sequence[str]
    rooms: Mapping[str, str]


def search_box(on_choose: OnChoose) -> str:
    """Draw the search and return its words; `on_choose` is called with each change of the page."""
    return search_field(
        "Search",
        "Name, type, host or workspace",
        key=SEARCH_KEY,
        width=230,
        pause=_PAUSE,
        on_change=partial(on_choose, lambda old: replace(old, page=1)),
    )


def type_and_workspace(choice: ListChoice, facts: FilterFacts, on_choose: OnChoose) -> None:
    """Draw the filters by type and by workspace."""
    hold(_TYPE_KEY, choice.type)
    filter_field(
        "Type",
        {kind: short(kind, _LONGEST_NAME) or "(no type)" for kind in facts.types},
        placeholder="All types",
        key=_TYPE_KEY,
        width=130,
        on_change=partial(_chosen_type, on_choose),
    )
    hold(_ROOM_KEY, choice.workspace or None)
    filter_field(
        "Workspace",
        {NOT_LINKED: "Not linked"} | {one: plain(name) for one, name in facts.rooms.items()},
        placeholder="All workspaces",
        key=_ROOM_KEY,
        width=165,
        on_change=partial(_chosen_room, on_choose),
    )


def health_pills(
    choice: ListChoice, by_health: Mapping[HealthState, int], on_choose: OnChoose
) -> None:
    """Draw the states, each with how many connections the other filters leave of it."""

    def words(option: str) -> str:
        state = state_of(option)
        if state is None:
            return f"All {sum(by_health.values()):,}"
        look = HEALTH_LOOKS[state]
        return f":material/{look.icon}: {state.value} {by_health.get(state, 0):,}"

    pills_field(
        "Health",
        {one: words(one) for one in (_ALL, *map(slug, HealthState))},
        chosen=slug(choice.health) if choice.health is not None else _ALL,
        key=_HEALTH_KEY,
        on_change=partial(_chosen_health, on_choose),
    )


def order_choice(choice: ListChoice, on_choose: OnChoose) -> None:
    """Draw the choice of the order."""
    hold(_ORDER_KEY, choice.order.value)
    filter_field(
        "Sort by",
        {order.value: _ORDER_WORDS[order] for order in Order},
        placeholder=None,
        key=_ORDER_KEY,
        width=165,
        on_change=partial(_chosen_order, on_choose),
    )


def _chosen_health(on_choose: OnChoose) -> None:
    picked = st.session_state.get(_HEALTH_KEY)
    # None is the pill of a count that has changed under the click; there is no other way to it.
    if picked is not None:
        on_choose(lambda old: replace(old, health=state_of(picked), page=1))


def _chosen_type(on_choose: OnChoose) -> None:
    kind = st.session_state.get(_TYPE_KEY)
    on_choose(lambda old: replace(old, type=kind, page=1))


def _chosen_room(on_choose: OnChoose) -> None:
    room = st.session_state.get(_ROOM_KEY)
    on_choose(lambda old: replace(old, workspace=room or "", page=1))


def _chosen_order(on_choose: OnChoose) -> None:
    order = Order(st.session_state[_ORDER_KEY])
    on_choose(lambda old: replace(old, order=order, page=1))
