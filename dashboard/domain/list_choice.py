"""What of the list of connections is looked at, and how the page's address says it.

Ids, states and words of ours only, and the connection's type: never a name, never what is typed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dashboard.domain.check import HealthState
from dashboard.domain.connection_list import Order

#: Stands in the address for the connections that are linked to no workspace.
NOT_LINKED: Final = "none"

_LONGEST_NUMBER: Final = 9
_BY_SLUG: Final = {state.value.lower().replace(" ", "-"): state for state in HealthState}
_SLUGS: Final = {state: slug for slug, state in _BY_SLUG.items()}


@dataclass(frozen=True, slots=True)
class ListChoice:
    """Filters, order and page.

    Parameters
    ----------
    workspace
        A workspace's id, `NOT_LINKED`, or empty for all.
    page
        Counts from 1. May be past the end.
    """

    health: HealthState | None = None
    type: str | None = None
    workspace: str = ""
    order: Order = Order.NEWEST
    page: int = 1

    @property
    def is_narrowed(self) -> bool:
        """Whether it leaves anything out."""
        return self.health is not None or self.type is not None or bool(self.workspace)

    def to_query(self) -> dict[str, str]:
        """Return the parameters of the address; what is as usual is left out."""
        query = {}
        if self.health is not None:
            query["health"] = _SLUGS[self.health]
        if self.type is not None:
            query["type"] = self.type
        if self.workspace:
            query["workspace"] = self.workspace
        if self.order is not Order.NEWEST:
            query["sort"] = self.order.value
        if self.page > 1:
            query["page"] = str(self.page)
        return query


#: The parameters of the address that are read here.
PARAMETERS: Final = ("health", "type", "workspace", "sort", "page")


def choice_of(query: Mapping[str, str]) -> ListChoice:
    """Read an address. What it cannot mean is ignored."""
    room, order = query.get("workspace", ""), query.get("sort", "")
    return ListChoice(
        health=_BY_SLUG.get(query.get("health", "")),
        type=query.get("type"),
        workspace=room if room == NOT_LINKED or _number(room) else "",
        order=Order(order) if order in set(Order) else Order.NEWEST,
        page=_number(query.get("page", "")) or 1,
    )


def slug(state: HealthState) -> str:
    """Return the word that stands for a state in the address."""
    return _SLUGS[state]


def state_of(word: str) -> HealthState | None:
    """Return the state that a word of the address stands for; None if it is no such word."""
    return _BY_SLUG.get(word)


def _number(text: str) -> int:
    """Return a positive whole number as it is written in an address, else 0."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER
    return int(text) if is_number else 0
