"""The bytes of a file, wherever they lie: readers ask for a part of them at a time."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

_PIECE_BYTES: Final = 256 * 1024


class Content(Protocol):
    """A file that can be read at any place. Reading may be done from several threads."""

    @property
    def size_bytes(self) -> int:
        """How long it is."""
        ...

    def read(self, start: int, end: int) -> bytes | bytearray:
        """Return what stands from `start` to before `end`; less where the file ends before."""
        ...


@dataclass(frozen=True, slots=True)
class InMemory:
    """A file that is small, or has to be there as a whole."""

    whole: bytes = field(repr=False)

    @property
    def size_bytes(self) -> int:
        """How long it is."""
        return len(self.whole)

    def read(self, start: int, end: int) -> bytes:
        """Return what stands from `start` to before `end`."""
        return self.whole[start:end]


def pieces_of(content: Content, start: int = 0) -> Iterator[bytes | bytearray]:
    """Give it piece by piece from `start` on, 256 KiB each."""
    for place in range(start, content.size_bytes, _PIECE_BYTES):
        yield content.read(place, place + _PIECE_BYTES)


class ContentFile(io.RawIOBase):
    """A content as the file that other people's readers want, from `start` on."""

    def __init__(self, content: Content, start: int = 0) -> None:
        super().__init__()
        self._content = content
        self._start = start
        self._at = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a place."""
        bases = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size()}
        self._at = max(bases[whence] + offset, 0)
        return self._at

    def size(self) -> int:
        """How long it is."""
        return self._content.size_bytes - self._start

    # Not `readinto`, which the base class would copy from once more.
    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes, as many as asked for unless it ends."""
        first = self._start + self._at
        last = self._content.size_bytes if size < 0 else first + size
        found = self._content.read(first, last)
        self._at += len(found)
        return found  # type: ignore[return-value]  # a bytearray does for every reader here
