"""Exporting connections as JSON with slots for secrets."""

from __future__ import annotations


def draw(subject: str) -> None:
    """Draw the dialog."""
    raise NotImplementedError
