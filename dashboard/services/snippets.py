"""SDK code that looks up or makes a connection, without any of its values."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard.domain.connection import Connection
from dashboard.domain.detail_tree import Leaf


def use_snippet(connection: Connection) -> str:
    """Return Python that looks the connection up by name and reads its details."""
    raise NotImplementedError


def create_snippet(connection: Connection, leaves: Sequence[Leaf]) -> str:
    """Return Python that makes the connection on another instance; it asks for every value."""
    raise NotImplementedError
