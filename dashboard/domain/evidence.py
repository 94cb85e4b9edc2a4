"""Which sentences of the input a summary's sentences rest on, and what in them is nowhere in it.

Plain text alignment, no model: words are compared, rare ones weigh more. It finds where a sentence
came from; whether it is right is for the reader to judge. Pure functions; linear in the words of
input and summary but for the few sentences that share a word.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

#: A source must cover so much of a sentence's weight that no other source covers yet.
_LEAST_GAIN: Final = 0.15
#: A sentence of which less than this is covered has no source.
_LEAST_COVERED: Final = 0.35
_MOST_SOURCES: Final = 3
#: Beyond so many sentences the rest of the input is not searched.
_MOST_SENTENCES: Final = 5_000

_WORD: Final = re.compile(r"\d[\d.,:/]*\d|\d|[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
# Looked for at the start of a run of marks only, and never given back: 100,000 dots cost no more.
_END: Final = re.compile(
    r"(?<![.!?\u2026\u3002\uff01\uff1f])[.!?\u2026\u3002\uff01\uff1f]++[\"'\u201d\u2019\u00bb)\]]*+(?=\s|$)|\n+"
)
#: Thai to Khmer, kana, and the Han characters.
_UNSPACED: Final = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
_LOOKED_AT: Final = 2_000
_POSSESSIVE: Final = re.compile(r"['\u2019]s?$")
_OPENERS: Final = "\"'\u201c\u2018\u00ab(["
_SHORTENED_TEXT: Final = """
    mr mrs ms dr prof gen lt col capt sgt sen rep gov pres st vs eg ie no vol fig inc ltd co
    corp jan feb mar apr jun jul aug sep sept oct nov dec approx dept univ etc al est jr sr
"""
#: A full stop after one of these, or after a single capital letter, ends no sentence.
_SHORTENED: Final = frozenset(_SHORTENED_TEXT.split())
_SMALL_NUMBERS_TEXT: Final = "zero one two three four five six seven eight nine ten eleven twelve"
_SMALL_NUMBERS: Final = {
    word: str(number) for number, word in enumerate(_SMALL_NUMBERS_TEXT.split())
}
_COMMON_TEXT: Final = """
    a an and are as at be been but by for from had has have he her his i in is it its not of on
    or she so that the their them there they this to was we were which who will with would you
    your our us my me him if then than also can could do does did no up out about into over
    after before when while what where how all any each more most other some such only own same
    too very just because until during between against through these those
"""
#: Words that say little about where a sentence came from.
_COMMON: Final = frozenset(_COMMON_TEXT.split())


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a text, from character `start` up to, not including, `end`."""

    start: int
    end: int


class Doubt(StrEnum):
    """What is in a summary and not in its input."""

    NUMBER = "number"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Unfounded:
    """A number or name of the summary that does not occur in the input."""

    span: Span
    doubt: Doubt


@dataclass(frozen=True, slots=True)
class Grounding:
    """One sentence of the summary, and the sentences of the input it rests on.

    Parameters
    ----------
    sources
        Indexes into `Evidence.input_sentences`, the strongest first; empty where none was found.
    covered
        Share of the sentence's weight that the sources hold, 0 to 1.
    """

    sentence: Span
    sources: tuple[int, ...]
    covered: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a summary beside its input."""

    input_sentences: tuple[Span, ...]
    groundings: tuple[Grounding, ...]
    unfounded: tuple[Unfounded, ...]


def evidence_for(summary: str, text: str) -> Evidence:
    """Hold a summary against its input `text`.

    Texts in scripts that put no spaces between words are not compared: there are no sentences and
    no groundings then.
    """
    if _has_no_spaces(summary) or _has_no_spaces(text):
        return Evidence((), (), ())
    sentences = tuple(sentence_spans(text))[:_MOST_SENTENCES]
    words = [frozenset(_terms(text[span.start : span.end])) for span in sentences]
    weights = _weights(words)
    holders = _holders(words)
    groundings = tuple(
        _ground(span, frozenset(_terms(summary[span.start : span.end])), holders, weights)
        for span in sentence_spans(summary)
    )
    return Evidence(sentences, groundings, tuple(_unfounded(summary, text)))


def count_unfounded(summary: str, text: str) -> int:
    """Return how many `unfounded` parts `evidence_for` finds, in a small part of its time."""
    if _has_no_spaces(summary) or _has_no_spaces(text):
        return 0
    return sum(1 for _ in _unfounded(summary, text))


def _has_no_spaces(text: str) -> bool:
    if text.isascii():  # known without a look at it
        return False
    letters = sum(map(str.isalpha, text[:_LOOKED_AT]))
    return 3 * len(_UNSPACED.findall(text[:_LOOKED_AT])) > letters


def sentence_spans(text: str) -> Iterator[Span]:
    """Yield the sentences of a text, without the white space around them."""
    start = 0
    for end in _END.finditer(text):
        if end[0].startswith(".") and _goes_on(text, end):
            continue
        yield from _trimmed(text, start, end.end())
        start = end.end()
    yield from _trimmed(text, start, len(text))


def _goes_on(text: str, end: re.Match[str]) -> bool:
    """Whether a full stop stands after a shortened word, or before a small letter."""
    before = re.search(r"[^\W\d_]+$", text[max(0, end.start() - 12) : end.start()])
    if before is not None and end[0] == ".":
        word = before[0]
        if word.lower() in _SHORTENED or (len(word) == 1 and word.isupper()):
            return True
    following = text[end.end() : end.end() + 8].lstrip().lstrip(_OPENERS)
    return "\n" not in text[end.end() : end.end() + 1] and following[:1].islower()


def _trimmed(text: str, start: int, end: int) -> Iterator[Span]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        yield Span(start, end)


def _terms(text: str) -> Iterator[str]:
    for word in _WORD.finditer(text):
        term = _term(word[0])
        if term not in _COMMON:
            yield term


def _term(word: str) -> str:
    """Return the form in which words are compared: small letters, no plural, plain numbers."""
    if word[0].isdigit():
        return _number(word)
    small = _POSSESSIVE.sub("", word.casefold())
    if small in _SMALL_NUMBERS:
        return _SMALL_NUMBERS[small]
    return small[:-1] if len(small) > 3 and small.endswith("s") and small[-2] != "s" else small


def _number(text: str) -> str:
    """Return a number without marks between its thousands: 1,000 is 1000."""
    whole = re.sub(r"(?<=\d),(?=\d{3}(?:\D|$))", "", text)
    return whole.rstrip(".,:/")


def _weights(sentences: Sequence[frozenset[str]]) -> dict[str, float]:
    counts = Counter(term for terms in sentences for term in terms)
    total = len(sentences) + 1
    return {term: math.log(1 + total / number) for term, number in counts.items()}


def _holders(sentences: Sequence[frozenset[str]]) -> dict[str, list[int]]:
    holders: dict[str, list[int]] = {}
    for index, terms in enumerate(sentences):
        for term in terms:
            holders.setdefault(term, []).append(index)
    return holders


def _ground(
    span: Span,
    terms: frozenset[str],
    holders: dict[str, list[int]],
    weights: dict[str, float],
) -> Grounding:
    # A word that the input lacks counts as a rare one: it is part of what must be covered.
    rare = max(weights.values(), default=1.0)
    total = sum(weights.get(term, rare) for term in terms)
    if not total:
        return Grounding(span, (), 0.0)
    left = set(terms)
    sources: list[int] = []
    covered = 0.0
    while len(sources) < _MOST_SOURCES:
        gains: dict[int, float] = {}
        for term in left:
            for index in holders.get(term, ()):
                gains[index] = gains.get(index, 0.0) + weights[term]
        # Of two that cover the same, the earlier one.
        best = max(gains, key=lambda index: (gains[index], -index), default=None)
        if best is None or gains[best] < _LEAST_GAIN * total:
            break
        sources.append(best)
        covered += gains[best]
        left = {term for term in left if best not in holders.get(term, ())}
    share = covered / total
    return (
        Grounding(span, tuple(sources), share)
        if share >= _LEAST_COVERED
        else Grounding(span, (), share)
    )


def _unfounded(summary: str, text: str) -> Iterator[Unfounded]:
    as_written = set(_WORD.findall(text))
    known: set[str] | None = None
    starts = {span.start for span in sentence_spans(summary)}
    for word in _WORD.finditer(summary):
        # Most words stand in the input as they are: that is far quicker to see.
        if word[0] in as_written:
            continue
        known = {_term(each) for each in as_written} if known is None else known
        term = _term(word[0])
        if term in known:
            continue
        span = Span(word.start(), word.end())
        if word[0][0].isdigit() or term.isdigit():
            yield Unfounded(span, Doubt.NUMBER)
        elif _is_name(word[0], opens=_opens(summary, word.start(), starts)):
            yield Unfounded(span, Doubt.NAME)


def _opens(text: str, at: int, starts: set[int]) -> bool:
    while at > 0 and text[at - 1] in _OPENERS:
        at -= 1
    return at in starts


def _is_name(word: str, *, opens: bool) -> bool:
    """Whether a word is written as a name; the first word of a sentence always has a capital."""
    if not word[0].isupper():
        return False
    return not opens or (len(word) > 1 and word[1:].upper() == word[1:])


def parts(text: str, spans: Sequence[Span]) -> list[tuple[str, int | None]]:
    """Cut a text at its spans: each piece with the index of its span, None between them.

    The pieces joined are the text. `spans` are in order and do not overlap.
    """
    edges = [0, *(edge for span in spans for edge in (span.start, span.end)), len(text)]
    pieces: list[tuple[str, int | None]] = []
    for number, (start, end) in enumerate(pairwise(edges)):
        if start < end:
            pieces.append((text[start:end], number // 2 if number % 2 else None))
    return pieces
