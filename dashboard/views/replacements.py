"""Edits that are unfinished, and the receipts of those that are over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from components.replacement_cards import (
    ReplaceAct,
    receipt_card,
    running_line,
    unfinished_card,
)
from components.replacement_words import NowThere
from dashboard import live, runtime
from dashboard.domain.connection import Connection
from dashboard.domain.replacement import Replacement, ReplaceState

_RECEIPT_FOR = timedelta(minutes=10)


def draw() -> None:
    """Draw what the reader has to know of their edits, above the list of connections."""
    current = runtime.current()
    who = current.identity()
    edits = live.read(current.replacing.replacements(who)).value or ()
    if not edits:
        return
    present = live.read(current.catalog.connections(who)).value
    is_first = True
    for edit in edits:
        if edit.state is ReplaceState.UNFINISHED:
            draw_unfinished(edit, present, is_first=is_first)
            is_first = False
        elif edit.state is ReplaceState.RUNNING:
            running_line(edit)
    receipt = _newest_receipt(edits)
    if receipt is not None and _is_there(receipt, present):
        receipt_card(receipt, on_dismiss=partial(_dismiss, receipt.replacement_id))


def draw_unfinished(
    edit: Replacement, present: Sequence[Connection] | None, *, is_first: bool
) -> None:
    """Draw the card of an unfinished edit: in the list, and where it is edited again.

    Parameters
    ----------
    present
        The connections that are there; None while they are not known.
    is_first
        Whether its way to finish is the view's primary button.
    """
    current = runtime.current()
    unfinished_card(
        edit,
        _now_there(edit, present),
        is_first=is_first,
        is_busy=bool(current.jobs.running(current.identity())),
        on_act=partial(_act, edit),
    )


def _newest_receipt(edits: Sequence[Replacement]) -> Replacement | None:
    over = [one for one in edits if one.state.is_over and one.ended_at is not None]
    newest = max(over, key=lambda one: one.ended_at or one.begun_at, default=None)
    if newest is None or not is_recent(newest):
        return None
    is_dismissed = runtime.current().marks.get(_dismissed_mark()) == newest.replacement_id
    return None if is_dismissed else newest


def _dismissed_mark() -> str:
    """Key of the mark of the receipt this person dismissed last: only the newest is ever shown."""
    return f"receipt_dismissed_{runtime.current().identity().user_id}"


def _dismiss(replacement_id: str) -> None:
    runtime.current().marks.put(_dismissed_mark(), replacement_id)


def _is_there(edit: Replacement, present: Sequence[Connection] | None) -> bool:
    """Whether what a receipt speaks of is there: an edit that was left may have nothing there."""
    if edit.state is ReplaceState.LEFT:
        return True
    return any(one.name == edit.connection_name for one in present or ())


def is_recent(edit: Replacement) -> bool:
    """Whether an edit ended a moment ago, so that its editor is to be told."""
    return edit.ended_at is not None and datetime.now(UTC) - edit.ended_at < _RECEIPT_FOR


def _now_there(edit: Replacement, present: Sequence[Connection] | None) -> NowThere | None:
    if present is None:
        return None
    by_name = {one.name: one for one in present}
    return NowThere(
        by_name.get(edit.connection_name),
        new_copy=edit.new_copy_name in by_name,
        old_copy=edit.old_copy_name in by_name,
    )


def _act(edit: Replacement, act: ReplaceAct) -> None:
    current = runtime.current()
    who = current.identity()
    name = edit.connection_name
    does, doing = {
        ReplaceAct.FINISH: (current.replacing.finish, f"Finishing the edit of {name}"),
        ReplaceAct.RESTORE: (current.replacing.restore, f"Taking back the edit of {name}"),
        ReplaceAct.LEAVE: (current.replacing.leave, f"Closing the edit of {name}"),
    }[act]
    live.submit(
        lambda: does(who, edit.replacement_id),
        doing=doing,
        # One of the three: they stand beside each other, and a second click is no second wish.
        once=f"replacement:{edit.replacement_id}",
    )
