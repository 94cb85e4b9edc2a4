"""Try one: paste a text, get its summary, without a connection."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard.domain.pipeline import Pipeline
from dashboard.domain.workspace import Workspace


def draw(room: Workspace, pipelines: Sequence[Pipeline]) -> None:
    """Draw the fold below the choice of a table."""
