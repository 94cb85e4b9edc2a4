"""Turns a minute, and the pause between two of one host, on a clock that tests move."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dashboard.services.pacing import PacedQueue, PerMinute


class Hand:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_turn_is_free_again_after_exactly_a_minute():
    clock = Hand()
    turns = PerMinute(clock=clock)
    assert [turns.take(("ann", 2)) for _ in range(2)] == [(None, 0), (None, 0)]
    clock.now = 59.4
    assert turns.take(("ann", 2)) == ("ann", 1)
    assert turns.take(("bob", 2)) == (None, 0)
    clock.now = 60.0
    assert turns.take(("ann", 2)) == (None, 0)


def test_where_one_key_has_no_turn_left_none_is_taken():
    turns = PerMinute(clock=Hand())
    assert turns.take(("a", 1), ("each", 9)) == (None, 0)
    for _ in range(20):
        assert turns.take(("a", 1), ("each", 9))[0] == "a"
    assert turns.take(("b", 1), ("each", 2)) == (None, 0)


@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 5))
def test_no_minute_ever_holds_more_turns_than_allowed(gaps_s, most):
    clock = Hand()
    turns = PerMinute(clock=clock)
    taken: list[float] = []
    for gap_s in gaps_s:
        clock.now += gap_s
        used_up, wait_s = turns.take(("ann", most))
        if used_up is None:
            taken.append(clock.now)
        else:
            assert 1 <= wait_s <= 60
    for at in taken:
        assert sum(at <= other < at + 60 for other in taken) <= most


def test_several_turns_are_taken_together_or_not_at_all():
    clock = Hand()
    turns = PerMinute(clock=clock)
    assert turns.take(("ann", 5), turns=3) == (None, 0)
    clock.now = 10.0
    assert turns.take(("ann", 5), turns=3) == ("ann", 50)
    assert turns.take(("ann", 5), turns=2) == (None, 0)
    assert turns.take(("ann", 5), turns=4) == ("ann", 60)
    clock.now = 60.0
    assert turns.take(("ann", 5), turns=3) == (None, 0)


def test_a_host_is_left_in_peace_by_the_next_queue_too():
    free_at: dict[str, float] = {}
    first = PacedQueue([("a", 1)], gap_s=1.0, free_at=free_at)
    assert first.take(0.0) == ("a", 1)
    first.done("a", 2.0)
    second = PacedQueue([("a", 2)], gap_s=1.0, free_at=free_at)
    assert second.take(2.5) is None
    assert second.take(3.0) == ("a", 2)


def test_two_of_one_host_wait_for_each_other_and_others_go_first():
    queue = PacedQueue([("a", 1), ("a", 2), ("b", 3)], gap_s=1.0, free_at={})
    assert queue.take(0.0) == ("a", 1)
    assert queue.take(0.0) == ("b", 3)
    assert queue.take(0.0) is None
    queue.done("a", 5.0)
    assert queue.take(5.9) is None
    assert queue
    assert queue.take(6.0) == ("a", 2)
    assert not queue


def test_an_empty_queue_has_nothing():
    queue: PacedQueue[int] = PacedQueue([], gap_s=1.0, free_at={})
    assert not queue
    assert queue.take(0.0) is None


def test_ten_thousand_of_one_host_are_handed_out_quickly():
    queue = PacedQueue([("a", number) for number in range(10_000)], gap_s=1.0, free_at={})
    for number in range(10_000):
        assert queue.take(float(number)) == ("a", number)
        queue.done("a", float(number))
