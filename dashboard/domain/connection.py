"""A connection as pages may see it: without its details."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class DetailPart:
    """One part of a connection's details.

    Parameters
    ----------
    key
        The field's key; for nested details a dotted path such as `auth.token`.
    label
        The field's name in plain words.
    value
        The text to show, when the type's allow-list lets it be shown; else None.
    is_set
        Whether the field holds anything.
    """

    key: str
    label: str
    value: str | None
    is_set: bool


@dataclass(frozen=True, slots=True)
class Description:
    """What may be shown of a connection's details: the allow-listed parts and the host.

    Texts are plain: whoever draws them escapes them.
    """

    parts: tuple[DetailPart, ...] = ()
    host: str | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """A named address of a data source. Its details stay behind the gateway.

    Parameters
    ----------
    created_at
        Time in UTC, timezone-aware.
    workspace_names
        Names of the workspaces it is linked to, as the platform lists them. Names need not be
        unique among workspaces.
    parts
        What the connector of its type lets be shown, in display order.
    host
        The source's host where the type knows one and it is safe to show, else None.
    """

    connection_id: str
    name: str
    type: str
    created_at: datetime
    workspace_names: tuple[str, ...] = ()
    parts: tuple[DetailPart, ...] = ()
    host: str | None = None
