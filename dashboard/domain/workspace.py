"""A workspace: a shared room whose members use what is linked to it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

#: The platform's rule for names of workspaces, models and pipelines.
NAME_RULE = re.compile(r"[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Workspace:
    """Name and contents of a workspace. `created_at` is in UTC, timezone-aware."""

    workspace_id: int
    name: str
    created_at: datetime
    created_by: str
    archived: bool = False
    model_ids: tuple[int, ...] = ()
    pipeline_ids: tuple[int, ...] = ()


class MemberRole(StrEnum):
    """What a member may do: an owner may add others."""

    OWNER = "Owner"
    COLLABORATOR = "Collaborator"


@dataclass(frozen=True, slots=True)
class Member:
    """A person in a workspace. `email` is empty where the platform does not tell it."""

    user_id: str
    email: str
    role: MemberRole = MemberRole.COLLABORATOR


def labels(workspaces: Iterable[Workspace]) -> dict[int, str]:
    """Map each workspace id to a text that tells it apart: the name, with the id on a collision."""
    rooms = list(workspaces)
    names = [room.name for room in rooms]
    return {
        room.workspace_id: room.name
        if names.count(room.name) == 1
        else f"{room.name} (id {room.workspace_id})"
        for room in rooms
    }
