"""What of the list of runs is looked at, and how the page's address says it.

Ids, days and words of ours only: names of pipelines and connections, and what is typed into the
search, are not written there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Final

from dashboard.domain.run import RunState

#: Words for times before now, and how many days they go back beyond today.
PERIODS: Final = {"today": 0, "week": 6, "month": 29}

_LONGEST_ID: Final = 64
_LONGEST_NUMBER: Final = 9
_BY_WORD: Final = {state.value.lower(): state for state in RunState}
_BETWEEN: Final = ".."


@dataclass(frozen=True, slots=True)
class RunChoice:
    """Filters and page.

    Parameters
    ----------
    version
        Id of a pipeline's version; empty for all.
    person
        Id of a person; empty for all.
    when
        One of `PERIODS`, or two days as `2026-11-01..2026-11-05`; empty for any time.
    page
        Counts from 1. May be past the end.
    """

    version: str = ""
    person: str = ""
    state: RunState | None = None
    when: str = ""
    only_flagged: bool = False
    page: int = 1

    def to_query(self) -> dict[str, str]:
        """Return the parameters of the address; what is as usual is left out."""
        told = {
            "version": self.version,
            "person": self.person,
            "state": self.state.value.lower() if self.state is not None else "",
            "when": self.when,
            "flagged": "1" if self.only_flagged else "",
            "page": str(self.page) if self.page > 1 else "",
        }
        return {name: value for name, value in told.items() if value}


#: The parameters of the address that are read here.
PARAMETERS: Final = ("version", "person", "state", "when", "flagged", "page")


def choice_of(query: Mapping[str, str]) -> RunChoice:
    """Read an address. What it cannot mean is ignored."""
    when = query.get("when", "")
    return RunChoice(
        version=query.get("version", "")[:_LONGEST_ID],
        person=query.get("person", "")[:_LONGEST_ID],
        state=_BY_WORD.get(query.get("state", "")),
        when=when if when in PERIODS or days_of(when) is not None else "",
        only_flagged=query.get("flagged") == "1",
        page=_number(query.get("page", "")) or 1,
    )


def between(first: date, last: date) -> str:
    """Return two days as `RunChoice.when` has them."""
    return f"{first.isoformat()}{_BETWEEN}{last.isoformat()}"


def days_of(when: str) -> tuple[date, date] | None:
    """Return the two days that `when` names; None if it names none."""
    first, found, last = when.partition(_BETWEEN)
    try:
        days = date.fromisoformat(first), date.fromisoformat(last)
    except ValueError:
        return None
    return days if found and days[0] <= days[1] < date.max else None


def span_of(
    when: str, *, now: datetime, zone: tzinfo
) -> tuple[datetime, datetime | None] | tuple[None, None]:
    """Return the times from which and before which runs are wanted; days are those of `zone`."""
    if when in PERIODS:
        first = now.astimezone(zone).date() - timedelta(days=PERIODS[when])
        return datetime.combine(first, time(), zone), None
    days = days_of(when)
    if days is None:
        return None, None
    return (
        datetime.combine(days[0], time(), zone),
        datetime.combine(days[1] + timedelta(days=1), time(), zone),
    )


def _number(text: str) -> int:
    is_number = text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER
    return int(text) if is_number else 0
