"""The lines of an edit's page: one for each stored detail, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from components.connection_details import worked_words
from components.connection_form import Bound
from components.detail_editor import KEEP, DetailRow
from components.text import told_when
from dashboard import session
from dashboard.connectors.base import FieldKind, FormField
from dashboard.domain.check import Health
from dashboard.domain.detail_tree import Leaf
from dashboard.errors import DashboardError
from dashboard.views.connection_changes import Pending
from dashboard.views.connection_editing import Editor, act_of, needs_switch, typed

#: So many lines are drawn at once; with more, a search finds the others.
MOST_ROWS = 40


def rows(edited: Editor, pending: Pending, health: Health | None) -> dict[int, DetailRow]:
    """Return every leaf as a line, by its place."""
    moved = {leaf.path for leaf in pending.moved}
    dropped = {leaf.path for leaf in pending.dropped}
    bound = pending.bound(edited)
    drawn = {}
    for place, leaf in enumerate(edited.leaves):
        spec = edited.known.get(place)
        is_proven = leaf.path in edited.outline.addresses or (
            health is not None and health.asks_for_sign_in
        )
        told = health if edited.connector.uses(leaf.path) else None
        status = _status(leaf, told, is_proven=is_proven)
        row = DetailRow(
            place,
            leaf.label,
            status if spec else f"{leaf.kind.value}, {status}",
            kind=leaf.kind,
            is_free_text=spec is None,
            can_remove=bool(leaf.path),
            is_moved=leaf.path in moved,
            is_dropped=leaf.path in dropped,
        )
        drawn[place] = row if spec is None else _typed_row(row, spec, leaf, edited, bound)
    return drawn


def _typed_row(
    row: DetailRow, spec: FormField, leaf: Leaf, edited: Editor, bound: Bound
) -> DetailRow:
    is_link = leaf.path in edited.outline.addresses
    is_header = len(leaf.path) == 2
    shown = [
        f"{part.label.lower()} {part.value}"
        for part in edited.outline.connection.parts
        if part.key.startswith(f"{leaf.path[0]}.") and part.value
    ]
    is_secret = spec.kind is FieldKind.SECRET or is_header
    return replace(
        row,
        label=f"Header {leaf.path[-1]}" if is_header else spec.label,
        shown=", ".join(shown) if is_link else "",
        is_masked=is_secret,
        is_free_text=False,
        can_remove=not spec.is_required,
        example=spec.example if is_link else "",
        bound=bound if is_secret else None,
    )


def _status(leaf: Leaf, health: Health | None, *, is_proven: bool) -> str:
    if not leaf.is_set:
        return "not set"
    now = datetime.now(UTC)
    told = "set"
    if leaf.set_at is not None:
        told += f" {told_when(leaf.set_at, now=now, zone=session.zone())}"
    worked_at = health.last_passed_at if health is not None else None
    if worked_at is not None and (leaf.set_at is None or worked_at >= leaf.set_at):
        words = worked_words(is_proven=is_proven)
        told += f", {words} {told_when(worked_at, now=now, zone=session.zone())}"
    return told


def found_rows(drawn: Mapping[int, DetailRow], places: Sequence[int]) -> tuple[list[int], int]:
    """Return the places to draw of `places`, and how many are left out.

    What was changed is always among them: a field that is not drawn loses what is typed.
    """
    words = typed("search").casefold().split()
    moved = [place for place in places if act_of(place) != KEEP or drawn[place].is_moved]
    rest = [
        place
        for place in places
        if place not in set(moved) and all(one in drawn[place].label.casefold() for one in words)
    ]
    taken = rest[: max(0, MOST_ROWS - len(moved))]
    return sorted([*moved, *taken]), len(rest) - len(taken)


def place_of(error: DashboardError | None, edited: Editor) -> int | None:
    """Place of the leaf that an error belongs to; None if it belongs to none."""
    at = error.field if error is not None else None
    if not at:
        return None
    if at.startswith("row_"):
        return int(at.removeprefix("row_"))
    spec = next((one for one in edited.fields if one.key == at), None)
    own = edited.of_field(at) if spec is not None and spec.kind is not FieldKind.LONG_TEXT else ()
    if (
        spec is not None
        and (dependents := edited.dependents(spec))
        and not needs_switch(edited, spec)
    ):
        own = tuple(place for one in dependents for place in edited.of_field(one.key))
    exact = [place for place, leaf in enumerate(edited.leaves) if leaf.path == (at,)]
    inner = [place for place, leaf in enumerate(edited.leaves) if leaf.path[:1] == (at,)]
    return next(iter([*own, *exact, *(one for one in inner if act_of(one) != KEEP)]), None)
