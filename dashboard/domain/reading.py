"""What a reader wants to know about a text before reading it: its length and how it begins."""

from __future__ import annotations

import itertools
import json
import unicodedata
from collections.abc import Mapping
from typing import Any

#: A heading is cut from this many characters, so that a huge text costs no more than a short one.
_LOOKED_AT = 400
#: A value is cut here in lines to read: a picture's numbers are nothing to read.
_VALUE_CHARACTERS = 2_000


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


def value_text(value: Any, *, limit: int = _VALUE_CHARACTERS) -> str:  # noqa: ANN401 - any value of a table or a model
    """Return a value as people read it: a text as it is, lists as JSON, nothing for a gap.

    Parameters
    ----------
    limit
        The most characters to return, the "…" of a cut included.
    """
    if value is None:
        return ""
    if isinstance(value, list | dict | bool):
        # Only its beginning: a picture has a hundred thousand numbers.
        shown = _beginning(value, [limit])
        text = json.dumps(shown, ensure_ascii=False, default=str)
    else:
        text = str(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def alone(value: Any) -> Any:  # noqa: ANN401 - as above
    """Return the number of a list that holds one number and nothing else; else the value."""
    inner = value
    while isinstance(inner, list) and len(inner) == 1:
        inner = inner[0]
    is_number = isinstance(inner, int | float) and not isinstance(inner, bool)
    return inner if is_number else value


def _beginning(value: Any, left: list[int]) -> Any:  # noqa: ANN401 - as above
    """Return a value without what comes after its first `left` parts."""
    left[0] -= 1
    if isinstance(value, dict):
        pairs = itertools.takewhile(lambda _pair: left[0] > 0, value.items())
        return {str(name): _beginning(one, left) for name, one in pairs}
    if isinstance(value, list):
        return [
            _beginning(one, left) for one in itertools.takewhile(lambda _one: left[0] > 0, value)
        ]
    return value


def value_lines(values: Mapping[str, Any]) -> str:
    """Return values by name as a text, one `name: value` in each line."""
    return "\n".join(f"{name}: {value_text(value)}" for name, value in values.items())
