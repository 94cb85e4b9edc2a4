"""Edits of connections in words: what of them stands on the platform, and what they did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from components import presenting
from components.text import count, duration, md, short
from dashboard.domain.connection import Connection
from dashboard.domain.replacement import Replacement, ReplaceState

_LONGEST = 80
_LONGEST_LISTED = 40
_MOST_LISTED = 4
#: A name that was missing for less is nothing to tell of.
_LONG_MISSING_MS = 2_000
_LEFT_ALONE = "Whatever stands under the name stays as it is, and the temporary copies are deleted."


@dataclass(frozen=True, slots=True)
class NowThere:
    """What of an edit stands on the platform now.

    Parameters
    ----------
    named
        What stands under the name; None if nothing does.
    new_copy, old_copy
        Whether the temporary copies with the new and the old details are there.
    """

    named: Connection | None
    new_copy: bool
    old_copy: bool


def receipt_words(edit: Replacement) -> str:
    """Return Markdown of what an edit did, in a line or two."""
    name = md(short(edit.connection_name, _LONGEST))
    if edit.state is ReplaceState.LEFT:
        return f":material/info: **{name}: left as it is.** The temporary copies are deleted."
    if edit.state is ReplaceState.OLD:
        told = f":material/info: **{name}: not edited.** The old details are in place."
        return (
            f"{told}  \n:small[:gray[{md(presenting.words(edit.reason))}]]" if edit.reason else told
        )
    facts = [f"Changed: {_listed(edit.fields)}."] if edit.fields else []
    if edit.rooms:
        kept = _listed([room.name for room in edit.rooms])
        facts.append(f"{count(len(edit.rooms), 'link')} kept: {kept}.")
    if edit.missing_ms is not None and edit.missing_ms >= _LONG_MISSING_MS:
        missing = duration(edit.missing_ms / 1000)
        facts.append(f"Scripts did not find the name for {missing}.")
    told = f":green[:material/check_circle:] **{name}: edited.**"
    return f"{told} :gray[{' '.join(facts)}]" if facts else told


def _listed(names: Sequence[str]) -> str:
    shown = [md(short(name, _LONGEST_LISTED)) for name in names[:_MOST_LISTED]]
    if len(names) > _MOST_LISTED:
        shown.append(f"{len(names) - _MOST_LISTED} more")
    return ", ".join(shown)


def now_words(edit: Replacement, now_there: NowThere | None) -> str:
    """Say what of it stands on the platform now."""
    if now_there is None:
        return ""
    told = [_named_words(edit, now_there.named)]
    kept = [
        f"the {which} ones as **{md(name)}**"
        for which, name, is_there in (
            ("new", edit.new_copy_name, now_there.new_copy),
            ("old", edit.old_copy_name, now_there.old_copy),
        )
        if is_there
    ]
    if kept:
        told.append(f"Kept besides, linked to nothing: {' and '.join(kept)}.")
    return " ".join(told)


def _named_words(edit: Replacement, named: Connection | None) -> str:
    if named is None:
        return "Nothing stands under the name now: scripts do not find it."
    if named.connection_id == edit.old_id:
        return "Under the name stand the old details."
    if named.connection_id == edit.new_id:
        which = {ReplaceState.NEW: "the new details", ReplaceState.OLD: "the old details"}
        told = which.get(edit.settled, "details") if edit.settled is not None else "details"
        return f"Under the name stand {told}, put there by this edit."
    if edit.settled is None:
        # Whoever was stopped may have made it and not have written that down.
        return (
            "Under the name stands a connection made meanwhile, by this edit or by somebody else. "
            "Both ways out find out which, and overwrite nobody's."
        )
    return "Under the name stands a connection that somebody else made meanwhile."


def leaving_words(now_there: NowThere | None) -> str:
    """Say what leaving an edit as it is would do."""
    if now_there is not None and now_there.named is None:
        return (
            ":orange[:material/warning:] Nothing stands under the name, and the temporary copies "
            "are deleted: both the old and the new details are lost."
        )
    return _LEFT_ALONE
