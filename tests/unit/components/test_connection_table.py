from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from components.connection_table import proof, result_count
from dashboard.domain.check import Check, CheckKind, Health, HealthState
from dashboard.domain.connection_list import page_of

NOW = datetime(2026, 11, 22, 14, 2, tzinfo=UTC)


def told(check: Check) -> str:
    return proof(Health(HealthState.HEALTHY, check), now=NOW, zone=UTC)


@pytest.mark.parametrize(
    ("kind", "ago", "words"),
    [
        (CheckKind.USE, timedelta(minutes=2), "used 2 min ago"),
        (CheckKind.TEST, timedelta(seconds=1), "tested just now"),
        (CheckKind.USE, timedelta(hours=25), "used yesterday"),
        (CheckKind.TEST, timedelta(days=12), "tested 10 Nov"),
    ],
)
def test_a_pass_tells_what_passed_and_when(kind, ago, words):
    assert told(Check("c", kind, NOW - ago, passed=True)) == words


@pytest.mark.parametrize(
    ("cause", "message", "words"),
    [
        ("unauthorised", "The source asks for a sign-in (401).", "401 for 8 min"),
        ("name_not_found", "h.example was not found.", "host not found for 8 min"),
        ("a_new_cause", "Something else.", "failed for 8 min"),
    ],
)
def test_a_failure_tells_why_and_since_when(cause, message, words):
    since = NOW - timedelta(minutes=8)
    check = Check("c", CheckKind.TEST, NOW, False, cause, message, failing_since=since)
    assert told(check) == words


def test_what_was_never_checked_says_so():
    assert proof(Health(), now=NOW, zone=UTC) == "no check yet"


@pytest.mark.parametrize(
    ("number", "found", "total", "words"),
    [
        (2, 312, 10_000, "51–100 of 312, filtered from 10,000."),
        (1, 6, 6, "1–6 of 6."),
        (200, 10_000, 10_000, "9,951–10,000 of 10,000."),
        (1, 0, 6, "None of 6."),
    ],
)
def test_the_number_below_the_table_tells_what_is_shown(number, found, total, words):
    assert result_count(page_of(range(found), number), found=found, total=total) == words
