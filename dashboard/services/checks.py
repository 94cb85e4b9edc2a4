"""The health of connections: what their last tests and real uses found, kept over restarts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dashboard.connectors.base import TestResult
from dashboard.domain.check import Check, Health
from dashboard.domain.connection import Connection
from dashboard.domain.detail_tree import Path
from dashboard.domain.identity import Identity
from dashboard.errors import FetchFailed
from dashboard.services.reads import Query, Reads

if TYPE_CHECKING:
    from dashboard.store.database import Store

HEALTH = "health"


class Checks:
    """Keeps the newest test and the newest use of each connection. Thread-safe."""

    def __init__(
        self,
        store: Store,
        reads: Reads,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._reads = reads
        self._now = now

    def note_test(self, connection_id: str, result: TestResult) -> Check:
        """Keep how a test of a stored connection went; a cancelled one says nothing."""
        raise NotImplementedError

    def note_use(
        self,
        connection_id: str,
        *,
        failure: FetchFailed | None = None,
        total_ms: float = 0.0,
        format: str = "",  # noqa: A002 - the field's name
        rows: int = 0,
    ) -> Check:
        """Keep how a real fetch through a connection went."""
        raise NotImplementedError

    def of(self, connection_id: str) -> tuple[Check, ...]:
        """Return the newest check of each kind, newest first."""
        raise NotImplementedError

    def health(self, who: Identity) -> Query[Mapping[str, Health]]:
        """Health of every connection that was ever checked, by its id; others are not in it."""
        raise NotImplementedError

    def set_times(self, connection: Connection, paths: Sequence[Path]) -> Mapping[Path, datetime]:
        """Since when each detail is what it is: the connection's creation, or earlier if kept."""
        raise NotImplementedError

    def replaced(
        self, old: Connection, new: Connection, kept: Sequence[Path], result: TestResult | None
    ) -> None:
        """Carry over what is known of `old` to the one that took its place.

        Parameters
        ----------
        kept
            Paths of the details that are the same in both: their times go with them.
        result
            The test of the new details, if there was one.
        """
        raise NotImplementedError

    def forget(self, connection_id: str) -> None:
        """Drop what is known of a connection that is gone."""
        raise NotImplementedError
