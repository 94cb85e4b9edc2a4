"""Guarded replaces that were left unfinished, and the receipts of those that are over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from dashboard.domain.activity import Act, ActResult
from dashboard.domain.connection import Connection
from dashboard.domain.detail_tree import Path, is_same, leaves_of, value_at
from dashboard.domain.identity import Identity
from dashboard.domain.replacement import Replacement, ReplaceState
from dashboard.errors import DashboardError
from dashboard.services import catalog
from dashboard.services import replace_words as words
from dashboard.services.activity import ActivityLog
from dashboard.services.catalog import GatewayOf
from dashboard.services.checks import Checks
from dashboard.services.jobs import Outcome
from dashboard.services.reads import Query, Reads
from dashboard.services.replace_journal import ReplaceJournal
from dashboard.services.replace_steps import Holder, Stand, Steps, is_original

OUTLINE: Final = "outline"
REPLACEMENTS: Final = "replacements"


class Resuming:
    """Goes on with what is unfinished, one way or the other.

    `finish`, `restore` and `leave` raise NotFound for a replace that is unknown or somebody
    else's, and Conflict where somebody carries it at this moment, where the name is taken, or
    where the details that are needed are gone. Where those that are asked for are gone and the
    other ones stand there, these stay; the outcome says so.
    """

    def __init__(
        self,
        gateway: GatewayOf,
        journal: ReplaceJournal,
        *,
        reads: Reads,
        checks: Checks,
        activity: ActivityLog,
    ) -> None:
        self._gateway = gateway
        self._journal = journal
        self._reads = reads
        self._checks = checks
        self._activity = activity

    def replacements(self, who: Identity) -> Query[tuple[Replacement, ...]]:
        """Return this person's replaces that are running or unfinished, and the newest receipts."""
        return Query((who.key, REPLACEMENTS), lambda: self._journal.of(who))

    def successor(self, who: Identity, connection_id: str) -> str:
        """Return the id of what this person's own edits have put in a connection's place.

        From the receipts alone, without a request: it may have been deleted since. Chains of
        edits are followed; empty if this person has not replaced it.
        """
        return self._journal.successor(who, connection_id)

    def followed_by(self, who: Identity, connection_id: str) -> Query[str]:
        """As `successor`, for a page that never waits."""
        key = (who.key, REPLACEMENTS, connection_id)
        return Query(key, lambda: self.successor(who, connection_id))

    def finish(self, who: Identity, replacement_id: str) -> Outcome:
        """Bring it to its end: the new details under the name, all links."""
        return self._resume(who, replacement_id, ReplaceState.NEW)

    def restore(self, who: Identity, replacement_id: str) -> Outcome:
        """Take it back: the old details under the name, all links."""
        return self._resume(who, replacement_id, ReplaceState.OLD)

    def leave(self, who: Identity, replacement_id: str) -> Outcome:
        """Close it as it is and delete the copies, unless they are all that is left."""
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
        return Outcome(words.brought(record, target, aim), result=made.connection_id)

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
            kept = kept_paths(stand.old_copy.details, copy.details)
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


def _named(record: Replacement) -> Connection:
    """Return the old connection as far as the journal knows it."""
    return Connection(
        record.old_id, record.connection_name, record.connection_type, record.old_created_at
    )


def kept_paths(before: Any, after: Any) -> tuple[Path, ...]:  # noqa: ANN401 - any JSON values
    """Return the paths of the leaves of `after` that are the same in `before`."""
    return tuple(leaf.path for leaf in leaves_of(after) if _is_kept(before, after, leaf.path))


def _is_kept(before: Any, after: Any, path: Path) -> bool:  # noqa: ANN401 - any JSON values
    try:
        return is_same(value_at(before, path), value_at(after, path))
    except KeyError:
        return False
