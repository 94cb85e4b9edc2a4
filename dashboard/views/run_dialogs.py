"""Renaming and deleting runs."""

from __future__ import annotations


def draw_rename(subject: str) -> None:
    """Draw the dialog that renames the run with this id."""
    raise NotImplementedError


def draw_delete(subject: str) -> None:
    """Draw the dialog that deletes the runs with these ids, joined by commas."""
    raise NotImplementedError
