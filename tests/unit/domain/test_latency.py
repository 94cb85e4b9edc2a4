from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.domain.inference import RowTiming
from dashboard.domain.latency import (
    Drift,
    Sample,
    Segment,
    drift,
    fit_to_length,
    in_order_of_answer,
    model_share,
    percentiles,
    quantile,
    rows_per_second,
    samples_of,
    seconds_since_first,
    slowest,
    split_ms,
)
from dashboard.domain.reading import first_words, percent_of_input, word_count
from dashboard.domain.run import RowState, RunRow

START = datetime(2026, 11, 22, 14, 2, tzinfo=UTC)
times_ms = st.one_of(st.none(), st.floats(min_value=0, max_value=1e7, allow_nan=False))


def sample(total_ms: float, *, index: int = 0, words: int = 10, at_s: float | None = 0) -> Sample:
    return Sample(
        row_index=index,
        words=words,
        parts_ms=(0, 0, 0, total_ms, 0, 0),
        is_split=True,
        overflowed=False,
        answered_at=None if at_s is None else START + timedelta(seconds=at_s),
    )


def row(timing: RowTiming, *, index: int = 0, state: RowState = RowState.DONE) -> RunRow:
    return RunRow(index, state, "one two three", "one", 0, START, timing)


@given(st.lists(st.floats(min_value=0, max_value=1e9), min_size=1), st.sampled_from([0.5, 0.9, 1]))
def test_a_quantile_is_numpys_higher_one(values, share):
    assert quantile(values, share) == np.quantile(values, share, method="higher")


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1.0], 1.1), ([1.0], -0.1)])
def test_a_quantile_without_values_or_of_no_share_is_refused(values, share):
    with pytest.raises(ValueError, match="quantile needs"):
        quantile(values, share)


@given(
    st.builds(
        RowTiming,
        queue_ms=times_ms,
        send_ms=times_ms,
        wait_ms=st.floats(min_value=0, max_value=1e7),
        engine_read_ms=times_ms,
        model_ms=times_ms,
        receive_ms=times_ms,
        overflow=st.booleans(),
    )
)
def test_the_segments_add_up_to_the_queue_and_the_request(timing):
    parts = split_ms(timing)
    assert parts is not None
    assert list(parts) == list(Segment)
    assert min(parts.values()) >= 0
    assert sum(parts.values()) == pytest.approx((timing.queue_ms or 0) + (timing.total_ms or 0))


def test_what_the_engine_did_not_use_of_the_wait_is_sending_and_platform():
    parts = split_ms(
        RowTiming(queue_ms=3, send_ms=2, wait_ms=450, engine_read_ms=2, model_ms=440, receive_ms=5)
    )
    assert parts == {
        Segment.WAITING: 3,
        Segment.SENDING: 10,
        Segment.READING: 2,
        Segment.MODEL: 440,
        Segment.UNSPLIT: 0,
        Segment.RECEIVING: 5,
    }


def test_an_engine_that_claims_more_than_passed_is_cut_to_what_passed():
    parts = split_ms(RowTiming(send_ms=1, wait_ms=100, engine_read_ms=50, model_ms=150))
    assert parts is not None
    assert (parts[Segment.READING], parts[Segment.MODEL], parts[Segment.SENDING]) == (25, 75, 1)


@pytest.mark.parametrize("unusable", [nan, inf, -1.0, None])
def test_a_time_that_cannot_be_one_is_not_measured(unusable):
    parts = split_ms(RowTiming(send_ms=unusable, wait_ms=100, model_ms=unusable))
    assert parts is not None
    assert parts[Segment.UNSPLIT] == 100
    assert parts[Segment.MODEL] == parts[Segment.SENDING] == 0
    assert split_ms(RowTiming(wait_ms=unusable)) is None


def test_only_answered_and_measured_rows_are_samples():
    good = RowTiming(wait_ms=10, model_ms=8)
    samples = samples_of(
        [
            row(good, index=0),
            row(good, index=1, state=RowState.FAILED),
            row(good, index=2, state=RowState.WAITING),
            row(RowTiming(), index=3),
            row(good, index=4),
        ]
    )
    assert [s.row_index for s in samples] == [0, 4]
    assert samples[0].words == 3


def test_a_row_whose_engine_clock_overflowed_keeps_its_total_and_has_no_split():
    slow = RowTiming(wait_ms=5_000, model_ms=4_294, engine_read_ms=1, overflow=True)
    known = RowTiming(wait_ms=100, model_ms=60, engine_read_ms=1)
    samples = samples_of([row(known), row(slow, index=1)])
    assert [s.total_ms for s in samples] == [100, 5_000]
    assert samples[1].overflowed
    assert samples[1].engine_ms is None
    assert samples[0].engine_ms == 61
    assert model_share(samples) == pytest.approx(0.6)
    assert model_share(samples[1:]) is None


@pytest.mark.parametrize(("percent", "needed"), [(50, 2), (90, 10), (95, 20), (99, 100)])
def test_a_percentile_is_given_from_its_number_of_rows_on(percent, needed):
    def mark(rows: int):
        found = percentiles([sample(float(at), index=at) for at in range(rows)])
        return next(p for p in found if p.percent == percent)

    few = mark(needed - 1)
    assert few.value_ms is None
    assert few.rows_missing == 1
    assert few.lack == f"p{percent} needs {needed} rows, this run has {needed - 1}"
    enough = mark(needed)
    assert enough.value_ms is not None
    assert (enough.lack, enough.rows_missing) == ("", 0)


def test_no_rows_have_no_findings():
    assert samples_of([]) == ()
    assert [p.value_ms for p in percentiles([])] == [None] * 4
    assert model_share([]) is None
    assert slowest([]) is None
    assert fit_to_length([]) is None
    assert rows_per_second([]) is None
    assert drift([]) == (Drift.UNKNOWN, 0.0)


def test_a_fit_finds_the_line_that_is_there():
    fit = fit_to_length([sample(50 + 0.7 * w, words=w) for w in range(10, 210, 20)])
    assert fit is not None
    assert fit.ms_per_100_words == pytest.approx(70)
    assert fit.at_ms(100) == pytest.approx(120)
    assert fit.explained == pytest.approx(1)
    assert fit.is_clear


def test_a_fit_through_unrelated_times_is_not_clear():
    fit = fit_to_length([sample(100 + 50 * (w % 2), words=w) for w in range(20)])
    assert fit is not None
    assert not fit.is_clear


def test_equal_times_explain_nothing_and_do_not_divide_by_zero():
    fit = fit_to_length([sample(100, words=w) for w in range(20)])
    assert fit is not None
    assert fit.explained == 0


@pytest.mark.parametrize("samples", [[sample(w, words=w) for w in range(9)], [sample(1)] * 20])
def test_too_few_rows_or_rows_of_one_length_have_no_fit(samples):
    assert fit_to_length(samples) is None


def test_the_slowest_row_is_the_first_of_equals():
    found = slowest([sample(5, index=0), sample(9, index=1), sample(9, index=2)])
    assert found is not None
    assert found.row_index == 1


def test_rows_are_ordered_by_answer_and_timed_from_the_first():
    late, early = sample(1, index=0, at_s=4), sample(1, index=1, at_s=2)
    ordered = in_order_of_answer([late, early])
    assert [s.row_index for s in ordered] == [1, 0]
    assert seconds_since_first(ordered) == (0, 2)
    assert rows_per_second([late, early]) == 0.5


@pytest.mark.parametrize("second", [0, None])
def test_without_different_times_only_the_order_is_known(second):
    samples = [sample(1, index=0), sample(1, index=1, at_s=second)]
    assert seconds_since_first(in_order_of_answer(samples)) is None
    assert rows_per_second(samples) is None


@pytest.mark.parametrize(
    ("last_third_ms", "found"),
    [(100, Drift.STEADY), (119, Drift.STEADY), (125, Drift.SLOWER), (75, Drift.FASTER)],
)
def test_the_last_third_is_compared_with_the_first(last_third_ms, found):
    ordered = [sample(100)] * 6 + [sample(last_third_ms)] * 3
    told, change = drift(ordered)
    assert told is found
    assert change == pytest.approx(last_third_ms / 100 - 1)


def test_first_words_are_one_visible_line_cut_at_a_word():
    assert first_words("  Two\x00 words\n\nhere ") == "Two words here"
    assert first_words("alpha beta gamma delta", limit=13) == "alpha beta…"
    assert first_words("x" * 100_000, limit=10) == "xxxxxxxxx…"
    assert first_words(" \n\x00\t") == ""
    assert len(first_words("word " * 50_000)) <= 80


def test_words_are_counted_and_compared():
    assert word_count(" one  two\nthree ") == 3
    assert percent_of_input(27, 44) == 61
    assert percent_of_input(3, 0) is None
