"""Draws the details of a connection under edit, line by line, in the order of its type's form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from components.connection_form import Bound, correction_words, field_widget
from components.detail_editor import (
    DetailRow,
    added_values,
    detail_row,
    dropped_note,
    everything_anew,
)
from components.messages import field_box
from components.text import count
from dashboard.connectors.base import FieldKind, FormField
from dashboard.domain.check import Health
from dashboard.errors import DashboardError, InvalidInput
from dashboard.views import connection_rows
from dashboard.views.connection_changes import Pending, added_count
from dashboard.views.connection_editing import Editor, key_of, needs_switch

#: Takes a corrected text for a leaf, by its place.
OnCorrect = Callable[[Mapping[int, str]], None]


@dataclass(frozen=True, slots=True)
class _Lines:
    edited: Editor
    now: Pending
    rows: Mapping[int, DetailRow]
    error: DashboardError | None
    at: int | None
    bound: Bound
    on_correct: OnCorrect

    def draw(self, places: Sequence[int]) -> None:
        for place in places:
            own = self.error if place == self.at else None
            detail_row(
                self.rows[place],
                key_of=key_of,
                error=own,
                correction=_correction(own),
                on_correct=self._correct,
            )

    def _correct(self, place: int) -> None:
        if isinstance(self.error, InvalidInput):
            self.on_correct({place: self.error.suggestion})

    def error_at(self, *fields: str) -> DashboardError | None:
        return self.error if self.error is not None and self.error.field in fields else None


def draw(
    edited: Editor,
    now: Pending,
    health: Health | None,
    error: DashboardError | None,
    *,
    on_correct: OnCorrect,
) -> bool:
    """Draw them all; return whether the error found its place among them."""
    rows = connection_rows.rows(edited, now, health)
    at = connection_rows.place_of(error, edited)
    lines = _Lines(edited, now, rows, error, at, now.bound(edited), on_correct)
    if edited.fields:
        return _typed(lines)
    return _tree(lines)


def _typed(lines: _Lines) -> bool:
    edited = lines.edited
    found = lines.at is not None
    for spec in edited.fields:
        if edited.dependents(spec):
            found |= _sign_in(lines, spec)
        elif spec.shown_when is None:
            found |= _field(lines, spec)
        if spec.is_required and lines.now.dropped:
            _dropped(lines)
    others = edited.others()
    if others:
        st.markdown("**Other details**")
        _searched(lines, others)
    return found


def _field(lines: _Lines, spec: FormField) -> bool:
    """Draw a form field: its stored lines, and what can be chosen or added."""
    edited = lines.edited
    places = edited.of_field(spec.key)
    added: FormField | None = None
    stored = ""
    key = key_of(f"new{spec.key}")
    if spec.kind is FieldKind.CHOICE:
        # A stored value that is none of the choices has a line of its own.
        if places or not any(leaf.path == (spec.key,) for leaf in edited.leaves):
            added, key = spec, key_of(spec.key)
            stored = edited.stored_choice(spec)
    else:
        lines.draw(places)
        if spec.kind is FieldKind.LONG_TEXT:
            added = _adding(spec)
        elif spec.is_required and not places:
            added = spec
    if added is None:
        return False
    own = lines.error_at(spec.key, f"new{spec.key}")
    with field_box(spec.key, own):
        is_open = own is not None
        field_widget(added, key, bound=lines.bound, is_open=is_open, stored=stored)
    return own is not None


def _adding(spec: FormField) -> FormField:
    return FormField(spec.key, f"Add {spec.label.lower()}", spec.help, spec.example, spec.kind)


def _sign_in(lines: _Lines, switch: FormField) -> bool:
    """Draw the stored parts of a sign-in; where none stays, the way to add one."""
    edited, found = lines.edited, False
    for spec in edited.dependents(switch):
        lines.draw(edited.of_field(spec.key))
    if not needs_switch(edited, switch):
        return False
    own = lines.error_at(switch.key)
    with field_box(switch.key, own):
        added = FormField(
            switch.key, "Add a sign-in", switch.help, kind=switch.kind, choices=switch.choices
        )
        chosen = field_widget(added, key_of(switch.key), bound=lines.bound)
    found |= own is not None
    for spec in edited.dependents(switch):
        if spec.shown_when == (switch.key, chosen):
            own = lines.error_at(spec.key, f"new{spec.key}")
            with field_box(f"new{spec.key}", own):
                field_widget(spec, key_of(f"new{spec.key}"), bound=lines.bound)
            found |= own is not None
    return found


def _tree(lines: _Lines) -> bool:
    """Draw the details of a type without a form."""
    edited = lines.edited
    anew = st.toggle(
        "Type everything anew",
        help="Instead of keeping what is stored, type all details as JSON.",
        key=key_of("anew"),
    )
    if anew:
        everything_anew(key_of=key_of, error=lines.error_at("everything", "details"))
        return lines.error_at("everything", "details") is not None
    if lines.now.dropped:
        _dropped(lines)
    _searched(lines, range(len(edited.leaves)))
    added = added_count()
    added_values(added, key_of=key_of, error=lines.error)
    names = [f"added_{place}" for place in range(added)]
    return lines.at is not None or lines.error_at(*names) is not None


def _searched(lines: _Lines, places: Sequence[int]) -> None:
    if len(places) > connection_rows.MOST_ROWS:
        st.text_input(
            "Search the details",
            placeholder=f"Part of a name; {count(len(places), 'detail')} in all",
            autocomplete="off",
            key=key_of("search"),
        )
    found, left_out = connection_rows.found_rows(lines.rows, places)
    lines.draw(found)
    if left_out:
        told = f"{count(left_out, 'more detail')} not shown and kept. Search to find one."
        st.markdown(f":small[:gray[{told}]]")


def _dropped(lines: _Lines) -> None:
    labels = [row.label for row in lines.rows.values() if row.is_dropped]
    dropped_note(labels, lines.edited.outline.connection.host or "")


def _correction(error: DashboardError | None) -> str:
    if not isinstance(error, InvalidInput) or not error.suggestion:
        return ""
    return correction_words(error.suggestion)
