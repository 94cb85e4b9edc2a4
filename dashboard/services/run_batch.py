"""How many rows go in one request, for models that take several at once.

The number is halved when a request was too large or took too long, and grows back while all goes
well, more and more slowly: a limit that is met again and again is met ever less often.
"""

from __future__ import annotations

_FIRST_PATIENCE = 8
_LONGEST_PATIENCE = 1024


class BatchSize:
    """The number of rows for the next request.

    Parameters
    ----------
    most
        The most it ever is; 1 for a model that takes one row at a time.
    """

    def __init__(self, most: int) -> None:
        self._most = max(most, 1)
        self._patience = _FIRST_PATIENCE
        self._well_in_a_row = 0
        self.now = self._most

    def was_too_much(self, rows: int) -> None:
        """Take note that a request of so many rows was too large or took too long."""
        if rows > 1 and rows // 2 < self.now:
            self.now = rows // 2
            self._patience = min(2 * self._patience, _LONGEST_PATIENCE)
        self._well_in_a_row = 0

    def went_well(self, rows: int) -> None:
        """Take note that a request of so many rows was answered."""
        if rows < self.now:
            return
        self._well_in_a_row += 1
        if self.now < self._most and self._well_in_a_row >= self._patience:
            self.now = min(2 * self.now, self._most)
            self._well_in_a_row = 0
