"""Where the time of a run's rows went, and what may honestly be said about it.

The time of a row is all of it: waiting for its turn included, so that the parts add up to the
total. There is one definition of a percentile, used by figures and curves alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from dashboard.domain.inference import RowTiming
from dashboard.domain.reading import word_count
from dashboard.domain.run import RowState, RunRow

#: How many rows a percentile needs before it says more than the slowest row does.
ROWS_NEEDED = {50: 2, 90: 10, 95: 20, 99: 100}
#: A line through fewer rows than this is drawn by chance.
_FIT_ROWS_NEEDED = 10
#: At ten rows a chance line reaches this share of explained variance less than one time in twenty.
_FIT_CLEAR_FROM = 0.4
#: Thirds of a run are compared from three rows each.
_DRIFT_ROWS_NEEDED = 9
#: Medians of thirds closer together than this are called the same.
_DRIFT_CLEAR_FROM = 0.2


class Segment(StrEnum):
    """A part of a row's time, in the order in which they pass."""

    WAITING = "Waiting"
    SENDING = "Sending and platform"
    READING = "Engine: reading input"
    MODEL = "Engine: model"
    UNSPLIT = "Engine and platform, not split"
    RECEIVING = "Receiving"


SEGMENTS = tuple(Segment)


@dataclass(frozen=True, slots=True)
class Sample:
    """The time of one answered row.

    Parameters
    ----------
    row_index
        Counts from 0; screens add 1.
    words
        Length of the input.
    parts_ms
        One time per entry of `SEGMENTS`, in its order; they add up to `total_ms`.
    is_split
        False when the engine gave no usable time (missing or overflowed): then reading and model
        are 0 and what passed between sending and receiving stands in `Segment.UNSPLIT`.
    overflowed
        True when that is because the engine's clock overflowed.
    answered_at
        The engine's own time of the answer.
    """

    row_index: int
    words: int
    parts_ms: tuple[float, ...]
    is_split: bool
    overflowed: bool
    answered_at: datetime | None

    @property
    def total_ms(self) -> float:
        """All of the row's time."""
        return sum(self.parts_ms)

    @property
    def engine_ms(self) -> float | None:
        """The engine's own time, reading and model together, or None where it is not known."""
        if not self.is_split:
            return None
        return self.part_ms(Segment.READING) + self.part_ms(Segment.MODEL)

    def part_ms(self, segment: Segment) -> float:
        """Return the time of one segment."""
        return self.parts_ms[SEGMENTS.index(segment)]


def _measured(value_ms: float | None) -> float | None:
    """Return a time that can be one: finite and not negative."""
    return value_ms if value_ms is not None and 0 <= value_ms < math.inf else None


def split_ms(timing: RowTiming) -> dict[Segment, float] | None:
    """Split a row's time into its segments.

    What passed between the request's end and the answer's beginning is the engine's time and that
    of the platform and the network; the latter two belong to `Segment.SENDING`, as they bring the
    request to the model. An engine that claims more time than passed is cut to what passed.

    Returns
    -------
    dict[Segment, float] or None
        Every segment with its time in ms, in order, adding up to the row's total; None when the
        row was never answered.
    """
    wait_ms = _measured(timing.wait_ms)
    if wait_ms is None:
        return None
    parts = dict.fromkeys(SEGMENTS, 0.0)
    parts[Segment.WAITING] = _measured(timing.queue_ms) or 0.0
    parts[Segment.SENDING] = _measured(timing.send_ms) or 0.0
    parts[Segment.RECEIVING] = _measured(timing.receive_ms) or 0.0
    model_ms = _measured(timing.model_ms)
    if timing.overflow or model_ms is None:
        parts[Segment.UNSPLIT] = wait_ms
        return parts
    read_ms = _measured(timing.engine_read_ms) or 0.0
    fits = min(1.0, wait_ms / (read_ms + model_ms)) if read_ms + model_ms else 1.0
    parts[Segment.READING] = read_ms * fits
    parts[Segment.MODEL] = model_ms * fits
    parts[Segment.SENDING] += max(0.0, wait_ms - (read_ms + model_ms) * fits)
    return parts


def samples_of(rows: Iterable[RunRow]) -> tuple[Sample, ...]:
    """Return the times of the rows that were answered, in the rows' order.

    Rows that wait, failed or were not measured are left out. A row whose engine clock overflowed
    stays: its total was measured here, only its split is unknown, and leaving it out would hide
    the slowest rows. Of the rows of one request the first alone gives a sample: they were measured
    once, and counting that again and again would feign a certainty that is not there.
    """
    samples = []
    shared: set[RowTiming] = set()
    for row in rows:
        if row.timing.batch_rows > 1:
            if row.timing in shared:
                continue
            shared.add(row.timing)
        parts = split_ms(row.timing) if row.state is RowState.DONE else None
        if parts is None:
            continue
        samples.append(
            Sample(
                row_index=row.index,
                words=word_count(row.input_text),
                parts_ms=tuple(parts.values()),
                is_split=not row.timing.overflow and _measured(row.timing.model_ms) is not None,
                overflowed=row.timing.overflow,
                answered_at=row.answered_at,
            )
        )
    return tuple(samples)


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value that lies `share` of the way through the sorted values.

    Parameters
    ----------
    values
        In any order.
    share
        From 0 to 1.

    Returns
    -------
    float
        Always a measured one: between two it is the greater (numpy's `method="higher"`).

    Raises
    ------
    ValueError
        When there are no values, or `share` is not from 0 to 1.
    """
    if not values or not 0 <= share <= 1:
        raise ValueError("a quantile needs values, and a share from 0 to 1")
    return sorted(values)[math.ceil((len(values) - 1) * share)]


@dataclass(frozen=True, slots=True)
class Percentile:
    """One percentile of a run, or what it lacks.

    Parameters
    ----------
    percent
        50, 90, 95 or 99.
    rows, rows_needed
        How many rows there are, and from how many on it is given.
    value_ms
        None while there are too few rows.
    """

    percent: int
    rows: int
    rows_needed: int
    value_ms: float | None

    @property
    def rows_missing(self) -> int:
        """How many more rows it takes."""
        return max(0, self.rows_needed - self.rows)

    @property
    def lack(self) -> str:
        """Say what is missing, or nothing when it is given."""
        if self.value_ms is not None:
            return ""
        return f"p{self.percent} needs {self.rows_needed} rows, this run has {self.rows}"


def percentiles(samples: Sequence[Sample]) -> tuple[Percentile, ...]:
    """Return p50, p90, p95 and p99 of the rows' totals, each only where there are enough rows."""
    totals = [sample.total_ms for sample in samples]
    return tuple(
        Percentile(
            percent=percent,
            rows=len(totals),
            rows_needed=needed,
            value_ms=quantile(totals, percent / 100) if len(totals) >= needed else None,
        )
        for percent, needed in ROWS_NEEDED.items()
    )


def model_share(samples: Sequence[Sample]) -> float | None:
    """Return the model's part of all time, 0 to 1, over the rows whose split is known.

    None when there is no such row, or no time passed.
    """
    split = [sample for sample in samples if sample.is_split]
    total_ms = sum(sample.total_ms for sample in split)
    if not total_ms:
        return None
    return sum(sample.part_ms(Segment.MODEL) for sample in split) / total_ms


def slowest(samples: Sequence[Sample]) -> Sample | None:
    """Return the row that took longest, the first of equals; None without rows."""
    return max(samples, key=lambda sample: sample.total_ms, default=None)


@dataclass(frozen=True, slots=True)
class LengthFit:
    """A least-squares line through length (words) and total (ms).

    Parameters
    ----------
    explained
        Share of the totals' variance that the line explains, 0 to 1.
    """

    ms_per_100_words: float
    ms_at_no_words: float
    explained: float

    @property
    def is_clear(self) -> bool:
        """Whether the line says something about the rows, rather than about chance."""
        return self.explained >= _FIT_CLEAR_FROM

    def at_ms(self, words: float) -> float:
        """Return the line's time for a length."""
        return self.ms_at_no_words + self.ms_per_100_words * words / 100


def fit_to_length(samples: Sequence[Sample]) -> LengthFit | None:
    """Fit a line to length and time; None for fewer than 10 rows or rows all of one length."""
    count = len(samples)
    if count < _FIT_ROWS_NEEDED:
        return None
    mean_words = sum(sample.words for sample in samples) / count
    mean_ms = sum(sample.total_ms for sample in samples) / count
    spread = sum((sample.words - mean_words) ** 2 for sample in samples)
    if not spread:
        return None
    together = sum((sample.words - mean_words) * (sample.total_ms - mean_ms) for sample in samples)
    variance = sum((sample.total_ms - mean_ms) ** 2 for sample in samples)
    slope = together / spread
    return LengthFit(
        ms_per_100_words=100 * slope,
        ms_at_no_words=mean_ms - slope * mean_words,
        explained=min(1.0, slope * together / variance) if variance else 0.0,
    )


def in_order_of_answer(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """Sort by the time of the answer; rows without one come last, in the rows' order."""
    return tuple(
        sorted(
            samples,
            key=lambda sample: (
                sample.answered_at.timestamp() if sample.answered_at else math.inf,
                sample.row_index,
            ),
        )
    )


def seconds_since_first(ordered: Sequence[Sample]) -> tuple[float, ...] | None:
    """Return when each row was answered, in s after the first answer.

    Parameters
    ----------
    ordered
        As of `in_order_of_answer`.

    Returns
    -------
    tuple of float or None
        None when an answer has no time, or all have the same: then only the order is known.
    """
    times = [sample.answered_at.timestamp() for sample in ordered if sample.answered_at]
    if not times or len(times) < len(ordered) or times[0] == times[-1]:
        return None
    return tuple(time - times[0] for time in times)


def rows_per_second(samples: Sequence[Sample]) -> float | None:
    """Return the rate of answers from the first to the last; None where it cannot be known."""
    elapsed_s = seconds_since_first(in_order_of_answer(samples))
    return (len(elapsed_s) - 1) / elapsed_s[-1] if elapsed_s else None


class Drift(StrEnum):
    """How a run's last third compares with its first."""

    UNKNOWN = "unknown"
    STEADY = "steady"
    SLOWER = "slower"
    FASTER = "faster"


def drift(ordered: Sequence[Sample]) -> tuple[Drift, float]:
    """Compare the median times of a run's last and first third.

    Parameters
    ----------
    ordered
        As of `in_order_of_answer`.

    Returns
    -------
    tuple[Drift, float]
        The finding, and the change as a share of the first third's median (0.25 = a quarter
        longer). Unknown and 0 for fewer than 9 rows.
    """
    third = len(ordered) // 3
    if len(ordered) < _DRIFT_ROWS_NEEDED:
        return Drift.UNKNOWN, 0.0
    first = quantile([sample.total_ms for sample in ordered[:third]], 0.5)
    last = quantile([sample.total_ms for sample in ordered[-third:]], 0.5)
    if not first:
        return Drift.UNKNOWN, 0.0
    change = last / first - 1
    if abs(change) < _DRIFT_CLEAR_FROM:
        return Drift.STEADY, change
    return (Drift.SLOWER if change > 0 else Drift.FASTER), change
