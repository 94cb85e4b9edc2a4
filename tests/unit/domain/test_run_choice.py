from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from dashboard.domain.run import RunState
from dashboard.domain.run_choice import RunChoice, between, choice_of, days_of, span_of

NOW = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def test_an_address_says_what_is_chosen_and_leaves_out_what_is_as_usual():
    choice = RunChoice(
        version="v-1", person="u-1", state=RunState.FAILED, when="week", only_flagged=True, page=3
    )
    assert choice_of(choice.to_query()) == choice
    assert RunChoice().to_query() == {}
    assert choice_of({}) == RunChoice()


@pytest.mark.parametrize(
    "query",
    [
        {"state": "Done"},
        {"when": "yesterday"},
        {"when": "2026-11-05..2026-11-01"},
        {"when": "2026-11-05"},
        {"when": "..."},
        {"when": "2026-01-01..9999-12-31"},
        {"page": "0"},
        {"page": "-1"},
        {"page": "²"},
        {"page": "9" * 5_000},
        {"flagged": "true"},
    ],
)
def test_what_an_address_cannot_mean_is_ignored(query):
    assert choice_of(query) == RunChoice()


def test_an_id_of_any_length_is_cut():
    assert len(choice_of({"version": "x" * 10_000}).version) == 64


def test_days_are_those_where_the_reader_is():
    # In Berlin it is the 23rd already.
    assert span_of("today", now=NOW, zone=BERLIN) == (datetime(2026, 11, 22, 23, tzinfo=UTC), None)
    assert span_of("week", now=NOW, zone=UTC) == (datetime(2026, 11, 16, tzinfo=UTC), None)
    assert span_of("", now=NOW, zone=UTC) == (None, None)


def test_two_days_reach_from_the_first_s_beginning_to_the_last_s_end():
    when = between(date(2026, 10, 25), date(2026, 10, 25))
    assert days_of(when) == (date(2026, 10, 25), date(2026, 10, 25))
    # The day on which the clocks went back has 25 hours.
    assert span_of(when, now=NOW, zone=BERLIN) == (
        datetime(2026, 10, 24, 22, tzinfo=UTC),
        datetime(2026, 10, 25, 23, tzinfo=UTC),
    )
