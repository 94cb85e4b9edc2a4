"""The rows of two runs: each row's two summaries as one text, with what changed marked in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from components.text import milliseconds
from dashboard.domain.reading import first_words
from dashboard.domain.run_comparison import RowChange, RowDiff

_ASSETS = Path(__file__).resolve().parent / "assets"
_MARKS = {
    RowChange.CHANGED: "≠ changed",
    RowChange.SAME: "= same",
    RowChange.FAILED_IN_ONE: "✕ failed in one",
    RowChange.FAILED_IN_BOTH: "✕ failed in both",
    RowChange.WAITING: "… not answered yet",
}
_HEAD_CHARACTERS = 160

_DIFF = st.components.v2.component(
    "run_diff",
    html=(_ASSETS / "run_diff.html").read_text(encoding="utf-8"),
    css=(_ASSETS / "run_diff.css").read_text(encoding="utf-8"),
    js=(_ASSETS / "run_diff.js").read_text(encoding="utf-8"),
)


def run_diff(rows: Sequence[RowDiff], *, key: str) -> None:
    """Draw one page of rows: what only A says struck out, what only B says underlined.

    Parameters
    ----------
    rows
        All of them reach the browser; some tens at most.
    key
        Key of the component, unique on the page.
    """
    # Streamlit would keep an object there that cannot be pickled; nothing is sent back from here.
    st.session_state[key] = None
    _DIFF(key=key, data={"rows": [diff_data(row) for row in rows]}, height="content")


def diff_data(row: RowDiff) -> dict[str, Any]:  # Any: a JSON object
    """Return what the browser gets of a row: texts by themselves, never as markup."""
    heads = [first_words(text, limit=_HEAD_CHARACTERS) or "(empty input)" for text in row.inputs]
    is_one_input = row.inputs[0] == row.inputs[1]
    return {
        "number": f"Row {row.pair.index + 1:,}",
        "kind": row.pair.change.name.lower(),
        "mark": _MARKS[row.pair.change],
        "times": _times(row),
        "heads": heads[:1] if is_one_input else [f"A: {heads[0]}", f"B: {heads[1]}"],
        "pieces": [[piece.kind.value, piece.text] for piece in row.pieces],
        "note": _note(row),
        "errors": _errors(row),
    }


def difference_ms(a_ms: float, b_ms: float) -> float:
    """Return how far apart two times are as they are shown: what is read must add up."""
    return abs(_as_shown(b_ms) - _as_shown(a_ms))


def _as_shown(value_ms: float) -> float:
    """Return a time rounded as `milliseconds` rounds it."""
    number, unit = milliseconds(value_ms).split(" ")
    return float(number) * (1000 if unit == "s" else 1)


def time_change(a_ms: float, b_ms: float) -> str:
    """Say how much faster or slower B was than A."""
    apart_ms = difference_ms(a_ms, b_ms)
    if not apart_ms:
        return "as fast"
    return f"{milliseconds(apart_ms)} {'slower' if b_ms > a_ms else 'faster'}"


def span(a_ms: float, b_ms: float, *, to: str) -> str:
    """Return two times, with their unit once where it is the same: `412 → 380 ms`."""
    first, last = ("0 ms" if value_ms == 0 else milliseconds(value_ms) for value_ms in (a_ms, b_ms))
    unit = last.rpartition(" ")[2]
    return f"{first.removesuffix(f' {unit}')}{to}{last}"


def _times(row: RowDiff) -> str:
    a_ms, b_ms = row.pair.times_ms
    if a_ms is None and b_ms is None:
        return ""
    told = f"A {milliseconds(a_ms)}, B {milliseconds(b_ms)}"
    return told if a_ms is None or b_ms is None else f"{told}: {time_change(a_ms, b_ms)}"


def _note(row: RowDiff) -> str:
    """Say what the text shown is, where it is not both summaries."""
    answered = row.pair.answered
    if answered == (True, True):
        return "" if row.pieces else "Both summaries are empty."
    if not any(answered):
        return ""
    letter = "A" if answered[0] else "B"
    return f"The summary of {letter} alone:" if row.pieces else f"The summary of {letter} is empty."


def _errors(row: RowDiff) -> list[str]:
    failed = row.pair.change in (RowChange.FAILED_IN_ONE, RowChange.FAILED_IN_BOTH)
    return [
        f"{letter} failed: {error or 'the engine gave no reason.'}"
        for letter, error, answered in zip("AB", row.errors, row.pair.answered, strict=True)
        if error or (failed and not answered)
    ]
