"""Deleting connections: what breaks first, then the name."""

from __future__ import annotations


def draw(subject: str) -> None:
    """Draw the dialog."""
    raise NotImplementedError
