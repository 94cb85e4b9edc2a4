"""What the reader thinks of the row that is shown: a thumb, a note, a better summary."""

from __future__ import annotations

from dashboard.domain.run import Run


def draw(run: Run, row_index: int) -> None:
    """Draw the fields under the reading pane."""
