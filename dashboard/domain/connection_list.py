"""The list of connections as people go through it: searched, filtered, sorted, in pages.

Everything that does not change between two keystrokes is worked out once per list, so that a
search of ten thousand connections takes a few milliseconds. Pure; safe to use from any thread.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from dashboard.domain.check import Health, HealthState
from dashboard.domain.connection import Connection

PAGE_ROWS: Final = 50

_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_UNTESTED: Final = Health()
_WORST_FIRST: Final = {
    HealthState.FAILING: 0,
    HealthState.STALE: 1,
    HealthState.UNTESTED: 2,
    HealthState.HEALTHY: 3,
}


class Order(StrEnum):
    """How the list is sorted; the value stands in the address."""

    NEWEST = "newest"
    OLDEST = "oldest"
    NAME = "name"
    TYPE = "type"
    HOST = "host"
    HEALTH = "health"
    CHECKED = "checked"
    LAST_RUN = "last-run"


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Which connections are wanted; all by default.

    Parameters
    ----------
    words
        Each of them must be part of the name, the type, the host or a workspace's name.
    among
        Ids of the connections to choose from; None for all.
    """

    words: str = ""
    health: HealthState | None = None
    type: str | None = None
    among: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What the dashboard knows of connections besides what the platform lists.

    Parameters
    ----------
    health
        By connection id; those that were never checked may be missing.
    last_runs
        When a table that was read through a connection was run last, by the connection's name.
    """

    health: Mapping[str, Health] = field(default_factory=dict)
    last_runs: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One connection as the list shows it."""

    connection: Connection
    health: Health
    last_run_at: datetime | None


@dataclass(frozen=True, slots=True)
class Found:
    """What was found, before it is cut into pages.

    Parameters
    ----------
    positions
        Of the connections in their list, in the order asked for.
    by_health
        How many there would be of each state if health were no filter.
    """

    positions: Sequence[int]
    by_health: Mapping[HealthState, int]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of what was found. `number` counts from 1; `first` from 0."""

    number: int
    pages: int
    first: int
    positions: Sequence[int]


class ConnectionIndex:
    """What searching and sorting one list needs, worked out once.

    Parameters
    ----------
    source
        The list as it was read; the index belongs to this very object.
    hidden
        Names of connections to leave out.
    """

    def __init__(self, source: Sequence[Connection], hidden: Collection[str] = ()) -> None:
        self.source = source
        self.hidden = frozenset(hidden)
        self.connections = tuple(one for one in source if one.name not in self.hidden)
        self.types = tuple(sorted({one.type for one in self.connections}, key=searchable))
        self._texts = [searchable(_text_of(one)) for one in self.connections]
        self._linked: dict[str, set[str]] = {}
        for one in self.connections:
            for name in one.workspace_names:
                self._linked.setdefault(name, set()).add(one.connection_id)
        self._orders = self._fixed_orders()
        # Replaced as a whole, so that two threads at once only do the same work twice.
        self._known: tuple[Facts | None, list[Health]] = (None, [])

    def find(self, wanted: Narrowing, order: Order, facts: Facts) -> Found:
        """Return who fits, in order."""
        healths = self._healths(facts)
        fitting = self._fitting(wanted)
        by_health = Counter(healths[at].state for at in fitting)
        if wanted.health is not None:
            fitting = [at for at in fitting if healths[at].state is wanted.health]
        return Found(self._sorted(fitting, order, facts), by_health)

    def rows(self, positions: Iterable[int], facts: Facts) -> list[Row]:
        """Return the connections at these positions with what is known of them."""
        healths = self._healths(facts)
        return [
            Row(one, healths[at], facts.last_runs.get(one.name))
            for at in positions
            for one in (self.connections[at],)
        ]

    def linked_to(self, workspace_name: str) -> frozenset[str]:
        """Ids of the connections that list a workspace of this name."""
        return frozenset(self._linked.get(workspace_name, ()))

    def not_linked(self) -> frozenset[str]:
        """Ids of the connections that are linked to no workspace."""
        return frozenset(one.connection_id for one in self.connections if not one.workspace_names)

    def chosen(self, connection_ids: Collection[str]) -> list[Connection]:
        """Return those of these connections that (still) are in the list, in its order."""
        wanted = set(connection_ids)
        return [one for one in self.connections if one.connection_id in wanted]

    def _fitting(self, wanted: Narrowing) -> list[int]:
        among, kind = wanted.among, wanted.type
        fitting: Iterable[int] = range(len(self.connections))
        for word in searchable(wanted.words).split():
            fitting = [at for at in fitting if word in self._texts[at]]
        if kind is not None:
            fitting = [at for at in fitting if self.connections[at].type == kind]
        if among is not None:
            fitting = [at for at in fitting if self.connections[at].connection_id in among]
        return list(fitting)

    def _sorted(self, fitting: list[int], order: Order, facts: Facts) -> list[int]:
        fixed = self._orders.get(order)
        if fixed is not None:
            if len(fitting) == len(fixed):
                return fixed
            kept = set(fitting)
            return [at for at in fixed if at in kept]
        return sorted(fitting, key=self._key_of(order, facts))

    def _key_of(self, order: Order, facts: Facts) -> Callable[[int], tuple[object, ...]]:
        healths, newest = self._healths(facts), self._ranks

        def checked(at: int) -> datetime:
            last = healths[at].last
            return last.at if last is not None else _NEVER

        if order is Order.HEALTH:
            # Of the failing ones the latest news first.
            return lambda at: (
                _WORST_FIRST[healths[at].state],
                _NEVER - checked(at),
                newest[at],
            )
        if order is Order.CHECKED:
            return lambda at: (_NEVER - checked(at), newest[at])
        runs = facts.last_runs
        return lambda at: (
            _NEVER - runs.get(self.connections[at].name, _NEVER),
            newest[at],
        )

    def _fixed_orders(self) -> dict[Order, list[int]]:
        places = range(len(self.connections))
        oldest = sorted(places, key=lambda at: self.connections[at].created_at)
        newest = oldest[::-1]
        self._ranks = [0] * len(newest)
        for rank, at in enumerate(newest):
            self._ranks[at] = rank
        names = [searchable(one.name) for one in self.connections]
        kinds = [searchable(one.type) for one in self.connections]
        # Those without a host stand last.
        hosts = [(one.host is None, searchable(one.host or "")) for one in self.connections]
        by_name = sorted(newest, key=names.__getitem__)
        return {
            Order.NEWEST: newest,
            Order.OLDEST: oldest,
            Order.NAME: by_name,
            Order.TYPE: sorted(by_name, key=kinds.__getitem__),
            Order.HOST: sorted(by_name, key=hosts.__getitem__),
        }

    def _healths(self, facts: Facts) -> list[Health]:
        known, healths = self._known
        if known is None or known.health is not facts.health:
            of = facts.health.get
            healths = [of(one.connection_id, _UNTESTED) for one in self.connections]
            self._known = (facts, healths)
        return healths


def page_of(positions: Sequence[int], number: int, *, rows: int = PAGE_ROWS) -> Page:
    """Return page `number`, or the nearest there is."""
    pages = max(1, -(-len(positions) // rows))
    number = min(max(number, 1), pages)
    first = (number - 1) * rows
    return Page(number, pages, first, positions[first : first + rows])


def searchable(text: str) -> str:
    """Return `text` so that what looks the same is found the same."""
    if text.isascii() and text.isprintable():
        return text.casefold()
    shown = (
        " " if letter.isspace() else letter
        for letter in unicodedata.normalize("NFKC", text)
        if letter.isspace() or unicodedata.category(letter) not in ("Cc", "Cf")
    )
    return "".join(shown).casefold()


def _text_of(one: Connection) -> str:
    # A space parts them: a word without spaces cannot reach from one into the next.
    return " ".join((one.name, one.type, one.host or "", *one.workspace_names))
