"""The text of a file, piece by piece: decoded as a whole it could take four times its size."""

from __future__ import annotations

import codecs
import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from dashboard.connectors.causes import not_a_table
from dashboard.connectors.formats.content import Content, InMemory, pieces_of

_MARK: Final = b"\xef\xbb\xbf"
_UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_NOT_BLANK: Final = re.compile(rb"[^ \t\r\n]")


@dataclass(frozen=True, slots=True)
class Utf8:
    """Valid UTF-8 that begins at `start` of `content`, behind a byte order mark."""

    content: Content = field(repr=False)
    start: int = 0

    def head(self, characters: int) -> str:
        """Return the first characters."""
        piece = self.content.read(self.start, self.start + 4 * characters)
        return piece.decode("utf-8", "ignore")[:characters]

    def not_blank(self, place: int) -> int | None:
        """Return where the first byte that is no white space stands, from `place` on."""
        for piece in pieces_of(self.content, place):
            found = _NOT_BLANK.search(piece)
            if found is not None:
                return place + found.start()
            place += len(piece)
        return None

    def find(self, sign: bytes, place: int) -> int:
        """Return where the next such byte stands, from `place` on, or -1."""
        for piece in pieces_of(self.content, place):
            found = piece.find(sign)
            if found >= 0:
                return place + found
            place += len(piece)
        return -1

    def count(self, signs: str) -> int:
        """How often any of these ASCII signs stands in it."""
        wanted = [sign.encode() for sign in signs]
        return sum(piece.count(sign) for piece in pieces_of(self.content) for sign in wanted)

    def lines(self) -> Iterator[bytes]:
        """Give its lines, without the line feeds that end them."""
        waiting: list[bytes | bytearray] = []
        for piece in pieces_of(self.content, self.start):
            first, *others = piece.split(b"\n")
            waiting.append(first)
            if others:
                yield b"".join(waiting)
                waiting = [others.pop()]
                yield from map(bytes, others)
        yield b"".join(waiting)

    def decoded(self) -> str:
        """Return all of it."""
        return self.content.read(self.start, self.content.size_bytes).decode()

    def decoded_pieces(self) -> Iterator[str]:
        """Decode it piece by piece. Raises UnicodeDecodeError."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        for piece in pieces_of(self.content, self.start):
            yield decoder.decode(piece)
        yield decoder.decode(b"", final=True)


def utf8_of(content: Content) -> Utf8:
    """Return the text of a file in UTF-8, or in UTF-16 with a byte order mark.

    Raises
    ------
    FetchFailed
        `not_a_table` if it is in neither.
    """
    with contextlib.suppress(UnicodeError):
        head = content.read(0, len(_MARK))
        if head.startswith(_UTF16_MARKS):
            whole = content.read(0, content.size_bytes)
            return Utf8(InMemory(whole.decode("utf-16").encode()))
        text = Utf8(content, len(_MARK) if head == _MARK else 0)
        for _ in text.decoded_pieces():
            pass
        return text
    raise not_a_table("The file's text is not in UTF-8.", "Save it as UTF-8, then try again.")


def text_head(head: bytes | bytearray, characters: int) -> str:
    """Return the first characters of a file, whatever else is in it."""
    head = head[: 4 * characters]
    if head.startswith(_UTF16_MARKS):
        return head.decode("utf-16", "ignore")[:characters]
    return head.removeprefix(_MARK).decode("utf-8", "ignore")[:characters]


def whole_characters(head: bytes) -> Utf8:
    """Return the beginning of a file in UTF-8 up to its last whole character.

    Raises
    ------
    UnicodeDecodeError
        If it is not in UTF-8.
    """
    _text, size = codecs.utf_8_decode(head, "strict", False)
    return Utf8(InMemory(head[:size]), len(_MARK) if head.startswith(_MARK) else 0)
