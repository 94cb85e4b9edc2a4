from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from components.idle_guard import (
    countdown,
    first_stop,
    guard_sentence,
    is_soon,
    time_left,
    told_minutes,
)
from dashboard.domain.idle import GuardView

NOW = datetime(2026, 11, 22, 13, tzinfo=UTC)


def stopping_in(seconds: float, *, is_notice: bool = False) -> GuardView:
    stops_at = NOW + timedelta(seconds=seconds)
    return GuardView(minutes=60, stops_at=stops_at, is_notice=is_notice)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-5, "less than 1 min"),
        (60, "less than 1 min"),
        (61, "2 min"),
        (42 * 60, "42 min"),
        (3600, "60 min"),
        (3 * 3600, "3 h"),
    ],
)
def test_the_time_left_is_told_so_that_it_holds_for_a_minute(seconds, told):
    assert time_left(timedelta(seconds=seconds)) == told


@pytest.mark.parametrize(("minutes", "told"), [(45, "45 min"), (60, "60 min"), (240, "4 h")])
def test_a_policy_is_told_in_its_own_unit(minutes, told):
    assert told_minutes(minutes) == told


def test_what_does_not_count_has_no_countdown():
    assert countdown(None, now=NOW) == ""
    assert countdown(GuardView(minutes=60), now=NOW) == ""
    assert countdown(stopping_in(12 * 60), now=NOW) == "stops in 12 min"


def test_the_first_stop_is_that_of_the_one_with_the_least_time_left():
    early, late = stopping_in(60), stopping_in(600)
    assert first_stop([None, late, GuardView(minutes=60), early]) is early
    assert first_stop([None, GuardView()]) is None


def test_what_stops_soon_or_was_noticed_after_a_restart_is_said_everywhere():
    assert not is_soon(stopping_in(301), now=NOW)
    assert is_soon(stopping_in(299), now=NOW)
    assert is_soon(stopping_in(3000, is_notice=True), now=NOW)
    assert not is_soon(GuardView(minutes=60, is_in_use=True), now=NOW)


@pytest.mark.parametrize(
    ("view", "told"),
    [
        (None, "not deployed from here"),
        (GuardView(), "Off: it runs until"),
        (GuardView(minutes=60), "Counts from the moment the pipeline is ready"),
        (GuardView(minutes=60, is_in_use=True), "In use now"),
        (stopping_in(600), "Stops in **10 min** unless it is used."),
        (stopping_in(300, is_notice=True), "while this dashboard or its computer was away"),
        (GuardView(minutes=60, problem="It is *away*."), r"It is \*away\*\."),
    ],
)
def test_every_case_has_a_sentence(view, told):
    assert told in guard_sentence(view, now=NOW)
