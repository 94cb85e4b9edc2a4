"""A fetched table at rest: sealed pieces of about 1 MB, one after the other in one file.

Each piece is a complete Arrow stream, so that a page of rows costs the reading and opening of one
or two pieces, and the table is never in memory as a whole.
"""

from __future__ import annotations

import contextlib
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


class BlockWriter:
    """Seals a table into a file as it comes; the file appears only when it is whole.

    All methods raise OSError when the disk is full or may not be written to.
    """

    def __init__(self, path: Path, vault: Vault, *, table_id: str) -> None:
        self._path = path
        self._draft = path.with_suffix(".part")
        self._vault = vault
        self._table_id = table_id
        self._spots: list[BlockSpot] = []
        self._waiting: list[pa.Table] = []
        self._waiting_bytes = 0
        descriptor = os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._file = os.fdopen(descriptor, "wb")

    def begin(self) -> None:
        """Drop what was written."""
        self._file.seek(0)
        self._file.truncate()
        self._spots.clear()
        self._waiting.clear()
        self._waiting_bytes = 0

    def add(self, table: pa.Table) -> None:
        """Write further rows; they are of the same columns as those before."""
        self._waiting.append(table)
        self._waiting_bytes += table.nbytes
        if self._waiting_bytes >= BLOCK_BYTES // 2:
            self._write()

    def finish(self) -> list[BlockSpot]:
        """Put the file in its place, on the disk, and say where its blocks lie."""
        if not self._spots or self._waiting:
            self._write()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._draft.replace(self._path)
        return self._spots

    def abandon(self) -> None:
        """Leave nothing behind; nothing happens to a file that is finished."""
        with contextlib.suppress(OSError):  # what is left to write does not fit, and need not
            self._file.close()
        self._draft.unlink(missing_ok=True)

    def _write(self) -> None:
        table = pa.concat_tables(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0
        first_row = self._spots[-1].end_row if self._spots else 0
        offset = self._file.tell()
        for first, piece in _pieces(table):
            if not piece.num_rows and self._spots:
                continue  # the one block without rows is that of a table without rows
            number = len(self._spots)
            sealed = self._vault.seal(_to_bytes(piece), bound_to=_binding(self._table_id, number))
            self._file.write(sealed)
            self._spots.append(
                BlockSpot(number, first_row + first, piece.num_rows, offset, len(sealed))
            )
            offset += len(sealed)


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
