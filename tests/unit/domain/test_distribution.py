from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.domain.distribution import Objective, histogram, hit_rate
from dashboard.domain.latency import Sample, percentiles, quantile

times_ms = st.lists(st.floats(min_value=0, max_value=1e8), min_size=1, max_size=200)


@given(times_ms)
def test_every_value_is_counted_once_as_numpy_counts_it(values):
    bins = histogram(values)
    assert sum(bins.counts) == len(values)
    assert all(low < high for low, high in pairwise(bins.edges))
    inside = np.clip(values, bins.edges[0], bins.edges[-1])
    assert list(bins.counts) == np.histogram(inside, bins.edges)[0].tolist()


@given(times_ms)
def test_bins_are_few_of_one_round_width_and_hold_the_extremes(values):
    bins = histogram(values)
    assert len(bins.counts) <= 42
    width = bins.edges[1] - bins.edges[0]
    digits = f"{width:.3e}"
    assert digits[0] in "125"
    assert digits[1:5] == ".000"
    slack = width * 1e-6 + 1e-9 * bins.edges[-1]
    assert bins.edges[0] - slack <= min(values)
    assert max(values) <= bins.edges[-1] + slack


@pytest.mark.parametrize("value", [0.0, 0.4, 412.0, 1e7])
def test_values_that_are_all_the_same_stand_in_one_bin(value):
    bins = histogram([value] * 7)
    assert sum(count > 0 for count in bins.counts) == 1
    assert bins.counts[bins.fullest] == 7


def test_a_histogram_of_nothing_is_refused():
    with pytest.raises(ValueError, match="needs values"):
        histogram([])


@given(times_ms, st.floats(min_value=1, max_value=100), st.floats(min_value=0.001, max_value=1e8))
def test_an_objective_is_met_when_that_share_lies_under_the_limit(values, percent, limit_ms):
    rate = hit_rate(values, Objective(percent, limit_ms))
    assert rate is not None
    assert rate.hits == int(np.count_nonzero(np.array(values) < limit_ms))
    assert rate.is_met == (100 * rate.hits >= percent * len(values))
    assert 0 <= rate.percent <= 100
    # What is shown may not claim what was missed.
    if rate.percent >= percent:
        assert rate.is_met


def test_under_means_under_and_a_share_is_never_rounded_up():
    assert hit_rate([], Objective(90, 3000)) is None
    edge = hit_rate([3000.0, 2999.0], Objective(50, 3000))
    assert edge is not None
    assert (edge.hits, edge.is_met) == (1, True)
    close = hit_rate([1.0] * 8996 + [9.0] * 1004, Objective(90, 5))
    assert close is not None
    assert (close.percent, close.is_met) == (89.9, False)


@given(st.lists(st.floats(min_value=0, max_value=1e7), min_size=1, max_size=150))
def test_percentiles_are_numpys_higher_ones_from_enough_rows_on(values):
    rows = [Sample(at, 1, (0, 0, 0, ms, 0, 0), True, False, None) for at, ms in enumerate(values)]
    for mark in percentiles(rows):
        if len(values) < mark.rows_needed:
            assert mark.value_ms is None
            assert f"needs {mark.rows_needed} rows" in mark.lack
        else:
            assert mark.value_ms == quantile(values, mark.percent / 100)
            assert mark.value_ms == np.percentile(values, mark.percent, method="higher")
