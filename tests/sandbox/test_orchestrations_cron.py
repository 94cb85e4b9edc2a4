"""Schedules: which minutes fit, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.sandbox.automation.cron import BadSchedule, parse

#: A Friday in a leap year.
DAY = datetime(2028, 3, 10, tzinfo=UTC)


def minute(hour: int = 0, minutes: int = 0, *, days: int = 0) -> int:
    moment = DAY + timedelta(days=days, hours=hour, minutes=minutes)
    return int(moment.timestamp() // 60)


@pytest.mark.parametrize(
    ("text", "fitting", "not_fitting"),
    [
        ("* * * * *", [minute(), minute(23, 59)], []),
        ("*/15 * * * *", [minute(3, 0), minute(3, 45)], [minute(3, 5)]),
        ("5/20 * * * *", [minute(0, 5), minute(0, 25), minute(0, 45)], [minute(0, 0)]),
        ("10-20/5 * * * *", [minute(0, 10), minute(0, 20)], [minute(0, 25), minute(0, 12)]),
        ("42 * * * *", [minute(7, 42)], [minute(7, 41)]),
        ("0 8-10,18 * * *", [minute(9), minute(18)], [minute(11), minute(9, 1)]),
        ("0 0 10 * *", [minute()], [minute(days=1)]),
        ("0 0 * MAR fri", [minute(), minute(days=7)], [minute(days=1), minute(days=28)]),
        ("0 0 * * 0", [minute(days=2)], [minute(), minute(days=1)]),
        ("0 0 29 2 *", [minute(days=-10)], [minute(days=-11), minute(days=-9)]),
        ("? ? ? ? ?", [minute(), minute(13, 13)], []),
        # Of two fields without a star either is enough; with one, both are needed.
        ("0 0 10 * sat", [minute(), minute(days=1)], [minute(days=2)]),
        ("0 0 */2 * fri", [minute(days=7)], [minute(), minute(days=1)]),
        # As in the platform's own tutorial: Kubernetes passes over empty parts of a list.
        ("*/1, *, *, *, *", [minute(), minute(23, 59)], []),
        ("@daily", [minute()], [minute(0, 1), minute(1)]),
        ("@Weekly", [minute(days=2)], [minute()]),
        ("  0   12 * * *  ", [minute(12)], [minute()]),
    ],
)
def test_a_schedule_fits_its_minutes_and_no_others(text, fitting, not_fitting):
    schedule = parse(text)
    assert [each for each in fitting if not schedule.fits(each)] == []
    assert [each for each in not_fitting if schedule.fits(each)] == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "5 fields"),
        ("* * * *", "5 fields, this one has 4"),
        ("0 0 12 1-15 2 2024", "5 fields, this one has 6"),
        ("60 * * * *", "minute"),
        ("* 24 * * *", "hour"),
        ("* * 0 * *", "day of the month"),
        ("* * * 13 *", "month"),
        ("* * * * 7", "day of the week"),
        ("* * * * mon-7", "day of the week"),
        ("20-10 * * * *", "minute"),
        ("*/0 * * * *", "step of 0"),
        ("*/x * * * *", "minute"),
        (", * * * *", "minute is empty"),
        ("1.5 * * * *", "minute"),
        ("-1 * * * *", "minute"),
        ("١ * * * *", "minute"),
        ("99999999999999999999 * * * *", "minute"),
        ("@every 1h", "5 fields"),
        ("* * * * monday", "day of the week"),
    ],
)
def test_what_is_no_schedule_is_refused_by_the_name_of_its_part(text, why):
    with pytest.raises(BadSchedule, match=why):
        parse(text)


@given(st.text(alphabet="0123456789*/,-? @abcdefmonjansutr", max_size=40))
def test_any_text_is_a_schedule_or_refused(text):
    try:
        schedule = parse(text)
    except BadSchedule:
        return
    assert schedule.minutes <= set(range(60))
    assert schedule.weekdays <= set(range(7))
    # A list, a range or a step always leaves something to be due at.
    assert all((schedule.minutes, schedule.hours, schedule.days, schedule.months))
