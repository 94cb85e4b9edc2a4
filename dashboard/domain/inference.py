"""One row that went through a model: what it answered and where its time went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

#: An engine that counts in 32 bits writes this when the time did not fit: a mark, not a time.
ELAPSED_OVERFLOW_NS = 4_294_967_295


@dataclass(frozen=True, slots=True)
class RowTiming:
    """Where one row's time went. All in ms; None where it was not measured.

    Parameters
    ----------
    queue_ms
        From the start of the run's turn for this row to the start of the request.
    send_ms
        From the start of the request until its body was written.
    wait_ms
        From then until the answer began: engine, platform and network together.
    engine_read_ms
        The engine's own time to read the input (first entry of `metadata.elapsed`).
    model_ms
        The engine's own time in the model, one entry per step, summed.
    receive_ms
        From the answer's first byte to its last.
    overflow
        True when the engine's clock overflowed, so that its times are unknown.
    """

    queue_ms: float | None = None
    send_ms: float | None = None
    wait_ms: float | None = None
    engine_read_ms: float | None = None
    model_ms: float | None = None
    receive_ms: float | None = None
    overflow: bool = False

    @property
    def total_ms(self) -> float | None:
        """Time of the request without the queue, or None if it was never answered."""
        parts = (self.send_ms, self.wait_ms, self.receive_ms)
        if self.wait_ms is None:
            return None
        return sum(part for part in parts if part is not None)


@dataclass(frozen=True, slots=True)
class Answer:
    """The engine's answer to one request.

    Parameters
    ----------
    rows
        One mapping per input row, flat keys as on the wire: `time` (int, epoch ms), `in.*`,
        `out.*`, `anomaly.count`.
    metadata
        `last_model`, `pipeline_version`, `elapsed` (ns), `dropped`, `partition`, of the first row.
    timing
        Where the request's time went.
    received_at
        When the answer was complete, UTC.
    """

    rows: tuple[Mapping[str, Any], ...]
    timing: RowTiming
    received_at: datetime
    metadata: Mapping[str, Any] = field(default_factory=dict)
