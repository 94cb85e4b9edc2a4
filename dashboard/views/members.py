"""Adding a person to a workspace."""

from __future__ import annotations


def draw(subject: str) -> None:
    """Draw the dialog."""
    raise NotImplementedError
