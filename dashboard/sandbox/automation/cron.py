"""Schedules in the five fields of cron, read as a Kubernetes CronJob reads them; times are UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

_MONTHS: Final = (
    *("jan", "feb", "mar", "apr", "may", "jun"),
    *("jul", "aug", "sep", "oct", "nov", "dec"),
)
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MACROS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class BadSchedule(Exception):
    """The text is no schedule; the message says which part of it."""


@dataclass(frozen=True, slots=True)
class _Field:
    """One of the five fields: its name, its bounds, and names that stand for numbers."""

    name: str
    least: int
    most: int
    names: dict[str, int]


_FIELDS: Final = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of the month", 1, 31, {}),
    _Field("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    _Field("day of the week", 0, 6, {name: number for number, name in enumerate(_DAYS)}),
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When something is due, to the minute.

    Parameters
    ----------
    minutes, hours, days, months, weekdays
        The numbers that fit each field; Sunday is 0.
    any_day, any_weekday
        Whether the field began with a star. Of two fields without one, either is enough.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool

    def fits(self, minute: int) -> bool:
        """Say whether a minute since the epoch is one of its own."""
        moment = datetime.fromtimestamp(minute * 60, UTC)
        day = moment.day in self.days
        weekday = moment.isoweekday() % 7 in self.weekdays
        on_day = (day and weekday) if self.any_day or self.any_weekday else (day or weekday)
        return (
            on_day
            and moment.minute in self.minutes
            and moment.hour in self.hours
            and moment.month in self.months
        )


def parse(text: str) -> Schedule:
    """Read a schedule such as `*/15 8-18 * * mon-fri` or `@daily`.

    Commas that part nothing are let pass, as Kubernetes does: `*/1, *, *, *, *` is every minute.

    Raises
    ------
    BadSchedule
        If it has not five fields, or one of them cannot be read.
    """
    parts = _MACROS.get(text.strip().lower(), text).split()
    if len(parts) != len(_FIELDS):
        raise BadSchedule(f"a schedule has 5 fields, this one has {len(parts)}")
    minutes, hours, days, months, weekdays = (
        _numbers(field, part.lower()) for field, part in zip(_FIELDS, parts, strict=True)
    )
    return Schedule(
        minutes,
        hours,
        days,
        months,
        weekdays,
        any_day=parts[2][0] in "*?",
        any_weekday=parts[4][0] in "*?",
    )


def _numbers(field: _Field, text: str) -> frozenset[int]:
    pieces = [piece for piece in text.split(",") if piece]
    if not pieces:
        raise BadSchedule(f"the {field.name} is empty")
    return frozenset(number for piece in pieces for number in _range(field, piece))


def _range(field: _Field, piece: str) -> range:
    span, slash, step_text = piece.partition("/")
    step = _number(field, step_text) if slash else 1
    if step < 1:
        raise BadSchedule(f"the {field.name} has a step of {step}")
    if span in ("*", "?"):
        return range(field.least, field.most + 1, step)
    first_text, dash, last_text = span.partition("-")
    first = _number(field, first_text)
    last = _number(field, last_text) if dash else (field.most if slash else first)
    if not field.least <= first <= last <= field.most:
        raise BadSchedule(
            f"the {field.name} {span[:40]!r} is not between {field.least} and {field.most}"
        )
    return range(first, last + 1, step)


def _number(field: _Field, text: str) -> int:
    if text in field.names:
        return field.names[text]
    if not (text.isascii() and text.isdecimal() and len(text) < 5):
        raise BadSchedule(f"the {field.name} {text[:40]!r} cannot be read")
    return int(text)
