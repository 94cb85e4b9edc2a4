"""One row that went through a model: what it answered and where its time went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

#: An engine that counts in 32 bits writes this when the time did not fit: a mark, not a time.
ELAPSED_OVERFLOW_NS = 4_294_967_295
_NS_PER_MS = 1e6


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
    batch_rows
        How many rows the request held. From 2 on every time is that of the whole request, which
        its rows share: none of them was measured alone.
    """

    queue_ms: float | None = None
    send_ms: float | None = None
    wait_ms: float | None = None
    engine_read_ms: float | None = None
    model_ms: float | None = None
    receive_ms: float | None = None
    overflow: bool = False
    batch_rows: int = 1

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


@dataclass(frozen=True, slots=True)
class LogPage:
    """The newest rows of a pipeline's log, as the platform gave them.

    Parameters
    ----------
    rows
        Newest first; flat keys such as `time` (epoch ms), `in.inputs`, `metadata.elapsed`.
    is_complete
        False when the log holds more rows than it gave.
    cut_by
        The platform's word for why it gave no more, such as `RecordLimited`; empty where it gave
        all, or where what was left out was left out here.
    """

    rows: tuple[Mapping[str, Any], ...]
    is_complete: bool
    cut_by: str = ""


def engine_times(elapsed_ns: object) -> tuple[float | None, float | None, bool]:
    """Split `metadata.elapsed` into the engine's read time and model time.

    Parameters
    ----------
    elapsed_ns
        List of ns: first the reading of the input, then one entry per step.

    Returns
    -------
    tuple
        Read time in ms, model time in ms (steps summed), and whether the engine's clock overflowed,
        in which case both are None.
    """
    if not isinstance(elapsed_ns, Sequence) or isinstance(elapsed_ns, str) or not elapsed_ns:
        return None, None, False
    if not all(isinstance(part, int | float) for part in elapsed_ns):
        return None, None, False
    if ELAPSED_OVERFLOW_NS in elapsed_ns:
        return None, None, True
    steps = elapsed_ns[1:]
    return elapsed_ns[0] / _NS_PER_MS, sum(steps) / _NS_PER_MS if steps else None, False
