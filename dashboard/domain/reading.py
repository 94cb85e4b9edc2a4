"""What a reader wants to know about a text before reading it: its length and how it begins."""

from __future__ import annotations

import unicodedata

#: A heading is cut from this many characters, so that a huge text costs no more than a short one.
_LOOKED_AT = 400


def word_count(text: str) -> int:
    """Count the words of a text: its runs of characters between white space."""
    return len(text.split())


def first_words(text: str, *, limit: int = 80) -> str:
    """Return how a text begins, in one line.

    Parameters
    ----------
    text
        Any text; only its first few hundred characters are looked at.
    limit
        The most characters to return, the "…" of a cut included.

    Returns
    -------
    str
        The beginning without control characters, white space collapsed, cut at the end of a word
        where there is one; empty for a text without visible characters.
    """
    visible = "".join(
        " " if unicodedata.category(char) in ("Cc", "Zl", "Zp") else char
        for char in text[:_LOOKED_AT]
    )
    line = " ".join(visible.split())
    if len(line) <= limit and len(text) <= _LOOKED_AT:
        return line
    cut = line[: limit - 1]
    whole_words, _, rest = cut.rpartition(" ")
    return f"{whole_words if whole_words and len(rest) < limit // 2 else cut}…"


def percent_of_input(summary_words: int, input_words: int) -> int | None:
    """Return a summary's length in percent of its input's, or None for an empty input."""
    return round(100 * summary_words / input_words) if input_words else None
