from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.domain.check import Check, CheckKind, Health, HealthState
from dashboard.domain.connection import Connection
from dashboard.domain.connection_list import (
    ConnectionIndex,
    Facts,
    Narrowing,
    Order,
    page_of,
    searchable,
)

NOW = datetime(2026, 11, 22, 14, 2, tzinfo=UTC)
NOTHING = Facts()


def connection(
    name: str,
    *,
    kind: str = "HTTP",
    host: str | None = None,
    rooms: tuple[str, ...] = (),
    age: int = 0,
) -> Connection:
    made = NOW - timedelta(days=age)
    return Connection(f"id-{name}", name, kind, made, rooms, host=host)


def health(state: HealthState, *, hours: int = 0) -> Health:
    at = NOW - timedelta(hours=hours)
    check = Check("x", CheckKind.TEST, at, passed=state is not HealthState.FAILING)
    return Health(state, check)


def names(index: ConnectionIndex, wanted: Narrowing, order: Order, facts: Facts) -> list[str]:
    found = index.find(wanted, order, facts)
    return [row.connection.name for row in index.rows(found.positions, facts)]


THREE = (
    connection("press-releases", host="news.example.org", rooms=("press-desk",), age=3),
    connection("Orders", kind="S3", rooms=("finance", "forecast"), age=2),
    connection("sales", kind="KAFKA", host="broker.example.net", age=1),
)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", ["sales", "Orders", "press-releases"]),
        ("ORDER", ["Orders"]),
        ("kafka", ["sales"]),
        ("example", ["sales", "press-releases"]),
        ("finance", ["Orders"]),
        ("s3 fore", ["Orders"]),
        ("s3 kafka", []),
    ],
)
def test_the_search_finds_each_word_in_name_type_host_or_workspace(words, found):
    assert names(ConnectionIndex(THREE), Narrowing(words), Order.NEWEST, NOTHING) == found


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("STRASSE", "straße"),
        ("déjà-vu", "de\u0301ja\u0300"),
        ("invoice\u202efdp.exe", "invoicefdp"),
        ("ﬁle", "file"),
        ("مرحبا שלום", "שלום"),
        ("a\x00b", "ab"),
    ],
)
def test_what_looks_the_same_is_found_the_same(name, words):
    assert names(ConnectionIndex((connection(name),)), Narrowing(words), Order.NAME, NOTHING)


def test_health_counts_tell_what_choosing_a_state_would_leave():
    facts = Facts({"id-Orders": health(HealthState.FAILING), "id-sales": health(HealthState.STALE)})
    index = ConnectionIndex(THREE)
    found = index.find(Narrowing("example", health=HealthState.STALE), Order.NAME, facts)
    assert found.by_health == {HealthState.STALE: 1, HealthState.UNTESTED: 1}
    assert len(found.positions) == found.by_health[HealthState.STALE]


def test_a_new_map_of_health_is_used_at_once():
    index = ConnectionIndex(THREE)
    healthy = Narrowing(health=HealthState.HEALTHY)
    assert names(index, healthy, Order.NAME, NOTHING) == []
    facts = Facts({"id-sales": health(HealthState.HEALTHY)})
    assert names(index, healthy, Order.NAME, facts) == ["sales"]


def test_the_worst_health_stands_first_and_the_latest_news_of_it():
    facts = Facts(
        {
            "id-press-releases": health(HealthState.FAILING, hours=5),
            "id-sales": health(HealthState.FAILING, hours=1),
            "id-Orders": health(HealthState.HEALTHY),
        }
    )
    index = ConnectionIndex(THREE)
    assert names(index, Narrowing(), Order.HEALTH, facts) == ["sales", "press-releases", "Orders"]


def test_what_never_ran_stands_last():
    facts = Facts(last_runs={"Orders": NOW - timedelta(days=1), "press-releases": NOW})
    ordered = names(ConnectionIndex(THREE), Narrowing(), Order.LAST_RUN, facts)
    assert ordered == ["press-releases", "Orders", "sales"]


def test_connections_without_a_host_stand_last():
    ordered = names(ConnectionIndex(THREE), Narrowing(), Order.HOST, NOTHING)
    assert ordered == ["sales", "press-releases", "Orders"]


def test_hidden_names_are_in_no_list_and_no_count():
    index = ConnectionIndex(THREE, {"sales"})
    found = index.find(Narrowing(), Order.NAME, NOTHING)
    assert found.by_health == {HealthState.UNTESTED: 2}
    assert index.types == ("HTTP", "S3")
    assert index.chosen(["id-sales", "id-Orders"]) == [THREE[1]]


def test_connections_are_found_by_workspace_and_by_the_lack_of_one():
    index = ConnectionIndex(THREE)
    assert index.linked_to("finance") == {"id-Orders"}
    assert index.linked_to("no such room") == frozenset()
    assert index.not_linked() == {"id-sales"}
    assert names(index, Narrowing(among=index.not_linked()), Order.NAME, NOTHING) == ["sales"]


NAMES = st.text(st.sampled_from("abcäß \u202e=<"), max_size=6)
CONNECTIONS = st.lists(
    st.builds(
        Connection,
        connection_id=st.uuids().map(str),
        name=NAMES,
        type=st.sampled_from(["HTTP", "S3", ""]),
        created_at=st.integers(0, 5).map(lambda days: NOW - timedelta(days=days)),
        workspace_names=st.lists(st.sampled_from(["r1", "r2"]), max_size=2).map(tuple),
        host=st.none() | st.just("h.example"),
    ),
    max_size=30,
    unique_by=lambda one: one.connection_id,
)
ORDERS = st.sampled_from(list(Order))
WANTED = st.builds(
    Narrowing,
    words=NAMES,
    health=st.none() | st.sampled_from(list(HealthState)),
    type=st.none() | st.sampled_from(["HTTP", "S3", "", "unknown"]),
)


@given(listed=CONNECTIONS, order=ORDERS, wanted=WANTED, rows=st.integers(1, 7))
def test_the_pages_hold_each_connection_that_fits_once_and_no_other(listed, order, wanted, rows):
    facts = Facts({one.connection_id: health(HealthState.STALE) for one in listed[::3]})
    index = ConnectionIndex(tuple(listed))
    found = index.find(wanted, order, facts).positions
    first = page_of(found, 1, rows=rows)
    cut = [page_of(found, number + 1, rows=rows) for number in range(first.pages)]
    assert [at for page in cut for at in page.positions] == list(found)
    assert len(set(found)) == len(found)
    for at, one in enumerate(listed):
        state = HealthState.STALE if one.connection_id in facts.health else HealthState.UNTESTED
        text = searchable(" ".join((one.name, one.type, one.host or "", *one.workspace_names)))
        fits = (
            all(word in text for word in searchable(wanted.words).split())
            and wanted.health in (None, state)
            and wanted.type in (None, one.type)
        )
        assert (at in found) == fits


@given(listed=CONNECTIONS, order=ORDERS)
def test_filtering_never_changes_the_order(listed, order):
    index = ConnectionIndex(tuple(listed))
    everything = list(index.find(Narrowing(), order, NOTHING).positions)
    some = list(index.find(Narrowing(type="HTTP"), order, NOTHING).positions)
    assert [at for at in everything if at in set(some)] == some


@given(listed=CONNECTIONS)
def test_names_are_sorted_as_they_are_read(listed):
    index = ConnectionIndex(tuple(listed))
    ordered = names(index, Narrowing(), Order.NAME, NOTHING)
    assert all(searchable(one) <= searchable(other) for one, other in pairwise(ordered))


@pytest.mark.parametrize("number", [-4, 0, 1])
def test_a_page_before_the_first_is_the_first(number):
    assert page_of(range(120), number).positions == range(50)


def test_a_page_past_the_end_is_the_last():
    page = page_of(range(120), 99)
    assert (page.number, page.pages, page.first, page.positions) == (3, 3, 100, range(100, 120))


def test_nothing_is_one_empty_page():
    page = page_of([], 3)
    assert (page.number, page.pages, list(page.positions)) == (1, 1, [])
