from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from dashboard.domain.evidence import (
    Doubt,
    Span,
    count_unfounded,
    evidence_for,
    parts,
    sentence_spans,
)

TEXT = (
    "The river Elm rose by 2.5 metres on Monday. Dr. Ada Byrne said 1,200 people left their homes. "
    "Schools stay closed until Friday! The mayor thanked the volunteers.\nHelp came from abroad."
)


def sentences(text: str) -> list[str]:
    return [text[span.start : span.end] for span in sentence_spans(text)]


def sources(summary: str, text: str = TEXT) -> list[list[str]]:
    found = evidence_for(summary, text)
    spans = found.input_sentences
    return [
        [text[spans[one].start : spans[one].end] for one in grounding.sources]
        for grounding in found.groundings
    ]


def doubted(summary: str, text: str = TEXT) -> list[tuple[str, Doubt]]:
    return [
        (summary[one.span.start : one.span.end], one.doubt)
        for one in evidence_for(summary, text).unfounded
    ]


def test_sentences_end_at_marks_and_lines_but_not_after_shortened_words():
    assert sentences(TEXT) == [
        "The river Elm rose by 2.5 metres on Monday.",
        "Dr. Ada Byrne said 1,200 people left their homes.",
        "Schools stay closed until Friday!",
        "The mayor thanked the volunteers.",
        "Help came from abroad.",
    ]
    assert sentences("J. Smith left. he said e.g. nothing...") == [
        "J. Smith left. he said e.g. nothing..."
    ]
    assert sentences(" \n ") == []


def test_a_picked_sentence_rests_on_itself():
    assert sources("Schools stay closed until Friday!") == [["Schools stay closed until Friday!"]]


def test_a_merged_sentence_rests_on_both_of_its_sources_the_stronger_first():
    found = sources("After the Elm rose 2.5 metres, 1200 people left their homes.")
    assert found == [[sentences(TEXT)[1], sentences(TEXT)[0]]] or found == [
        [sentences(TEXT)[0], sentences(TEXT)[1]]
    ]


def test_a_sentence_about_something_else_rests_on_nothing():
    assert sources("Shares of the airline fell sharply in Tokyo.") == [[]]


def test_numbers_and_names_that_the_input_lacks_are_doubted():
    assert doubted("On Monday 1,300 people met Carla Byrne in Elm.") == [
        ("1,300", Doubt.NUMBER),
        ("Carla", Doubt.NAME),
    ]


def test_other_ways_to_write_the_same_number_or_name_are_not_doubted():
    assert doubted("1200 left, Byrne's office said. The Elm's banks held.") == []
    assert doubted("Two people left.", "2 people left.") == []


def test_the_capital_at_the_start_of_a_sentence_is_no_name():
    assert doubted("Thousands fled. “Nobody stayed,” she said. NATO helped.") == [
        ("NATO", Doubt.NAME)
    ]


def test_empty_texts_have_no_evidence():
    assert evidence_for("", "").groundings == ()
    assert sources("Something.", "") == [[]]


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_texts_give_spans_inside_them_and_indexes_that_exist(summary: str, text: str):
    found = evidence_for(summary, text)
    for span in found.input_sentences:
        assert 0 <= span.start < span.end <= len(text)
    for grounding in found.groundings:
        assert 0 <= grounding.sentence.start < grounding.sentence.end <= len(summary)
        assert all(0 <= one < len(found.input_sentences) for one in grounding.sources)
        assert 0 <= grounding.covered <= 1 + 1e-9
    assert "".join(piece for piece, _ in parts(text, found.input_sentences)) == text
    assert count_unfounded(summary, text) == len(found.unfounded)


def test_parts_say_which_span_they_are():
    assert parts("ab cd.", [Span(0, 2), Span(3, 6)]) == [("ab", 0), (" ", None), ("cd.", 1)]


def test_a_long_input_is_read_in_time():
    text = " ".join(f"Sentence {number} speaks of topic {number % 97}." for number in range(4000))
    began = time.perf_counter()
    evidence_for("Sentence 17 speaks of topic 17. " * 20, text)
    hostile = "." * 100_000 + "a. " * 20_000
    evidence_for(hostile[:5000], hostile)
    assert time.perf_counter() - began < 5
