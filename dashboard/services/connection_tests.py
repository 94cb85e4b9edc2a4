"""Staged tests of connections, typed or stored: started, watched, cancelled, and all at once."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Final

from dashboard.connectors import registry
from dashboard.connectors.base import Connector, TestResult
from dashboard.connectors.causes import FetchCause, fetch_failure
from dashboard.connectors.outbound import Outbound, Progress
from dashboard.connectors.pending import pending_details
from dashboard.domain.activity import Act, ActResult
from dashboard.domain.check import Stage, StageResult, StageState
from dashboard.domain.connection import Connection
from dashboard.domain.detail_tree import Change
from dashboard.domain.identity import Identity
from dashboard.errors import (
    Conflict,
    DashboardError,
    FetchFailed,
    InvalidInput,
    NotFound,
    bare,
)
from dashboard.masking import Secret, SecretDetails
from dashboard.services.activity import ActivityLog
from dashboard.services.catalog import GatewayOf
from dashboard.services.check_round import CheckRounds
from dashboard.services.checks import Checks
from dashboard.services.jobs import Outcome
from dashboard.services.pacing import PerMinute

#: Single tests a session may start a minute; "Check all" is one paced job and not counted.
MOST_A_MINUTE: Final = 5
#: The same for a person, over all sessions: many of them must not make a port scanner of us.
MOST_A_MINUTE_EACH: Final = 30
_ROUNDS_A_MINUTE: Final = 3
_KEPT_S: Final = 900.0
_MOST_KEPT: Final = 1000

#: Runs one test, told how far it may go on: what it found.
_Work = Callable[[Progress], TestResult]


@dataclass(frozen=True, slots=True)
class TestView:
    """Where a test stands now.

    Parameters
    ----------
    stages
        All five, with their times so far.
    running_s
        How long it has been running, or ran.
    result
        What it found; None while it runs, or when `error` says why there is none.
    error
        Why it could not be made: the details do not fit, the connection is gone, too many tests.
        Its `field` names the form field, as that of `result.failure` does.
    age_s
        Seconds since it began.
    """

    __test__ = False  # not a test case, whatever its name makes pytest think

    test_id: str
    is_running: bool
    stages: tuple[StageResult, ...]
    running_s: float = 0.0
    result: TestResult | None = None
    error: DashboardError | None = None
    age_s: float = 0.0


@dataclass(slots=True)
class _Watched:
    """One test. It never holds details: what works on them hands in the end alone."""

    owner: str
    began_at: float
    progress: Progress = field(default_factory=Progress)
    ended_at: float | None = None
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
        self._lock = threading.Lock()
        self._turns = PerMinute(clock=clock)
        self._watched: dict[str, _Watched] = {}
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
            who,
            session,
            lambda progress: connector.test(details, outbound=self._outbound(), progress=progress),
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
        connector = registry.connector_for(connection_type)
        watched = self._watch(who, test_id)
        refusal = self._too_many(who, self._sessions.pop(test_id, test_id))
        if refusal is not None:
            self._fail(watched, refusal)
            raise refusal
        self._work(
            watched,
            lambda progress: connector.test(details, outbound=self._outbound(), progress=progress),
        )
        if watched.error is not None:
            raise watched.error
        assert watched.result is not None  # noqa: S101 - it has ended, and not by an error
        return _own(watched.result)

    def new_id(self, session: str) -> str:
        """Return the id of a test that this browser session is about to have `run`."""
        test_id = _random_id()
        with self._lock:
            self._sessions[test_id] = session
            while len(self._sessions) > _MOST_KEPT:
                self._sessions.pop(next(iter(self._sessions)))
        return test_id

    def view(self, who: Identity, test_id: str) -> TestView | None:
        """Where a test stands; None if it is unknown or somebody else's."""
        with self._lock:
            watched = self._watched.get(test_id)
            if watched is None or watched.owner != who.key:
                return None
            now = self._clock()
            ended_at, result = watched.ended_at, watched.result
            return TestView(
                test_id=test_id,
                is_running=ended_at is None,
                stages=_stages(watched, result),
                running_s=(now if ended_at is None else ended_at) - watched.began_at,
                result=result,
                error=watched.error,
                age_s=now - watched.began_at,
            )

    def cancel(self, who: Identity, test_id: str) -> None:
        """Stop a test within about 0.1 s; nothing happens to one that has ended."""
        with self._lock:
            watched = self._watched.get(test_id)
            if watched is None or watched.owner != who.key:
                return
            watched.progress.cancel.set()
            # Told at once: the thread may be in a call that nothing wakes.
            self._end(watched, _cancelled(watched.progress))

    def _start(self, who: Identity, session: str, work: _Work) -> str:
        refusal = self._too_many(who, session)
        if refusal is not None:
            return self._refused(who, refusal)
        test_id = _random_id()
        watched = self._watch(who, test_id)
        try:
            self._pool.submit(self._work, watched, work)
        except RuntimeError as exc:  # the pool was shut down: the program is stopping
            self._fail(watched, self._on_unexpected(exc))
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
        self._fail(self._watch(who, test_id), error)
        return test_id

    def _work(self, watched: _Watched, work: _Work) -> None:
        if watched.progress.cancel.is_set():
            return
        try:
            result = work(watched.progress)
        except DashboardError as exc:
            self._fail(watched, exc)
        except Exception as exc:  # noqa: BLE001 - a worker's failure must reach the page
            self._fail(watched, self._on_unexpected(exc))
        else:
            with self._lock:
                self._end(watched, _own(result))

    def _watch(self, who: Identity, test_id: str) -> _Watched:
        with self._lock:
            self._forget_old()
            watched = _Watched(owner=who.key, began_at=self._clock())
            self._watched[test_id] = watched
            return watched

    def _fail(self, watched: _Watched, error: DashboardError) -> None:
        # The frames of a traceback hold what was tested, secrets too.
        bare(error)
        with self._lock:
            if watched.ended_at is None:
                watched.ended_at, watched.error = self._clock(), error

    def _end(self, watched: _Watched, result: TestResult) -> None:
        """Set the end; the first one counts. The lock is held."""
        if watched.ended_at is None:
            watched.ended_at, watched.result = self._clock(), result

    def _forget_old(self) -> None:
        now = self._clock()
        ended = [key for key, one in self._watched.items() if one.ended_at is not None]
        surplus = max(0, len(self._watched) + 1 - _MOST_KEPT)
        for place, test_id in enumerate(ended):
            ended_at = self._watched[test_id].ended_at
            if place < surplus or (ended_at is not None and now - ended_at > _KEPT_S):
                del self._watched[test_id]

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
        return connector.test(Secret(pending.details), outbound=self._outbound(), progress=progress)

    def _stored(self, who: Identity, connection: Connection, progress: Progress) -> TestResult:
        connector, details = self._read(who, connection)
        result = connector.test(details, outbound=self._outbound(), progress=progress)
        if connector.can_fetch and not (result.was_cancelled or progress.cancel.is_set()):
            self._note(who, connection, result)
        return result

    def _note(self, who: Identity, connection: Connection, result: TestResult) -> None:
        self._checks.note_test(connection.connection_id, _own(result))
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


def _stages(watched: _Watched, result: TestResult | None) -> tuple[StageResult, ...]:
    if result is not None:
        return result.stages
    running = watched.ended_at is None
    return _snapshot(watched.progress, StageState.RUNNING if running else StageState.NOT_REACHED)


def _snapshot(progress: Progress, state: StageState) -> tuple[StageResult, ...]:
    """Return the stages of a test under way on another thread, the current one in `state`."""
    # Both are read once: the other thread goes on meanwhile.
    current, times_ms = progress.current, dict(progress.times_ms)
    if current is None:
        current = next((stage for stage in Stage if stage not in times_ms), None)
    order = list(Stage)
    reached = len(order) if current is None else order.index(current)
    states = [StageState.DONE] * reached + [state] + [StageState.NOT_REACHED] * len(order)
    return tuple(
        StageResult(stage, at, times_ms.get(stage) if at is StageState.DONE else None)
        for stage, at in zip(order, states, strict=False)
    )


def _cancelled(progress: Progress) -> TestResult:
    return TestResult(
        _snapshot(progress, StageState.NOT_REACHED), fetch_failure(FetchCause.CANCELLED)
    )


def _own(result: TestResult) -> TestResult:
    """Return `result` with a failure of its own, whose traceback nobody else can fill again."""
    failure = result.failure
    if failure is None:
        return result
    own = FetchFailed(
        failure.message, cause_code=failure.cause_code, hint=failure.hint, field=failure.field
    )
    return replace(result, failure=own)
