"""The times that a platform's own inference log knows: the engine's, and nothing around it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeGuard

from dashboard.domain.inference import LogPage, engine_times
from dashboard.domain.latency import SEGMENTS, Sample, Segment
from dashboard.domain.reading import word_count

_INPUT = "in."


@dataclass(frozen=True, slots=True)
class LogTimes:
    """What the log says about times.

    Parameters
    ----------
    samples
        Of the rows whose engine time is known, oldest first; a sample's index is its place in the
        log, and only `Segment.READING` and `Segment.MODEL` are more than 0.
    rows
        How many rows the log gave.
    overflowed
        How many of them hold no time, as the engine's clock overflowed.
    is_complete
        As of `LogPage`.
    """

    samples: tuple[Sample, ...]
    rows: int
    overflowed: int
    is_complete: bool

    @property
    def untimed(self) -> int:
        """How many rows hold no usable time for another reason than an overflow."""
        return self.rows - self.overflowed - len(self.samples)


def log_times(page: LogPage) -> LogTimes:
    """Read the engine's times off a log."""
    samples, overflowed = [], 0
    for place, row in enumerate(reversed(page.rows)):
        read_ms, model_ms, overflow = engine_times(row.get("metadata.elapsed"))
        overflowed += overflow
        if not (_is_time(read_ms) and _is_time(model_ms)):
            continue
        parts = dict.fromkeys(SEGMENTS, 0.0)
        parts |= {Segment.READING: read_ms, Segment.MODEL: model_ms}
        samples.append(
            Sample(
                row_index=place,
                words=_words(row),
                parts_ms=tuple(parts.values()),
                is_split=True,
                overflowed=False,
                answered_at=moment_of(row.get("time")),
            )
        )
    return LogTimes(tuple(samples), len(page.rows), overflowed, page.is_complete)


def _is_time(value_ms: float | None) -> TypeGuard[float]:
    return value_ms is not None and 0 <= value_ms < math.inf


def _words(row: Mapping[str, Any]) -> int:
    texts: Sequence[str] = [
        value for key, value in row.items() if key.startswith(_INPUT) and isinstance(value, str)
    ]
    return sum(map(word_count, texts))


def moment_of(epoch_ms: object) -> datetime | None:
    """Read a log row's time, in UTC; None if it is none."""
    if not isinstance(epoch_ms, int | float):
        return None
    try:
        return datetime.fromtimestamp(epoch_ms / 1000, UTC)
    except (OverflowError, OSError, ValueError):
        return None
