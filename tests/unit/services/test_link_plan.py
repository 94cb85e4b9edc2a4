from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.domain.connection import Connection
from dashboard.domain.workspace import Workspace
from dashboard.services.link_plan import plan_links

THEN = datetime(2026, 11, 1, tzinfo=UTC)


def connection(number: int, *rooms: str) -> Connection:
    return Connection(f"c{number}", f"name {number}", "HTTP", THEN, rooms)


def room(number: int, name: str = "press-desk") -> Workspace:
    return Workspace(number, name, THEN, "u1")


def pairs(plan) -> list[tuple[str, int]]:
    return [(one.connection.connection_id, one.room.workspace_id) for one in plan.changes]


def test_what_is_linked_already_is_not_linked_again():
    chosen = [connection(1), connection(2), connection(3)]
    plan = plan_links(chosen, [room(1), room(2)], {1: ["c2"], 2: []}, link=True)
    assert pairs(plan) == [("c1", 1), ("c3", 1), ("c1", 2), ("c2", 2), ("c3", 2)]
    assert plan.already == 1
    assert all(one.link for one in plan.changes)
    assert plan.lost_by() == {}


def test_only_what_is_linked_is_unlinked_and_the_losses_are_counted_by_workspace():
    chosen = [connection(1), connection(2)]
    plan = plan_links(
        chosen, [room(1), room(2), room(3)], {1: ["c1", "c2"], 2: ["c2"], 3: []}, link=False
    )
    assert pairs(plan) == [("c1", 1), ("c2", 1), ("c2", 2)]
    assert plan.already == 3
    assert plan.lost_by() == {1: 2, 2: 1}


def test_workspaces_of_one_name_are_told_apart_by_their_own_lists():
    # By its names, the connection would seem to be linked to both.
    linked_to_one = connection(1, "press-desk")
    plan = plan_links([linked_to_one], [room(1), room(2)], {1: ["c1"], 2: []}, link=True)
    assert pairs(plan) == [("c1", 2)]


def test_a_list_that_is_not_known_is_an_error_and_never_empty():
    with pytest.raises(KeyError):
        plan_links([connection(1)], [room(1)], {}, link=True)


@given(
    st.sets(st.integers(0, 9)),
    st.dictionaries(st.integers(0, 4), st.sets(st.integers(0, 12)), max_size=5),
    st.booleans(),
)
def test_a_plan_carried_out_leaves_every_pair_as_asked_and_the_rest_alone(numbers, linked, link):
    before = {number: {f"c{one}" for one in held} for number, held in linked.items()}
    chosen = [connection(number) for number in sorted(numbers)]
    plan = plan_links(chosen, [room(number) for number in before], before, link=link)
    after = {number: set(held) for number, held in before.items()}
    for one in plan.changes:
        held = after[one.room.workspace_id]
        (held.add if link else held.remove)(one.connection.connection_id)
    ids = {one.connection_id for one in chosen}
    for number, held in after.items():
        assert held == (before[number] | ids if link else before[number] - ids)
    assert len(plan.changes) + plan.already == len(chosen) * len(before)
