"""Reads the form of an edit: the changes that follow from it, and what is not complete yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import streamlit as st

from components.connection_form import Bound
from components.detail_editor import REMOVE, REPLACE, value_key
from dashboard import runtime
from dashboard.connectors.base import FieldKind, FormField
from dashboard.connectors.describing import shown_link
from dashboard.connectors.http_form import validated_headers
from dashboard.domain.detail_tree import Change, ChangeAct, Leaf, Path, ValueKind
from dashboard.domain.json_text import json_value
from dashboard.errors import InvalidInput
from dashboard.masking import Secret
from dashboard.views.connection_editing import Editor, act_of, key_of, needs_switch, typed


@dataclass(frozen=True, slots=True)
class Pending:
    """The changes that follow from the form as it is.

    Parameters
    ----------
    moved
        Leaves that are bound to an address that changes: kept nowhere.
    dropped
        Those of them that are not typed again.
    trouble
        What is not complete yet; None if nothing is.
    """

    changes: tuple[Change, ...] = ()
    moved: tuple[Leaf, ...] = ()
    dropped: tuple[Leaf, ...] = ()
    trouble: InvalidInput | None = None

    def bound(self, edited: Editor) -> Bound:
        """Where the secrets will be sent."""
        for change in self.changes:
            if change.path in edited.outline.addresses and change.value is not None:
                link = shown_link(change.value.reveal(), may_lack_scheme=True)
                return Bound(link.host, link.scheme == "http") if link is not None else Bound()
        parts = {part.key: part.value for part in edited.outline.connection.parts}
        is_plain = "http" in (parts.get("url.scheme"), parts.get("host.scheme"))
        return Bound(edited.outline.connection.host or "", is_plain)


def pending(edited: Editor, corrected: Mapping[int, str] | None = None) -> Pending:
    """Read the form.

    Parameters
    ----------
    corrected
        Texts to take instead of what is typed for a leaf, by its place.
    """
    collected = _Collected()
    if st.session_state.get(key_of("anew")):
        collected.attempt(_everything)
        return collected.pending(())
    for place, leaf in enumerate(edited.leaves):
        if act_of(place) == REMOVE:
            collected.add([Change(leaf.path, ChangeAct.REMOVE)])
        elif act_of(place) == REPLACE:
            collected.attempt(partial(_replaced, edited, place, corrected or {}))
    for spec in edited.fields:
        collected.attempt(partial(_of_field, edited, spec))
    for place in range(added_count()):
        collected.attempt(partial(_added, edited, place))
    moved = runtime.current().replacing.dropped_by(edited.outline, collected.changes)
    paths = {leaf.path for leaf in moved}
    for place, leaf in enumerate(edited.leaves):
        if leaf.path in paths and typed(value_key(place)).strip():
            collected.attempt(partial(_replaced, edited, place, corrected or {}))
    return collected.pending(moved)


class _Collected:
    """Changes by their path, and the first trouble."""

    def __init__(self) -> None:
        self._by_path: dict[Path, Change] = {}
        self._trouble: InvalidInput | None = None

    @property
    def changes(self) -> tuple[Change, ...]:
        return tuple(self._by_path.values())

    def add(self, changes: Sequence[Change]) -> None:
        self._by_path |= {change.path: change for change in changes}

    def attempt(self, read: Callable[[], list[Change]]) -> None:
        try:
            self.add(read())
        except InvalidInput as error:
            self._trouble = self._trouble or error

    def pending(self, moved: Sequence[Leaf]) -> Pending:
        dropped = tuple(leaf for leaf in moved if leaf.path not in self._by_path)
        return Pending(self.changes, tuple(moved), dropped, self._trouble)


def _everything() -> list[Change]:
    text = typed("everything")
    if not text.strip():
        raise InvalidInput("Type the details as JSON.", field="everything")
    value = json_value(text, field="everything")
    if not isinstance(value, dict):
        raise InvalidInput("The details are names and values between { and }.", field="everything")
    return [Change((), ChangeAct.REPLACE, Secret(value))]


def _replaced(edited: Editor, place: int, corrected: Mapping[int, str]) -> list[Change]:
    leaf, at = edited.leaves[place], f"row_{place}"
    text = corrected.get(place, typed(value_key(place)))
    if not text.strip():
        raise InvalidInput("Type the new value, or keep the old one.", field=at)
    if leaf.kind is not ValueKind.TEXT:
        value = json_value(text, field=at)
    else:
        value = text.strip() if place in edited.known else text
    return [Change(leaf.path, ChangeAct.REPLACE, Secret(value))]


def _of_field(edited: Editor, spec: FormField) -> list[Change]:
    """Return what is changed in a form field besides the lines of its leaves."""
    if edited.dependents(spec):
        return _signed_in(edited, spec)
    if spec.kind is FieldKind.CHOICE:
        return _chosen(edited, spec)
    if spec.kind is FieldKind.LONG_TEXT:
        return _headers(edited, spec)
    if spec.is_required and not edited.of_field(spec.key) and typed(f"new{spec.key}").strip():
        return [Change((spec.key,), ChangeAct.REPLACE, Secret(typed(f"new{spec.key}").strip()))]
    return []


def _signed_in(edited: Editor, switch: FormField) -> list[Change]:
    if not needs_switch(edited, switch):
        return []
    made = []
    for spec in edited.dependents(switch):
        if spec.shown_when != (switch.key, typed(switch.key)):
            continue
        text = typed(f"new{spec.key}")
        if not text.strip():
            raise InvalidInput(f"Type the {spec.label.lower()}.", field=f"new{spec.key}")
        made.append(Change((spec.key,), ChangeAct.REPLACE, Secret(text)))
    return made


def _chosen(edited: Editor, spec: FormField) -> list[Change]:
    stored, wanted = edited.stored_choice(spec), typed(spec.key)
    if not wanted or wanted == stored:
        return []
    if wanted != spec.choices[0][0]:
        return [Change((spec.key,), ChangeAct.REPLACE, Secret(wanted))]
    return [Change((spec.key,), ChangeAct.REMOVE)]


def _headers(edited: Editor, spec: FormField) -> list[Change]:
    stored = {
        str(edited.leaves[place].path[-1]).casefold()
        for place in edited.of_field(spec.key)
        if act_of(place) != REMOVE
    }
    new = validated_headers(typed(f"new{spec.key}"))
    if any(name.casefold() in stored for name in new):
        raise InvalidInput(
            "One of these headers is there already. Replace it in its own line.", field=spec.key
        )
    return [
        Change((spec.key, name), ChangeAct.REPLACE, Secret(value)) for name, value in new.items()
    ]


def added_count() -> int:
    """How many values are being added."""
    return int(st.session_state.get(key_of("added"), 0))


def _added(edited: Editor, place: int) -> list[Change]:
    name, text, at = typed(f"addedname{place}"), typed(f"addedvalue{place}"), f"added_{place}"
    if not name and not text.strip():
        return []
    if not name or not text.strip():
        raise InvalidInput("A value needs a name and JSON.", field=at)
    if any(leaf.path[:1] == (name,) for leaf in edited.leaves):
        raise InvalidInput("There is one of this name already. Replace it in its line.", field=at)
    return [Change((name,), ChangeAct.REPLACE, Secret(json_value(text, field=at)))]
