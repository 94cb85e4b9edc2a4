"""Rows of a run through a model that is no summarizer: columns in, columns out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dashboard.domain.reading import alone, value_lines
from dashboard.domain.run import RowState, RunRow
from dashboard.domain.sent_value import sent_row

if TYPE_CHECKING:
    from dashboard.store.run_records import RowResult


#: Longer texts are lists such as pictures: nothing that is read, and slow to make.
_MOST_CHARACTERS = 2_000


def shown_inputs(inputs: Mapping[str, Any], reads: Mapping[str, str]) -> dict[str, Any]:
    """Return a row's values as they are sent, for a look; long lists stay the texts they are.

    Parameters
    ----------
    reads
        What the model reads from each column, as `sent_row` takes it.
    """
    short = {
        name: kind for name, kind in reads.items() if _length(inputs[name]) <= _MOST_CHARACTERS
    }
    return sent_row(inputs, short)[0]


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
        # Models give one number as a list of one; the outputs themselves stay as they came.
        summary=value_lines({name: alone(value) for name, value in outputs.items()}),
        anomaly_count=result.anomaly_count,
        answered_at=result.answered_at,
        timing=result.timing,
        error=result.error,
        inputs=inputs,
        outputs=outputs,
    )


def _length(value: object) -> int:
    return len(value) if isinstance(value, str) else 0
