"""Words and TF-IDF vectors of units, computed inside one document.

Nothing outlives a call: a cache of words across calls would keep people's texts in memory.
"""

from __future__ import annotations

import math
import re
from collections import Counter

from dashboard.sandbox.summarizer.words import STOP_WORDS

Vector = dict[str, float]

_WORD = re.compile(r"\w+(?:['\u2019]\w+)*")


def words_of(unit: str) -> list[str]:
    """Give the words of a unit as written; ``don't`` is one word."""
    return _WORD.findall(unit)


def unit_vectors(unit_words: list[list[str]]) -> list[Vector]:
    """Give one vector of length 1 per unit; empty where a unit has only stop words.

    The weight of a term is ``(1 + ln tf) * ln((n + 1) / (df + 0.5))``, with n units.
    """
    terms: dict[str, str] = {}
    counts = [_count_terms(words, terms) for words in unit_words]
    frequency: Counter[str] = Counter()
    for unit_counts in counts:
        frequency.update(unit_counts.keys())
    rarity = {
        term: math.log((len(counts) + 1) / (units_with_term + 0.5))
        for term, units_with_term in frequency.items()
    }
    return [_normalised(unit_counts, rarity) for unit_counts in counts]


def cosine(left: Vector, right: Vector) -> float:
    """Give the cosine of two vectors of length 1 (0 if one is empty)."""
    if len(left) > len(right):
        left, right = right, left
    return sum(weight * right[term] for term, weight in left.items() if term in right)


def stem(word: str) -> str:
    """Cut the common endings of a lower-case English word; longer words only."""
    for ending, replacement, min_size in _ENDINGS:
        if word.endswith(ending) and len(word) >= min_size:
            word = word[: -len(ending)] + replacement
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] in "bdgmnprt":
        word = word[:-1]
    return word[:-1] if len(word) > 4 and word[-1] == "e" else word


# The first that fits is cut; one that is kept ("ss", "us") guards its word.
_ENDINGS = (
    ("ies", "y", 5),
    ("sses", "ss", 6),
    ("ss", "ss", 2),
    ("us", "us", 2),
    ("is", "is", 2),
    ("ingly", "", 8),
    ("edly", "", 7),
    ("ings", "", 7),
    ("ing", "", 6),
    ("ied", "y", 5),
    ("eed", "eed", 4),
    ("ed", "", 5),
    ("ments", "", 9),
    ("ment", "", 8),
    ("ily", "y", 6),
    ("ly", "", 6),
    ("s", "", 4),
)


def _count_terms(words: list[str], terms: dict[str, str]) -> dict[str, int]:
    """Count the terms of one unit; `terms` remembers the term of each word ("" = stop word)."""
    counts: dict[str, int] = {}
    for word in words:
        term = terms.get(word)
        if term is None:
            term = terms[word] = _term(word)
        if term:
            counts[term] = counts.get(term, 0) + 1
    return counts


def _term(word: str) -> str:
    base = word.lower().replace("\u2019", "'").split("'", 1)[0]
    if base in STOP_WORDS or (len(base) == 1 and not base.isdigit()):
        # "US" is a country, "us" is not.
        return "us" if word == "US" else ""
    return stem(base)


def _normalised(counts: dict[str, int], rarity: dict[str, float]) -> Vector:
    log = math.log
    weights = {
        term: rarity[term] if count == 1 else (1.0 + log(count)) * rarity[term]
        for term, count in counts.items()
    }
    norm = math.sqrt(sum(weight * weight for weight in weights.values()))
    return {term: weight / norm for term, weight in weights.items()}
