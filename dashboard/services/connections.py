"""Creating, linking and deleting connections, each followed by a re-read that tells the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dashboard.connectors import registry
from dashboard.domain.activity import Act
from dashboard.domain.connection import Connection
from dashboard.domain.identity import Identity
from dashboard.domain.workspace import Workspace
from dashboard.errors import Conflict, DashboardError, InvalidInput, NotFound
from dashboard.masking import Secret
from dashboard.services import catalog
from dashboard.services.activity import ActivityLog
from dashboard.services.catalog import GatewayOf
from dashboard.services.checks import Checks
from dashboard.services.connection_tests import ConnectionTests
from dashboard.services.jobs import Outcome
from dashboard.services.reads import Reads
from dashboard.services.story import CREATED_MARK
from dashboard.store.marks import Marks


@dataclass(frozen=True, slots=True)
class LinkChange:
    """One link to make, or to take away."""

    connection: Connection
    room: Workspace
    link: bool


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

    def create(
        self,
        who: Identity,
        *,
        name: str,
        connection_type: str,
        fields: Mapping[str, Secret[str]],
        link_to: Workspace | None,
        test_id: str = "",
        act: Act = Act.CREATED,
    ) -> Outcome:
        """Create a connection and, if asked, link it. The outcome's `result` is its id.

        Parameters
        ----------
        fields
            What was typed, by the connector's field keys.
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
        details = connector.validate({key: secret.reveal() for key, secret in fields.items()})
        gateway = self._gateway()
        try:
            made = gateway.create_connection(
                who, name=name, connection_type=connection_type, details=Secret(details)
            )
            self._marks.put(CREATED_MARK, name)
            told = f"Saved {name}."
            if link_to is not None:
                told = self._link_new(who, name, link_to)
        finally:
            self._reads.invalidate(who.key, catalog.CONNECTIONS)
        return Outcome(told, result=made.connection_id)

    def _link_new(self, who: Identity, name: str, room: Workspace) -> str:
        # It is saved by now, whatever becomes of the link: that must not look like a failure.
        try:
            self._gateway().link_connection(who, name=name, workspace_id=room.workspace_id)
        except DashboardError as exc:
            return f"Saved {name}. It could not be linked to {room.name}: {exc.message}"
        return f"Saved {name} and linked it to {room.name}."

    def change_links(self, who: Identity, changes: Sequence[LinkChange]) -> Outcome:
        """Make and take away links one after the other, each confirmed by a re-read.

        One that fails does not stop the others; the outcome tells what really happened.
        """
        raise NotImplementedError

    def delete_all(self, who: Identity, connections: Sequence[Connection]) -> Outcome:
        """Delete several, each as `delete` does; the outcome tells what really happened."""
        raise NotImplementedError

    def set_links(
        self,
        who: Identity,
        name: str,
        *,
        link: Sequence[Workspace],
        unlink: Sequence[Workspace],
    ) -> Outcome:
        """Link to and unlink from workspaces, one after the other."""
        gateway = self._gateway()
        told: list[str] = []
        try:
            for room in link:
                gateway.link_connection(who, name=name, workspace_id=room.workspace_id)
                told.append(f"linked to {room.name}")
            for room in unlink:
                gateway.unlink_connection(who, name=name, workspace_id=room.workspace_id)
                told.append(f"unlinked from {room.name}")
        finally:
            self._reads.invalidate(who.key, catalog.CONNECTIONS)
        return Outcome(f"{name}: {', '.join(told)}." if told else f"{name}: nothing to change.")

    def set_members(
        self,
        who: Identity,
        room: Workspace,
        *,
        link: Sequence[Connection],
        unlink: Sequence[Connection],
    ) -> Outcome:
        """Link connections to a workspace and unlink others from it, one after the other."""
        gateway = self._gateway()
        try:
            for one in link:
                gateway.link_connection(who, name=one.name, workspace_id=room.workspace_id)
            for one in unlink:
                gateway.unlink_connection(who, name=one.name, workspace_id=room.workspace_id)
        finally:
            self._reads.invalidate(who.key, catalog.CONNECTIONS)
        told = [f"{len(link)} linked"] if link else []
        told += [f"{len(unlink)} unlinked"] if unlink else []
        return Outcome(f"{room.name}: {', '.join(told) or 'nothing to change'}.")

    def delete(self, who: Identity, connection: Connection) -> Outcome:
        """Delete a connection, unless it is not the one that was shown.

        Raises
        ------
        Conflict
            If somebody replaced it meanwhile: its id differs.
        """
        gateway = self._gateway()
        try:
            present = gateway.get_connection(who, connection.name)
            if present.connection_id != connection.connection_id:
                raise Conflict(
                    f"{connection.name} was replaced meanwhile. Nothing was deleted.",
                    hint="Open it again and look at it before you delete it.",
                )
            gateway.delete_connection(who, connection.name)
        except NotFound:
            return Outcome(f"{connection.name} was deleted already.")
        finally:
            self._reads.invalidate(who.key, catalog.CONNECTIONS)
        return Outcome(f"Deleted {connection.name}.")


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
