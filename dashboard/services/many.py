"""Doing one thing to many, one after the other, and telling what really happened."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from dashboard.errors import Conflict, ConnectionFailed, DashboardError, bare
from dashboard.services.jobs import Outcome

T = TypeVar("T")
#: Reasons told in one message.
_MOST_REASONS: Final = 3


@dataclass(slots=True)
class Tally(Generic[T]):
    """How it went with each.

    Parameters
    ----------
    done
        Those that it was done to.
    troubles
        The others, with the reason of each.
    untried
        Those left alone because the platform could not be used any more.
    """

    done: list[T] = field(default_factory=list)
    troubles: list[tuple[T, DashboardError]] = field(default_factory=list)
    untried: list[T] = field(default_factory=list)

    def told(self, done: str, *, not_done: str, words: Callable[[T], str]) -> Outcome:
        """Say what was done, and what was not and why.

        Parameters
        ----------
        done
            What was done in words; empty if nothing was.
        not_done
            Completes "1 …" for those in trouble, such as `could not be deleted`.
        words
            Names one of them.

        Raises
        ------
        DashboardError
            Nothing was done.
        """
        parts = [f"{done}."] if done else []
        if self.troubles:
            reasons = [f"{words(one)}: {error.message}" for one, error in self.troubles]
            if len(reasons) > _MOST_REASONS:
                reasons[_MOST_REASONS:] = [f"and {len(reasons) - _MOST_REASONS:,} more."]
            parts.append(f"{len(self.troubles):,} {not_done}: {' '.join(reasons)}")
        if self.untried:
            were = "was" if len(self.untried) == 1 else "were"
            parts.append(f"{len(self.untried):,} {were} not tried.")
        if done or not self.troubles:
            return Outcome(
                " ".join(parts) or "There was nothing to do.",
                is_partial=bool(self.troubles or self.untried),
            )
        if len(self.troubles) == 1:
            raise self.troubles[0][1]
        raise Conflict(" ".join(parts))


def to_each(many: Iterable[T], act: Callable[[T], None]) -> Tally[T]:
    """Do `act` to each; one that fails does not stop the others, a platform that is gone does."""
    tally: Tally[T] = Tally()
    is_gone = False
    for one in many:
        if is_gone:
            tally.untried.append(one)
            continue
        try:
            act(one)
        except DashboardError as exc:
            tally.troubles.append((one, bare(exc)))
            # Each of the others would take the time-out again.
            is_gone = isinstance(exc, ConnectionFailed)
        else:
            tally.done.append(one)
    return tally


def number(count: int, noun: str) -> str:
    """Return a number with its noun: `1 link`, `24 links`."""
    return f"{count:,} {noun if count == 1 else noun + 's'}"
