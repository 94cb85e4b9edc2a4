"""The rows of a pipeline's inference log as a table, and in words what it leaves out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, Final

import pandas as pd
import streamlit as st

from components.text import count, md, milliseconds, short
from dashboard.domain.log_view import LogEntry
from dashboard.domain.reading import value_text

_CELL_CHARACTERS: Final = 400
_ROW_PX: Final = 34
_MOST_PX: Final = 610
_CUTS: Final = {
    "RecordLimited": "The log holds more than was asked for.",
    "ByteLimited": "The answer would have been too large for the platform.",
    "SchemaChange": "The older rows have other columns, which the platform gives apart.",
}


def log_table(entries: Sequence[LogEntry], *, zone: tzinfo, key: str) -> None:
    """Draw the rows in their order."""
    columns: dict[str, list[Any]] = {
        "Time": [_at(one.at, zone) for one in entries],
        "Input": [_values(one.inputs) for one in entries],
        "Output": [_values(one.outputs) for one in entries],
        "Anomalies": [_anomalies(one) for one in entries],
        "Model time": [_time(one) for one in entries],
        "Model": [short(one.model, 60) or "not told" for one in entries],
    }
    st.dataframe(
        pd.DataFrame(columns),
        hide_index=True,
        height=min(_ROW_PX * (len(entries) + 1) + 3, _MOST_PX),
        row_height=_ROW_PX,
        width="stretch",
        key=key,
        column_config={
            "Time": st.column_config.TextColumn(width=150),
            "Input": st.column_config.TextColumn(width=265),
            "Output": st.column_config.TextColumn(width=265),
            "Anomalies": st.column_config.TextColumn(width=85),
            "Model time": st.column_config.TextColumn(width=90),
        },
        alt=f"{count(len(entries), 'inference')} of the pipeline's log",
    )


def log_words(rows: int, *, is_complete: bool, cut_by: str, anomalies: int) -> str:
    """Say how much of the log is here and why there is no more of it. Markdown."""
    told = f"**{count(rows, 'inference')}**, newest first."
    if anomalies:
        told += f" {count(anomalies, 'row')} with anomalies."
    if is_complete:
        return told
    why = _CUTS.get(cut_by) or (f"The platform says {md(cut_by)}." if cut_by else "")
    why = why or "There is more in this time than the limit lets through."
    return f"{told}  \n:small[:material/content_cut: Rows are left out. {why}]"


def _at(at: datetime | None, zone: tzinfo) -> str:
    if at is None:
        return "not told"
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def _values(values: Mapping[str, Any]) -> str:
    """Return one text as it is, several values with their names; the texts come first."""
    texts = [name for name, value in values.items() if isinstance(value, str)]
    if len(texts) == 1:
        return _cell(values[texts[0]])
    told = "; ".join(
        f"{short(name, 40)}: {value_text(value, limit=_CELL_CHARACTERS)}"
        for name, value in list(values.items())[:20]
    )
    return _cell(told)


def _cell(value: object) -> str:
    return short(value_text(value, limit=_CELL_CHARACTERS), _CELL_CHARACTERS)


def _anomalies(one: LogEntry) -> str:
    if one.anomalies is None:
        return "not told"
    names = f": {short(', '.join(one.checks), 80)}" if one.checks else ""
    return f"▲ {one.anomalies}{names}" if one.anomalies else "0"


def _time(one: LogEntry) -> str:
    return "clock overflowed" if one.overflowed else milliseconds(one.model_ms)
