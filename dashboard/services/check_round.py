"""All connections checked as one paced round of tests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Final

from dashboard.connectors import registry
from dashboard.connectors.base import TestResult
from dashboard.domain.connection import Connection
from dashboard.domain.identity import Identity
from dashboard.errors import Conflict, ConnectionFailed, DashboardError, InvalidInput
from dashboard.services.jobs import Outcome
from dashboard.services.pacing import PacedQueue

_AT_A_TIME: Final = 2
_HOST_GAP_S: Final = 1.0
_POLL_S: Final = 0.05
_MOST_NAMED: Final = 3
_LONGEST_NAME: Final = 60


@dataclass(slots=True)
class _Round:
    """One round under way, and what it found so far.

    Parameters
    ----------
    works
        Names of those that passed.
    fails
        Names of those that did not, each with why.
    untold
        Why some could not be tested.
    """

    total: int
    works: list[str] = field(default_factory=list)
    fails: list[tuple[str, str]] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)
    cancel: threading.Event = field(default_factory=threading.Event)

    @property
    def done(self) -> int:
        return len(self.works) + len(self.fails) + len(self.untold)


class CheckRounds:
    """Runs at most one round for each person. Thread-safe.

    Parameters
    ----------
    test
        Tests one stored connection on the calling thread and keeps its health.
    clock
        Seconds, monotonic: for the pause between two tests of one host.
    """

    def __init__(
        self,
        test: Callable[[Identity, Connection], TestResult],
        *,
        on_unexpected: Callable[[BaseException], DashboardError],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._test = test
        self._on_unexpected = on_unexpected
        self._clock = clock
        self._lock = threading.Lock()
        self._rounds: dict[str, _Round] = {}
        # For each person, over their rounds: a new round must not forget the pause of the last.
        self._free_at: dict[str, dict[str, float]] = {}

    def run(
        self,
        who: Identity,
        connections: Sequence[Connection],
        *,
        admit: Callable[[int], None] = lambda _tests: None,
    ) -> Outcome:
        """Test all that can be tested, two at a time, and tell how many work.

        Parameters
        ----------
        admit
            Called with the number of tests before the first; may refuse them by what it raises.

        Raises
        ------
        InvalidInput
            None of them can be tested.
        Conflict
            Another round of this person is under way.
        ConnectionFailed
            The platform could not be used any more; what was found until then is kept.
        """
        testable = [one for one in connections if registry.can_fetch(one.type)]
        if not testable:
            raise InvalidInput("None of these connections is of a type that can be tested.")
        under_way = _Round(total=len(testable))
        with self._lock:
            if who.key in self._rounds:
                raise Conflict("Connections are being tested already.", hint="Wait for the end.")
            self._rounds[who.key] = under_way
        try:
            admit(len(testable))
            self._go_round(who, testable, under_way)
        finally:
            with self._lock:
                del self._rounds[who.key]
        return Outcome(
            _told(under_way, left_out=len(connections) - len(testable)),
            is_partial=bool(under_way.fails or under_way.untold),
        )

    def progress(self, who: Identity) -> tuple[int, int] | None:
        """Return how many of how many are done in this person's round, None without one."""
        with self._lock:
            under_way = self._rounds.get(who.key)
            return None if under_way is None else (under_way.done, under_way.total)

    def cancel(self, who: Identity) -> None:
        """End this person's round after the tests under way."""
        with self._lock:
            under_way = self._rounds.get(who.key)
        if under_way is not None:
            under_way.cancel.set()

    def _go_round(
        self, who: Identity, connections: Sequence[Connection], under_way: _Round
    ) -> None:
        # A source whose host is not told is paced with the others like it.
        queue = PacedQueue(
            ((one.host or "", one) for one in connections),
            gap_s=_HOST_GAP_S,
            free_at=self._free_at.setdefault(who.key, {}),
        )
        at_work: dict[Future[TestResult], tuple[str, Connection]] = {}
        # Threads of its own: waiting for places on a shared pool could wait for ever.
        with ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="check") as pool:
            while at_work or (queue and not under_way.cancel.is_set()):
                ready = None
                if len(at_work) < _AT_A_TIME and not under_way.cancel.is_set():
                    ready = queue.take(self._clock())
                if ready is not None:
                    at_work[pool.submit(self._test, who, ready[1])] = ready
                    continue
                for ended in _awaited(at_work, under_way):
                    host, connection = at_work.pop(ended)
                    queue.done(host, self._clock())
                    self._count(under_way, connection, ended)

    def _count(self, under_way: _Round, connection: Connection, ended: Future[TestResult]) -> None:
        try:
            result = ended.result()
        except ConnectionFailed:
            # The platform is gone: asking on would take its time-out for each of them.
            under_way.cancel.set()
            raise
        except DashboardError as exc:
            under_way.untold.append(exc.message)
        except Exception as exc:  # noqa: BLE001 - one odd connection must not end the round
            under_way.untold.append(f"{connection.name}: {self._on_unexpected(exc).message}")
        else:
            if result.failure is None:
                under_way.works.append(connection.name)
            else:
                under_way.fails.append((connection.name, result.failure.message))


def _awaited(
    at_work: Mapping[Future[TestResult], object], under_way: _Round
) -> set[Future[TestResult]]:
    """Return the tests that have ended, after a moment if none has."""
    if not at_work:
        under_way.cancel.wait(_POLL_S)
        return set()
    return wait(at_work, timeout=_POLL_S, return_when=FIRST_COMPLETED).done


def _told(under_way: _Round, *, left_out: int) -> str:
    """Say how a round ended."""
    parts = [_found(under_way)] if under_way.works or under_way.fails else []
    if left_out == 1:
        parts.append("1 is of a type that cannot be tested")
    elif left_out:
        parts.append(f"{left_out:,} are of types that cannot be tested")
    told = [f"{'; '.join(parts)}."] if parts else []
    if under_way.untold:
        told.append(f"{len(under_way.untold):,} could not be tested: {under_way.untold[0]}")
    if under_way.done < under_way.total:
        told.insert(0, f"Stopped after {under_way.done:,} of {under_way.total:,}.")
    return " ".join(told)


def _found(under_way: _Round) -> str:
    """Say how many work; one that was tested alone, and the first that fail, are named."""
    works, fails = len(under_way.works), len(under_way.fails)
    if (works, fails) == (1, 0):
        return f"{_short(under_way.works[0])} works"
    names = sorted(_short(name) for name, _why in under_way.fails)
    if (works, fails) == (0, 1):
        return f"{names[0]} does not work: {under_way.fails[0][1].rstrip('.')}"
    told = f"{works:,} of {works + fails:,} {'works' if works == 1 else 'work'}"
    if not fails:
        return told
    more = [f"{fails - _MOST_NAMED:,} more"] if fails > _MOST_NAMED else []
    named = [*names[:_MOST_NAMED], *more]
    listed = " and ".join(filter(None, (", ".join(named[:-1]), named[-1])))
    return f"{told}; {fails:,} {'fails' if fails == 1 else 'fail'}: {listed}"


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
