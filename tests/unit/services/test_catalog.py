from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from dashboard.domain.connection import Connection
from dashboard.domain.identity import Identity
from dashboard.services.catalog import Catalog

ANN, BOB = Identity("ann", "u1", ""), Identity("bob", "u2", "")
NOW = datetime(2026, 11, 22, tzinfo=UTC)


class Listing:
    """A platform that lists the same connections to everybody, each time as a new list."""

    def list_connections(self, _who: Identity) -> tuple[Connection, ...]:
        return tuple(Connection(f"i{at}", f"n{at}", "HTTP", NOW) for at in range(3))


def catalog() -> Catalog:
    platform: Any = Listing()  # a stand-in for the one call
    return Catalog(lambda: platform)


def test_the_index_of_a_list_is_made_when_it_is_read_and_only_then():
    lists = catalog()
    first = lists.connections(ANN).load()
    index = lists.index_of(ANN, first)
    assert index.source is first
    assert lists.index_of(ANN, first) is index
    second = lists.connections(ANN).load()
    assert lists.index_of(ANN, second) is not index


def test_hidden_names_stay_hidden_in_the_next_list():
    lists = catalog()
    hidden = lists.index_of(ANN, lists.connections(ANN).load(), ["n1"])
    assert [one.name for one in hidden.connections] == ["n0", "n2"]
    again = lists.connections(ANN).load()
    assert lists.index_of(ANN, again, ["n1"]) is lists.index_of(ANN, again, ["n1"])
    assert len(lists.index_of(ANN, again).connections) == 3


def test_nobody_is_given_the_index_of_another_persons_list():
    lists = catalog()
    mine = lists.connections(ANN).load()
    theirs = lists.connections(BOB).load()
    assert lists.index_of(ANN, mine).source is mine
    assert lists.index_of(BOB, theirs).source is theirs
    assert lists.index_of(BOB, mine).source is mine
