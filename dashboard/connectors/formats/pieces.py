"""A table as it is read: piece by piece, so that a long file is never whole in memory twice.

A piece holds about 0.5 MB. What a column is, is known for sure only at the file's end: pieces are
made with what the file has shown so far, and if that turns out to be wrong, the file is read a
second time with what the first reading found.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    import pyarrow as pa

PIECE_BYTES = 500_000
_MOST_READINGS = 20

Plan = TypeVar("Plan")
#: Gives the table's pieces, all of one schema, at least one of them. Returns None when they hold,
#: or what is to be known beforehand for a second reading that does.
Pieces = Generator["pa.Table", None, Plan | None]


class TableSink(Protocol):
    """Takes in a table piece by piece."""

    def begin(self) -> None:
        """Begin anew: whatever was added does not count any more."""
        ...

    def add(self, piece: pa.Table) -> None:
        """Take the next rows. All pieces since `begin` have the same schema."""
        ...


def read_all(read: Callable[[Plan | None], Pieces[Plan]], sink: TableSink) -> None:
    """Read into a sink, once more where a reading guessed wrong."""
    plan: Plan | None = None
    for _ in range(_MOST_READINGS):
        sink.begin()
        plan = _drained(read(plan), sink)
        if plan is None:
            return
    raise RuntimeError("every reading found something else than the one before")


def _drained(pieces: Pieces[Plan], sink: TableSink) -> Plan | None:
    while True:
        try:
            piece = next(pieces)
        except StopIteration as end:
            plan: Plan | None = end.value
            return plan
        sink.add(piece)
