"""What linking or unlinking many connections and workspaces would change, before it is done."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from dashboard.domain.connection import Connection
from dashboard.domain.workspace import Workspace
from dashboard.services.connections import LinkChange


@dataclass(frozen=True, slots=True)
class LinkPlan:
    """The changes to make, and how many of the pairs asked for are so already.

    Parameters
    ----------
    link
        Whether links are made, or taken away.
    changes
        By workspace, then by connection, in the order they were chosen in.
    already
        Pairs that exist already where links are made, or do not where they are taken away.
    """

    link: bool
    changes: tuple[LinkChange, ...] = ()
    already: int = 0

    def lost_by(self) -> Mapping[int, int]:
        """How many connections each workspace's members lose, by workspace id; gains are none."""
        lost: dict[int, int] = {}
        for change in self.changes:
            if not change.link:
                lost[change.room.workspace_id] = lost.get(change.room.workspace_id, 0) + 1
        return lost


def plan_links(
    connections: Sequence[Connection],
    rooms: Sequence[Workspace],
    linked: Mapping[int, Collection[str]],
    *,
    link: bool,
) -> LinkPlan:
    """Hold every pair of `connections` and `rooms` against what is linked now.

    Parameters
    ----------
    linked
        Ids of the connections each of `rooms` lists itself, by workspace id. Names tell nothing:
        workspaces may share one.
    link
        Whether the pairs are to be linked, or unlinked.
    """
    changes: list[LinkChange] = []
    already = 0
    for room in rooms:
        here = frozenset(linked[room.workspace_id])
        for connection in connections:
            if (connection.connection_id in here) is link:
                already += 1
            else:
                changes.append(LinkChange(connection, room, link))
    return LinkPlan(link, tuple(changes), already)
