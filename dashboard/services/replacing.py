"""Editing a connection on a platform without an update: the guarded replace.

Two temporary connections, linked to nothing, hold the new and the old details on the platform
until the replace is over, so that a crash after the deletion can go either way; the journal here
holds names and ids only.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NoReturn

from dashboard.connectors import registry
from dashboard.connectors.pending import (
    Pending,
    addresses_of,
    dropped_leaves,
    pending_details,
)
from dashboard.domain.activity import Act
from dashboard.domain.connection import Connection
from dashboard.domain.detail_tree import (
    Change,
    Leaf,
    Path,
    is_same,
    label_of,
    leaves_of,
)
from dashboard.domain.identity import Identity
from dashboard.domain.replacement import Replacement, ReplaceState
from dashboard.errors import Conflict, DashboardError, InvalidInput, NotFound
from dashboard.masking import Secret
from dashboard.services import replace_words as words
from dashboard.services.activity import ActivityLog
from dashboard.services.catalog import GatewayOf
from dashboard.services.checks import Checks
from dashboard.services.connection_tests import ConnectionTests
from dashboard.services.jobs import Outcome
from dashboard.services.reads import Query, Reads
from dashboard.services.replace_journal import ReplaceJournal
from dashboard.services.replace_steps import (
    Held,
    Holder,
    Stand,
    Steps,
    linked_rooms,
)
from dashboard.services.resuming import OUTLINE, Resuming, kept_paths
from dashboard.services.tested_details import Finding

if TYPE_CHECKING:
    from dashboard.store.database import Store

_LONGEST_NAME: Final = 200


@dataclass(frozen=True, slots=True)
class Outline:
    """What an editor is shown of a connection's details: where things stand, never what they are.

    Parameters
    ----------
    leaves
        In the order of the details, with the times since when they are set.
    addresses
        The addresses that the details name, by the path of their value. Kept on the server: they
        may be secret.
    """

    connection: Connection
    leaves: tuple[Leaf, ...]
    addresses: Mapping[Path, Secret[str]]


class Replacing(Resuming):
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
        journal = ReplaceJournal(store, now)
        super().__init__(gateway, journal, reads=reads, checks=checks, activity=activity)
        self._tests = tests
        self._now = now

    # -- what an editor is shown

    def outline(self, who: Identity, connection: Connection) -> Query[Outline]:
        """Return the leaves of a connection's details; `Conflict` if another one has its name.

        Whether this very person replaced it, `successor` knows.
        """
        return Query(
            (who.key, OUTLINE, connection.connection_id), lambda: self._outline(who, connection)
        )

    def _outline(self, who: Identity, connection: Connection) -> Outline:
        held = self._read(who, connection, absent=words.gone, another=words.another_by_now)
        leaves = leaves_of(held.details)
        times = self._checks.set_times(held.connection, [leaf.path for leaf in leaves])
        addresses = addresses_of(registry.connector_for(held.connection.type), held.details)
        return Outline(
            held.connection,
            tuple(replace(leaf, set_at=times.get(leaf.path)) for leaf in leaves),
            {path: Secret(address) for path, address in addresses.items()},
        )

    def dropped_by(self, outline: Outline, changes: Sequence[Change]) -> tuple[Leaf, ...]:
        """Return what `changes` would drop besides: all that is bound to an address that moves."""
        connector = registry.connector_for(outline.connection.type)
        addresses = {path: secret.reveal() for path, secret in outline.addresses.items()}
        return dropped_leaves(connector, outline.leaves, addresses, changes)

    # -- replacing

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
        InvalidInput
            A change does not fit, with the form's `field`. Nothing was written.
        FetchFailed
            The pending details did not pass the test. Nothing was written.
        Conflict
            Somebody changed it meanwhile, or a workspace it is linked to cannot be told apart.
            Nothing was written; or the replace is unfinished, which the error says.
        """
        if not changes:
            return _unchanged(connection)
        try:
            self._journal.refuse_second(who, connection.name)
            before = self._read(
                who,
                connection,
                absent=words.deleted_meanwhile,
                another=words.changed_meanwhile,
            )
            connector = registry.connector_for(before.connection.type)
            pending = pending_details(connector, before.details, changes)
            connector.check(pending.details, pending.touched)
            if is_same(before.details, pending.details):
                return _unchanged(connection)
            tested = self._test(who, before.connection, pending, test_id)
            return self._replaced(who, before, pending, changes, tested)
        except InvalidInput:
            raise  # nothing was tried yet: the form is still being filled in
        except DashboardError as exc:
            error = self._own_doing(who, connection, exc)
            labels = [label_of(change.path) for change in changes]
            self._note(who, Act.EDITED, connection, labels, error)
            raise error from None
        finally:
            self._invalidate(who)

    def _own_doing(
        self, who: Identity, connection: Connection, error: DashboardError
    ) -> DashboardError:
        """Return `error`, or a truer one: whatever is in the way may be this person's own edit."""
        is_conflict = isinstance(error, Conflict) and not isinstance(error, words.Unfinished)
        if is_conflict and self.successor(who, connection.connection_id):
            return words.edited_by_you(connection.name)
        return error

    def _read(
        self,
        who: Identity,
        connection: Connection,
        *,
        absent: Callable[[str], Conflict],
        another: Callable[[str], Conflict],
    ) -> Held:
        """Return what the editor saw; the error of `absent` or `another` if it is not there."""
        found: Held | None = None
        with suppress(NotFound):
            present, details = self._gateway().read_details(who, connection.name)
            found = Held(present, details.reveal())
        if found is None:
            raise absent(connection.name)
        seen = (connection.connection_id, connection.created_at)
        if (found.connection.connection_id, found.connection.created_at) != seen:
            raise another(connection.name)
        return found

    def _test(
        self, who: Identity, connection: Connection, pending: Pending, test_id: str
    ) -> Finding | None:
        """Test the new details; without a test, return what is known of one a moment before."""
        if not registry.can_fetch(connection.type):
            return None
        if not test_id:
            return self._tests.known_of(who, connection.type, Secret(pending.details))
        result = self._tests.run(who, test_id, connection.type, Secret(pending.details))
        if result.failure is not None:
            raise result.failure
        return Finding(result, 0.0)

    def _replaced(
        self,
        who: Identity,
        before: Held,
        pending: Pending,
        changes: Sequence[Change],
        tested: Finding | None,
    ) -> Outcome:
        record = self._new_record(who, before, pending, changes)
        with self._journal.begun(self._gateway(), who, record) as steps:
            try:
                stand = steps.make_copies(before.details, pending.details)
            except DashboardError as exc:
                self._give_up(steps, exc)
            made = self._to_new(steps, stand)
        kept = kept_paths(before.details, pending.details)
        self._checks.replaced(
            before.connection, made, kept, tested, is_same_source=_is_same_source(before, pending)
        )
        self._note(who, Act.EDITED, made, steps.record.fields)
        told = words.done(steps.record, [leaf.label for leaf in pending.dropped])
        if not steps.record.state.is_over:
            told += " Two temporary connections could not be deleted yet."
        return Outcome(told, result=made.connection_id)

    def _new_record(
        self, who: Identity, before: Held, pending: Pending, changes: Sequence[Change]
    ) -> Replacement:
        connection = before.connection
        replacement_id = secrets.token_hex(12)
        name, mark = connection.name[:_LONGEST_NAME], replacement_id[:6]
        labels = [label_of(change.path) for change in changes]
        return Replacement(
            replacement_id=replacement_id,
            owner_id=who.user_id,
            owner=who.email,
            connection_name=connection.name,
            connection_type=connection.type,
            old_id=connection.connection_id,
            old_created_at=connection.created_at,
            new_copy_name=f"{name} (replacing {mark}, new)",
            old_copy_name=f"{name} (replacing {mark}, old)",
            rooms=linked_rooms(self._gateway(), who, connection),
            fields=(*labels, *(leaf.label for leaf in pending.dropped)),
            begun_at=self._now(),
        )

    def _give_up(self, steps: Steps, cause: DashboardError) -> NoReturn:
        """Delete the copies, before anything else was written, and raise what went wrong."""
        try:
            steps.discard_copies()
            self._journal.close(steps, ReplaceState.OLD, reason=cause.message)
        except DashboardError:
            raise self._unfinished(steps, cause) from None
        raise words.not_changed(steps.record.connection_name, cause)

    def _to_new(self, steps: Steps, stand: Stand) -> Connection:
        """Bring the platform to the new details; back to the old ones where that still works."""
        try:
            made = steps.converge(ReplaceState.NEW, stand)
            self._journal.close(steps, ReplaceState.NEW)
        except DashboardError as exc:
            cause = exc
        else:
            return made
        try:
            stand = steps.look()
            goes_back = stand.holder is Holder.ORIGINAL
            aim = ReplaceState.OLD if goes_back else ReplaceState.NEW
            made = steps.converge(aim, stand)
            self._journal.close(steps, aim, reason=cause.message if goes_back else "")
        except DashboardError as exc:
            error = self._unfinished(steps, exc)
            if steps.made is None or steps.record.settled is not ReplaceState.NEW:
                raise error from None
            # It stands there with all its links: only the copies are still to be deleted.
            return steps.made
        if goes_back:
            raise words.not_changed(steps.record.connection_name, cause)
        return made

    def _unfinished(self, steps: Steps, cause: DashboardError) -> words.Unfinished:
        self._journal.stop(steps, cause.message)
        return words.unfinished(steps.record, cause)


def _is_same_source(before: Held, pending: Pending) -> bool:
    connector = registry.connector_for(before.connection.type)
    return addresses_of(connector, before.details) == addresses_of(connector, pending.details)


def _unchanged(connection: Connection) -> Outcome:
    return Outcome("Nothing was changed.", result=connection.connection_id)
