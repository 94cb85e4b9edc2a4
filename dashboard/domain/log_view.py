"""What of a pipeline's inference log is looked at, and its rows as they are read."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Any, Final

from dashboard.domain.inference import engine_times
from dashboard.domain.log_times import moment_of

#: The parameters of the address that are read here.
PARAMETERS: Final = ("pipeline", "span", "from", "to", "limit", "only")
LIMITS: Final = (100, 500, 1000)

_LONGEST_NUMBER: Final = 9
_ANOMALIES: Final = "anomalies"
_COUNT: Final = "anomaly.count"
_CHECK: Final = "anomaly."
#: What versions of the platform before 2024 gave in place of the count.
_OLD_COUNT: Final = "check_failures"


class Span(StrEnum):
    """Which part of the log; the value stands in the address."""

    NEWEST = "newest"
    HOUR = "hour"
    DAY = "day"
    RANGE = "range"


_BACK: Final = {Span.HOUR: timedelta(hours=1), Span.DAY: timedelta(days=1)}


@dataclass(frozen=True, slots=True)
class LogChoice:
    """What is looked at.

    Parameters
    ----------
    first, last
        Days, both included, in the reader's zone; only of a range.
    """

    pipeline: int = 0
    span: Span = Span.NEWEST
    first: date | None = None
    last: date | None = None
    limit: int = LIMITS[0]
    only_anomalies: bool = False

    def to_query(self) -> dict[str, str]:
        """Return the parameters of the address; what is as usual is left out."""
        query = {"pipeline": str(self.pipeline)} if self.pipeline else {}
        if self.span is not Span.NEWEST:
            query["span"] = self.span.value
        if self.first is not None:
            query["from"] = self.first.isoformat()
        if self.last is not None:
            query["to"] = self.last.isoformat()
        if self.limit != LIMITS[0]:
            query["limit"] = str(self.limit)
        if self.only_anomalies:
            query["only"] = _ANOMALIES
        return query

    def window(self, now: datetime, zone: tzinfo) -> tuple[datetime, datetime] | None:
        """Return the first and the last moment, aware; None for the newest rows of any time."""
        if self.span in _BACK:
            return now - _BACK[self.span], now
        if self.span is Span.RANGE and self.first is not None and self.last is not None:
            start = datetime.combine(self.first, time.min, zone)
            end = datetime.combine(self.last, time.max, zone)
            return start.astimezone(UTC), end.astimezone(UTC)
        return None


def choice_of(query: Mapping[str, str]) -> LogChoice:
    """Read an address. What it cannot mean is ignored."""
    span = query.get("span", "")
    first, last = _day(query.get("from", "")), _day(query.get("to", ""))
    if first is not None and last is not None and last < first:
        first, last = last, first
    limit = _number(query.get("limit", ""))
    return LogChoice(
        pipeline=_number(query.get("pipeline", "")),
        span=Span(span) if span in set(Span) else Span.NEWEST,
        first=first,
        last=last,
        limit=limit if limit in LIMITS else LIMITS[0],
        only_anomalies=query.get("only") == _ANOMALIES,
    )


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One row of the log as it is read.

    Parameters
    ----------
    at
        UTC; None where the row tells no time.
    inputs, outputs
        By their names, without `in.` and `out.`.
    anomalies
        How many checks of the pipeline failed; None where the log does not tell.
    checks
        Names of the checks that failed, where they are told.
    model_ms
        The engine's own time in the model; None where it is not known.
    overflowed
        Whether it is not known as the engine's clock overflowed.
    model
        Name of the last model; empty where the log does not tell.
    """

    at: datetime | None
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    anomalies: int | None = None
    checks: tuple[str, ...] = ()
    model_ms: float | None = None
    overflowed: bool = False
    model: str = ""


def entry_of(row: Mapping[str, Any]) -> LogEntry:
    """Read one row, flat keys as on the wire."""
    _, model_ms, overflowed = engine_times(row.get("metadata.elapsed"))
    return LogEntry(
        at=moment_of(row.get("time")),
        inputs=_part(row, "in."),
        outputs=_part(row, "out."),
        anomalies=_anomalies(row),
        checks=tuple(
            name.removeprefix(_CHECK)
            for name, value in row.items()
            if name.startswith(_CHECK) and name != _COUNT and value is True
        ),
        model_ms=model_ms,
        overflowed=overflowed,
        model=_model(row.get("metadata.last_model")),
    )


def entries(rows: Sequence[Mapping[str, Any]]) -> tuple[LogEntry, ...]:
    """Read all rows, in their order."""
    return tuple(entry_of(row) for row in rows)


def _part(row: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {key.removeprefix(prefix): row[key] for key in row if key.startswith(prefix)}


def _anomalies(row: Mapping[str, Any]) -> int | None:
    told = row.get(_COUNT, row.get(_OLD_COUNT))
    if isinstance(told, list):
        return len(told)
    return int(told) if isinstance(told, int | float) and math.isfinite(told) else None


def _model(told: object) -> str:
    try:
        named = json.loads(told) if isinstance(told, str) else told
    except (ValueError, RecursionError):
        return ""
    name = named.get("model_name") if isinstance(named, Mapping) else None
    return name if isinstance(name, str) else ""


def _number(text: str) -> int:
    is_number = text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER
    return int(text) if is_number else 0


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == len("2026-01-31") else None
    except ValueError:
        return None
