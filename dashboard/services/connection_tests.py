"""Staged tests of connections, typed or stored: started, watched, cancelled, and all at once."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Final

from dashboard.connectors import registry
from dashboard.connectors.base import Connector, TestResult
from dashboard.connectors.outbound import Outbound, Progress
from dashboard.connectors.pending import pending_details
from dashboard.domain.activity import Act, ActResult
from dashboard.domain.connection import Connection
from dashboard.domain.detail_tree import Change
from dashboard.domain.identity import Identity
from dashboard.errors import (
    Conflict,
    DashboardError,
    InvalidInput,
    NotFound,
)
from dashboard.masking import Secret, SecretDetails
from dashboard.services.activity import ActivityLog
from dashboard.services.catalog import GatewayOf
from dashboard.services.check_round import CheckRounds
from dashboard.services.checks import Checks
from dashboard.services.jobs import Outcome
from dashboard.services.pacing import PerMinute
from dashboard.services.tested_details import Finding, TestedDetails
from dashboard.services.watched_tests import TestView, WatchedTests, Work, own

#: Single tests a session may start a minute; "Check all" is one paced job and not counted.
MOST_A_MINUTE: Final = 5
#: The same for a person, over all sessions: many of them must not make a port scanner of us.
MOST_A_MINUTE_EACH: Final = 30
_ROUNDS_A_MINUTE: Final = 3
_MOST_ANNOUNCED: Final = 1000


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
        self._lock = threading.Lock()
        self._turns = PerMinute(clock=clock)
        self._tested = TestedDetails(clock)
        self._watched = WatchedTests(clock=clock, on_unexpected=on_unexpected)
        # Of the tests that are announced and have not begun.
        self._sessions: dict[str, str] = {}
        self._rounds = CheckRounds(
            lambda who, connection: self._stored(who, connection, Progress()),
            on_unexpected=on_unexpected,
            clock=clock,
        )

    # -- single tests

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
        connector = registry.connector_for(connection_type)
        try:
            # Here, not on the pool: what does not fit is told in the run that draws the form next.
            clear = connector.validate({key: secret.reveal() for key, secret in fields.items()})
        except InvalidInput as exc:
            return self._refused(who, exc)
        details = Secret(clear)
        return self._start(
            who, session, lambda progress: self._tried(who, connection_type, details, progress)
        )

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
        if changes:
            return self._start(
                who, session, lambda progress: self._pending(who, connection, changes, progress)
            )
        return self._start(who, session, lambda progress: self._stored(who, connection, progress))

    def run(
        self, who: Identity, test_id: str, connection_type: str, details: SecretDetails
    ) -> TestResult:
        """Test details on this thread, watched under `test_id` (from `new_id`).

        Raises
        ------
        InvalidInput
            The session or the person has had its tests of this minute.
        """
        watched = self._watched.begin(who, test_id)
        refusal = self._too_many(who, self._sessions.pop(test_id, test_id))
        if refusal is not None:
            self._watched.fail(watched, refusal)
            raise refusal
        self._watched.work(
            watched,
            lambda progress: self._tried(who, connection_type, details, progress),
        )
        if watched.error is not None:
            raise watched.error
        assert watched.result is not None  # noqa: S101 - it has ended, and not by an error
        return own(watched.result)

    def known_of(
        self, who: Identity, connection_type: str, details: SecretDetails
    ) -> Finding | None:
        """Return what this person's last test of just these details found, if it is not long ago.

        For details that are saved without another test.
        """
        return self._tested.last(who, connection_type, details)

    def new_id(self, session: str) -> str:
        """Return the id of a test that this browser session is about to have `run`."""
        test_id = _random_id()
        with self._lock:
            self._sessions[test_id] = session
            while len(self._sessions) > _MOST_ANNOUNCED:
                self._sessions.pop(next(iter(self._sessions)))
        return test_id

    def view(self, who: Identity, test_id: str) -> TestView | None:
        """Where a test stands; None if it is unknown or somebody else's."""
        return self._watched.view(who, test_id)

    def cancel(self, who: Identity, test_id: str) -> None:
        """Stop a test within about 0.1 s; nothing happens to one that has ended."""
        self._watched.cancel(who, test_id)

    def _start(self, who: Identity, session: str, work: Work) -> str:
        refusal = self._too_many(who, session)
        if refusal is not None:
            return self._refused(who, refusal)
        test_id = _random_id()
        watched = self._watched.begin(who, test_id)
        try:
            self._pool.submit(self._watched.work, watched, work)
        except RuntimeError as exc:  # the pool was shut down: the program is stopping
            self._watched.fail(watched, self._on_unexpected(exc))
        return test_id

    def _too_many(self, who: Identity, session: str, tests: int = 1) -> InvalidInput | None:
        """Take the turns of so many tests, or say why there are not so many left."""
        each = ("person", who.key)
        used_up, wait_s = self._turns.take(
            (("session", session), MOST_A_MINUTE), (each, MOST_A_MINUTE_EACH), turns=tests
        )
        if used_up is None:
            return None
        if used_up == each:
            return _refusal("Thirty tests", wait_s, ", over all windows")
        return _refusal("Five tests", wait_s)

    def _refused(self, who: Identity, error: DashboardError) -> str:
        test_id = _random_id()
        self._watched.fail(self._watched.begin(who, test_id), error)
        return test_id

    # -- what is stored

    def _read(self, who: Identity, connection: Connection) -> tuple[Connector, SecretDetails]:
        gone = False
        try:
            stored, details = self._gateway().read_details(who, connection.name)
        except NotFound:
            gone = True
        if gone or stored.connection_id != connection.connection_id:
            raise Conflict(
                f"{connection.name} was replaced or deleted meanwhile.",
                hint="Look for it in the list of connections.",
            )
        return registry.connector_for(stored.type), details

    def _pending(
        self,
        who: Identity,
        connection: Connection,
        changes: Sequence[Change],
        progress: Progress,
    ) -> TestResult:
        connector, details = self._read(who, connection)
        pending = pending_details(connector, details.reveal(), changes)
        connector.check(pending.details, pending.touched)
        return self._tried(who, connection.type, Secret(pending.details), progress)

    def _tried(
        self, who: Identity, connection_type: str, details: SecretDetails, progress: Progress
    ) -> TestResult:
        """Test details that may be saved later, and remember what was found of them."""
        connector = registry.connector_for(connection_type)
        result = connector.test(details, outbound=self._outbound(), progress=progress)
        if not progress.cancel.is_set():
            self._tested.remember(who, connection_type, details, result)
        return result

    def _stored(self, who: Identity, connection: Connection, progress: Progress) -> TestResult:
        connector, details = self._read(who, connection)
        result = connector.test(details, outbound=self._outbound(), progress=progress)
        if connector.can_fetch and not (result.was_cancelled or progress.cancel.is_set()):
            self._note(who, connection, result)
        return result

    def _note(self, who: Identity, connection: Connection, result: TestResult) -> None:
        self._checks.note_test(connection.connection_id, own(result))
        failure = result.failure
        self._activity.note(
            who,
            Act.TESTED,
            result=ActResult.DONE if failure is None else ActResult.FAILED,
            connection_id=connection.connection_id,
            connection_name=connection.name,
            note="" if failure is None else failure.message,
        )

    # -- all at once

    def check(self, who: Identity, connections: Sequence[Connection], *, session: str) -> Outcome:
        """Test stored connections, two at a time and paced by host; run it as a job.

        Those of types that cannot be tested are left out and counted in the outcome. A few are as
        many single tests; more are one paced round, of which there are three a minute.

        Raises
        ------
        InvalidInput
            None of them can be tested, or the tests or rounds of this minute are used up.
        Conflict
            Another round of this person is under way.
        ConnectionFailed
            The platform could not be used any more; what was found until then is kept.
        """

        def admit(tests: int) -> None:
            refusal = None
            if tests <= MOST_A_MINUTE:
                refusal = self._too_many(who, session, tests)
            else:
                used_up, wait_s = self._turns.take((("rounds", who.key), _ROUNDS_A_MINUTE))
                if used_up is not None:
                    refusal = _refusal("Three rounds of tests", wait_s)
            if refusal is not None:
                raise refusal

        return self._rounds.run(who, connections, admit=admit)

    def check_progress(self, who: Identity) -> tuple[int, int] | None:
        """Return how many of how many are done while `check` runs for this person, else None."""
        return self._rounds.progress(who)

    def cancel_check(self, who: Identity) -> None:
        """Stop `check` after the test under way."""
        self._rounds.cancel(who)


def _random_id() -> str:
    return secrets.token_urlsafe(9)


def _refusal(most: str, wait_s: int, where: str = "") -> InvalidInput:
    return InvalidInput(f"{most} a minute at most{where}. Try again in {wait_s} s.")
