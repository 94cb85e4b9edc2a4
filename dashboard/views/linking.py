"""Linking connections to workspaces, many to many, with a preview of what will change."""

from __future__ import annotations


def draw(subject: str) -> None:
    """Draw the dialog."""
    raise NotImplementedError
