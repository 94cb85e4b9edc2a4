"""One connection of an import, filled in and checked before anything is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from dashboard.connectors import registry
from dashboard.domain.detail_tree import ValueKind
from dashboard.domain.json_text import MOST_LEVELS, MOST_VALUES, fits
from dashboard.errors import DashboardError, InvalidInput
from dashboard.masking import Secret, SecretDetails
from dashboard.services.portable_file import Draft
from dashboard.services.slots import fields_with, filled, typed_value

_TOO_MUCH: Final = (
    f"With it the details are nested more than {MOST_LEVELS} levels deep, "
    f"or hold more than {MOST_VALUES:,} values."
)


@dataclass(frozen=True, slots=True)
class Ready:
    """A draft with its slots filled in and everything checked."""

    place: int
    draft: Draft
    name: str
    details: SecretDetails


def ready_of(
    place: int, draft: Draft, name: str, typed: Mapping[tuple[int, str], Secret[str]]
) -> Ready:
    """Fill the slots in and hold the details against the type's rules.

    Parameters
    ----------
    place
        Of the draft in its file, for the fields of errors.
    typed
        What was typed, by the draft's place and the slot's name.

    Raises
    ------
    InvalidInput
        With the field `slot:<place>:<name>`, or `draft:<place>` for what stands in the file.
    """
    values: dict[str, tuple[str, Any]] = {}
    misfit: InvalidInput | None = None
    field = ""
    try:
        for slot in draft.slots:
            field = f"slot:{place}:{slot.name}"
            secret = typed.get((place, slot.name))
            text = secret.reveal() if secret is not None else ""
            values[slot.name] = (text, typed_value(slot, text))
        field = ""
        details = filled(draft.template.reveal(), values)
        field = _field_too_much(place, draft, values) if not fits(details) else ""
        _refuse_too_much(field)
        touched = tuple(details) if isinstance(details, Mapping) else ()
        registry.connector_for(draft.type).check(details, touched)
        return Ready(place, draft, name, Secret(details))
    except InvalidInput as exc:
        misfit = exc
    # Made anew outside of `except`, and without the suggestion: that holds what was typed.
    raise _misfit(misfit, field or _field_of(place, draft, misfit))


def _refuse_too_much(field: str) -> None:
    if field:
        raise InvalidInput(_TOO_MUCH)


def _field_too_much(place: int, draft: Draft, values: Mapping[str, tuple[str, Any]]) -> str:
    """Return the field of the slot whose value is too much where it stands."""
    empty = dict.fromkeys(values, ("", None))
    for slot in draft.slots:
        one = {**empty, slot.name: values[slot.name]}
        has_more = slot.kind in (ValueKind.LIST, ValueKind.OBJECT)
        if has_more and not fits(filled(draft.template.reveal(), one)):
            return f"slot:{place}:{slot.name}"
    return f"draft:{place}"


def _misfit(error: InvalidInput, field: str) -> InvalidInput:
    hint = error.hint
    if field.startswith("draft:"):
        hint = f"{hint} It stands in the file: correct it there, or leave it out.".strip()
    return InvalidInput(error.message, hint=hint, field=field)


def _field_of(place: int, draft: Draft, error: DashboardError) -> str:
    """Return the field of the form to which a connector's error belongs."""
    template = draft.template.reveal()
    for slot in draft.slots:
        if error.field in fields_with(template, slot.name):
            return f"slot:{place}:{slot.name}"
    # It stands in the file itself, where the form has no field for it.
    return f"draft:{place}"
