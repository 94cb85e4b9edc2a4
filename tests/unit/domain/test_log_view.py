import math
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from dashboard.domain.inference import ELAPSED_OVERFLOW_NS
from dashboard.domain.log_view import LogChoice, Span, choice_of, entry_of

NOW = datetime(2026, 11, 22, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    "choice",
    [
        LogChoice(),
        LogChoice(pipeline=3, span=Span.HOUR, limit=500, only_anomalies=True),
        LogChoice(span=Span.RANGE, first=date(2026, 11, 1), last=date(2026, 11, 2)),
    ],
)
def test_an_address_says_what_is_looked_at(choice):
    assert choice_of(choice.to_query()) == choice


def test_what_an_address_cannot_mean_is_ignored():
    query = {"pipeline": "x", "span": "week", "from": "1.1.2026", "limit": "99999", "only": "all"}
    assert choice_of(query) == LogChoice()


def test_days_the_wrong_way_round_are_turned():
    turned = choice_of({"span": "range", "from": "2026-11-09", "to": "2026-11-02"})
    assert (turned.first, turned.last) == (date(2026, 11, 2), date(2026, 11, 9))


def test_a_day_begins_and_ends_where_the_reader_is():
    choice = LogChoice(span=Span.RANGE, first=date(2026, 11, 2), last=date(2026, 11, 2))
    window = choice.window(NOW, timezone(timedelta(hours=2)))
    assert window is not None
    assert window[0] == datetime(2026, 11, 1, 22, tzinfo=UTC)
    assert window[1] < datetime(2026, 11, 2, 22, tzinfo=UTC)


def test_a_range_without_days_is_no_window():
    assert LogChoice(span=Span.RANGE).window(NOW, UTC) is None


@pytest.mark.parametrize(
    ("row", "anomalies"),
    [
        ({"anomaly.count": 2}, 2),
        ({"check_failures": ["a", "b", "c"]}, 3),
        ({"check_failures": 1}, 1),
        ({"anomaly.count": math.nan}, None),
        ({"anomaly.count": math.inf}, None),
        ({}, None),
    ],
)
def test_anomalies_are_counted_as_each_version_of_the_platform_tells_them(row, anomalies):
    assert entry_of(row).anomalies == anomalies


def test_an_overflowed_clock_is_no_time():
    entry = entry_of({"metadata.elapsed": [1, ELAPSED_OVERFLOW_NS]})
    assert (entry.model_ms, entry.overflowed) == (None, True)


@pytest.mark.parametrize("told", ["{", "[]", "3", None, '{"model_name": 4}', "[" * 9000])
def test_metadata_that_tells_no_model_is_borne(told):
    assert entry_of({"metadata.last_model": told}).model == ""
