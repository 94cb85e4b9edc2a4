"""What tests and real uses of a connection found, stage by stage, and the health that follows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

#: After so long without a test or use, a good result says little.
STALE_AFTER: Final = timedelta(days=7)


class Stage(StrEnum):
    """The stages of a test, in order. A redirect goes through the first three again."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    AUTHORISE = "authorise"
    READ = "read"
    RECOGNISE = "recognise"


#: The words the stages are shown by.
STAGE_WORDS: Final = {
    Stage.RESOLVE: "Find the host",
    Stage.CONNECT: "Connect",
    Stage.AUTHORISE: "Sign in",
    Stage.READ: "Read",
    Stage.RECOGNISE: "Recognise a table",
}


class StageState(StrEnum):
    """How one stage of a test went."""

    DONE = "done"
    RUNNING = "running"
    FAILED = "failed"
    NOT_REACHED = "not_reached"


@dataclass(frozen=True, slots=True)
class StageResult:
    """One stage of a test. `elapsed_ms` is None where it was not reached."""

    stage: Stage
    state: StageState
    elapsed_ms: float | None = None

    @property
    def words(self) -> str:
        """The stage's name as it is shown."""
        return STAGE_WORDS[self.stage]


class CheckKind(StrEnum):
    """What tried a connection."""

    TEST = "test"
    USE = "use"


@dataclass(frozen=True, slots=True)
class Check:
    """How the last test, or the last real use, of a stored connection went.

    Parameters
    ----------
    at
        When it ended, UTC.
    cause_code, message, hint, field
        Why it failed, what to do next, and the form field it belongs to; empty when it passed.
    total_ms
        Time of all stages.
    format, rows
        What was recognised, when it passed.
    last_passed_at
        When a check of this kind passed last, this one included; None if never.
    failing_since
        When the first of the failures without a pass in between was; None while it passes.
    asked_at
        When the source last asked for a sign-in that it did not get; None if never. Without it
        nobody knows that it looks at a token at all.
    """

    connection_id: str
    kind: CheckKind
    at: datetime
    passed: bool
    cause_code: str = ""
    message: str = ""
    hint: str = ""
    field: str | None = None
    stages: tuple[StageResult, ...] = ()
    total_ms: float = 0.0
    format: str = ""
    rows: int = 0
    last_passed_at: datetime | None = None
    failing_since: datetime | None = None
    asked_at: datetime | None = None


class HealthState(StrEnum):
    """What can be said of a connection (LOOK: states)."""

    HEALTHY = "Healthy"
    FAILING = "Failing"
    STALE = "Stale"
    UNTESTED = "Not tested"


@dataclass(frozen=True, slots=True)
class Health:
    """A connection's health, and the check it follows from.

    Parameters
    ----------
    last
        The newest check of any kind; None when there never was one.
    last_passed_at
        When any check passed last.
    asks_for_sign_in
        Whether the source is known to look at a sign-in.
    """

    state: HealthState = HealthState.UNTESTED
    last: Check | None = None
    last_passed_at: datetime | None = None
    asks_for_sign_in: bool = False


def health_of(checks: Iterable[Check], now: datetime) -> Health:
    """Return the health that follows from a connection's checks: the newest one decides."""
    known = sorted(checks, key=lambda check: check.at)
    if not known:
        return Health()
    last = known[-1]
    passed = [check.last_passed_at for check in known if check.last_passed_at is not None]
    last_passed_at = max(passed, default=None)
    if not last.passed:
        state = HealthState.FAILING
    elif now - last.at > STALE_AFTER:
        state = HealthState.STALE
    else:
        state = HealthState.HEALTHY
    asks = any(check.asked_at is not None for check in known)
    return Health(state, last, last_passed_at, asks)
