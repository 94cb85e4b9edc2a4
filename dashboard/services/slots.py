"""Details with `${SECRET:name}` in the place of what must not leave, and back again.

Only that one form is ever filled in, once, with what a person typed: never an environment
variable, and never a slot inside a typed value. Pure functions without I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dashboard.connectors import registry
from dashboard.domain.detail_tree import Leaf, Path, ValueKind, label_of, leaves_of, value_at
from dashboard.domain.json_text import json_value
from dashboard.errors import InvalidInput

_SLOT: Final = re.compile(r"\$\{SECRET:([^{}]{1,2000})\}")
_BRACES: Final = str.maketrans("{}", "()")
_LONGEST_NAME: Final = 400
_LABEL_LEVELS: Final = 8
_TRUTHS: Final = {"true": True, "false": False}
#: Stands in for what is not typed yet, to see which parts of an address it would reach.
_PLACEHOLDER: Final = "slot-without-value"


@dataclass(frozen=True, slots=True)
class Slot:
    """One `${SECRET:name}` of an import, to be filled in.

    Parameters
    ----------
    name
        What stands between the colon and the brace. Hostile text.
    kind
        What the filled-in text is turned into.
    has_lines
        Whether what belongs there has line breaks, such as a certificate.
    """

    name: str
    label: str
    kind: ValueKind = ValueKind.TEXT
    has_lines: bool = False


def with_slots(
    details: Any,  # noqa: ANN401 - any JSON value
    *,
    name: str,
    may_show: Callable[[Path, object], bool],
    taken: set[str],
) -> tuple[Any, tuple[Slot, ...]]:
    """Return clear `details` as a template: every leaf that may not be shown is a slot.

    Parameters
    ----------
    name
        The connection's name, with which the names of its slots begin.
    may_show
        Whether a leaf may leave in clear; nothing else does but what is not set.
    taken
        Names of slots that are used already; the new ones are added.
    """
    slots: dict[Path, Slot] = {}
    for leaf in leaves_of(details):
        value = value_at(details, leaf.path)
        if leaf.is_set and not _stays(leaf, value, may_show):
            slots[leaf.path] = Slot(
                _free_name(f"{name}/{leaf.label}", taken),
                leaf.label,
                leaf.kind,
                isinstance(value, str) and ("\n" in value or "\r" in value),
            )
    tokens = {path: f"${{SECRET:{slot.name}}}" for path, slot in slots.items()}
    return _put(details, (), tokens), tuple(slots.values())


def _stays(leaf: Leaf, value: object, may_show: Callable[[Path, object], bool]) -> bool:
    if leaf.kind in (ValueKind.LIST, ValueKind.OBJECT):
        return False
    # A stored text that looks like a slot would be asked for, and be something else afterwards.
    if isinstance(value, str) and _SLOT.search(value):
        return False
    return may_show(leaf.path, value)


def _free_name(wanted: str, taken: set[str]) -> str:
    base = wanted.translate(_BRACES)[:_LONGEST_NAME]
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base} {number}"
    taken.add(name)
    return name


def _put(value: Any, path: Path, tokens: Mapping[Path, str]) -> Any:  # noqa: ANN401 - any JSON value
    if path in tokens:
        return tokens[path]
    if isinstance(value, Mapping):
        return {key: _put(inner, (*path, key), tokens) for key, inner in value.items()}
    if isinstance(value, list):
        return [_put(inner, (*path, place), tokens) for place, inner in enumerate(value)]
    return value


def slots_in(template: Any) -> tuple[str, ...]:  # noqa: ANN401 - any JSON value
    """Return the names of the slots in the texts of `template`, each once, in their order."""
    found = (match[1] for text in _texts(template) for match in _SLOT.finditer(text))
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Survey:
    """What one way through a template finds.

    Parameters
    ----------
    labels
        Where each slot stands first, such as `auth.token`, by the slot's name, in their order.
    values
        How many values are set and hold no slot.
    levels
        Groups and lists inside one another.
    """

    labels: dict[str, str]
    values: int
    levels: int


def surveyed(template: Any) -> Survey:  # noqa: ANN401 - any JSON value
    """Look at all of a template once."""
    labels: dict[str, str] = {}
    values = levels = 0
    waiting: list[tuple[Any, Path, int]] = [(template, (), 1)]
    while waiting:
        here, path, level = waiting.pop()
        if isinstance(here, Mapping | list):
            levels = max(levels, level)
            pairs = here.items() if isinstance(here, Mapping) else enumerate(here)
            # A label tells the upper levels only.
            inner = [(each, (*path[: _LABEL_LEVELS - 1], key), level + 1) for key, each in pairs]
            waiting.extend(reversed(inner))
        elif isinstance(here, str) and (names := slots_in(here)):
            labels |= {name: label_of(path) for name in names if name not in labels}
        else:
            values += here is not None and here != ""
    return Survey(labels, values, levels)


def fields_with(template: Any, name: str) -> tuple[str, ...]:  # noqa: ANN401 - any JSON value
    """Return the top-level keys of `template` below which the slot called `name` stands."""
    if not isinstance(template, Mapping):
        return ()
    return tuple(key for key, inner in template.items() if name in slots_in(inner))


def typed_value(slot: Slot, typed: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return what a person typed as a value of the slot's kind.

    Raises
    ------
    InvalidInput
        Without a field. It never quotes what was typed.
    """
    if not typed:
        raise InvalidInput("Fill this in, or leave the connection out.")
    if slot.kind is ValueKind.TEXT:
        return typed
    if slot.kind is ValueKind.TRUTH:
        truth = _TRUTHS.get(typed.strip().casefold())
        if truth is None:
            raise InvalidInput("Type true or false.")
        return truth
    value = json_value(typed)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if slot.kind is ValueKind.NUMBER and not is_number:
        raise InvalidInput("Type a number, such as 5432.")
    if slot.kind is ValueKind.LIST and not isinstance(value, list):
        raise InvalidInput("Type a list in JSON: values between [ and ].")
    if slot.kind is ValueKind.OBJECT and not isinstance(value, dict):
        raise InvalidInput("Type a group in JSON: names and values between { and }.")
    return value


def filled(template: Any, values: Mapping[str, tuple[str, Any]]) -> Any:  # noqa: ANN401 - any JSON value
    """Return `template` with its slots filled in.

    Parameters
    ----------
    values
        By the slot's name: the text as it was typed, for slots inside a longer text, and the
        value it stands for, for those that are the whole text.
    """
    if isinstance(template, Mapping):
        return {key: filled(inner, values) for key, inner in template.items()}
    if isinstance(template, list):
        return [filled(inner, values) for inner in template]
    if not isinstance(template, str):
        return template
    whole = _SLOT.fullmatch(template)
    if whole is not None:
        return values[whole[1]][1]
    return _SLOT.sub(lambda match: values[match[1]][0], template)


def host_of(
    connection_type: str,
    template: Any,  # noqa: ANN401 - any JSON value
    names: Collection[str],
) -> str | None:
    """Return the host the details will be sent to, where no slot has a say in it.

    Parameters
    ----------
    names
        Of the template's slots.
    """
    if not registry.can_fetch(connection_type):
        return None
    values = dict.fromkeys(names, (_PLACEHOLDER, _PLACEHOLDER))
    host = registry.describe(connection_type, filled(template, values) if names else template).host
    return None if host is None or _PLACEHOLDER in host else host


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    waiting = [value]
    while waiting:
        here = waiting.pop()
        if isinstance(here, str):
            yield here
        elif isinstance(here, Mapping):
            waiting.extend(reversed(list(here.values())))
        elif isinstance(here, list):
            waiting.extend(reversed(here))
