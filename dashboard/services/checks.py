"""The health of connections: what their last tests and real uses found, kept over restarts.

Writing never raises: what was found was found, kept or not. The log has what could not be kept.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from dashboard.connectors.base import FetchCause, TestResult
from dashboard.domain.check import Check, CheckKind, Health, health_of
from dashboard.domain.connection import Connection
from dashboard.domain.detail_tree import Path
from dashboard.domain.identity import Identity
from dashboard.errors import FetchFailed
from dashboard.services.reads import Query, Reads
from dashboard.services.tested_details import Finding
from dashboard.store.check_records import CheckRecords, path_mark

if TYPE_CHECKING:
    from dashboard.store.database import Store

HEALTH = "health"
#: Every note makes it due; this is for the day when a good result becomes an old one.
_FRESH_S: Final = 60.0
_LOG = logging.getLogger(__name__)


class Checks:
    """Keeps the newest test and the newest use of each connection. Thread-safe."""

    def __init__(
        self,
        store: Store,
        reads: Reads,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._records = CheckRecords(store)
        self._reads = reads
        self._now = now

    def note_test(self, connection_id: str, result: TestResult, *, age_s: float = 0.0) -> Check:
        """Keep how a test of a stored connection went; a cancelled one says nothing.

        Parameters
        ----------
        age_s
            How long ago it ended, where its details were stored later.
        """
        return self._kept(self._tested(connection_id, result, age_s))

    def note_use(
        self,
        connection_id: str,
        *,
        failure: FetchFailed | None = None,
        total_ms: float = 0.0,
        format: str = "",  # noqa: A002 - the field's name
        rows: int = 0,
    ) -> Check:
        """Keep how a real fetch through a connection went; a cancelled one says nothing."""
        used = Check(
            connection_id,
            CheckKind.USE,
            self._now(),
            passed=failure is None,
            total_ms=total_ms,
            format=format,
            rows=rows,
        )
        return self._kept(_told(used, failure))

    def of(self, connection_id: str) -> tuple[Check, ...]:
        """Return the newest check of each kind, newest first.

        Raises
        ------
        DashboardError
            The store cannot be read.
        """
        return self._records.of(connection_id)

    def health(self, who: Identity) -> Query[Mapping[str, Health]]:
        """Health of every connection that was ever checked, by its id; others are not in it.

        The stages of its checks are left out: `newest` has them.
        """
        return Query((who.key, HEALTH), self._all_health, fresh_s=_FRESH_S)

    def newest(self, who: Identity, connection_id: str) -> Query[tuple[Check, ...]]:
        """Read the newest check of each kind with its stages, newest first, for a page."""
        return Query(
            (who.key, HEALTH, connection_id), lambda: self.of(connection_id), fresh_s=_FRESH_S
        )

    def set_times(self, connection: Connection, paths: Sequence[Path]) -> Mapping[Path, datetime]:
        """Since when each detail is what it is: the connection's creation, or earlier if kept.

        Raises
        ------
        DashboardError
            The store cannot be read.
        """
        known = self._records.times(connection.connection_id)
        made = connection.created_at
        return {path: min(known.get(path_mark(path), made), made) for path in paths}

    def replaced(
        self,
        old: Connection,
        new: Connection,
        kept: Sequence[Path],
        tested: Finding | None,
        *,
        is_same_source: bool = False,
    ) -> None:
        """Carry over what is known of `old` to the one that took its place.

        Without a test of the new details nothing is known of how they do.

        Parameters
        ----------
        kept
            Paths of the details that are the same in both: their times go with them.
        tested
            The test of the new details, if there was one.
        is_same_source
            Whether the addresses are the same: only of the same source it is still known whether
            it asks for a sign-in.
        """
        with self._telling_of("what is known of a replaced connection"):
            times = {path_mark(path): at for path, at in self.set_times(old, kept).items()}
            is_known = tested is not None and not tested.result.was_cancelled
            checks = self._records.of(old.connection_id) if is_known else ()
            if not is_same_source:
                checks = tuple(replace(one, asked_at=None) for one in checks)
            self._records.carry(old.connection_id, new.connection_id, checks=checks, times=times)
        if tested is not None:
            self.note_test(new.connection_id, tested.result, age_s=tested.age_s)
        else:
            self._reads.invalidate_for_all(HEALTH)

    def forget(self, connection_id: str) -> None:
        """Drop what is known of a connection that is gone."""
        with self._telling_of("the end of a connection"):
            self._records.forget(connection_id)
        self._reads.invalidate_for_all(HEALTH)

    def _all_health(self) -> Mapping[str, Health]:
        now = self._now()
        return {key: health_of(checks, now) for key, checks in self._records.all().items()}

    def _tested(self, connection_id: str, result: TestResult, age_s: float) -> Check:
        tested = Check(
            connection_id,
            CheckKind.TEST,
            self._now() - timedelta(seconds=age_s),
            passed=result.passed,
            stages=result.stages,
            total_ms=result.total_ms,
            format=result.format,
            rows=result.rows,
        )
        return _told(tested, result.failure)

    def _kept(self, check: Check) -> Check:
        if check.cause_code == FetchCause.CANCELLED:
            return check
        with self._telling_of("how a connection did"):
            check = self._records.keep(check)
        self._reads.invalidate_for_all(HEALTH)
        return check

    @contextlib.contextmanager
    def _telling_of(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as exc:  # noqa: BLE001 - see the module's docstring
            # No traceback: what an unforeseen exception quotes may be names.
            _LOG.warning("%s was not kept: %s", what, type(exc).__name__)


def _told(check: Check, failure: FetchFailed | None) -> Check:
    if failure is None:
        return check
    return replace(
        check,
        cause_code=str(failure.cause_code),
        message=failure.message,
        hint=failure.hint,
        field=failure.field,
    )
