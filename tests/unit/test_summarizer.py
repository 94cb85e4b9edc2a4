"""The embedded summarizer: what it picks, what it never does, and how it meets hostile input."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dashboard.sandbox.summarizer import ENGINE_NAME, ENGINE_VERSION, summarize
from dashboard.sandbox.summarizer.score import directed_centrality, score_dialogue, score_prose
from dashboard.sandbox.summarizer.selection import cut_to, estimated_tokens, pick
from dashboard.sandbox.summarizer.sentences import plain_text, split_units
from dashboard.sandbox.summarizer.vectors import cosine, stem, unit_vectors, words_of

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "dashboard" / "sandbox" / "samples"
LINKEDIN = json.loads((SAMPLES / "test_summarization.df.json").read_text("utf-8"))[0]["inputs"]


def sentences(text: str) -> list[str]:
    return split_units(text)[0]


# --- the workshop's sample -------------------------------------------------------------------


def test_the_workshop_sample_gives_its_opening_sentence_without_the_pronunciation():
    summary = summarize(LINKEDIN)
    assert summary.startswith(
        "LinkedIn is a business and employment-focused social media platform that works through"
    )
    assert "/" not in summary
    assert 56 <= estimated_tokens(summary) <= 142


def test_the_engine_names_itself():
    assert (ENGINE_NAME, ENGINE_VERSION) == ("embedded-extractive", 1)


# --- sentences -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One ended. Two began.", ["One ended.", "Two began."]),
        ("Really?! Yes… 3 times.", ["Really?!", "Yes…", "3 times."]),
        ("He left.” She stayed.", ["He left.”", "She stayed."]),
        ('She left. "Why?" he said.', ["She left.", '"Why?" he said.']),
        ("It ended (badly.) We left.", ["It ended (badly.)", "We left."]),
        ("Dr. Ash met Mrs. Elm vs. Mr. Oak.", ["Dr. Ash met Mrs. Elm vs. Mr. Oak."]),
        ("George W. Elm spoke.", ["George W. Elm spoke."]),
        ("J. R. R. Oak wrote it. Good.", ["J. R. R. Oak wrote it.", "Good."]),
        ("The U.S. Senate met. It voted.", ["The U.S. Senate met.", "It voted."]),
        ("He lives in the U.S. The house is big.", ["He lives in the U.S.", "The house is big."]),
        ("Come at 5 p.m. Monday.", ["Come at 5 p.m. Monday."]),
        ("Come at 5 p.m. The door is open.", ["Come at 5 p.m.", "The door is open."]),
        ("See No. 5 and Fig. 3.", ["See No. 5 and Fig. 3."]),
        ("They sell modern art. The shop is new.", ["They sell modern art.", "The shop is new."]),
        ("It began on Jan. 5 in St. Ives.", ["It began on Jan. 5 in St. Ives."]),
        ("It is in Main St. The shop is new.", ["It is in Main St.", "The shop is new."]),
        ("She said no. Then she left.", ["She said no.", "Then she left."]),
        ("It costs 3.50 euros e.g. Today.", ["It costs 3.50 euros e.g. Today."]),
        ("It was 2003. Nobody knew.", ["It was 2003.", "Nobody knew."]),
        ("1. Open the lid. 2. Pour.", ["1. Open the lid.", "2. Pour."]),
        ("an iPhone. iPad users wait.", ["an iPhone. iPad users wait."]),
        ("First line\nsecond line\r\nthird", ["First line", "second line", "third"]),
        ("Über uns. Ärzte helfen.", ["Über uns.", "Ärzte helfen."]),
        ("  a \t b\u00a0 c  ", ["a b c"]),
        ("", []),
        (" \n\t\n ", []),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text, expected):
    assert sentences(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "(CNN) -- The bridge opened.",
        "(CNN)The bridge opened.",
        "PARIS (AP) - The bridge opened.",
        "LONDON, England (CNN) -- The bridge opened.",
        "NEW YORK, 3 March (Reuters) — The bridge opened.",
        "(Local Paper) -- The bridge opened.",
        "The bridge (/br\u026ad\u0292/) opened.",
        "The bridge (/br\u026ad\u0292/; French: [pɔ̃]) opened.",
        "The bridge (pronounced as in fridge) opened.",
    ],
)
def test_datelines_and_pronunciations_are_dropped(text):
    assert sentences(text) == ["The bridge opened."]


@pytest.mark.parametrize(
    "text",
    [
        "URGENT (VPN) - nobody can sign in.",
        "Look into the folder (/var/log/app) first.",
        "It is sold as (yes / no / maybe) only.",
        "Berlin is big (3.6 million) - and growing.",
    ],
)
def test_ordinary_brackets_stay(text):
    assert sentences(text) == [text]


def test_markup_and_entities_become_plain_text():
    html = "<p>Tea &amp; <b>cake</b> cost 3&nbsp;pounds.</p><script>x()</script><p>a < b &#8364;"
    assert sentences(html) == ["Tea & cake cost 3 pounds.", "a < b €"]


def test_control_characters_and_lone_surrogates_never_come_out():
    text = plain_text("a\x00b\x07c \ud800 &#0; &#xD800; d")
    assert text.encode("utf-8")
    assert not re.search(r"[\x00-\x08\ud800-\udfff]", text)
    assert text.startswith("abc")


def test_an_entity_with_thousands_of_digits_is_left_alone():
    assert summarize("&#" + "1" * 10_000 + ";")


# --- dialogues -------------------------------------------------------------------------------

DIALOGUE = (
    "Ana: Did the parcel come? It is for Bo.\nand I need it today\nBo: Yes.\nAna: Where is it?\n"
    "Bo: In the hall. The courier left it there."
)


def test_a_dialogue_has_one_unit_per_turn():
    units, is_dialogue = split_units(DIALOGUE)
    assert is_dialogue
    assert units == [
        "Ana: Did the parcel come? It is for Bo. and I need it today",
        "Bo: Yes.",
        "Ana: Where is it?",
        "Bo: In the hall. The courier left it there.",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Ana: Hello.\nBo: Hello.",
        "Ana: Hello.\nA line.\nAnother line.\nBo: Hello.",
        "http://example.org/a\nhttp://example.org/b\nhttp://example.org/c",
        "12:30\n13:45\n14:50",
    ],
)
def test_two_turns_or_few_names_or_addresses_are_no_dialogue(text):
    assert not split_units(text)[1]


@pytest.mark.parametrize(("turns", "others", "is_dialogue"), [(3, 2, True), (3, 3, False)])
def test_three_fifths_of_the_lines_make_a_dialogue(turns, others, is_dialogue):
    text = "Ana: The ferry left.\n" * turns + "The ferry left.\n" * others
    assert split_units(text)[1] is is_dialogue


def test_a_chat_log_with_times_is_a_dialogue():
    assert split_units("[10:02] Ana: Hi.\n10:03 Bo: Hi.\n10:04 PM Ana Lu: Bye.")[1]


# --- vectors and scores ----------------------------------------------------------------------


def test_term_weights_follow_the_formula():
    first, _ = unit_vectors([words_of("harbour harbour ferry"), words_of("ferry market")])
    harbour = (1 + math.log(2)) * math.log(3 / 1.5)
    ferry = math.log(3 / 2.5)
    norm = math.hypot(harbour, ferry)
    assert first == pytest.approx({"harbour": harbour / norm, "ferry": ferry / norm})


@pytest.mark.parametrize(
    "family",
    [
        ["charge", "charges", "charged", "charging"],
        ["city", "cities"],
        ["stop", "stops", "stopped", "stopping"],
        ["carry", "carries", "carried", "carrying"],
        ["class", "classes"],
        ["quick", "quickly"],
        ["payment", "payments"],
    ],
)
def test_forms_of_a_word_share_a_stem(family):
    assert len({stem(word) for word in family}) == 1


@pytest.mark.parametrize("word", ["bus", "gas", "is", "ring", "bed", "red", "analysis", "3.5", ""])
def test_short_words_keep_more_than_a_letter(word):
    assert len(stem(word)) >= min(2, len(word))


def test_the_country_us_is_a_term_and_the_pronoun_is_not():
    assert unit_vectors([["US"], ["us"]]) == [{"us": 1.0}, {}]


def test_prefix_sums_equal_the_pairwise_similarities():
    vectors = unit_vectors([words_of(sentence) for sentence in sentences(LINKEDIN)])
    pairs = [[cosine(left, right) for right in vectors] for left in vectors]
    raw = [sum(row[index + 1 :]) for index, row in enumerate(pairs)]
    mean = sum(raw) / len(raw)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in raw) / len(raw))
    forward, backward = directed_centrality(vectors)
    assert forward == pytest.approx([(value - mean) / deviation for value in raw])
    assert sum(backward) == pytest.approx(0, abs=1e-9)


def test_prose_scores_are_the_weighted_sum_of_centrality_and_position():
    units = ["Ferries cross the harbour.", "The harbour froze.", "Ferries waited.", "Snow fell."]
    words = [words_of(unit) for unit in units]
    vectors = unit_vectors(words)
    forward, backward = directed_centrality(vectors)
    assert forward[0] > max(forward[1:])
    assert backward[0] < backward[1]
    expected = [
        1.02 * forward[index] - 0.37 * backward[index] + 0.27 * (1 - index / 3) + 0.35 * (not index)
        for index in range(4)
    ]
    assert score_prose(units, words, vectors) == pytest.approx(expected)


def test_dialogue_scores_follow_the_formula():
    words = [words_of(turn) for turn in ("Ana the ferry left", "Bo which ferry", "Ana ours")]
    vectors = unit_vectors(words)
    forward, _ = directed_centrality(vectors)
    expected = [
        0.5 * forward[index] + math.log(len(words[index])) + 0.5 * (1 - index / 2)
        for index in range(3)
    ]
    assert score_dialogue(words, vectors) == pytest.approx(expected)


def prose_score(sentence: str) -> float:
    return score_prose([sentence], [words_of(sentence)], [{}])[0]


@pytest.mark.parametrize(
    ("sentence", "cost"),
    [
        ("The ferry runs.", 0.0),
        ('The ferry "Ada" runs.', 0.64),
        ('A 27" screen arrived.', 0.0),
        ("I think we know your name.", 3 * 0.41),
        ("I'm sure you\u2019ll come.", 2 * 0.41),
        ("The US ferry runs.", 0.0),
        ("Read more about the ferry.", 0.58),
        ("Kind regards, Ana", 0.58),
        ("word " * 41, 0.33),
        ("word " * 40, 0.0),
    ],
)
def test_each_cue_costs_its_weight(sentence, cost):
    assert prose_score(sentence) == pytest.approx(0.27 + 0.35 - cost)


# --- picking and length ----------------------------------------------------------------------


def test_a_repeated_sentence_is_said_once():
    text = "The north bridge is closed until May. " * 30
    assert summarize(text) == "The north bridge is closed until May."


def test_a_near_repetition_is_skipped():
    text = "The north bridge is closed today. Today the north bridge is closed! Ferries run late."
    assert summarize(text) == "The north bridge is closed today. Ferries run late."


def test_a_short_text_comes_back_whole():
    text = "The lid broke. Please send a new one."
    assert summarize(text) == text


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        # "It" costs 1.0: 1.5 loses to 0.9 while its context is out.
        ([0.0, 0.9, 0.0, 1.5], ["The crane works."]),
        # Three before it is too far away.
        ([1.6, 0.9, 0.0, 1.5], ["The mast broke.", "The crane works."]),
        # The sentence before it is in: no cost, so it comes second.
        ([0.0, 0.9, 1.6, 1.5], ["The harbour is old.", "It lifts stone."]),
        # So is the one two before it.
        ([0.0, 1.6, 0.9, 1.5], ["The crane works.", "It lifts stone."]),
    ],
)
def test_a_dangling_sentence_waits_for_its_context(scores, expected):
    units = ["The mast broke.", "The crane works.", "The harbour is old.", "It lifts stone."]
    vectors = unit_vectors([words_of(unit) for unit in units])
    min_tokens = 4 * len(expected)
    assert pick(units, scores, vectors, min_tokens=min_tokens, max_tokens=99) == expected


def test_the_order_of_the_document_is_kept():
    units = sentences(LINKEDIN)
    summary = summarize(LINKEDIN, min_length=90)
    positions = [units.index(sentence) for sentence in sentences(summary)]
    assert positions == sorted(positions)
    assert len(positions) >= 3


def test_min_length_0_gives_one_sentence():
    assert len(sentences(summarize(LINKEDIN, min_length=0))) == 1


def test_max_length_wins_over_min_length():
    summary = summarize(LINKEDIN, min_length=500, max_length=40)
    assert 0 < estimated_tokens(summary) <= 40


@pytest.mark.parametrize("max_length", [0, -5])
def test_no_room_gives_an_empty_summary(max_length):
    assert summarize(LINKEDIN, max_length=max_length) == ""


def test_a_text_without_punctuation_is_cut_at_a_word():
    text = " ".join(f"word{index}" for index in range(2_000))
    summary = summarize(text)
    assert text.startswith(summary + " ")
    assert 135 <= estimated_tokens(summary) <= 142


def test_an_unbroken_token_is_cut_at_a_character():
    summary = summarize("a" * 15_000)
    assert 400 < len(summary) < 1_000
    assert estimated_tokens(summary) <= 142


def test_a_greeting_does_not_stand_for_the_long_sentence_after_it():
    summary = summarize("Hi. " + "lorem " * 3_000)
    assert summary.startswith("Hi. lorem lorem")
    assert estimated_tokens(summary) <= 142


def test_a_long_sentence_is_not_cut_to_a_scrap_behind_a_good_summary():
    short = "ferry " * 50 + "left."
    assert summarize(short + " " + "Lorem " * 300, min_length=500, max_length=60) == short


def test_a_ruler_or_emoji_is_left_out_unless_it_is_all():
    assert summarize("-----\nThe lid broke.\n🎉🎉") == "The lid broke."
    assert summarize("🎉🎉") == "🎉🎉"


@pytest.mark.parametrize("size", [9, 10, 15, 16, 21, 26, 27, 33, 900])
def test_a_cut_inside_a_word_uses_all_the_room_there_is(size):
    for room in range(1, 12):
        cut = cut_to("a" * size, room)
        assert estimated_tokens(cut) <= room
        assert cut == "a" * size or estimated_tokens(cut + "a") > room


def test_tokens_are_counted_by_words_punctuation_and_length():
    assert estimated_tokens("A lid, broken!") == 5
    assert estimated_tokens("extraordinary") == 2
    assert estimated_tokens("internationalisation") == 3


# --- any input -------------------------------------------------------------------------------

FRAGMENTS = """The harbour ferry He said. It (CNN) -- "Yes" no. Dr. A. B. 5 3.50 we I, you! ? … ) (
(/a/) Ana: Bo: <p> </b> <script> &amp; &#0; 🎉 “ ” ' - * 日本語。 é internationalisation read more
they however"""
PROSE_LIKE = st.lists(
    st.sampled_from([*FRAGMENTS.split(), "\n", "\n \n\n", "\t", "\x00", "\u2019", "\r", "\u2028"]),
    max_size=120,
).map(" ".join)
ANY_TEXT = st.one_of(st.text(max_size=400), PROSE_LIKE)
LIMITS = st.integers(min_value=-2, max_value=300)


@given(text=ANY_TEXT, min_length=LIMITS, max_length=LIMITS)
@example(text="\ud800", min_length=56, max_length=142)
@example(text="=1+1", min_length=0, max_length=1)
@settings(max_examples=150, deadline=None)
def test_any_text_gives_an_encodable_line_within_the_limit(text, min_length, max_length):
    summary = summarize(text, min_length=min_length, max_length=max_length)
    assert summary.encode("utf-8") is not None
    assert "\n" not in summary
    assert "\x00" not in summary
    assert estimated_tokens(summary) <= max(0, max_length)
    assert summary == summarize(text, min_length=min_length, max_length=max_length)


@given(text=ANY_TEXT, limits=st.tuples(LIMITS, LIMITS), seed=st.integers(0, 3))
@settings(max_examples=150, deadline=None)
def test_only_whole_units_of_the_input_are_picked_or_one_that_is_cut(text, limits, seed):
    units = split_units(text)[0]
    vectors = unit_vectors([words_of(unit) for unit in units])
    scores = [float((index * 7 + seed) % 5) for index in range(len(units))]
    picked = pick(units, scores, vectors, min_tokens=limits[0], max_tokens=limits[1])
    cut = [unit for unit in picked if unit not in units]
    assert len(cut) <= 1
    assert all(any(whole.startswith(part) for whole in units) for part in cut)
    assert len(picked) <= len(units)


@given(text=ANY_TEXT)
@settings(max_examples=100, deadline=None)
def test_every_word_of_a_summary_is_a_word_of_the_input(text):
    said = set(" ".join(split_units(text)[0]).split())
    summary = summarize(text, max_length=10**6)
    assert set(summary.split()) <= said


@given(text=PROSE_LIKE)
@settings(max_examples=60, deadline=None)
def test_something_is_said_whenever_there_is_something_to_say(text):
    assert bool(summarize(text)) == bool(split_units(text)[0])


HOSTILE = {
    "open brackets": "(",
    "pronunciations never closed": "(/a",
    "pronounced never closed": "(pronounced ",
    "slashes": "/",
    "double quotes": '"',
    "single quotes": "'",
    "letters and quotes": "a'",
    "dots": ".",
    "dots and spaces": ". ",
    "dots and lines": ".\n",
    "spaces": " ",
    "lines": "\n",
    "tags never closed": "<p ",
    "scripts never closed": "<script>",
    "comments never closed": "<!--",
    "entities never closed": "&#1",
    "initials": "A. ",
    "names": "a: b\n",
    "names on one line": "a:",
    "datelines never closed": "AA (",
    "times": "[12:",
    "capitals": "A",
    "underscores": "_",
    "one sentence": "Go. ",
    "dangling sentences": "He is. ",
    "emoji": "😀 ",
    "NUL": "a\x00",
}


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE.keys())
def test_100000_hostile_characters_cost_no_more_than_a_moment(piece):
    text = piece * (100_000 // len(piece))
    started = time.process_time()
    summary = summarize(text)
    long_summary = summarize(text, min_length=10**9, max_length=10**9)
    # About 0.1 s each when linear; minutes when a pattern is quadratic.
    assert time.process_time() - started < 3
    assert estimated_tokens(summary) <= 142
    assert len(long_summary) <= len(text)


def test_400000_characters_of_prose_take_a_fraction_of_a_second():
    text = "\n".join(LINKEDIN.replace("LinkedIn", f"Firm {index}") for index in range(400))
    text = text[:400_000]
    best_s = math.inf
    for _ in range(2):
        started = time.process_time()
        summarize(text)
        best_s = min(best_s, time.process_time() - started)
    # 0.1 s on an idle machine.
    assert best_s < 1


def test_the_answer_does_not_depend_on_the_hash_seed():
    code = (
        "import json, sys; from dashboard.sandbox.summarizer import summarize;"
        "rows = json.load(open(sys.argv[1], encoding='utf-8'));"
        "print(json.dumps([summarize(row['inputs']) for row in rows]))"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", code, str(SAMPLES / "support-tickets.json")],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(answers) == 1


def test_it_needs_nothing_but_the_standard_library():
    code = (
        "import sys; import dashboard.sandbox.summarizer;"
        "names = {name.split('.')[0] for name in sys.modules};"
        "print(sorted(n for n in names if n not in sys.stdlib_module_names"
        " and not n.startswith('_') and n != 'dashboard'))"
    )
    answer = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, check=True, text=True
    )
    assert answer.stdout.strip() == "[]"
