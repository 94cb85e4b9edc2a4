"""How a run's times are spread, and how often they keep an objective."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_MOST_BINS: Final = 40
_STEPS: Final = (1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Objective:
    """What is wanted of a run, such as 90 % under 3 s.

    Parameters
    ----------
    percent
        Share of the rows, above 0 and up to 100.
    limit_ms
        What they are to stay under.
    """

    percent: float
    limit_ms: float


@dataclass(frozen=True, slots=True)
class HitRate:
    """How often an objective's limit was kept: `hits` of `rows`, of which there is at least one."""

    objective: Objective
    hits: int
    rows: int

    @property
    def percent(self) -> float:
        """The share of the hits, cut to a tenth: 89.96 % is not yet 90 %."""
        return math.floor(1000 * self.hits / self.rows) / 10

    @property
    def is_met(self) -> bool:
        """Whether as many rows stayed under the limit as were wanted to."""
        return 100 * self.hits >= self.objective.percent * self.rows


def hit_rate(values_ms: Sequence[float], objective: Objective) -> HitRate | None:
    """Count the values that lie under the objective's limit; None without values."""
    if not values_ms:
        return None
    hits = sum(value_ms < objective.limit_ms for value_ms in values_ms)
    return HitRate(objective, hits, len(values_ms))


@dataclass(frozen=True, slots=True)
class Histogram:
    """Values counted in bins of one width.

    Parameters
    ----------
    edges
        One more than `counts`. A bin begins at its lower edge and ends before its upper one; the
        last holds its upper edge too.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]

    @property
    def fullest(self) -> int:
        """Which bin holds most, the first of equals."""
        return max(range(len(self.counts)), key=self.counts.__getitem__)


def histogram(values: Sequence[float]) -> Histogram:
    """Count values in bins whose edges are round numbers.

    Parameters
    ----------
    values
        Finite and not negative, in any order.

    Raises
    ------
    ValueError
        There are no values.
    """
    if not values:
        raise ValueError("a histogram needs values")
    low, high = min(values), max(values)
    # One and a half times as many as Rice's rule has: rounding up their width leaves fewer.
    wanted = min(_MOST_BINS, math.ceil(3 * len(values) ** (1 / 3)))
    width = _round_up((high - low) / wanted) if high > low else _round_up(high / 10 or 1.0)
    # Counted in whole steps: added up, the edges would drift from the round numbers.
    first = math.floor(low / width)
    last = max(math.ceil(high / width), first + 1)
    edges = tuple(step * width for step in range(first, last + 1))
    counts = [0] * (len(edges) - 1)
    for value in values:
        counts[min(max(bisect_right(edges, value) - 1, 0), len(counts) - 1)] += 1
    return Histogram(edges, tuple(counts))


def _round_up(width: float) -> float:
    """Return the next 1, 2 or 5 times a power of ten; tiny widths are taken as 0.001."""
    power = 10.0 ** math.floor(math.log10(max(width, 1e-3)))
    return next(
        (step * power for step in _STEPS if step * power >= width * (1 - 1e-9)), 10.0 * power
    )
