"""Taking a run out: its rows as a file, its receipt, a notebook that repeats it."""

from __future__ import annotations


def draw(subject: str) -> None:
    """Draw the dialog for the run with this id."""
    raise NotImplementedError
