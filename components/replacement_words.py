"""Edits of connections in words: what of them stands on the platform, and what they did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo

from components.health_words import told_when
from components.text import count, duration, md, short
from dashboard.domain.connection import Connection
from dashboard.domain.replacement import Replacement, ReplaceState

_LONGEST = 80
_SHORT_ID = 8
_MOST_FIELDS = 8
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


def receipt_words(
    edit: Replacement, now_there: NowThere | None, *, now: datetime, zone: tzinfo
) -> str:
    """Return Markdown of what an edit did, in a line or two."""
    name = md(short(edit.connection_name, _LONGEST))
    if edit.state is ReplaceState.LEFT:
        return f":material/info: **{name}: left as it is.** The temporary copies are deleted."
    if edit.state is ReplaceState.OLD:
        told = f":material/info: **{name}: not edited.** The old details are in place."
        return f"{told}  \n:small[:gray[{md(edit.reason)}]]" if edit.reason else told
    made = now_there.named if now_there is not None else None
    made_at = edit.ended_at
    if made is not None and made.connection_id == edit.new_id:
        made_at = made.created_at
    facts = [f"Changed or dropped: {_fields(edit)}."] if edit.fields else []
    if edit.new_id and made_at is not None:
        created = told_when(made_at, now=now, zone=zone)
        facts.append(f"New id {md(edit.new_id[:_SHORT_ID])}…, created {created}.")
    facts.append(_links(edit))
    if edit.missing_ms is not None:
        facts.append(f"The name was missing for {duration(edit.missing_ms / 1000)}.")
    return f":green[:material/check_circle:] **{name}: edited.** :gray[{' '.join(facts)}]"


def _links(edit: Replacement) -> str:
    if not edit.rooms:
        return "It is linked to nothing, as before."
    names = ", ".join(md(short(room.name, _LONGEST)) for room in edit.rooms)
    return f"{count(len(edit.rooms), 'link')} kept: {names}."


def _fields(edit: Replacement) -> str:
    names = [md(short(name, _LONGEST)) for name in edit.fields[:_MOST_FIELDS]]
    if len(edit.fields) > _MOST_FIELDS:
        names.append(f"{len(edit.fields) - _MOST_FIELDS} more")
    return ", ".join(names)


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
    return "Under the name stands a connection that somebody else made meanwhile."


def leaving_words(now_there: NowThere | None) -> str:
    """Say what leaving an edit as it is would do."""
    if now_there is not None and now_there.named is None:
        return (
            ":orange[:material/warning:] Nothing stands under the name, and the temporary copies "
            "are deleted: both the old and the new details are lost."
        )
    return _LEFT_ALONE
