"""The reading pane: a run's rows, the chosen row's input beside its summary, where its time went.

It takes rows and returns the index of the row the reader chose; the page keeps that index.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from datetime import UTC
from pathlib import Path
from typing import Any

import streamlit as st

from components import presenting
from components.text import count, milliseconds
from dashboard.domain.evidence import Doubt, Evidence, Grounding, Span, evidence_for, parts
from dashboard.domain.latency import Segment, split_ms
from dashboard.domain.reading import first_words, percent_of_input, word_count
from dashboard.domain.run import RowState, RunRow

#: The browser gets this many rows at a time; stepping past either end brings the next ones.
ROWS_A_PAGE = 200
#: Below this, every text of the page goes to the browser and choosing a row needs no answer.
_ALL_TEXTS_UP_TO_CHARACTERS = 256_000
#: Above it, only the chosen row's texts go, and those of as many neighbours on each side.
_NEIGHBOURS = 2

#: A sentence whose sources hold this share of it is said to be from them.
_SURE = 0.8
_MOST_DOUBTS_NAMED = 4

#: A segment's short name, and its place in the theme's categorical colours.
_SEGMENT_LOOK = {
    Segment.WAITING: ("waiting", 2),
    Segment.SENDING: ("sending and platform", 6),
    Segment.READING: ("reading", 3),
    Segment.MODEL: ("model", 0),
    Segment.UNSPLIT: ("engine and platform", 7),
    Segment.RECEIVING: ("receiving", 1),
}

_ASSETS = Path(__file__).resolve().parent / "assets"

_PANE = st.components.v2.component(
    "reading_pane",
    html=(_ASSETS / "reading_pane.html").read_text(encoding="utf-8"),
    css=(_ASSETS / "reading_pane.css").read_text(encoding="utf-8"),
    js=(_ASSETS / "reading_pane.js").read_text(encoding="utf-8"),
)


def reading_pane(
    rows: Sequence[RunRow],
    *,
    chosen: int,
    engine_label: str,
    key: str,
    opinions: Mapping[int, str] | None = None,
) -> int:
    """Draw the pane and return the index of the row that is shown.

    Parameters
    ----------
    rows
        The rows to read, in the order to show them; at most `ROWS_A_PAGE` of them reach the
        browser at a time. Without rows nothing is drawn.
    chosen
        `RunRow.index` of the row to show; one that is not among `rows` shows the first.
    engine_label
        Who made the summaries, as one plain sentence; drawn under each summary.
    key
        Key of the component, unique on the page.
    opinions
        What somebody thinks of a row, in a word or two, by `RunRow.index`: told in the list.

    Returns
    -------
    int
        `RunRow.index` of the row shown: `chosen`, or what the reader has just chosen instead. The
        page keeps it and passes it next time.
    """
    if not rows:
        return chosen
    known = {row.index for row in rows}
    choice, sequence = _choice(_taken(key))
    if choice in known:
        chosen = choice
    elif chosen not in known:
        chosen = rows[0].index
    data = pane_data(rows, chosen=chosen, engine_label=engine_label, opinions=opinions or {})
    _PANE(key=key, data={**data, "answers": sequence}, height="content")
    return chosen


def _taken(key: str) -> object:
    """Return what the browser sent with this run, before the pane is drawn with it.

    Streamlit shows a component's state, when it is a mapping, as an object that cannot be pickled,
    and a session keeps plain data. So a mapping stands there only while it is read: it shows this
    run's triggers. Nothing is lost, as the pane keeps no state there.
    """
    st.session_state[key] = {}
    sent = dict(st.session_state[key])
    st.session_state[key] = None
    return sent


def _choice(state: object) -> tuple[int, int]:
    """Read what the browser sent, which is input like any other: (row index, sequence number)."""
    sent = state.get("chosen") if isinstance(state, Mapping) else None
    if not isinstance(sent, Mapping):
        return -1, -1
    index, sequence = sent.get("index"), sent.get("sequence")
    if type(index) is not int or type(sequence) is not int:
        return -1, -1
    return index, sequence


def pane_data(
    rows: Sequence[RunRow],
    *,
    chosen: int,
    engine_label: str,
    opinions: Mapping[int, str],
) -> dict[str, Any]:  # Any: a JSON object
    """Return what the browser gets: the page of rows around the chosen one.

    Returns
    -------
    dict
        `rows` (heads and facts), `texts` (by row index, see `_texts`: all when they are small, else
        those of the chosen row and its neighbours), `before` and `after` (indexes of the rows next
        to the page, or None), `chosen`, `rows_facts` and `engine_label`.
    """
    at = next(place for place, row in enumerate(rows) if row.index == chosen)
    start = at // ROWS_A_PAGE * ROWS_A_PAGE
    page = rows[start : start + ROWS_A_PAGE]
    end = start + len(page)
    near = page
    if sum(len(row.input_text) + len(row.summary) for row in page) > _ALL_TEXTS_UP_TO_CHARACTERS:
        near = rows[max(start, at - _NEIGHBOURS) : min(end, at + _NEIGHBOURS + 1)]
    total = f"{len(rows):,}"
    return {
        "rows": [_row_data(row, of=total, opinion=opinions.get(row.index, "")) for row in page],
        "texts": {str(row.index): _texts(row) for row in near},
        "before": rows[start - 1].index if start else None,
        "after": rows[end].index if end < len(rows) else None,
        "chosen": chosen,
        "rows_facts": total if len(page) == len(rows) else f"{start + 1:,}–{end:,} of {total}",
        "engine_label": engine_label,
    }


# A page is drawn again at every choice and, while a run moves, at every poll.
_evidence = functools.lru_cache(maxsize=2 * ROWS_A_PAGE)(evidence_for)


def _texts(row: RunRow) -> dict[str, Any]:  # Any: a JSON object
    """Return a row's texts in pieces that, joined, are the texts.

    Returns
    -------
    dict
        `input`: pairs of a piece and the number of its sentence, or None where no sentence of the
        summary rests on it.
        `summary`: per piece its `runs` (pairs of a text and what is to be doubted in it, or None),
        and for a sentence the input sentences it rests on (`sources`) and that in `words`.
        `doubts`: one sentence about what is not in the input, or an empty text.
    """
    found = _evidence(row.summary, row.input_text)
    spans = [grounding.sentence for grounding in found.groundings]
    at = 0
    pieces = []
    for text, number in parts(row.summary, spans) if row.summary else ():
        piece: dict[str, Any] = {"runs": _runs(text, at, found)}  # Any: as above
        if number is not None:
            grounding = found.groundings[number]
            piece |= {"sources": list(grounding.sources), "words": _grounds(grounding, found)}
        pieces.append(piece)
        at += len(text)
    return {
        "input": _input_pieces(row.input_text, found),
        "summary": pieces,
        "doubts": _doubts(row.summary, found),
    }


def _input_pieces(text: str, found: Evidence) -> list[tuple[str, int | None]]:
    """Cut the input at the sentences that are marked at times; of a long one they are few."""
    sources = sorted({number for one in found.groundings for number in one.sources})
    pieces = parts(text, [found.input_sentences[number] for number in sources])
    return [(piece, None if place is None else sources[place]) for piece, place in pieces]


def _runs(text: str, at: int, found: Evidence) -> list[tuple[str, str | None]]:
    """Cut a piece of the summary, which begins at character `at`, at what is to be doubted."""
    inside = [
        one for one in found.unfounded if at <= one.span.start and one.span.end <= at + len(text)
    ]
    spans = [Span(one.span.start - at, one.span.end - at) for one in inside]
    return [
        (run, None if number is None else inside[number].doubt.value)
        for run, number in parts(text, spans)
    ]


def _grounds(grounding: Grounding, found: Evidence) -> str:
    """Say which sentences of the input a sentence of the summary rests on."""
    span = grounding.sentence
    has_doubts = any(span.start <= one.span.start < span.end for one in found.unfounded)
    numbers = [str(number + 1) for number in sorted(grounding.sources)]
    if not numbers:
        return "No source found in the input"
    told = numbers[0] if len(numbers) == 1 else f"{', '.join(numbers[:-1])} and {numbers[-1]}"
    sentences = "sentence" if len(numbers) == 1 else "sentences"
    certainty = "From" if grounding.covered >= _SURE and not has_doubts else "Closest to"
    return f"{certainty} input {sentences} {told}"


def _doubts(summary: str, found: Evidence) -> str:
    """Name what of the summary is not in the input, numbers first; empty if all of it is."""
    doubted = sorted(found.unfounded, key=lambda one: one.doubt is Doubt.NAME)
    words = list(dict.fromkeys(summary[one.span.start : one.span.end] for one in doubted))
    if not words:
        return ""
    shown = [first_words(word, limit=40) for word in words[:_MOST_DOUBTS_NAMED]]
    if len(words) > len(shown):
        shown.append(f"{len(words) - len(shown)} more")
    told = shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
    return f"Check this: {told} {'is' if len(words) == 1 else 'are'} not in the input."


def _row_data(row: RunRow, *, of: str, opinion: str) -> dict[str, Any]:  # Any: a JSON object
    """Return one row without its texts."""
    input_words = word_count(row.input_text)
    words = count(input_words, "word")
    parts = split_ms(row.timing)
    total = milliseconds(sum(parts.values())) if parts else ""
    flag = _flag(row)
    facts = [words, total if row.state is RowState.DONE else "", opinion]
    marks = [flag["word"] if flag else "", opinion]
    return {
        "index": row.index,
        "number": f"{row.index + 1:,}",
        "head": first_words(row.input_text),
        "facts": " · ".join(filter(None, facts)),
        "flag": flag,
        "picked_as": ", ".join([f"Row {row.index + 1:,} of {of}", *filter(None, marks)]),
        "is_done": row.state is RowState.DONE,
        "input_facts": words,
        "summary_facts": _summary_facts(row, input_words),
        "no_summary": _NO_SUMMARY[row.state],
        "notice": _notice(row),
        "answered_at": row.answered_at.astimezone(UTC).isoformat() if row.answered_at else None,
        "total": total or "No time measured",
        "segments": _segments(row, parts),
        "anomalies": "" if row.anomaly_count is None else f"anomaly count {row.anomaly_count}",
        "spoken": f"Row {row.index + 1:,} of {of}, {row.state.lower()}"
        + (f", {total}" if total else ""),
    }


_NO_SUMMARY = {
    RowState.DONE: "The model answered with an empty summary.",
    RowState.WAITING: "Waiting for its turn. The summary appears here.",
    RowState.FAILED: "",
}


def _flag(row: RunRow) -> dict[str, str] | None:
    """Return what to notice about a row: glyph and word for the list, the word for the picker."""
    if row.state is RowState.FAILED:
        return {"kind": "failed", "text": "✕ failed", "word": "failed"}
    if row.state is RowState.WAITING:
        return {"kind": "waiting", "text": "… waiting", "word": "waiting"}
    if row.anomaly_count:
        return {"kind": "check", "text": "▲ check", "word": "check"}
    return None


def _notice(row: RunRow) -> dict[str, str] | None:
    """Return the box under the summary: why a row failed, or that checks of it failed."""
    if row.state is RowState.FAILED:
        return {
            "kind": "failed",
            "title": "This row failed.",
            "text": presenting.words(row.error) or "The engine gave no reason.",
        }
    if row.state is RowState.DONE and row.anomaly_count:
        checks = count(row.anomaly_count, "check")
        return {
            "kind": "check",
            "title": f"This answer failed {checks}.",
            "text": "The pipeline's own checks; read it beside its input.",
        }
    return None


def _summary_facts(row: RunRow, input_words: int) -> str:
    """Say how long a summary is, by itself and against its input."""
    if row.state is not RowState.DONE:
        return row.state.lower()
    summary_words = word_count(row.summary)
    percent = percent_of_input(summary_words, input_words)
    words = count(summary_words, "word")
    return words if percent is None else f"{words}, {percent} % of the input"


def _segments(row: RunRow, parts: Mapping[Segment, float] | None) -> list[dict[str, Any]]:
    """Return the coloured parts of the timings strip, those that took time, in order."""
    if not parts:
        return []
    segments = []
    for segment, part_ms in parts.items():
        name, color = _SEGMENT_LOOK[segment]
        if segment is Segment.UNSPLIT and row.timing.overflow:
            name = "engine (its clock overflowed) and platform"
        if part_ms > 0:
            text = f"{name} {milliseconds(part_ms)}"
            segments.append({"text": text, "share": part_ms, "color": color})
    return segments
