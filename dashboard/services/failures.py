"""Turns what nobody foresaw into an error a page may show, and keeps the traceback in the log."""

from __future__ import annotations

import logging

from dashboard.errors import DashboardError, UnexpectedAnswer

_LOG = logging.getLogger(__name__)


def unexpected(exc: BaseException) -> DashboardError:
    """Return `exc` as an error to show; log its traceback (redacted) under the error's id."""
    error = UnexpectedAnswer(
        "The dashboard could not finish this. Nothing you typed has been lost.",
        hint="Try again. If it happens again, tell the person who looks after this the error id.",
    )
    _LOG.error("error id %s", error.error_id, exc_info=exc)
    return error
