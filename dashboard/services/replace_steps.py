"""The steps of a guarded replace on the platform, each of which may be the last one that happens.

Nothing is remembered between steps but the journal's record and what the platform holds: whoever
goes on after a crash looks at both and does what is still to be done.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any

from dashboard.domain.connection import Connection
from dashboard.domain.detail_tree import is_same
from dashboard.domain.identity import Identity
from dashboard.domain.replacement import Replacement, ReplaceState, Room
from dashboard.errors import Conflict, NotFound
from dashboard.gateway.base import PlatformGateway
from dashboard.masking import Secret
from dashboard.services import replace_words as words


@dataclass(frozen=True, slots=True)
class Held:
    """A connection and its clear details, as the platform holds them."""

    connection: Connection
    details: Any = field(repr=False)  # any JSON value


class Holder(Enum):
    """Whose connection stands under the name."""

    NOBODY = auto()
    ORIGINAL = auto()
    OLD = auto()
    NEW = auto()
    FOREIGN = auto()

    @property
    def is_ours(self) -> bool:
        """Whether it is the old one, or one that the replace has made."""
        return self in (Holder.ORIGINAL, Holder.OLD, Holder.NEW)


@dataclass(frozen=True, slots=True)
class Stand:
    """What the platform holds of a replace: under the name, and as the two copies."""

    named: Held | None
    new_copy: Held | None
    old_copy: Held | None
    holder: Holder

    def copy_for(self, target: ReplaceState) -> Held | None:
        """Return the copy with the details of `target`, which is New or Old."""
        return self.new_copy if target is ReplaceState.NEW else self.old_copy

    def reachable(self, target: ReplaceState) -> ReplaceState:
        """Return `target`, or the other one if that stands there and the target's copy is gone."""
        other = ReplaceState.OLD if target is ReplaceState.NEW else ReplaceState.NEW
        return other if self.copy_for(target) is None and _fits(self.holder, other) else target

    @property
    def has_copies(self) -> bool:
        """Whether any of the two copies is there."""
        return self.new_copy is not None or self.old_copy is not None


class Steps:
    """One replace under way. Methods raise any `DashboardError`; nothing is undone then.

    Parameters
    ----------
    save
        Writes the record into the journal. Raises Conflict if somebody else carries it by now.
    """

    def __init__(
        self,
        gateway: PlatformGateway,
        who: Identity,
        record: Replacement,
        save: Callable[[Replacement], None],
    ) -> None:
        self._gateway = gateway
        self._who = who
        self._save = save
        self._gone_at_s: float | None = None
        self._not_ours: set[str] = set()
        self.record = record
        #: What stands under the name, once that is sure.
        self.made: Connection | None = None

    def note(self, **values: Any) -> None:  # noqa: ANN401 - fields of the record
        """Change the record, in the journal too."""
        changed = replace(self.record, **values)
        self._save(changed)
        self.record = changed

    # -- looking

    def look(self) -> Stand:
        """Read what the platform holds now."""
        record = self.record
        named = self._held(record.connection_name)
        new_copy, old_copy = self._held(record.new_copy_name), self._held(record.old_copy_name)
        return Stand(named, new_copy, old_copy, self._holder(named, new_copy, old_copy))

    def _held(self, name: str) -> Held | None:
        try:
            connection, details = self._gateway.read_details(self._who, name)
        except NotFound:
            return None
        return Held(connection, details.reveal())

    def _holder(self, named: Held | None, new_copy: Held | None, old_copy: Held | None) -> Holder:
        record = self.record
        if named is None:
            return Holder.NOBODY
        if is_original(named.connection, record):
            return Holder.ORIGINAL
        if named.connection.type == record.connection_type:
            for copy, holder in ((new_copy, Holder.NEW), (old_copy, Holder.OLD)):
                if copy is not None and is_same(named.details, copy.details):
                    return holder
        if named.connection.connection_id != record.new_id:
            return Holder.FOREIGN
        return Holder.OLD if record.settled is ReplaceState.OLD else Holder.NEW

    # -- copies

    def make_copies(self, old: Any, new: Any) -> Stand:  # noqa: ANN401 - any JSON values
        """Create both copies, and see that they and the original are as they should be.

        Raises
        ------
        Conflict
            The original was changed meanwhile, or the platform does not keep details as they are.
        """
        record = self.record
        self._copy(record.new_copy_name, new)
        self._copy(record.old_copy_name, old)
        stand = self.look()
        for copy, meant in ((stand.new_copy, new), (stand.old_copy, old)):
            if copy is None or not is_same(copy.details, meant, as_numbers=True):
                raise Conflict("The platform did not keep the details as they were sent.")
        named = stand.named
        if named is None or stand.holder is not Holder.ORIGINAL:
            raise words.changed_meanwhile(record.connection_name)
        if Counter(named.connection.workspace_names) != _names(record.rooms):
            raise Conflict(f"{record.connection_name} was linked or unlinked meanwhile.")
        return stand

    def _copy(self, name: str, details: Any) -> None:  # noqa: ANN401 - any JSON value
        self._keep_hold()
        try:
            self._create(name, details)
        except Conflict:
            # Somebody else's, then, by the oddest of chances: never to be deleted by us.
            self._not_ours.add(name)
            raise

    def discard_copies(self) -> None:
        """Delete the copies that are there, the old details last."""
        for name in (self.record.new_copy_name, self.record.old_copy_name):
            if name not in self._not_ours:
                self._keep_hold()
                copy = self._held(name)
                if copy is not None:
                    self._delete(copy.connection)

    # -- the target

    def converge(self, target: ReplaceState, stand: Stand | None = None) -> Connection:
        """Bring the platform to `target`, New or Old, from wherever it is; delete the copies.

        May be called again after any failure.

        Parameters
        ----------
        stand
            What `look` gave just now.

        Raises
        ------
        Conflict
            Somebody else's connection stands under the name, or the copy that is needed is gone.
        """
        self._keep_hold()
        stand = stand or self.look()
        copy = stand.copy_for(target)
        if stand.holder is Holder.FOREIGN:
            name = self.record.connection_name
            raise Conflict(f"Somebody else made a connection called {name} meanwhile.")
        if stand.named is not None and _fits(stand.holder, target):
            made = stand.named.connection
        else:
            if copy is None:
                raise words.copy_is_gone(target, other_is_there=stand.has_copies)
            made = self._in_place(stand.named, copy)
        self._link(made)
        self._confirm(made, copy)
        self.note(settled=target, new_id=self._new_id(made))
        self.made = made
        self.discard_copies()
        return made

    def _new_id(self, made: Connection) -> str:
        return "" if is_original(made, self.record) else made.connection_id

    def _in_place(self, named: Held | None, copy: Held) -> Connection:
        if named is not None:
            self._take_away(named.connection)
        made = self._create(self.record.connection_name, copy.details)
        missing_ms = self.record.missing_ms
        if self._gone_at_s is not None:
            missing_ms = (time.monotonic() - self._gone_at_s) * 1000
        self.note(new_id=made.connection_id, missing_ms=missing_ms)
        return made

    def _take_away(self, present: Connection) -> None:
        """Unlink and delete what stands under the name, which is one of ours."""
        rooms = self.record.rooms
        if Counter(present.workspace_names) - _names(rooms):
            more = linked_rooms(self._gateway, self._who, present)
            rooms = tuple(dict.fromkeys((*rooms, *more)))
        self.note(settled=None, rooms=rooms)
        left: tuple[str, ...] = ()
        for room in rooms:
            self._keep_hold()
            now = self._gateway.unlink_connection(
                self._who,
                name=present.name,
                workspace_id=room.workspace_id,
                connection_id=present.connection_id,
            )
            left = now.workspace_names
        if left:
            raise Conflict(f"{present.name} was linked to {left[0]} meanwhile.")
        self._keep_hold()
        self._gone_at_s = time.monotonic()
        self._delete(present)

    def _link(self, made: Connection) -> None:
        for room in self._missing_rooms(made):
            self._keep_hold()
            self._gateway.link_connection(
                self._who,
                name=made.name,
                workspace_id=room.workspace_id,
                connection_id=made.connection_id,
            )

    def _missing_rooms(self, made: Connection) -> list[Room]:
        """Return the rooms it is not linked to: by names first, by their own lists in doubt."""
        if not _names(self.record.rooms) - Counter(made.workspace_names):
            return []
        if not made.workspace_names:
            return list(self.record.rooms)
        return [room for room in self.record.rooms if not self._is_in(made, room)]

    def _is_in(self, made: Connection, room: Room) -> bool:
        listed = self._gateway.list_connections(self._who, workspace_id=room.workspace_id)
        return any(one.connection_id == made.connection_id for one in listed)

    def _confirm(self, made: Connection, copy: Held | None) -> None:
        found = self._held(made.name)
        is_there = (
            found is not None
            and found.connection.connection_id == made.connection_id
            and (copy is None or is_same(found.details, copy.details))
        )
        if not is_there or found is None or self._missing_rooms(found.connection):
            raise Conflict(f"{made.name} was changed by somebody else meanwhile.")

    # -- single calls

    def _create(self, name: str, details: Any) -> Connection:  # noqa: ANN401 - any JSON value
        return self._gateway.create_connection(
            self._who,
            name=name,
            connection_type=self.record.connection_type,
            details=Secret(details),
        )

    def _delete(self, present: Connection) -> None:
        try:
            self._gateway.delete_connection(
                self._who, present.name, connection_id=present.connection_id
            )
        except NotFound:
            return  # gone is gone

    def _keep_hold(self) -> None:
        """Say in the journal that this goes on, and learn whether it is still ours."""
        self._save(self.record)


def linked_rooms(
    gateway: PlatformGateway, who: Identity, connection: Connection
) -> tuple[Room, ...]:
    """Return the workspaces a connection is linked to, confirmed by their own lists.

    Raises
    ------
    Conflict
        One of them cannot be found or told apart; it is named.
    """
    names = Counter(connection.workspace_names)
    if not names:
        return ()
    candidates = [room for room in gateway.list_workspaces(who) if room.name in names]
    rooms = []
    for room in candidates:
        listed = gateway.list_connections(who, workspace_id=room.workspace_id)
        if any(one.connection_id == connection.connection_id for one in listed):
            rooms.append(Room(room.workspace_id, room.name))
    unknown = names - _names(rooms)
    if unknown:
        name = next(iter(unknown))
        known = any(room.name == name for room in candidates)
        raise Conflict(
            f"{connection.name} is linked to a workspace {name} that cannot be told apart from "
            "others of that name."
            if known
            else f"{connection.name} is linked to {name}, and you are not a member of it.",
            title=words.NOTHING_CHANGED,
            hint="Its link could not be kept. Ask a member of that workspace to edit it.",
        )
    return tuple(rooms)


def is_original(connection: Connection, record: Replacement) -> bool:
    """Whether it is the very connection that the editor saw."""
    return (connection.connection_id, connection.created_at) == (
        record.old_id,
        record.old_created_at,
    )


def _fits(holder: Holder, target: ReplaceState) -> bool:
    if target is ReplaceState.NEW:
        return holder is Holder.NEW
    return holder in (Holder.OLD, Holder.ORIGINAL)


def _names(rooms: Iterable[Room]) -> Counter[str]:
    return Counter(room.name for room in rooms)
