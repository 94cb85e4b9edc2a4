"""What a guarded replace tells its owner. Names and labels, never values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dashboard.domain.replacement import Replacement, ReplaceState
from dashboard.errors import Conflict, DashboardError

_MOST_NAMED: Final = 3
NOTHING_CHANGED: Final = "Nothing was changed"
UNFINISHED_HINT: Final = (
    "Both the new and the old details are kept on the platform, as two temporary connections. "
    "On the page Connections you can finish the change or take it back."
)


class ChangedMeanwhile(Conflict):
    """The connection is not the one that the editor saw."""


class Unfinished(Conflict):
    """A replace stopped half-way; the journal has it."""

    title = "The change is unfinished"


def done(record: Replacement, dropped: Sequence[str] = ()) -> str:
    """Say that an edit is done and what it changed: the same to whichever window asks.

    Parameters
    ----------
    dropped
        Those of the record's fields that went with the old address, where that is still known.
    """
    changed = [name for name in record.fields if name not in dropped]
    told = f"Your edit of {record.connection_name} is done."
    if changed:
        told += f" Changed: {_listed(changed)}."
    return f"{told} Dropped with the old address: {_listed(dropped)}." if dropped else told


def _listed(labels: Sequence[str]) -> str:
    if len(labels) > _MOST_NAMED:
        return f"{len(labels)} details"
    return " and ".join(filter(None, (", ".join(labels[:-1]), labels[-1])))


def brought(record: Replacement, asked: ReplaceState, reached: ReplaceState) -> str:
    """Say where an unfinished replace was brought, New or Old, and that no other way was left."""
    name = record.connection_name
    if reached is ReplaceState.NEW:
        if asked is reached:
            return done(record)
        return f"The old details are gone: {name} keeps the new ones."
    if asked is reached:
        return f"{name} is as it was again."
    return f"The new details are gone: {name} is as it was."


def not_changed(name: str, cause: DashboardError) -> Conflict:
    """Return the error of a replace that was given up and left nothing behind."""
    if isinstance(cause, Conflict) and cause.title == NOTHING_CHANGED:
        return cause
    return Conflict(f"{cause.message} {name} is as it was.", title=NOTHING_CHANGED, hint=cause.hint)


def unfinished(record: Replacement, cause: DashboardError) -> Unfinished:
    """Return the error of a replace that stopped half-way."""
    name = record.connection_name
    if record.settled is ReplaceState.OLD:
        return Unfinished(
            f"{cause.message} {name} is as it was, but temporary connections may be left.",
            hint="On the page Connections you can finish the change or take it back: both delete "
            "them.",
        )
    return Unfinished(f"{cause.message} {name} is only half changed.", hint=UNFINISHED_HINT)


def running_already(name: str) -> Conflict:
    """Return the error for a second replace of the same connection at the same time."""
    return Conflict(
        f"{name} is being changed at this moment.",
        title=NOTHING_CHANGED,
        hint="Wait until that is done, then open it again.",
    )


def deleted_meanwhile(name: str) -> ChangedMeanwhile:
    """Return the error for a connection that is gone."""
    return ChangedMeanwhile(
        f"{name} was deleted by somebody else meanwhile.",
        title=NOTHING_CHANGED,
        hint="Look for it in the list of connections.",
    )


def changed_meanwhile(name: str) -> ChangedMeanwhile:
    """Return the error for a connection that is not the one the editor saw."""
    return ChangedMeanwhile(
        f"{name} was changed by somebody else meanwhile.",
        title=NOTHING_CHANGED,
        hint="Open it again and look at it before you change it.",
    )


def edited_by_you(name: str) -> ChangedMeanwhile:
    """Return the error for a connection that its own editor has edited elsewhere."""
    return ChangedMeanwhile(
        f"You have edited {name} in another window meanwhile.",
        title=NOTHING_CHANGED,
        hint="Open it again and look at it before you change it.",
    )


def gone(name: str) -> Conflict:
    """Return the error for looking at a connection that is not there any more."""
    return Conflict(
        f"{name} does not exist any more.",
        title="It is gone",
        hint="Look for it in the list of connections.",
    )


def another_by_now(name: str) -> Conflict:
    """Return the error for looking at a connection whose name stands for another one by now."""
    return Conflict(
        f"Another connection is called {name} by now.",
        title="It was replaced",
        hint="Open that one from the list of connections.",
    )


def not_finished_before(name: str) -> Conflict:
    """Return the error for a connection with an unfinished replace of the same person."""
    return Conflict(
        f"An earlier change of {name} is not finished yet.",
        title=NOTHING_CHANGED,
        hint="Finish it or take it back first.",
    )


def copy_is_gone(target: ReplaceState, *, other_is_there: bool) -> Conflict:
    """Return the error for a way that is barred, because its details are gone."""
    what, way = (
        ("new", "Take the change back: the old details are still there.")
        if target is ReplaceState.NEW
        else ("old", "Finish the change: the new details are still there.")
    )
    return Conflict(
        f"The temporary connection with the {what} details is gone.",
        hint=way if other_is_there else "Neither the old nor the new details are left.",
    )


def only_copies_left(name: str) -> Conflict:
    """Return the refusal to delete the last place where the details are."""
    return Conflict(
        f"Neither the old nor the new {name} is there, so the temporary connections are all that "
        "is left of its details.",
        title="They were not deleted",
        hint="Finish the change or take it back. If nobody needs the details, delete the temporary "
        "connections in the list, then leave it.",
    )
