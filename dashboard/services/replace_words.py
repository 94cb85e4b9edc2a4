"""What a guarded replace tells its owner. Names and labels, never values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from dashboard.domain.detail_tree import Change, ChangeAct, Leaf, label_of, value_at
from dashboard.domain.replacement import Replacement, ReplaceState
from dashboard.errors import Conflict, DashboardError

_MOST_NAMED: Final = 3
NOTHING_CHANGED: Final = "Nothing was changed"
UNFINISHED_HINT: Final = (
    "Both the new and the old details are kept on the platform, as two temporary connections. "
    "On the page Connections you can finish the change or take it back."
)


class Unfinished(Conflict):
    """A replace stopped half-way; the journal has it."""

    title = "The change is unfinished"


def done(
    name: str,
    before: Any,  # noqa: ANN401 - any JSON value
    changes: Sequence[Change],
    dropped: Sequence[Leaf],
) -> str:
    """Say what was changed, as in `press-releases: token replaced` and a full stop."""
    acts: dict[str, list[str]] = {"replaced": [], "added": [], "removed": []}
    for change in changes:
        word = "removed" if change.act is ChangeAct.REMOVE else _word(before, change)
        acts[word].append(label_of(change.path))
    parts = [f"{_listed(labels)} {word}" for word, labels in acts.items() if labels]
    told = f"{name}: {', '.join(parts)}."
    if dropped:
        told += f" Dropped with the old address: {_listed([leaf.label for leaf in dropped])}."
    return told


def _word(before: Any, change: Change) -> str:  # noqa: ANN401 - any JSON value
    try:
        value_at(before, change.path)
    except KeyError:
        return "added"
    return "replaced"


def _listed(labels: Sequence[str]) -> str:
    if len(labels) > _MOST_NAMED:
        return f"{len(labels)} fields"
    return " and ".join(filter(None, (", ".join(labels[:-1]), labels[-1])))


def brought(name: str, asked: ReplaceState, reached: ReplaceState) -> str:
    """Say where an unfinished replace was brought, New or Old, and that no other way was left."""
    if reached is ReplaceState.NEW:
        if asked is reached:
            return f"{name}: the change is finished."
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


def deleted_meanwhile(name: str) -> Conflict:
    """Return the error for a connection that is gone."""
    return Conflict(
        f"{name} was deleted by somebody else meanwhile.",
        title=NOTHING_CHANGED,
        hint="Look for it in the list of connections.",
    )


def changed_meanwhile(name: str) -> Conflict:
    """Return the error for a connection that is not the one the editor saw."""
    return Conflict(
        f"{name} was changed by somebody else meanwhile.",
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
