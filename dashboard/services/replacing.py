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
from typing import TYPE_CHECKING, Any, Final, NoReturn

from dashboard.connectors import registry
from dashboard.connectors.base import TestResult
from dashboard.connectors.pending import (
    Pending,
    addresses_of,
    dropped_leaves,
    pending_details,
)
from dashboard.domain.activity import Act, ActResult
from dashboard.domain.connection import Connection
from dashboard.domain.detail_tree import (
    Change,
    Leaf,
    Path,
    is_same,
    label_of,
    leaves_of,
    value_at,
)
from dashboard.domain.identity import Identity
from dashboard.domain.replacement import Replacement, ReplaceState
from dashboard.errors import DashboardError, InvalidInput, NotFound
from dashboard.masking import Secret
from dashboard.services import catalog
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
    is_original,
    linked_rooms,
)

if TYPE_CHECKING:
    from dashboard.store.database import Store

OUTLINE = "outline"
REPLACEMENTS = "replacements"

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
        self._journal = ReplaceJournal(store, now)
        self._reads = reads
        self._tests = tests
        self._checks = checks
        self._activity = activity
        self._now = now

    # -- what an editor is shown

    def outline(self, who: Identity, connection: Connection) -> Query[Outline]:
        """Return the leaves of a connection's details; `Conflict` if it was replaced meanwhile."""
        return Query(
            (who.key, OUTLINE, connection.connection_id), lambda: self._outline(who, connection)
        )

    def _outline(self, who: Identity, connection: Connection) -> Outline:
        held = self._read(who, connection)
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

    def replacements(self, who: Identity) -> Query[tuple[Replacement, ...]]:
        """Return this person's replaces that are running or unfinished, and the newest receipts."""
        return Query((who.key, REPLACEMENTS), lambda: self._journal.of(who))

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
            before = self._read(who, connection)
            connector = registry.connector_for(before.connection.type)
            pending = pending_details(connector, before.details, changes)
            connector.check(pending.details, pending.touched)
            if is_same(before.details, pending.details):
                return _unchanged(connection)
            result = self._test(who, before.connection, pending, test_id)
            return self._replaced(who, before, pending, changes, result)
        except InvalidInput:
            raise  # nothing was tried yet: the form is still being filled in
        except DashboardError as exc:
            labels = [label_of(change.path) for change in changes]
            self._note(who, Act.EDITED, connection, labels, exc)
            raise
        finally:
            self._invalidate(who)

    def _read(self, who: Identity, connection: Connection) -> Held:
        found: Held | None = None
        with suppress(NotFound):
            present, details = self._gateway().read_details(who, connection.name)
            found = Held(present, details.reveal())
        if found is None:
            raise words.deleted_meanwhile(connection.name)
        seen = (connection.connection_id, connection.created_at)
        if (found.connection.connection_id, found.connection.created_at) != seen:
            raise words.changed_meanwhile(connection.name)
        return found

    def _test(
        self, who: Identity, connection: Connection, pending: Pending, test_id: str
    ) -> TestResult | None:
        if not test_id or not registry.can_fetch(connection.type):
            return None
        result = self._tests.run(who, test_id, connection.type, Secret(pending.details))
        if result.failure is not None:
            raise result.failure
        return result

    def _replaced(
        self,
        who: Identity,
        before: Held,
        pending: Pending,
        changes: Sequence[Change],
        result: TestResult | None,
    ) -> Outcome:
        record = self._new_record(who, before, pending, changes)
        with self._journal.begun(self._gateway(), who, record) as steps:
            try:
                stand = steps.make_copies(before.details, pending.details)
            except DashboardError as exc:
                self._give_up(steps, exc)
            made = self._to_new(steps, stand)
        kept = _kept(before.details, pending.details)
        self._checks.replaced(before.connection, made, kept, result)
        self._note(who, Act.EDITED, made, steps.record.fields)
        told = words.done(made.name, before.details, changes, pending.dropped)
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

    # -- what was left unfinished

    def finish(self, who: Identity, replacement_id: str) -> Outcome:
        """Bring an unfinished replace to its end: the new details under the name, all links.

        Where the new details are gone and the old ones stand there, these stay; the outcome says
        so.

        Raises
        ------
        NotFound
            It is unknown or somebody else's.
        Conflict
            Somebody carries it at this moment, the name is taken, or the new details are gone.
        """
        return self._resume(who, replacement_id, ReplaceState.NEW)

    def restore(self, who: Identity, replacement_id: str) -> Outcome:
        """Take an unfinished replace back: the old details under the name, all links.

        Where the old details are gone and the new ones stand there, these stay; the outcome says
        so.

        Raises
        ------
        NotFound
            It is unknown or somebody else's.
        Conflict
            Somebody carries it at this moment, the name is taken, or the old details are gone.
        """
        return self._resume(who, replacement_id, ReplaceState.OLD)

    def leave(self, who: Identity, replacement_id: str) -> Outcome:
        """Close an unfinished replace as it is; the two temporary copies are deleted.

        Raises
        ------
        NotFound
            It is unknown or somebody else's.
        Conflict
            Somebody carries it at this moment, or the copies are all that is left of the details.
        """
        return self._resume(who, replacement_id, ReplaceState.LEFT)

    def _resume(self, who: Identity, replacement_id: str, target: ReplaceState) -> Outcome:
        record = self._journal.find(who, replacement_id)
        if record.state.is_over:
            return Outcome(f"The change of {record.connection_name} is over already.")
        try:
            with self._journal.resumed(self._gateway(), who, record) as steps:
                return self._moved_on(who, steps, target, record.reason)
        finally:
            self._invalidate(who)

    def _moved_on(self, who: Identity, steps: Steps, target: ReplaceState, why: str) -> Outcome:
        try:
            if target is ReplaceState.LEFT:
                return self._left(who, steps)
            return self._brought(who, steps, target)
        except DashboardError as exc:
            # A refusal to leave it says nothing about why it is unfinished.
            self._journal.stop(steps, why if target is ReplaceState.LEFT else exc.message)
            act = Act.RESTORED if target is ReplaceState.OLD else Act.EDITED
            record = steps.record
            self._note(who, act, _named(record), record.fields, exc, unfinished=True)
            raise

    def _brought(self, who: Identity, steps: Steps, target: ReplaceState) -> Outcome:
        record, stand = steps.record, steps.look()
        name = record.connection_name
        is_untouched = target is record.settled is ReplaceState.OLD
        if is_untouched and stand.holder is Holder.FOREIGN:
            # The replace itself has changed nothing: somebody else has, and is left alone.
            steps.discard_copies()
            self._journal.close(steps, ReplaceState.OLD)
            return Outcome(f"{name} was changed by somebody else. It is left as it is.")
        aim = stand.reachable(target)
        made = steps.converge(aim, stand)
        if record.settled is not aim:
            self._carry_over(record, stand, made, aim)
        self._journal.close(steps, aim)
        act = Act.EDITED if aim is ReplaceState.NEW else Act.RESTORED
        self._note(who, act, made, record.fields)
        return Outcome(words.brought(name, target, aim), result=made.connection_id)

    def _left(self, who: Identity, steps: Steps) -> Outcome:
        stand = steps.look()
        name = steps.record.connection_name
        if stand.has_copies and not stand.holder.is_ours:
            raise words.only_copies_left(name)
        steps.discard_copies()
        self._journal.close(steps, ReplaceState.LEFT)
        told = f"{name} is left as it is."
        record = steps.record
        self._activity.note(
            who,
            Act.EDITED,
            result=ActResult.UNFINISHED,
            connection_id=record.new_id or record.old_id,
            connection_name=name,
            fields=record.fields,
            note=told,
        )
        return Outcome(told)

    def _carry_over(
        self, record: Replacement, stand: Stand, made: Connection, aim: ReplaceState
    ) -> None:
        """Tell the checks which connection took the old one's place."""
        if is_original(made, record):
            return
        copy = stand.copy_for(aim)
        kept: Sequence[Path] = ()
        if copy is not None and stand.old_copy is not None:
            kept = _kept(stand.old_copy.details, copy.details)
        self._checks.replaced(_named(record), made, kept, None)

    # -- inner

    def _note(
        self,
        who: Identity,
        act: Act,
        connection: Connection,
        fields: Sequence[str],
        error: DashboardError | None = None,
        *,
        unfinished: bool = False,
    ) -> None:
        result = ActResult.DONE if error is None else ActResult.FAILED
        if unfinished or isinstance(error, words.Unfinished):
            result = ActResult.UNFINISHED
        self._activity.note(
            who,
            act,
            result=result,
            connection_id=connection.connection_id,
            connection_name=connection.name,
            fields=fields,
            note=error.message if error is not None else "",
        )

    def _invalidate(self, who: Identity) -> None:
        for listed in (catalog.CONNECTIONS, OUTLINE, REPLACEMENTS):
            self._reads.invalidate(who.key, listed)


def _unchanged(connection: Connection) -> Outcome:
    return Outcome("Nothing was changed.", result=connection.connection_id)


def _named(record: Replacement) -> Connection:
    """Return the old connection as far as the journal knows it."""
    return Connection(
        record.old_id, record.connection_name, record.connection_type, record.old_created_at
    )


def _kept(before: Any, after: Any) -> tuple[Path, ...]:  # noqa: ANN401 - any JSON values
    """Return the paths of the leaves of `after` that are the same in `before`."""
    return tuple(leaf.path for leaf in leaves_of(after) if _is_kept(before, after, leaf.path))


def _is_kept(before: Any, after: Any, path: Path) -> bool:  # noqa: ANN401 - any JSON values
    try:
        return is_same(value_at(before, path), value_at(after, path))
    except KeyError:
        return False
