"""A run's rows as a table of what was sent and what was answered, for models of columns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from components.text import count, milliseconds, short
from dashboard.domain.reading import alone, value_text
from dashboard.domain.run import RunRow

_CELL_CHARACTERS = 400
#: Whoever has more columns than this looks at them elsewhere.
_MOST_COLUMNS = 40
_ROW_PX = 34
_MOST_PX = 610


def value_table(rows: Sequence[RunRow], *, key: str) -> None:
    """Draw the rows: state, outputs, failed checks of the pipeline, inputs, time.

    Parameters
    ----------
    rows
        Of a run of columns, in the order to show them.
    key
        Key of the table, unique on the page.
    """
    outputs = _names(row.outputs for row in rows)[:_MOST_COLUMNS]
    inputs = _names(row.inputs for row in rows)[:_MOST_COLUMNS]
    columns: dict[str, list[Any]] = {"State": [row.state.value for row in rows]}
    if any(row.error for row in rows):
        columns["Why it failed"] = [short(row.error, _CELL_CHARACTERS) for row in rows]
    columns |= _columns("out", outputs, [row.outputs for row in rows])
    if any(row.anomaly_count for row in rows):
        columns["Checks failed"] = [row.anomaly_count for row in rows]
    columns |= _columns("in", inputs, [row.inputs for row in rows])
    columns["Time of its request"] = [
        milliseconds(row.timing.total_ms) if row.timing.total_ms is not None else "" for row in rows
    ]
    if any(row.timing.batch_rows > 1 for row in rows):
        columns["Rows in its request"] = [
            row.timing.batch_rows if row.timing.total_ms is not None else None for row in rows
        ]
    index = pd.Index([row.index + 1 for row in rows], name="Row")
    st.dataframe(
        pd.DataFrame(columns, index=index),
        height=min(_ROW_PX * (len(rows) + 1) + 3, _MOST_PX),
        row_height=_ROW_PX,
        width="stretch",
        key=key,
        alt=f"{count(len(rows), 'row')} with inputs and outputs",
    )


def _names(records: Any) -> list[str]:  # noqa: ANN401 - mappings by name
    return list(dict.fromkeys(name for record in records for name in record))


def _columns(
    side: str, names: Sequence[str], records: Sequence[Mapping[str, Any]]
) -> dict[str, list[Any]]:
    """Return columns under labels that differ even where only hidden signs of names do."""
    columns: dict[str, list[Any]] = {}
    for name in names:
        wanted = label = f"{side}: {short(name, 60) or '(no name)'}"
        number = 2
        while label in columns:
            label, number = f"{wanted} ({number})", number + 1
        values = [alone(record.get(name)) for record in records]
        columns[label] = values if all(map(_is_number, values)) else [_cell(one) for one in values]
    return columns


def _is_number(value: object) -> bool:
    if isinstance(value, bool):
        return False
    return value is None or (isinstance(value, int | float) and math.isfinite(value))


def _cell(value: object) -> str:
    return short(value_text(value, limit=_CELL_CHARACTERS), _CELL_CHARACTERS)
