from __future__ import annotations

from typing import Any

import pytest

from dashboard.domain.inference import ELAPSED_OVERFLOW_NS, LogPage
from dashboard.domain.latency import Segment
from dashboard.domain.log_times import log_times


def logged(elapsed: object, **more: Any) -> dict[str, Any]:
    return {"time": 1_795_355_056_259, "in.text": "one two", "metadata.elapsed": elapsed, **more}


def test_the_log_gives_engine_times_oldest_first():
    page = LogPage((logged([1_000_000, 9_000_000]), logged([2_000_000, 3_000_000])), True)
    known = log_times(page)
    assert [sample.total_ms for sample in known.samples] == [5.0, 10.0]
    first = known.samples[0]
    assert (first.part_ms(Segment.READING), first.part_ms(Segment.MODEL)) == (2.0, 3.0)
    assert (first.row_index, first.words) == (0, 2)
    assert first.answered_at is not None
    assert (known.rows, known.overflowed, known.untimed, known.is_complete) == (2, 0, 0, True)


def test_an_overflow_is_counted_and_never_a_time():
    page = LogPage((logged([5, ELAPSED_OVERFLOW_NS]), logged([1_000_000, 2_000_000])), False)
    known = log_times(page)
    assert [sample.total_ms for sample in known.samples] == [3.0]
    assert (known.overflowed, known.untimed, known.is_complete) == (1, 0, False)


@pytest.mark.parametrize(
    "elapsed", [None, [], "12", [5], ["x", 1], [-5, 5], [1, float("inf")], {"a": 1}]
)
def test_what_cannot_be_a_time_is_left_out_and_counted(elapsed):
    known = log_times(LogPage((logged(elapsed),), True))
    assert known.samples == ()
    assert (known.rows, known.overflowed, known.untimed) == (1, 0, 1)


@pytest.mark.parametrize("time", [None, "now", 10**30, float("nan")])
def test_a_moment_that_cannot_be_one_is_not_known(time):
    (sample,) = log_times(LogPage((logged([1, 2], time=time),), True)).samples
    assert sample.answered_at is None


def test_an_empty_log_has_no_times():
    known = log_times(LogPage((), True))
    assert (known.samples, known.rows) == ((), 0)
