"""A guarded replace under way: how a connection is edited on a platform without an update.

Names and ids only, so that it can be kept on disk; the details are in the two copies on the
platform, which stand there, linked to nothing, until the replace is over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ReplaceState(StrEnum):
    """Where a replace stands."""

    RUNNING = "Running"
    NEW = "New"
    OLD = "Old"
    UNFINISHED = "Unfinished"
    LEFT = "Left"

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be done about it."""
        return self in (ReplaceState.NEW, ReplaceState.OLD, ReplaceState.LEFT)


@dataclass(frozen=True, slots=True)
class Room:
    """A workspace that the connection was linked to when the replace began."""

    workspace_id: int
    name: str


@dataclass(frozen=True, slots=True)
class Replacement:
    """One replace.

    Parameters
    ----------
    owner_id, owner
        Who edits: the platform's id of the account, and its address.
    old_id, old_created_at
        Of the connection as the editor saw it.
    new_id
        Of the connection made under the name; empty before.
    new_copy_name, old_copy_name
        Names of the two temporary connections, with the new details and with the old ones.
    rooms
        Every workspace it was linked to.
    fields
        Names of the details that change.
    reason
        Why it is unfinished, in plain words.
    missing_ms
        How long the name was missing for other scripts, if it was.
    settled
        `OLD` or `NEW` where it is sure which of them stands under the name with all its links, so
        that only the two copies are left to be deleted; None in between.
    """

    replacement_id: str
    owner_id: str
    owner: str
    connection_name: str
    connection_type: str
    old_id: str
    old_created_at: datetime
    new_copy_name: str
    old_copy_name: str
    rooms: tuple[Room, ...]
    fields: tuple[str, ...]
    begun_at: datetime
    state: ReplaceState = ReplaceState.RUNNING
    new_id: str = ""
    reason: str = ""
    ended_at: datetime | None = None
    missing_ms: float | None = None
    settled: ReplaceState | None = ReplaceState.OLD
