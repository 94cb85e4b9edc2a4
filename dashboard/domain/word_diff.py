"""What changed between two texts, word by word."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_TOKEN: Final = re.compile(r"\s+|\w+|[^\w\s]")
#: Longer texts are compared as a whole: the comparison takes time by the square of their length.
_MOST_TOKENS: Final = 4_000


class PieceKind(StrEnum):
    """Which of the two texts a piece is in."""

    SAME = "same"
    GONE = "gone"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of both texts, or of one of them."""

    text: str
    kind: PieceKind


def word_diff(before: str, after: str) -> tuple[Piece, ...]:
    """Return the pieces that lead from one text to the other.

    All but the new ones make up `before`, all but the gone ones `after`.
    """
    if before == after:
        return (Piece(before, PieceKind.SAME),) if before else ()
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    if max(len(old), len(new)) > _MOST_TOKENS:
        return _pieces((before, PieceKind.GONE), (after, PieceKind.NEW))
    pieces: list[tuple[str, PieceKind]] = []
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for tag, from_old, to_old, from_new, to_new in matcher.get_opcodes():
        if tag == "equal":
            pieces.append(("".join(old[from_old:to_old]), PieceKind.SAME))
        else:
            pieces.append(("".join(old[from_old:to_old]), PieceKind.GONE))
            pieces.append(("".join(new[from_new:to_new]), PieceKind.NEW))
    return _pieces(*pieces)


def _pieces(*pieces: tuple[str, PieceKind]) -> tuple[Piece, ...]:
    return tuple(Piece(text, kind) for text, kind in pieces if text)


def joined(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Join changes with only white space between them, so that a new phrase reads as one.

    What the pieces make up stays the same.
    """
    told: list[tuple[str, PieceKind]] = []
    gone = new = ""
    for at, piece in enumerate(pieces):
        if piece.kind is PieceKind.GONE:
            gone += piece.text
        elif piece.kind is PieceKind.NEW:
            new += piece.text
        elif gone and new and piece.text.isspace() and at + 1 < len(pieces):
            gone += piece.text
            new += piece.text
        else:
            told += [(gone, PieceKind.GONE), (new, PieceKind.NEW), (piece.text, PieceKind.SAME)]
            gone = new = ""
    return _pieces(*told, (gone, PieceKind.GONE), (new, PieceKind.NEW))
