"""The summarizer that the sandbox runs when no model weights were uploaded.

Extractive: it picks whole sentences of its input, so it cannot invent a fact. Standard library
only, no state, the same answer every time, in time linear in the input. It knows English; a text
in another script comes back whole or cut. It must not import anything else of the sandbox.
"""

from __future__ import annotations

from dashboard.sandbox.summarizer.score import score_dialogue, score_prose
from dashboard.sandbox.summarizer.selection import pick
from dashboard.sandbox.summarizer.sentences import split_units
from dashboard.sandbox.summarizer.vectors import unit_vectors, words_of

__all__ = ["ENGINE_NAME", "ENGINE_VERSION", "summarize"]

ENGINE_NAME = "embedded-extractive"
ENGINE_VERSION = 1


def summarize(text: str, *, min_length: int = 56, max_length: int = 142) -> str:
    """Summarize a text by its most telling sentences.

    Parameters
    ----------
    text
        Any text: prose, a dialogue of ``Name: ...`` lines, HTML. No size limit.
    min_length
        Estimated tokens at which no further sentence is added. A text that is shorter comes back
        whole. Values under 1 give one sentence.
    max_length
        Estimated tokens that the summary never passes. It wins over `min_length`.

    Returns
    -------
    str
        Sentences of the input in their order, joined by one space; the last resort is a sentence
        cut to `max_length`. Empty if there is nothing to say or `max_length` is under 1. Always
        encodable as UTF-8, on one line.
    """
    units, is_dialogue = split_units(text)
    unit_words = [words_of(unit) for unit in units]
    if any(unit_words):
        # A ruler ("-----") or a row of emoji says nothing, unless it is all there is.
        units = [unit for unit, words in zip(units, unit_words, strict=True) if words]
        unit_words = [words for words in unit_words if words]
    vectors = unit_vectors(unit_words)
    if is_dialogue:
        scores = score_dialogue(unit_words, vectors)
    else:
        scores = score_prose(units, unit_words, vectors)
    chosen = pick(units, scores, vectors, min_tokens=min_length, max_tokens=max_length)
    return " ".join(chosen)
