"""Rows of a run through a model that is no summarizer: columns in, columns out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dashboard.domain.reading import value_lines
from dashboard.domain.run import RowState, RunRow

if TYPE_CHECKING:
    from dashboard.store.run_records import RowResult


def values_row(index: int, inputs: Mapping[str, Any], result: RowResult | None) -> RunRow:
    """Return a row with its values, and with the same as lines to read.

    Parameters
    ----------
    inputs
        The values that are sent, by column.
    result
        What became of it; None while it waits.
    """
    input_text = value_lines(inputs)
    if result is None:
        return RunRow(index, RowState.WAITING, input_text, inputs=inputs)
    outputs: Mapping[str, Any] = json.loads(result.summary) if result.summary else {}
    return RunRow(
        index=index,
        state=result.state,
        input_text=input_text,
        summary=value_lines(outputs),
        anomaly_count=result.anomaly_count,
        answered_at=result.answered_at,
        timing=result.timing,
        error=result.error,
        inputs=inputs,
        outputs=outputs,
    )
