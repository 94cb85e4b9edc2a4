"""A fetched table at rest: sealed pieces of about 1 MB, one after the other in one file.

Each piece is a complete Arrow stream, so that a page of rows costs the reading and opening of one
or two pieces, and the table is never in memory as a whole.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from dashboard.vault import Vault

BLOCK_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class BlockSpot:
    """Which rows a block holds and where it lies in the file (offset and size in bytes)."""

    number: int
    first_row: int
    row_count: int
    file_offset: int
    size_bytes: int

    @property
    def end_row(self) -> int:
        """Index after its last row."""
        return self.first_row + self.row_count


def write_blocks(table: pa.Table, path: Path, vault: Vault, *, table_id: str) -> list[BlockSpot]:
    """Seal `table` into `path`, which appears only when it is whole and on the disk."""
    draft = path.with_suffix(".part")
    spots: list[BlockSpot] = []
    offset = 0
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        for first_row, piece in _pieces(table):
            sealed = vault.seal(_to_bytes(piece), bound_to=_binding(table_id, len(spots)))
            file.write(sealed)
            spots.append(BlockSpot(len(spots), first_row, piece.num_rows, offset, len(sealed)))
            offset += len(sealed)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    return spots


def read_block(path: Path, vault: Vault, spot: BlockSpot, *, table_id: str) -> pa.Table:
    """Return one block's rows.

    Raises
    ------
    OSError
        The file is gone or cannot be read.
    VaultError
        It was altered, or sealed with another key.
    """
    with path.open("rb") as file:
        file.seek(spot.file_offset)
        sealed = file.read(spot.size_bytes)
    plain = vault.open(sealed, bound_to=_binding(table_id, spot.number))
    with pa.ipc.open_stream(plain) as stream:
        return stream.read_all()


def _pieces(table: pa.Table) -> Iterator[tuple[int, pa.Table]]:
    """Halve the table until each piece is small, in the order of its rows.

    Halving by size, not cutting by an average row: the long texts may all stand at the end.
    """
    if not table.num_rows:
        yield 0, table  # its one block keeps names and types
        return
    waiting = [(0, table.num_rows)]
    while waiting:
        first, count = waiting.pop()
        piece = table.slice(first, count)
        if count > 1 and piece.nbytes > BLOCK_BYTES:
            half = count // 2
            waiting += [(first + half, count - half), (first, half)]
        else:
            yield first, piece


def _to_bytes(piece: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, piece.schema) as stream:
        stream.write_table(piece)
    plain: bytes = sink.getvalue().to_pybytes()
    return plain


def _binding(table_id: str, number: int) -> str:
    return f"table:{table_id}:{number}"
