"""A run: one input table through one deployed pipeline, row by row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from dashboard.domain.inference import RowTiming
from dashboard.domain.table import TEXT_COLUMN


class RunState(StrEnum):
    """Where a run stands."""

    QUEUED = "Queued"
    RUNNING = "Running"
    PAUSED = "Paused"
    CANCELLED = "Cancelled"
    DONE = "Done"
    FAILED = "Failed"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self in (RunState.CANCELLED, RunState.DONE, RunState.FAILED)


class RowState(StrEnum):
    """Where one row of a run stands."""

    WAITING = "Waiting"
    DONE = "Done"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class Run:
    """A run's header: what was sent where by whom, and how far it is.

    Parameters
    ----------
    run_id
        Key in URLs (`?run=`); unguessable.
    engine
        What made the summaries, in the platform's words (the model version's image path).
    message
        Why it failed or paused, or that its pipeline was redeployed meanwhile, in plain words;
        empty otherwise.
    title
        The name its owner gave it; empty for its connection's.
    text_column
        The column of the table that is sent as the model's text.
    input_columns
        The columns of the table that are sent to a model that is no summarizer; empty for a run
        of texts.
    input_types
        What the model reads from each of them, as `sent_value` takes it; empty where the cells go
        as they are.
    """

    run_id: str
    table_id: str
    workspace_id: int
    workspace_name: str
    connection_name: str
    pipeline_name: str
    pipeline_version: str
    model_name: str
    model_version: str
    model_sha: str
    engine: str
    owner_id: str
    owner_email: str
    fingerprint: str
    created_at: datetime
    state: RunState = RunState.QUEUED
    rows_total: int = 0
    rows_done: int = 0
    rows_failed: int = 0
    replicas: int = 1
    started_at: datetime | None = None
    finished_at: datetime | None = None
    message: str = ""
    title: str = ""
    text_column: str = TEXT_COLUMN
    input_columns: tuple[str, ...] = ()
    input_types: tuple[str, ...] = ()

    @property
    def reads(self) -> dict[str, str]:
        """What the model reads from each column; not told for those that go as they are."""
        return dict(zip(self.input_columns, self.input_types, strict=False))

    @property
    def is_of_texts(self) -> bool:
        """Whether each row is a text and its summary, rather than columns in and columns out."""
        return not self.input_columns

    @property
    def rows_left(self) -> int:
        """Rows neither answered nor failed yet."""
        return self.rows_total - self.rows_done - self.rows_failed


@dataclass(frozen=True, slots=True)
class RunRow:
    """One row of a run. `index` counts from 0; screens add 1.

    Parameters
    ----------
    input_text, summary
        The model's input and output text; `summary` is empty until it is done. Of a model that is
        no summarizer: its inputs and outputs as lines to read.
    anomaly_count
        How many of the pipeline's checks this answer failed, or None before the answer.
    answered_at
        The engine's own `time` of the answer, UTC.
    error
        Why it failed, in plain words.
    doubts
        How many numbers and names of the summary are not in the input; None where nobody looked.
    inputs, outputs
        Of a model that is no summarizer: the values sent and answered, by column; empty otherwise.
    """

    index: int
    state: RowState
    input_text: str
    summary: str = ""
    anomaly_count: int | None = None
    answered_at: datetime | None = None
    timing: RowTiming = field(default_factory=RowTiming)
    error: str = ""
    doubts: int | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)  # any value a table can hold
    outputs: Mapping[str, Any] = field(default_factory=dict)  # any value a model can answer
