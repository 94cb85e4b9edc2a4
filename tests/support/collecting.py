"""A place for a table that a test reads piece by piece."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa


@dataclass
class Collected:
    """A sink that keeps the table, and counts how often it was read."""

    readings: int = 0
    pieces: list[pa.Table] = field(default_factory=list)

    def begin(self) -> None:
        self.readings += 1
        self.pieces.clear()

    def add(self, piece: pa.Table) -> None:
        self.pieces.append(piece)

    @property
    def table(self) -> pa.Table:
        return pa.concat_tables(self.pieces)
