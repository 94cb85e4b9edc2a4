"""The text of a file, as bytes: decoded as a whole it could take four times its size."""

from __future__ import annotations

import codecs
import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from dashboard.connectors.causes import not_a_table

_PIECE_BYTES: Final = 256 * 1024
_MARK: Final = b"\xef\xbb\xbf"
_UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_NOT_BLANK: Final = re.compile(rb"[^ \t\r\n]")


@dataclass(frozen=True, slots=True)
class Utf8:
    """Valid UTF-8 that begins at `start` of `content`, behind a byte order mark."""

    content: bytes = field(repr=False)
    start: int = 0

    def head(self, characters: int) -> str:
        """Return the first characters."""
        piece = self.content[self.start : self.start + 4 * characters]
        return piece.decode("utf-8", "ignore")[:characters]

    def not_blank(self, place: int) -> int | None:
        """Return where the first byte that is no white space stands, from `place` on."""
        found = _NOT_BLANK.search(self.content, place)
        return None if found is None else found.start()

    def count(self, signs: str) -> int:
        """How often any of these ASCII signs stands in it."""
        return sum(self.content.count(sign.encode()) for sign in signs)

    def decoded(self) -> str:
        """Return all of it."""
        return self.content[self.start :].decode()


def utf8_of(content: bytes) -> Utf8:
    """Return the text of a file in UTF-8, or in UTF-16 with a byte order mark.

    Raises
    ------
    FetchFailed
        `not_a_table` if it is in neither.
    """
    text = None
    with contextlib.suppress(UnicodeError):
        if content.startswith(_UTF16_MARKS):
            text = Utf8(content.decode("utf-16").encode())
        else:
            start = len(_MARK) if content.startswith(_MARK) else 0
            for _ in decoded_pieces(content, start, len(content)):
                pass
            text = Utf8(content, start)
    if text is None:
        raise not_a_table("The file's text is not in UTF-8.", "Save it as UTF-8, then try again.")
    return text


def decoded_pieces(content: bytes, start: int, end: int) -> Iterator[str]:
    """Decode piece by piece. Raises UnicodeDecodeError."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(content)
    for place in range(start, end, _PIECE_BYTES):
        stop = min(place + _PIECE_BYTES, end)
        yield decoder.decode(view[place:stop], final=stop == end)
