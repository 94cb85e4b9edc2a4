"""Creating, linking and deleting connections, each followed by a re-read that tells the truth."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dashboard.connectors import registry
from dashboard.connectors.causes import FetchCause
from dashboard.domain.activity import Act, ActResult
from dashboard.domain.connection import Connection
from dashboard.domain.detail_tree import leaves_of
from dashboard.domain.identity import Identity
from dashboard.domain.workspace import Workspace
from dashboard.errors import Conflict, DashboardError, FetchFailed, InvalidInput, NotFound
from dashboard.masking import Secret, SecretDetails
from dashboard.services import catalog
from dashboard.services.activity import ActivityLog
from dashboard.services.catalog import GatewayOf
from dashboard.services.checks import Checks
from dashboard.services.connection_tests import ConnectionTests
from dashboard.services.jobs import Outcome
from dashboard.services.many import number, to_each
from dashboard.services.reads import Reads
from dashboard.services.story import CREATED_MARK
from dashboard.services.tested_details import Finding
from dashboard.store.marks import Marks

#: Names of details in one entry of the activity log.
_MOST_NAMES: Final = 40


@dataclass(frozen=True, slots=True)
class LinkChange:
    """One link to make, or to take away."""

    connection: Connection
    room: Workspace
    link: bool

    @property
    def words(self) -> str:
        """What it joins or parts: `press-releases to press-desk`."""
        return f"{self.connection.name} {'to' if self.link else 'from'} {self.room.name}"


@dataclass(frozen=True, slots=True)
class NewConnection:
    """A connection to be made, with its details as they are to be stored."""

    name: str
    type: str
    details: SecretDetails


class Connections:
    """The use cases. Methods block on the platform: run them as jobs."""

    def __init__(
        self,
        gateway: GatewayOf,
        reads: Reads,
        marks: Marks,
        *,
        tests: ConnectionTests,
        checks: Checks,
        activity: ActivityLog,
    ) -> None:
        self._gateway = gateway
        self._reads = reads
        self._marks = marks
        self._tests = tests
        self._checks = checks
        self._activity = activity

    def create(  # noqa: PLR0913 - what is typed and what becomes of it, by keyword
        self,
        who: Identity,
        *,
        name: str,
        connection_type: str,
        fields: Mapping[str, Secret[str]],
        link_to: Sequence[Workspace] = (),
        test_id: str = "",
        act: Act = Act.CREATED,
    ) -> Outcome:
        """Create a connection and, if asked, link it. The outcome's `result` is its id.

        Parameters
        ----------
        fields
            What was typed, by the connector's field keys.
        link_to
            Workspaces to link it to once it is there.
        test_id
            Where the test before it is watched; empty to save without one. Types that cannot be
            tested are saved without one in any case.
        act
            What the activity log calls it.

        Raises
        ------
        InvalidInput, Conflict, FetchFailed
            With the form's `field`. Nothing was saved.
        """
        check_name(name)
        connector = registry.connector_for(connection_type)
        clear = connector.validate({key: secret.reveal() for key, secret in fields.items()})
        draft = NewConnection(name, connection_type, Secret(clear))
        return self.save(who, draft, link_to=link_to, test_id=test_id, act=act)

    def save(
        self,
        who: Identity,
        draft: NewConnection,
        *,
        link_to: Sequence[Workspace] = (),
        test_id: str = "",
        act: Act = Act.CREATED,
    ) -> Outcome:
        """As `create`, with details that are ready to be stored."""
        try:
            made = self._save(who, draft, test_id, act)
        except DashboardError as exc:
            if not _was_cancelled(exc):
                self._note(who, act, name=draft.name, error=exc, fields=_names(draft))
            raise
        finally:
            self._reads.invalidate(who.key, catalog.CONNECTIONS)
        if link_to:
            return self._link_new(who, made, link_to)
        return Outcome(f"Saved {made.name}.", result=made.connection_id)

    def _save(self, who: Identity, draft: NewConnection, test_id: str, act: Act) -> Connection:
        gateway = self._gateway()
        # Before the test: a source need not be asked for something that cannot be saved.
        self._require_free(who, draft.name)
        tested = None
        if registry.can_fetch(draft.type):
            tested = self._tested(who, draft, test_id)
        made = gateway.create_connection(
            who, name=draft.name, connection_type=draft.type, details=draft.details
        )
        if tested is not None:
            self._checks.note_test(made.connection_id, tested.result, age_s=tested.age_s)
        self._marks.put(CREATED_MARK, made.name)
        self._note(who, act, name=made.name, id_=made.connection_id, fields=_names(draft))
        return made

    def _tested(self, who: Identity, draft: NewConnection, test_id: str) -> Finding | None:
        """Test the draft; without a test, return what is known of one a moment before."""
        if not test_id:
            return self._tests.known_of(who, draft.type, draft.details)
        result = self._tests.run(who, test_id, draft.type, draft.details)
        if result.failure is not None:
            raise result.failure
        return Finding(result, 0.0)

    def _require_free(self, who: Identity, name: str) -> None:
        with contextlib.suppress(NotFound):
            self._gateway().get_connection(who, name)
            raise Conflict(
                f"A connection called {name} exists already.",
                hint="Choose another name, or open that one.",
                field="name",
            )

    def _link_new(self, who: Identity, made: Connection, rooms: Sequence[Workspace]) -> Outcome:
        # It is saved by now, whatever becomes of the links: that must not look like a failure.
        try:
            tally = to_each(
                rooms, lambda room: self._change_link(who, LinkChange(made, room, link=True))
            )
        finally:
            self._reads.invalidate(who.key, catalog.CONNECTIONS)
        told = f"Saved {made.name}"
        if tally.done:
            told += f" and linked it to {', '.join(room.name for room in tally.done)}"
        troubles = [(room, error.message) for room, error in tally.troubles]
        troubles += [(room, "The platform did not answer.") for room in tally.untried]
        reasons = [f" It could not be linked to {room.name}: {why}" for room, why in troubles]
        return Outcome(
            f"{told}.{''.join(reasons)}", result=made.connection_id, is_partial=bool(reasons)
        )

    def change_links(self, who: Identity, changes: Sequence[LinkChange]) -> Outcome:
        """Make and take away links one after the other, each confirmed by a re-read.

        One that fails does not stop the others; the outcome tells what really happened.

        Raises
        ------
        DashboardError
            None of them could be made or taken away.
        """
        try:
            tally = to_each(changes, lambda change: self._change_link(who, change))
        finally:
            self._reads.invalidate(who.key, catalog.CONNECTIONS)
        if len(changes) == 1 and tally.done:
            return Outcome(f"{'Linked' if changes[0].link else 'Unlinked'} {changes[0].words}.")
        linked = sum(change.link for change in tally.done)
        unlinked = len(tally.done) - linked
        parts = [f"{number(linked, 'link')} made"] if linked else []
        parts += [f"{number(unlinked, 'link')} taken away"] if unlinked else []
        made = all(change.link for change, _error in tally.troubles)
        return tally.told(
            ", ".join(parts),
            not_done="could not be made" if made else "could not be changed",
            words=lambda change: change.words,
        )

    def _change_link(self, who: Identity, change: LinkChange) -> None:
        gateway = self._gateway()
        act = Act.LINKED if change.link else Act.UNLINKED
        call = gateway.link_connection if change.link else gateway.unlink_connection
        name, id_ = change.connection.name, change.connection.connection_id
        room = change.room
        try:
            # With its id: by now, the name may stand for another one.
            call(who, name=name, workspace_id=room.workspace_id, connection_id=id_)
        except DashboardError as exc:
            self._note(who, act, name=name, id_=id_, workspace=room.name, error=exc)
            raise
        self._note(who, act, name=name, id_=id_, workspace=room.name)

    def delete(self, who: Identity, connection: Connection) -> Outcome:
        """Delete a connection, unless it is not the one that was shown.

        Raises
        ------
        Conflict
            If somebody replaced it meanwhile: its id differs.
        """
        if self._delete(who, connection):
            return Outcome(f"Deleted {connection.name}.")
        return Outcome(f"{connection.name} was deleted already.")

    def delete_all(self, who: Identity, connections: Sequence[Connection]) -> Outcome:
        """Delete several, each as `delete` does; the outcome tells what really happened.

        Raises
        ------
        DashboardError
            None of them could be deleted.
        """
        if len(connections) == 1:
            return self.delete(who, connections[0])
        gone: list[Connection] = []

        def delete_one(connection: Connection) -> None:
            if not self._delete(who, connection):
                gone.append(connection)

        tally = to_each(connections, delete_one)
        deleted = len(tally.done) - len(gone)
        parts = [f"{number(deleted, 'connection')} deleted"] if deleted else []
        if gone:
            parts.append(f"{len(gone):,} {'was' if len(gone) == 1 else 'were'} deleted already")
        return tally.told(
            ", ".join(parts), not_done="could not be deleted", words=lambda one: one.name
        )

    def _delete(self, who: Identity, connection: Connection) -> bool:
        """Delete one; False if it was gone already."""
        name, id_ = connection.name, connection.connection_id
        try:
            self._gateway().delete_connection(who, name, connection_id=id_)
        except NotFound:
            self._checks.forget(id_)
            return False
        except DashboardError as exc:
            self._note(who, Act.DELETED, name=name, id_=id_, error=exc)
            raise
        finally:
            self._reads.invalidate(who.key, catalog.CONNECTIONS)
        self._checks.forget(id_)
        self._note(who, Act.DELETED, name=name, id_=id_)
        return True

    def _note(  # noqa: PLR0913 - an entry's parts, by keyword
        self,
        who: Identity,
        act: Act,
        *,
        name: str,
        id_: str = "",
        workspace: str = "",
        fields: Sequence[str] = (),
        error: DashboardError | None = None,
    ) -> None:
        self._activity.note(
            who,
            act,
            result=ActResult.DONE if error is None else ActResult.FAILED,
            connection_id=id_,
            connection_name=name,
            workspace=workspace,
            fields=fields,
            note="" if error is None else error.message,
        )


def field_names(details: object) -> tuple[str, ...]:
    """Return the names of the details that are set, the first of them where they are many."""
    names = [leaf.label for leaf in leaves_of(details) if leaf.is_set]
    if len(names) > _MOST_NAMES:
        names[_MOST_NAMES:] = [f"and {len(names) - _MOST_NAMES} more"]
    return tuple(names)


def _names(draft: NewConnection) -> tuple[str, ...]:
    return field_names(draft.details.reveal())


def _was_cancelled(error: DashboardError) -> bool:
    return isinstance(error, FetchFailed) and error.cause_code == FetchCause.CANCELLED


def check_name(name: str) -> None:
    """Refuse an empty name; anything else is as free as on the platform.

    Raises
    ------
    InvalidInput
        With field `name`.
    """
    if not name.strip():
        raise InvalidInput("A connection needs a name.", hint="Type one.", field="name")


def linked_ids(
    connection: Connection,
    workspaces: Sequence[Workspace],
    members: Mapping[int, Sequence[Connection]],
) -> tuple[int, ...]:
    """Ids of the workspaces a connection is linked to.

    The platform lists names, and names need not be unique: where several workspaces carry the
    name, the workspace's own list decides.

    Parameters
    ----------
    members
        The own lists of connections of those workspaces whose names collide, by workspace id.
    """
    ids = []
    names = [room.name for room in workspaces]
    for room in workspaces:
        if room.name not in connection.workspace_names:
            continue
        own = members.get(room.workspace_id, ())
        if names.count(room.name) == 1 or any(
            one.connection_id == connection.connection_id for one in own
        ):
            ids.append(room.workspace_id)
    return tuple(ids)
