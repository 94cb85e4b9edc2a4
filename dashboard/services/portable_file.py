"""The file that connections are exported to and imported from: JSON with slots for secrets.

Reading is strict and bounded, and no error quotes the file: somebody may have put secrets into it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NoReturn

from dashboard.domain.connection import Connection
from dashboard.domain.detail_tree import ValueKind
from dashboard.errors import InvalidInput
from dashboard.masking import Secret
from dashboard.services.slots import Slot, host_of, labels_in, values_in_clear

FORMAT: Final = "wallaroo-dashboard-connections"
VERSION: Final = 1
MOST_BYTES: Final = 5_000_000
MOST_CONNECTIONS: Final = 1_000
_MOST_SLOTS: Final = 300
_DEEPEST: Final = 100
_LONGEST_NAME: Final = 1_024
#: What is not shown as it is in an editor, or ends a line there, is written as an escape.
_ODD: Final = re.compile(r"[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_HALF_CHARACTER: Final = re.compile(r"[\ud800-\udfff]")
_ASK_ANEW: Final = "Export the connections again, or ask whoever gave you the file."


@dataclass(frozen=True, slots=True)
class Draft:
    """One connection of an import, before its slots are filled in.

    Parameters
    ----------
    template
        Its details with the slots in them. What stands there in clear came from the file, which
        somebody may have filled with secrets: it is kept as one.
    workspaces
        Names of the workspaces it was linked to where it came from.
    host
        Where what is typed will be sent, if the type knows and no slot has a say in it.
    values
        How many values come from the file.
    """

    name: str
    type: str
    template: Secret[object]
    slots: tuple[Slot, ...]
    workspaces: tuple[str, ...] = ()
    host: str | None = None
    values: int = 0


@dataclass(frozen=True, slots=True)
class Exported:
    """One connection as it goes into the file; `template` holds no secret any more."""

    connection: Connection
    template: Any  # any JSON value
    slots: tuple[Slot, ...]


def written(exported: Sequence[Exported], *, at: datetime) -> str:
    """Return the text of the file."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "exported_at": at.isoformat(timespec="seconds"),
        "connections": [_entry(one) for one in exported],
    }
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    return _ODD.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n"


def _entry(one: Exported) -> dict[str, Any]:
    return {
        "name": one.connection.name,
        "type": one.connection.type,
        "details": one.template,
        "workspaces": list(one.connection.workspace_names),
        "slots": {slot.name: _declared(slot) for slot in one.slots},
    }


def _declared(slot: Slot) -> dict[str, Any]:
    lines = {"lines": "many"} if slot.has_lines else {}
    return {"kind": slot.kind.value, "label": slot.label, **lines}


def text_of(content: bytes) -> str:
    """Return the text of an uploaded file. Raises InvalidInput (field `file`)."""
    if len(content) > MOST_BYTES:
        _refuse("The file is larger than 5 MB.", "Export fewer connections at once.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    _refuse("The file is not text in UTF-8.", "Choose the JSON file that the export made.")


def drafts_in(text: str) -> tuple[Draft, ...]:
    """Return the connections in a file's text.

    An export of this product, one connection as `{"name", "type", "details"}`, or a list of these.

    Raises
    ------
    InvalidInput
        With field `file`.
    """
    entries = _entries(_parsed(text))
    if not entries:
        _refuse("The file holds no connection.", _ASK_ANEW)
    if len(entries) > MOST_CONNECTIONS:
        _refuse(
            f"The file holds {len(entries):,} connections; 1,000 are the most.",
            "Split it into several files.",
        )
    drafts = tuple(_draft(entry, number) for number, entry in enumerate(entries, start=1))
    _refuse_double([draft.name for draft in drafts])
    return drafts


def _parsed(text: str) -> Any:  # noqa: ANN401 - any JSON value
    if len(text.encode(errors="replace")) > MOST_BYTES:
        _refuse("This is larger than 5 MB.", "Export fewer connections at once.")
    if not text.strip():
        _refuse("There is nothing in it.", "Choose a file, or paste its text.")
    hint = "Choose the JSON file that the export made."
    try:
        content = json.loads(
            text.removeprefix("\ufeff"),
            parse_constant=_no_constant,
            parse_float=_finite,
            object_pairs_hook=_without_doubles,
        )
    except json.JSONDecodeError as error:
        message = f"This is not JSON: look at line {error.lineno}, character {error.colno}."
    except _DoubleKeyError:
        message = "A group in it has two values of the same name, so that one would be lost."
        hint = "Give one of them another name, or take it out."
    except (RecursionError, ValueError):
        message = "It is nested too deeply, or holds a number that cannot be kept."
    else:
        _check_texts(content)
        return content
    # Raised outside of `except`: the parser's error holds the text and would hang on ours.
    _refuse(message, hint)


class _DoubleKeyError(ValueError):
    """A JSON object names a key twice."""


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    group = dict(pairs)
    if len(group) != len(pairs):
        raise _DoubleKeyError
    return group


def _no_constant(_name: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("too large")
    return number


def _check_texts(content: Any) -> None:  # noqa: ANN401 - any JSON value
    """Refuse what could not be drawn or sent on: too deep, or texts with half a character."""
    waiting = [(content, 0)]
    while waiting:
        value, depth = waiting.pop()
        if depth > _DEEPEST:
            _refuse("It is nested too deeply.", _ASK_ANEW)
        inner: list[Any] = []
        if isinstance(value, dict):
            inner = [*value, *value.values()]
        elif isinstance(value, list):
            inner = value
        elif isinstance(value, str) and _HALF_CHARACTER.search(value):
            _refuse("A text in it holds half a character.", _ASK_ANEW)
        waiting.extend((each, depth + 1) for each in inner)


def _entries(content: Any) -> list[Any]:  # noqa: ANN401 - any JSON value
    if isinstance(content, list):
        return content
    if not isinstance(content, dict):
        _refuse_unknown()
    if "format" not in content and {"name", "details"} <= content.keys():
        return [content]
    if content.get("format") != FORMAT:
        _refuse_unknown()
    version = content.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        _refuse("The file does not tell the version of its format.", _ASK_ANEW)
    if version > VERSION:
        _refuse(
            "The file was made by a newer version of this dashboard.",
            "Update this one, or export there with the older version.",
        )
    connections = content.get("connections")
    if not isinstance(connections, list):
        _refuse_unknown()
    return connections


def _draft(entry: Any, number: int) -> Draft:  # noqa: ANN401 - any JSON value
    where = f"Connection {number} in the file"
    if not isinstance(entry, dict) or "details" not in entry:
        _refuse(f"{where} has no details.", "It needs a name, a type and details.")
    name, kind = (_short_text(entry.get(key), f"{where}: its {key}") for key in ("name", "type"))
    template = entry["details"]
    labels = labels_in(template)
    if len(labels) > _MOST_SLOTS:
        _refuse(f"{where} has more than {_MOST_SLOTS} slots.", "Put its values in there.")
    declared = entry.get("slots", {})
    rooms = entry.get("workspaces", [])
    if not isinstance(declared, dict) or not isinstance(rooms, list):
        _refuse(f"{where}: its slots or workspaces are not as the export writes them.", _ASK_ANEW)
    return Draft(
        name=name,
        type=kind,
        template=Secret(template),
        slots=tuple(_slot(one, declared.get(one), labels[one], where) for one in labels),
        workspaces=tuple(_short_text(room, f"{where}: a workspace's name") for room in rooms),
        host=host_of(kind, template),
        values=values_in_clear(template),
    )


def _short_text(value: object, what: str) -> str:
    if not isinstance(value, str) or not value.strip():
        _refuse(f"{what} is missing or no text.", "It needs a name, a type and details.")
    if len(value) > _LONGEST_NAME:
        _refuse(f"{what} is longer than 1,024 characters.", "Give it a shorter one.")
    return value


def _slot(name: str, declared: object, label: str, where: str) -> Slot:
    # The label is our own: one from the file could ask for something else than it is used for.
    if declared is None:
        return Slot(name, label)
    given = declared if isinstance(declared, Mapping) else {}
    kind = given.get("kind")
    # A slot for nothing could only be filled in by nothing.
    if kind not in [one.value for one in ValueKind if one is not ValueKind.NULL]:
        _refuse(f"{where}: a slot of it is not as the export writes them.", _ASK_ANEW)
    return Slot(name, label, ValueKind(kind), given.get("lines") == "many")


def _refuse_double(names: Sequence[str]) -> None:
    first: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        if name in first:
            _refuse(
                f"Connections {first[name]} and {number} in the file have the same name.",
                "Give one of them another name in the file.",
            )
        first[name] = number


def _refuse_unknown() -> NoReturn:
    _refuse(
        "This is JSON, but not an export of connections.",
        "Choose the file that the export made, or a connection with a name, a type and details.",
    )


def _refuse(message: str, hint: str) -> NoReturn:
    raise InvalidInput(message, hint=hint, field="file")
