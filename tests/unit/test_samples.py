"""The demo tables that the sandbox serves."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from dashboard.sandbox.summarizer import summarize
from dashboard.sandbox.summarizer.selection import estimated_tokens
from dashboard.sandbox.summarizer.sentences import split_units

SAMPLES = Path(__file__).resolve().parents[2] / "dashboard" / "sandbox" / "samples"
WORKSHOP_SAMPLE = SAMPLES / "test_summarization.df.json"
TICKETS = json.loads((SAMPLES / "support-tickets.json").read_text("utf-8"))
TEXTS = [record["inputs"] for record in TICKETS]
COLUMNS = {
    "inputs": str,
    "return_text": bool,
    "return_tensors": bool,
    "clean_up_tokenization_spaces": bool,
}


def test_the_workshop_sample_is_unchanged():
    digest = hashlib.sha256(WORKSHOP_SAMPLE.read_bytes()).hexdigest()
    assert digest == "9e19600313af0c1ce4473d2504056c796d8e5678bc790ab7b2be3b10cd03b4e6"


def test_every_record_has_the_columns_of_the_workshop_sample():
    (record,) = json.loads(WORKSHOP_SAMPLE.read_text("utf-8"))
    assert list(record) == list(COLUMNS)
    flags = {name: value for name, value in record.items() if name != "inputs"}
    for ticket in TICKETS:
        assert list(ticket) == list(COLUMNS)
        assert {name: type(value) for name, value in ticket.items()} == COLUMNS
        assert {name: value for name, value in ticket.items() if name != "inputs"} == flags


def test_there_are_enough_different_texts_of_every_length():
    words = [len(text.split()) for text in TEXTS]
    assert len(set(TEXTS)) == len(TEXTS) >= 66
    assert sum(count < 40 for count in words) >= 20
    assert sum(40 <= count < 200 for count in words) >= 20
    assert sum(count >= 200 for count in words) >= 20
    assert max(words) >= 500
    assert min(words) == 1


def test_the_awkward_kinds_are_there():
    assert sum(split_units(text)[1] for text in TEXTS) >= 3
    assert any(text.startswith("=") for text in TEXTS)
    assert any("<p>" in text and "🛒" in text for text in TEXTS)
    assert any("\n" in text and not re.search(r"[.!?:]", text) for text in TEXTS)


def test_addresses_are_invented_ones():
    found = re.findall(r"@[\w.-]+|https?://[^\s\"<>]+", " ".join(TEXTS))
    assert found
    assert all(re.search(r"\bexample\.org\b", address) for address in found)


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_each_text_gets_a_summary_within_its_limits(text):
    summary = summarize(text)
    units = split_units(text)[0]
    assert summary
    assert estimated_tokens(summary) <= 142
    if len(text.split()) >= 200:
        assert estimated_tokens(summary) >= 56
        assert len(summary) < len(text) / 2
    rest = summary
    for unit in units:
        rest = rest.removeprefix(unit).lstrip(" ")
    assert rest == ""
