from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import pytest

from dashboard.errors import DashboardError, PlatformUnreachable, UnexpectedAnswer
from dashboard.services.reads import Query, Reads


class Now:
    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


class Held(Executor):
    """Keeps what is submitted until `run` is called: the test decides when a load happens."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def submit(self, fn, /, *args, **kwargs):
        self.waiting.append(lambda: fn(*args, **kwargs))
        return Future()

    def run(self) -> None:
        waiting, self.waiting = self.waiting, []
        for one in waiting:
            one()


def unexpected(exc: BaseException) -> DashboardError:
    return UnexpectedAnswer(type(exc).__name__)


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def held() -> Held:
    return Held()


@pytest.fixture
def reads(now, held) -> Reads:
    return Reads(held, clock=now, on_unexpected=unexpected)


def counting(values):
    return iter(values).__next__


def test_the_first_read_is_a_skeleton_until_the_load_has_run(reads, held):
    query = Query(("me", "list"), lambda: (1, 2))
    assert reads.get(query).is_first
    assert reads.get(query).is_loading
    held.run()
    read = reads.get(query)
    assert read.value == (1, 2)
    assert not read.is_loading


def test_a_fresh_value_starts_no_second_load(reads, held, now):
    query = Query(("me", "list"), counting([(1,)]), fresh_s=5)
    reads.get(query)
    held.run()
    now.s += 4
    assert reads.get(query).value == (1,)
    assert not held.waiting


def test_a_stale_value_is_shown_with_its_age_while_it_is_refreshed(reads, held, now):
    query = Query(("me", "list"), counting([(1,), (2,)]), fresh_s=5)
    reads.get(query)
    held.run()
    now.s += 60
    read = reads.get(query)
    assert (read.value, read.age_s, read.is_loading) == ((1,), 60, True)
    held.run()
    assert reads.get(query).value == (2,)


def test_what_took_long_to_read_is_not_read_again_so_soon(reads, held, now):
    loads = 0

    def load() -> int:
        nonlocal loads
        loads += 1
        now.s += 3
        return loads

    query = Query(("me", "list"), load, fresh_s=5)
    reads.get(query)
    held.run()
    now.s += 59
    read = reads.get(query)
    assert (read.value, read.fresh_s, read.is_loading) == (1, 60, False)
    now.s += 2
    assert reads.get(query).is_loading
    held.run()
    assert reads.get(query).value == 2


def test_what_took_very_long_is_read_again_some_time(reads, held, now):
    query = Query(("me", "list"), lambda: setattr(now, "s", now.s + 600), fresh_s=5)
    reads.get(query)
    held.run()
    now.s += 121
    assert reads.get(query).is_loading


def test_a_change_of_ones_own_is_read_at_once_however_long_that_takes(reads, held, now):
    query = Query(("me", "list"), lambda: setattr(now, "s", now.s + 3), fresh_s=5)
    reads.get(query)
    held.run()
    now.s += 1
    reads.invalidate("me", "list")
    read = reads.get(query)
    assert (read.is_loading, read.age_s) == (True, 1)


def test_what_was_asked_for_before_an_invalidation_is_due_again_at_once(reads, held):
    query = Query(("me", "list"), counting(["before", "after"]), fresh_s=100)
    reads.get(query)
    reads.invalidate("me", "list")
    held.run()
    assert reads.get(query).value == "before"
    held.run()
    assert reads.get(query).value == "after"


def test_an_empty_list_is_a_value_not_a_skeleton(reads, held):
    query: Query[tuple[int, ...]] = Query(("me", "list"), lambda: ())
    reads.get(query)
    held.run()
    read = reads.get(query)
    assert read.value == ()
    assert not read.is_first


def test_an_error_keeps_the_last_value_and_waits_before_the_next_attempt(reads, held, now):
    def fail():
        raise PlatformUnreachable("down")

    loads = iter([lambda: (1,), fail, lambda: (2,)])

    def load():
        return next(loads)()

    query = Query(("me", "list"), load, fresh_s=1)
    reads.get(query)
    held.run()
    now.s += 2
    reads.get(query)
    held.run()
    read = reads.get(query, retry_s=3)
    assert read.value == (1,)
    assert isinstance(read.error, PlatformUnreachable)
    assert not held.waiting
    now.s += 4
    reads.get(query, retry_s=3)
    held.run()
    read = reads.get(query)
    assert (read.value, read.error) == ((2,), None)


def test_an_unforeseen_exception_reaches_the_page_as_an_error_of_ours(reads, held):
    def fail():
        raise ZeroDivisionError

    query = Query(("me", "list"), fail)
    reads.get(query)
    held.run()
    assert isinstance(reads.get(query).error, UnexpectedAnswer)


def test_nobody_is_shown_what_another_persons_token_fetched(reads, held):
    reads.get(Query(("ann", "list"), lambda: "ann's"))
    reads.get(Query(("bob", "list"), lambda: "bob's"))
    held.run()
    assert reads.get(Query(("ann", "list"), lambda: "x")).value == "ann's"
    assert reads.get(Query(("bob", "list"), lambda: "x")).value == "bob's"
    reads.forget("ann")
    assert reads.get(Query(("ann", "list"), lambda: "x")).is_first


def test_waiting_for_a_first_value_ends_as_soon_as_it_is_there():
    with ThreadPoolExecutor(1) as pool:
        reads = Reads(pool, on_unexpected=unexpected)
        go = threading.Event()
        query = Query(("me", "list"), lambda: go.wait(5) and "value")
        assert reads.get(query, wait_s=0.01).is_first
        go.set()
        assert reads.get(query, wait_s=5).value == "value"


def test_a_pool_that_was_shut_down_gives_an_error_and_no_exception():
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    reads = Reads(pool, on_unexpected=unexpected)
    assert reads.get(Query(("me", "list"), tuple)).error is not None
