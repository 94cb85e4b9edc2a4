from __future__ import annotations

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from dashboard.domain.identity import Identity
from dashboard.errors import Conflict, UnexpectedAnswer
from dashboard.services.jobs import Jobs, JobState, Outcome

ANN = Identity("ann", "1", "ann@example.org")
BOB = Identity("bob", "2", "bob@example.org")


@pytest.fixture
def pool():
    with ThreadPoolExecutor(2) as pool:
        yield pool


class Now:
    s = 1000.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def jobs(pool, now) -> Jobs:
    return Jobs(pool, clock=now, on_unexpected=lambda exc: UnexpectedAnswer(type(exc).__name__))


def wait(pool) -> None:
    # Everything submitted before has run once every worker has taken one more task.
    barrier = threading.Barrier(3)
    for _ in range(2):
        pool.submit(barrier.wait, 5)
    barrier.wait(5)


def test_a_double_click_acts_once(jobs, pool):
    go, ran = threading.Event(), []

    def act() -> Outcome:
        go.wait(5)
        ran.append(1)
        return Outcome("done")

    first = jobs.submit(ANN, act, doing="Saving", once="save:x")
    second = jobs.submit(ANN, act, doing="Saving", once="save:x")
    assert first.job_id == second.job_id
    go.set()
    wait(pool)
    assert ran == [1]


def test_the_same_action_can_be_started_again_after_its_end(jobs, pool):
    first = jobs.submit(ANN, lambda: Outcome("one"), doing="Saving", once="x")
    wait(pool)
    second = jobs.submit(ANN, lambda: Outcome("two"), doing="Saving", once="x")
    wait(pool)
    assert first.job_id != second.job_id
    assert jobs.find(ANN, second.job_id).outcome == Outcome("two")


def test_news_are_told_once_and_only_to_their_owner(jobs, pool):
    mine = frozenset({jobs.submit(ANN, lambda: Outcome("saved"), doing="Saving", once="x").job_id})
    wait(pool)
    assert jobs.has_news(ANN, mine)
    assert not jobs.has_news(BOB, mine)
    assert [job.outcome for job in jobs.take_news(ANN, mine)] == [Outcome("saved")]
    assert jobs.take_news(ANN, mine) == ()


def test_another_tab_is_told_only_what_the_first_one_left_untold(jobs, pool, now):
    jobs.submit(ANN, lambda: Outcome("saved"), doing="Saving", once="x")
    wait(pool)
    assert jobs.take_news(ANN) == ()
    now.s += 60
    assert [job.outcome for job in jobs.take_news(ANN)] == [Outcome("saved")]


def test_a_kept_error_holds_no_frame_with_what_the_action_held(jobs, pool):
    def act() -> Outcome:
        held = "in-a-frame"
        raise Conflict("taken") from ValueError(held)

    job = jobs.submit(ANN, act, doing="Saving", once="x")
    wait(pool)
    error = jobs.find(ANN, job.job_id).error
    assert (error.__traceback__, error.__cause__, error.__context__) == (None, None, None)


def test_a_failure_keeps_its_error_for_the_form(jobs, pool):
    def act() -> Outcome:
        raise Conflict("taken", hint="Choose another.")

    job = jobs.submit(ANN, act, doing="Saving", once="x")
    wait(pool)
    found = jobs.find(ANN, job.job_id)
    assert found is not None
    assert found.state is JobState.FAILED
    assert isinstance(found.error, Conflict)


def test_an_unforeseen_exception_becomes_an_error_of_ours(jobs, pool):
    job = jobs.submit(ANN, lambda: 1 / 0, doing="Saving", once="x")
    wait(pool)
    assert isinstance(jobs.find(ANN, job.job_id).error, UnexpectedAnswer)


def test_nobody_finds_another_persons_job(jobs, pool):
    job = jobs.submit(ANN, lambda: Outcome("saved"), doing="Saving", once="x")
    wait(pool)
    assert jobs.find(BOB, job.job_id) is None


def test_a_finished_job_does_not_keep_what_its_action_held(jobs, pool):
    class Held:
        pass

    held = Held()
    gone = weakref.ref(held)
    jobs.submit(ANN, lambda held=held: Outcome(str(held is None)), doing="Saving", once="x")
    del held
    wait(pool)
    gc.collect()
    assert gone() is None


def test_running_jobs_are_listed_while_they_run(jobs, pool):
    go = threading.Event()
    jobs.submit(ANN, lambda: Outcome(str(go.wait(5))), doing="Saving x", once="x")
    assert [job.doing for job in jobs.running(ANN)] == ["Saving x"]
    assert jobs.running(BOB) == ()
    go.set()
    wait(pool)
    assert jobs.running(ANN) == ()
