"""Cells that no spreadsheet takes for a formula: names in exports come from strangers."""

from __future__ import annotations

import unicodedata
from typing import Final

_STARTS_FORMULA: Final = frozenset("=+-@")
_STARTS_CELL: Final = frozenset("\t\r\n")
_QUOTES: Final = frozenset("\"'`´‘’‚‛“”„‟«»‹›′″")  # all that programs put around a text


def safe_cell(text: str) -> str:
    """Return `text` as a cell that is shown as it is, with a leading apostrophe where needed.

    White space, quotes and characters that nobody sees are looked past: programs drop them before
    they look for a formula. Full-width and small forms of the signs count too.
    """
    first = next((letter for letter in text if not _is_passed_over(letter)), "")
    folded = unicodedata.normalize("NFKC", first)
    if folded in _STARTS_FORMULA or text[:1] in _STARTS_CELL:
        return "'" + text
    return text


def _is_passed_over(letter: str) -> bool:
    # Categories: separators, control and format characters, unassigned and private ones.
    return (
        letter.isspace()
        or letter in _QUOTES
        or unicodedata.normalize("NFKC", letter) in _QUOTES
        or unicodedata.category(letter)[0] in "ZC"
    )
