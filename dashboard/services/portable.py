"""Export and import of connections as JSON, with a slot in the place of every secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dashboard.domain.connection import Connection
from dashboard.domain.detail_tree import ValueKind
from dashboard.domain.identity import Identity
from dashboard.masking import Secret
from dashboard.services.activity import ActivityLog
from dashboard.services.catalog import GatewayOf
from dashboard.services.connections import Connections
from dashboard.services.jobs import Outcome


@dataclass(frozen=True, slots=True)
class Slot:
    """One `${SECRET:name}` of an import, to be filled in.

    Parameters
    ----------
    name
        What stands between the colon and the brace. Hostile text.
    kind
        What the filled-in text is turned into.
    """

    name: str
    label: str
    kind: ValueKind = ValueKind.TEXT


@dataclass(frozen=True, slots=True)
class Draft:
    """One connection of an import, before its slots are filled in.

    Parameters
    ----------
    template
        Its details with the slots in them. What stands there in clear came from the file, which
        somebody may have filled with secrets: it is kept as one.
    workspaces
        Names of the workspaces it was linked to where it came from.
    """

    name: str
    type: str
    template: Secret[object]
    slots: tuple[Slot, ...]
    workspaces: tuple[str, ...] = ()


class Portable:
    """The use cases. Methods that reach the platform block: run them as jobs."""

    def __init__(self, gateway: GatewayOf, connections: Connections, activity: ActivityLog) -> None:
        self._gateway = gateway
        self._connections = connections
        self._activity = activity

    def export(self, who: Identity, connections: Sequence[Connection]) -> Outcome:
        """Write connections as JSON text; the outcome's `result` is that text, without secrets."""
        raise NotImplementedError

    def read(self, text: str) -> tuple[Draft, ...]:
        """Read an export. Raises InvalidInput (field `file`)."""
        raise NotImplementedError

    def import_(
        self,
        who: Identity,
        drafts: Sequence[Draft],
        filled: Mapping[tuple[int, str], Secret[str]],
        *,
        names: Sequence[str],
        link: bool,
    ) -> Outcome:
        """Create what was read. What exists already is an error, never overwritten.

        Parameters
        ----------
        filled
            What was typed, by the draft's place and the slot's name.
        names
            The name each draft gets; an empty one leaves that draft out.
        link
            Whether to link each to the workspaces of the same names that this person is in.

        Raises
        ------
        InvalidInput
            A slot is empty or does not fit; `field` is `slot:<place>:<name>`. Nothing was made.
        """
        raise NotImplementedError
