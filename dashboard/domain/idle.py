"""The idle guard in plain values: what it watches, and when it would stop it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class GuardView:
    """What is told of the idle guard of a pipeline. Times are in UTC.

    Parameters
    ----------
    minutes
        Without an inference until it stops the pipeline; None while it is off.
    stops_at
        When it stops it if nothing is asked of it until then; None while it does not count: off,
        not running, in use, or not its to stop.
    is_in_use
        Whether a request sent from here is in flight.
    is_notice
        Whether this is the notice after a restart of the dashboard.
    problem
        One sentence why it cannot or will not act, such as a deploy by somebody else.
    """

    minutes: int | None = None
    stops_at: datetime | None = None
    is_in_use: bool = False
    is_notice: bool = False
    problem: str = ""
