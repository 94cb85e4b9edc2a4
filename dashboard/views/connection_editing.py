"""A connection under edit: its fields' keys, and what its type knows of what is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from components.detail_editor import KEEP, REMOVE, act_key
from dashboard import session
from dashboard.connectors import registry
from dashboard.connectors.base import Connector, FieldKind, FormField
from dashboard.domain.detail_tree import Leaf, ValueKind
from dashboard.services.replacing import Outline

FORM = "edit_connection"


def key_of(name: str) -> str:
    """Widget key of a field of the form."""
    return session.form_key(FORM, name)


def typed(name: str) -> str:
    """What stands in a field now, where it is kept."""
    return str(st.session_state.get(key_of(name)) or "")


def act_of(ordinal: int) -> str:
    """What is to become of a detail."""
    return typed(act_key(ordinal)) or KEEP


@dataclass(frozen=True, slots=True)
class Editor:
    """One connection under edit: its outline, and what its type knows of the leaves.

    Parameters
    ----------
    fields
        The type's form fields; empty for a type without a form.
    known
        The form field of each leaf that has one, by the leaf's place.
    """

    outline: Outline
    connector: Connector
    fields: tuple[FormField, ...]
    known: Mapping[int, FormField]

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """The stored details."""
        return self.outline.leaves

    def of_field(self, key: str) -> tuple[int, ...]:
        """Places of the leaves that belong to a form field."""
        return tuple(place for place, spec in self.known.items() if spec.key == key)

    def others(self) -> tuple[int, ...]:
        """Places of the leaves that no form field covers."""
        return tuple(place for place in range(len(self.leaves)) if place not in self.known)

    def dependents(self, switch: FormField) -> tuple[FormField, ...]:
        """Return the fields that a choice brings up; none for a choice that is stored itself."""
        return tuple(
            one for one in self.fields if one.shown_when and one.shown_when[0] == switch.key
        )

    def stored_choice(self, spec: FormField) -> str:
        """Return the stored value of a choice: its first one where nothing is stored."""
        words = {part.key: part.value for part in self.outline.connection.parts}
        matches = [value for value, told in spec.choices if told == words.get(spec.key)]
        return matches[0] if matches else spec.choices[0][0]


def editor(outline: Outline) -> Editor:
    """Return what there is to edit."""
    connector = registry.connector_for(outline.connection.type)
    if connector not in registry.CONNECTORS:
        return Editor(outline, connector, (), {})
    fields = connector.fields()
    shown = {part.key for part in outline.connection.parts if part.value is not None}
    known: dict[int, FormField] = {}
    for place, leaf in enumerate(outline.leaves):
        spec = _field_of(leaf, fields, outline, shown)
        if spec is not None:
            known[place] = spec
    return Editor(outline, connector, fields, known)


def _field_of(
    leaf: Leaf, fields: Sequence[FormField], outline: Outline, shown: set[str]
) -> FormField | None:
    by_key = {spec.key: spec for spec in fields}
    spec = by_key.get(str(leaf.path[0])) if leaf.path else None
    if len(leaf.path) == 2 and spec is not None and spec.kind is FieldKind.LONG_TEXT:
        return spec
    if len(leaf.path) != 1 or leaf.kind is not ValueKind.TEXT:
        return None
    if spec is not None and spec.kind is FieldKind.CHOICE:
        return spec if spec.key in shown else None
    if spec is None and leaf.path in outline.addresses:
        spec = next((one for one in fields if one.is_required), None)
    return spec if spec is None or spec.kind is not FieldKind.LONG_TEXT else None


def needs_switch(edited: Editor, switch: FormField) -> bool:
    """Whether none of the fields that a choice brings up is stored and stays."""
    places = [place for one in edited.dependents(switch) for place in edited.of_field(one.key)]
    return all(act_of(place) == REMOVE for place in places)
