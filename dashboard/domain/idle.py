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


@dataclass(frozen=True, slots=True)
class Guard:
    """What is kept of the idle guard of one pipeline. Times are in UTC.

    Parameters
    ----------
    version
        UUID of the pipeline version that was deployed here: of any other the guard keeps its hands.
    minutes
        Without an inference until it stops the pipeline; None while it is off.
    ready_at
        When the pipeline was first seen ready to answer: it counts from then on.
    used_at
        The last inference that is known of, from here or from the platform's log.
    kept_until
        It does not stop before: somebody asked to keep it running.
    """

    pipeline_id: int
    pipeline_name: str
    workspace_id: int
    workspace_name: str
    version: str
    minutes: int | None
    armed_at: datetime
    armed_by_id: str = ""
    armed_by: str = ""
    ready_at: datetime | None = None
    used_at: datetime | None = None
    kept_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class LastUse:
    """The last inference that is known of: when, and by whom. `at` is in UTC.

    Parameters
    ----------
    who_id
        Empty where it is not known by whom: the platform's log does not tell.
    who
        The person's address; empty for the sandbox's local person.
    """

    at: datetime
    who_id: str = ""
    who: str = ""
