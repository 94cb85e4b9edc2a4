"""The activity log: who did what to which connection, and when."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dashboard.domain.activity import Act, Activity, ActResult
from dashboard.domain.identity import Identity
from dashboard.services.reads import Reads

if TYPE_CHECKING:
    from dashboard.store.database import Store


@dataclass(frozen=True, slots=True)
class ActivityFilter:
    """Which entries are wanted; empty means all.

    Parameters
    ----------
    words
        Each must stand in the connection's name, the workspace's or the person's address.
    connection_name
        Exactly this connection: ids change with a replace, the name stays.
    """

    acts: tuple[Act, ...] = ()
    results: tuple[ActResult, ...] = ()
    words: str = ""
    connection_name: str = ""


@dataclass(frozen=True, slots=True)
class ActivityPage:
    """Some entries, newest first, and how many there are in all."""

    entries: tuple[Activity, ...]
    total: int


class ActivityLog:
    """Writes and reads the log. Thread-safe."""

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

    def note(  # noqa: PLR0913 - an entry's parts, by keyword
        self,
        who: Identity,
        act: Act,
        *,
        result: ActResult = ActResult.DONE,
        connection_id: str = "",
        connection_name: str = "",
        workspace: str = "",
        fields: Sequence[str] = (),
        note: str = "",
    ) -> None:
        """Add an entry. Never raises: what happened has happened, noted or not."""
        raise NotImplementedError

    def page(self, wanted: ActivityFilter, *, offset: int = 0, limit: int = 50) -> ActivityPage:
        """Return some of the wanted entries."""
        raise NotImplementedError
