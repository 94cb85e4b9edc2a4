"""Which units make the summary, and how long it gets. Lengths are estimated model tokens."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable
from itertools import islice

from dashboard.sandbox.summarizer.vectors import Vector, cosine
from dashboard.sandbox.summarizer.words import DANGLING_WORDS

_SAME_AS = 0.75
_DANGLING = -1.0
_ANTECEDENT_REACH = 2
# Keeps a request for a very long summary linear; a usual summary has under ten sentences.
_MAX_COMPARED = 64

_FIRST_WORD = re.compile(r"[^\w\s]{0,4}([^\W\d_]+(?:'[a-z]+)?)")
_PIECE = re.compile(r"\w+|[^\w\s]")

_PIECE_SIZES = (9, 15)
_UNBROKEN_FROM = 21
_UNBROKEN_STEP = 6


def estimated_tokens(text: str) -> int:
    """Estimate how many tokens a language model would make of a text."""
    pieces = _PIECE.findall(text)
    long_sizes = [len(piece) for piece in pieces if len(piece) > _PIECE_SIZES[0]]
    return len(pieces) - len(long_sizes) + sum(map(_piece_tokens, long_sizes))


def cut_to(text: str, max_tokens: int) -> str:
    """Cut a text to a number of estimated tokens: at a word, inside it only if it is the first."""
    words = text.split()
    used = 0
    for count, word in enumerate(words):
        cost = estimated_tokens(word)
        if used + cost > max_tokens:
            return " ".join(words[:count]) if count else _cut_word(word, max_tokens)
        used += cost
    return " ".join(words)


def pick(
    units: list[str],
    scores: list[float],
    vectors: list[Vector],
    *,
    min_tokens: int,
    max_tokens: int,
) -> list[str]:
    """Choose units by score until `min_tokens` is reached, never passing `max_tokens`.

    Returns
    -------
    list of str
        The chosen units in document order. If the ones that fit do not reach `min_tokens`, the
        best of those that were too long is added, cut to what is left.
    """
    if not units or max_tokens < 1:
        return []
    ranking = _Ranking(units, scores)
    chosen: dict[int, str] = {}
    texts_seen: set[str] = set()
    best_too_long: int | None = None
    used = 0
    while used < min_tokens or not chosen:
        index = ranking.pop()
        if index is None:
            break
        unit = units[index]
        if unit.casefold() in texts_seen:
            continue
        texts_seen.add(unit.casefold())
        if _repeats(vectors[index], (vectors[other] for other in chosen)):
            continue
        cost = estimated_tokens(unit)
        if used + cost > max_tokens:
            best_too_long = index if best_too_long is None else best_too_long
            continue
        chosen[index] = unit
        used += cost
        ranking.confirm(index)
    room = max_tokens - used
    if best_too_long is not None and used < max(1, min_tokens) and room * 2 >= max_tokens:
        chosen[best_too_long] = cut_to(units[best_too_long], room)
    return [chosen[index] for index in sorted(chosen)]


class _Ranking:
    """Units by falling score, where an opening such as "He ..." costs until its context is in."""

    def __init__(self, units: list[str], scores: list[float]) -> None:
        self._scores = scores
        self._dangling = [_is_dangling(unit) for unit in units]
        self._settled = [False] * len(units)
        self._heap = [
            (-(score + _DANGLING * dangling), index)
            for index, (score, dangling) in enumerate(zip(scores, self._dangling, strict=True))
        ]
        heapq.heapify(self._heap)

    def pop(self) -> int | None:
        """Give the best unit not given yet, the earlier of equals; None at the end."""
        while self._heap:
            _, index = heapq.heappop(self._heap)
            if not self._settled[index]:
                self._settled[index] = True
                return index
        return None

    def confirm(self, index: int) -> None:
        """Lift the cost of the units that lean on a chosen one."""
        for other in range(index + 1, min(index + 1 + _ANTECEDENT_REACH, len(self._scores))):
            if self._dangling[other] and not self._settled[other]:
                heapq.heappush(self._heap, (-self._scores[other], other))


def _is_dangling(unit: str) -> bool:
    first = _FIRST_WORD.match(unit.replace("\u2019", "'", 1))
    return first is not None and first[1].lower() in DANGLING_WORDS


def _repeats(vector: Vector, chosen: Iterable[Vector]) -> bool:
    return any(cosine(vector, other) > _SAME_AS for other in islice(chosen, _MAX_COMPARED))


def _piece_tokens(size: int) -> int:
    tokens = 1 + sum([size > limit for limit in _PIECE_SIZES])
    # No English word is that long: a hash, a run of letters, a script without spaces.
    return tokens + max(0, size - _UNBROKEN_FROM) // _UNBROKEN_STEP


def _cut_word(word: str, max_tokens: int) -> str:
    """Cut one unbroken word at characters."""
    used = 0
    for piece in _PIECE.finditer(word):
        cost = _piece_tokens(len(piece[0]))
        if used + cost > max_tokens:
            return word[: piece.start() + _longest_piece(max_tokens - used)]
        used += cost
    return word


def _longest_piece(tokens: int) -> int:
    """Give the size in characters of the longest piece that costs at most `tokens`."""
    if tokens <= len(_PIECE_SIZES):
        return (0, *_PIECE_SIZES)[max(0, tokens)]
    room = tokens - 1 - len(_PIECE_SIZES)
    return _UNBROKEN_FROM + _UNBROKEN_STEP * (room + 1) - 1
