"""Keeps what a source sends until it is read, without holding a long file in memory."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from dashboard.errors import DashboardError

#: Shorter files stay in memory.
MOST_IN_MEMORY_BYTES: Final = 4_000_000
_BLOCK_BYTES: Final = 256 * 1024
_TAG_BYTES: Final = 16
_NONCE_BYTES: Final = 12


class Spool:
    """A file that grows at its end and is read at any place.

    A long one lies on the disk, without a name, sealed with a key that is nowhere but here: once
    the process is gone, however it went, nobody reads it.

    Parameters
    ----------
    folder
        On which disk; None for the system's folder for temporary files.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.size_bytes = 0
        self._folder = folder
        self._digest = hashlib.sha256()
        #: The end of it, which is not sealed yet; for a short file all of it.
        self._tail = bytearray()
        self._file: IO[bytes] | None = None
        self._aead = AESGCM(AESGCM.generate_key(256))
        self._blocks = 0
        self._at_hand = (-1, b"")

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all of it, hex."""
        return self._digest.hexdigest()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forget it."""
        self._tail = bytearray()
        self._at_hand = (-1, b"")
        if self._file is not None:
            self._file.close()

    def write(self, part: bytes) -> None:
        """Add to its end.

        Raises
        ------
        DashboardError
            The disk is full or may not be written to.
        """
        self.size_bytes += len(part)
        self._digest.update(part)
        self._tail += part
        if self._file is None and len(self._tail) <= MOST_IN_MEMORY_BYTES:
            return
        try:
            self._put_away()
        except OSError as exc:
            raise DashboardError(
                "The file could not be kept while it is read.",
                title="The table was not fetched",
                hint="Check that the dashboard's disk is not full, then fetch it again.",
            ) from exc

    def read(self, start: int, end: int) -> bytes | bytearray:
        """Return what stands from `start` to before `end`; less where it ends before.

        Raises
        ------
        OSError
            The disk did not give it back as it was.
        """
        start, end = max(start, 0), min(end, self.size_bytes)
        if start >= end:
            return b""
        number, offset = divmod(start, _BLOCK_BYTES)
        if number >= self._blocks:
            before = self._blocks * _BLOCK_BYTES
            return self._tail[start - before : end - before]
        if offset + end - start <= _BLOCK_BYTES:
            return self._block(number)[offset : offset + end - start]
        # Filled in where it lies: parts in a list would be there twice when they are joined.
        found = bytearray(end - start)
        with memoryview(found) as view:
            place = start
            while place < end:
                stop = min(end, (place // _BLOCK_BYTES + 1) * _BLOCK_BYTES)
                stop = end if place // _BLOCK_BYTES >= self._blocks else stop
                view[place - start : stop - start] = self.read(place, stop)
                place = stop
        return found

    def _put_away(self) -> None:
        if self._file is None:
            # Without a buffer: its content is read by place, not in order.
            self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115 - `close`
        while len(self._tail) >= _BLOCK_BYTES:
            # A block is never written again, so that its number can be its nonce.
            sealed = self._aead.encrypt(_nonce(self._blocks), self._tail[:_BLOCK_BYTES], None)
            written = self._file.write(sealed)
            if written != len(sealed):
                raise OSError("the disk took only a part")
            del self._tail[:_BLOCK_BYTES]
            self._blocks += 1

    def _block(self, number: int) -> bytes:
        known, block = self._at_hand
        if known == number:
            return block
        if self._file is None or self._file.closed:
            raise OSError("closed")
        size = _BLOCK_BYTES + _TAG_BYTES
        sealed = os.pread(self._file.fileno(), size, number * size)
        try:
            block = self._aead.decrypt(_nonce(number), sealed, None)
        except InvalidTag as exc:
            raise OSError("not what was written") from exc
        self._at_hand = (number, block)
        return block


def _nonce(number: int) -> bytes:
    return number.to_bytes(_NONCE_BYTES, "big")
