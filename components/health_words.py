"""A connection's health in words: what it is, since when, and what it follows from."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo

from components.text import told_since, told_when
from dashboard.connectors.causes import FetchCause
from dashboard.domain.check import Check, CheckKind, Health, HealthState

_STATUS = re.compile(r"\((\d{3})\)")
_SHORT = {
    FetchCause.NAME_NOT_FOUND: "host not found",
    FetchCause.REFUSED: "not accepted",
    FetchCause.TLS: "bad certificate",
    FetchCause.UNAUTHORISED: "sign-in refused",
    FetchCause.NOT_FOUND: "not found",
    FetchCause.REDIRECT_REFUSED: "leads elsewhere",
    FetchCause.BLOCKED_ADDRESS: "not allowed",
    FetchCause.NOT_A_TABLE: "not a table",
    FetchCause.TOO_BIG: "too big",
    FetchCause.TIMED_OUT: "timed out",
    FetchCause.INVALID_LINK: "link incomplete",
}


def health_words(health: Health, *, now: datetime, zone: tzinfo = UTC) -> str:
    """Return health with its proof: `Healthy, used 2 min ago`, `Failing for 8 min: 401`."""
    last = health.last
    if last is None:
        return health.state.value
    if health.state is HealthState.FAILING:
        since = told_since(last.failing_since or last.at, now=now, zone=zone)
        cause = short_cause(last)
        return f"Failing {since}" + (f": {cause}" if cause else "")
    did = "used" if last.kind is CheckKind.USE else "tested"
    return f"{health.state.value}, {did} {told_when(last.at, now=now, zone=zone)}"


def short_cause(check: Check) -> str:
    """Return why a check failed in a word or two: the status where there is one."""
    status = _STATUS.search(check.message)
    if status is not None:
        return status[1]
    return next((words for cause, words in _SHORT.items() if cause == check.cause_code), "")
