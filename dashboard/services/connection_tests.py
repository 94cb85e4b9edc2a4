"""Staged tests of connections, typed or stored: started, watched, cancelled, and all at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final

from dashboard.connectors.base import TestResult
from dashboard.connectors.outbound import Outbound
from dashboard.domain.check import StageResult
from dashboard.domain.connection import Connection
from dashboard.domain.detail_tree import Change
from dashboard.domain.identity import Identity
from dashboard.errors import DashboardError
from dashboard.masking import Secret, SecretDetails
from dashboard.services.activity import ActivityLog
from dashboard.services.catalog import GatewayOf
from dashboard.services.checks import Checks
from dashboard.services.jobs import Outcome

#: Single tests a session may start a minute; "Check all" is one paced job and not counted.
MOST_A_MINUTE: Final = 5


@dataclass(frozen=True, slots=True)
class TestView:
    """Where a test stands now.

    Parameters
    ----------
    stages
        All five, with their times so far.
    result
        What it found; None while it runs, or when `error` says why there is none.
    error
        Why it could not be made: the details do not fit, the connection is gone, too many tests.
        Its `field` names the form field, as that of `result.failure` does.
    """

    __test__ = False  # not a test case, whatever its name makes pytest think

    test_id: str
    is_running: bool
    stages: tuple[StageResult, ...]
    running_s: float = 0.0
    result: TestResult | None = None
    error: DashboardError | None = None


class ConnectionTests:
    """Runs tests on a pool and keeps how they went for 15 min. Thread-safe.

    Parameters
    ----------
    outbound
        Gives the client for data sources, with what it may reach now.
    clock
        Seconds, monotonic: for the limit per minute.
    """

    def __init__(  # noqa: PLR0913 - what it works with, by keyword
        self,
        gateway: GatewayOf,
        *,
        pool: Executor,
        outbound: Callable[[], Outbound],
        checks: Checks,
        activity: ActivityLog,
        on_unexpected: Callable[[BaseException], DashboardError],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gateway = gateway
        self._pool = pool
        self._outbound = outbound
        self._checks = checks
        self._activity = activity
        self._on_unexpected = on_unexpected
        self._clock = clock

    def start_typed(
        self,
        who: Identity,
        *,
        session: str,
        connection_type: str,
        fields: Mapping[str, Secret[str]],
    ) -> str:
        """Test what is typed into a form, nothing stored; return the test's id at once.

        Parameters
        ----------
        session
            Mark of the browser session, for the limit per minute.
        fields
            What was typed, by the connector's field keys.
        """
        raise NotImplementedError

    def start_stored(
        self,
        who: Identity,
        connection: Connection,
        *,
        session: str,
        changes: Sequence[Change] = (),
    ) -> str:
        """Test a stored connection on the server, with pending changes; return the test's id.

        Without changes the result becomes the connection's health.
        """
        raise NotImplementedError

    def run(
        self, who: Identity, test_id: str, connection_type: str, details: SecretDetails
    ) -> TestResult:
        """Test details on this thread, watched under `test_id` (from `new_id`), not counted."""
        raise NotImplementedError

    def new_id(self) -> str:
        """Return the id of a test that is about to be run."""
        raise NotImplementedError

    def view(self, who: Identity, test_id: str) -> TestView | None:
        """Where a test stands; None if it is unknown or somebody else's."""
        raise NotImplementedError

    def cancel(self, who: Identity, test_id: str) -> None:
        """Stop a test within about 0.1 s; nothing happens to one that has ended."""
        raise NotImplementedError

    def check(self, who: Identity, connections: Sequence[Connection]) -> Outcome:
        """Test stored connections one after the other, paced; run it as a job.

        Those of types that cannot be tested are left out and counted in the outcome.
        """
        raise NotImplementedError

    def check_progress(self, who: Identity) -> tuple[int, int] | None:
        """Return how many of how many are done while `check` runs for this person, else None."""
        raise NotImplementedError

    def cancel_check(self, who: Identity) -> None:
        """Stop `check` after the test under way."""
        raise NotImplementedError
