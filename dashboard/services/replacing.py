"""Editing a connection on a platform without an update: the guarded replace."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dashboard.domain.connection import Connection
from dashboard.domain.detail_tree import Change, Leaf, Path
from dashboard.domain.identity import Identity
from dashboard.domain.replacement import Replacement
from dashboard.masking import Secret
from dashboard.services.activity import ActivityLog
from dashboard.services.catalog import GatewayOf
from dashboard.services.checks import Checks
from dashboard.services.connection_tests import ConnectionTests
from dashboard.services.jobs import Outcome
from dashboard.services.reads import Query, Reads

if TYPE_CHECKING:
    from dashboard.store.database import Store

OUTLINE = "outline"
REPLACEMENTS = "replacements"


@dataclass(frozen=True, slots=True)
class Outline:
    """What an editor is shown of a connection's details: where things stand, never what they are.

    Parameters
    ----------
    leaves
        In the order of the details, with the times since when they are set.
    addresses
        The addresses that the details name, by the path of their leaf. Kept on the server: they
        may be secret.
    """

    connection: Connection
    leaves: tuple[Leaf, ...]
    addresses: Mapping[Path, Secret[str]]


class Replacing:
    """The use cases of editing. Methods block on the platform: run them as jobs."""

    def __init__(  # noqa: PLR0913 - what it works with, by keyword
        self,
        gateway: GatewayOf,
        *,
        store: Store,
        reads: Reads,
        tests: ConnectionTests,
        checks: Checks,
        activity: ActivityLog,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._gateway = gateway
        self._store = store
        self._reads = reads
        self._tests = tests
        self._checks = checks
        self._activity = activity
        self._now = now

    def outline(self, who: Identity, connection: Connection) -> Query[Outline]:
        """Return the leaves of a connection's details; `Conflict` if it was replaced meanwhile."""
        raise NotImplementedError

    def dropped_by(self, outline: Outline, changes: Sequence[Change]) -> tuple[Leaf, ...]:
        """Return what `changes` would drop besides: all that is bound to an address that moves."""
        raise NotImplementedError

    def replace(
        self,
        who: Identity,
        connection: Connection,
        changes: Sequence[Change],
        *,
        test_id: str = "",
    ) -> Outcome:
        """Change some details of a connection; the outcome's `result` is its new id.

        Parameters
        ----------
        connection
            As the editor saw it: if its id or time of creation differs by now, nothing is done.
        changes
            None at all is an outcome that says so, without a request.
        test_id
            Where the test of the pending details is watched; empty to replace without one.

        Raises
        ------
        FetchFailed
            The pending details did not pass the test. Nothing was written.
        Conflict
            Somebody changed it meanwhile, or a workspace it is linked to cannot be told apart.
            Nothing was written; or the replace is unfinished, which the error says.
        """
        raise NotImplementedError

    def replacements(self, who: Identity) -> Query[tuple[Replacement, ...]]:
        """Return this person's replaces that are running or unfinished, and the newest receipts."""
        raise NotImplementedError

    def finish(self, who: Identity, replacement_id: str) -> Outcome:
        """Bring an unfinished replace to its end: the new details under the name, all links."""
        raise NotImplementedError

    def restore(self, who: Identity, replacement_id: str) -> Outcome:
        """Take an unfinished replace back: the old details under the name, all links."""
        raise NotImplementedError

    def leave(self, who: Identity, replacement_id: str) -> Outcome:
        """Close an unfinished replace as it is; the two temporary copies are deleted."""
        raise NotImplementedError
