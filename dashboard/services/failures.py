"""Turns what nobody foresaw into an error a page may show, and keeps the traceback in the log."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from dashboard.errors import DashboardError, UnexpectedAnswer

_AGAIN_S = 60.0
_LOG = logging.getLogger(__name__)


def unexpected(exc: BaseException) -> DashboardError:
    """Return `exc` as an error to show; log its traceback (redacted) under the error's id."""
    error = UnexpectedAnswer(
        "The dashboard could not finish this. Nothing you typed has been lost.",
        hint="Try again. If it happens again, tell the person who looks after this the error id.",
    )
    _LOG.error("error id %s", error.error_id, exc_info=exc)
    return error


class Steady:
    """A call that is made again and again, and whose failure must not end the loop that makes it.

    What it raises goes to the log, once a minute at most.
    """

    def __init__(
        self, call: Callable[[], object], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._call = call
        self._clock = clock
        self._told_at = float("-inf")

    def __call__(self) -> None:
        """Make the call."""
        try:
            self._call()
        except Exception as exc:  # noqa: BLE001 - whatever it was, the next call is made
            if self._clock() - self._told_at >= _AGAIN_S:
                self._told_at = self._clock()
                unexpected(exc)
