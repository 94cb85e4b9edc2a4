"""Finds the values of a JSON list one after the other, decoding a small window of it at a time."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, Final

from dashboard.connectors.causes import not_a_table, too_long
from dashboard.connectors.formats.utf8 import Utf8
from dashboard.errors import FetchFailed

_BLANK: Final = re.compile(r"[ \t\n\r]*")
#: A comma and the white space around it, before a value.
_COMMA: Final = re.compile(r"[ \t\n\r]*,[ \t\n\r]*(?=[^\] \t\n\r])")
_SAFE_DIGITS: Final = 18
#: Where a window ends, a number, a word or an escape may be cut off; they are not longer than this.
_CUT_CHARACTERS: Final = 64
_MOST_NODES: Final = 3_000_000


def constant(name: str) -> float | None:
    """NaN is how pandas writes "nothing here"."""
    return None if name == "NaN" else math.copysign(math.inf, -1 if name.startswith("-") else 1)


def whole(digits: str) -> int | str:
    """Return a number, or its digits where no column of numbers could hold it."""
    if len(digits) <= _SAFE_DIGITS:
        return int(digits)
    is_short = len(digits) <= _SAFE_DIGITS + 2
    return int(digits) if is_short and -(2**63) <= int(digits) < 2**63 else digits


DECODER: Final = json.JSONDecoder(parse_constant=constant, parse_int=whole)


def check_nodes(text: str) -> None:
    """Raise FetchFailed for text that would take many times its size as values."""
    if len(text) > _MOST_NODES and text.count("{") + text.count("[") > _MOST_NODES:
        raise too_long("The file holds more values than can be read.")


def damaged(line: int, character: int | None = None) -> FetchFailed:
    """Make the error for JSON that breaks off or breaks its rules at a place, both from 1 on."""
    place = f"line {line}" if character is None else f"line {line}, character {character}"
    return not_a_table(
        f"The file is damaged JSON: look at {place}.",
        "Ask the source's owner for a whole file, or choose another format.",
    )


def list_values(text: Utf8) -> Iterator[tuple[Any, int]]:
    """Give every value of a list with its length in characters.

    Raises
    ------
    FetchFailed
        `not_a_table` with the line where it breaks.
    """
    window = _Window(text)
    window.sign()
    window.at += 1  # the bracket, which the caller has seen
    while window.sign() != "]":
        yield window.value()
        if window.skip_comma():
            continue
        sign = window.sign()
        if sign == "]":
            break
        if sign != "," or window.sign(after=1) == "]":
            raise window.broken(window.at)
        window.at += 1
    window.at += 1
    if window.sign():
        raise window.broken(window.at)


class _Window:
    """What is decoded of the text and not read yet; `at` is the place of the next character."""

    def __init__(self, text: Utf8) -> None:
        self.at = 0
        self._pieces = text.decoded_pieces()
        self._text = ""
        self._lines_before = 0
        self._characters_before = 0

    def sign(self, *, after: int = 0) -> str:
        """Return the next character that is no white space and go there; empty at the end.

        Parameters
        ----------
        after
            Look so many characters behind the next one instead, and stay.
        """
        while True:
            found = _BLANK.match(self._text, self.at + after)
            place = found.end() if found else len(self._text)
            if not after:
                self.at = place
            if place < len(self._text):
                return self._text[place]
            if not self._more():
                return ""

    def skip_comma(self) -> bool:
        """Go to the next value, if the window shows a comma and the beginning of one."""
        found = _COMMA.match(self._text, self.at)
        if found is None:
            return False
        self.at = found.end()
        return True

    def value(self) -> tuple[Any, int]:
        """Read the value that begins here."""
        while True:
            trouble = None
            try:
                value, end = DECODER.raw_decode(self._text, self.at)
            except json.JSONDecodeError as error:
                trouble = error
            else:
                length, self.at = end - self.at, end
                return value, length
            is_cut = trouble.msg.startswith("Unterminated string") or (
                trouble.pos > len(self._text) - _CUT_CHARACTERS
            )
            if not is_cut or not self._more():
                raise self.broken(trouble.pos)

    def broken(self, place: int) -> FetchFailed:
        """Make the error for a place in the window."""
        lines = self._text.count("\n", 0, place)
        since = place - (self._text.rfind("\n", 0, place) + 1)
        before = 0 if lines else self._characters_before
        return damaged(self._lines_before + lines + 1, before + since + 1)

    def _more(self) -> bool:
        """Let go of what was read and decode more, at least as much as is left."""
        read = self._text[: self.at]
        lines = read.count("\n")
        self._lines_before += lines
        rest = len(read) - (read.rfind("\n") + 1)
        self._characters_before = rest + (0 if lines else self._characters_before)
        kept = [self._text[self.at :]]
        check_nodes(kept[0])
        least, got = max(len(kept[0]), 1), 0
        for piece in self._pieces:
            kept.append(piece)
            got += len(piece)
            if got >= least:
                break
        self._text, self.at = "".join(kept), 0
        return got > 0
