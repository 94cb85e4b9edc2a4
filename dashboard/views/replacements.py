"""Replaces that are unfinished, and the receipts of those that are over."""

from __future__ import annotations


def draw() -> None:
    """Draw what the reader has to know of their replaces, above the list of connections."""
