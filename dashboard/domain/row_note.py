"""What a reader thinks of one row of a run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum


class Thumb(IntEnum):
    """A verdict at a glance."""

    DOWN = -1
    NONE = 0
    UP = 1


@dataclass(frozen=True, slots=True)
class RowNote:
    """One opinion; a row has at most one, the newest.

    Parameters
    ----------
    who
        Address of the person, empty for the sandbox's local one.
    at
        UTC.
    corrected
        A better summary, saved beside the model's; empty without one.
    """

    row_index: int
    who: str
    at: datetime
    thumb: Thumb = Thumb.NONE
    note: str = ""
    corrected: str = ""

    @property
    def says_something(self) -> bool:
        """Whether it is more than an opinion that was taken back."""
        return bool(self.thumb or self.note or self.corrected)
