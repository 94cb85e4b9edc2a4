"""The file that connections are exported to and imported from: JSON with slots for secrets.

Reading is strict and bounded, and no error quotes the file: somebody may have put secrets into it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NoReturn

from dashboard.domain.connection import Connection
from dashboard.domain.detail_tree import ValueKind
from dashboard.domain.json_text import MOST_LEVELS, MOST_VALUES, Limits, fits, json_value
from dashboard.errors import InvalidInput
from dashboard.masking import Secret
from dashboard.services.slots import Slot, host_of, surveyed

FORMAT: Final = "wallaroo-dashboard-connections"
VERSION: Final = 1
MOST_BYTES: Final = 5_000_000
MOST_CONNECTIONS: Final = 1_000
_MOST_SLOTS: Final = 300
_LONGEST_NAME: Final = 1_024
#: What is not shown as it is in an editor, or ends a line there, is written as an escape.
_ODD: Final = re.compile(r"[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
FEWER: Final = "Choose fewer connections and export the others into a second file."
_ASK_ANEW: Final = "Export the connections again, or ask whoever gave you the file."
_FLATTER: Final = "Leave that connection out of the file, or make its details flatter."
#: Larger than what is typed. Deeper too: which connection is too deep is told after the parsing.
_LIMITS: Final = Limits(characters=MOST_BYTES, levels=2 * MOST_LEVELS)


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
    """One connection as it goes into the file; `template` holds no secret any more.

    Parameters
    ----------
    too_much
        Labels of the details that are deeper, or of more values, than an import takes.
    """

    connection: Connection
    template: Any  # any JSON value
    slots: tuple[Slot, ...]
    too_much: tuple[str, ...] = ()


def written(exported: Sequence[Exported], *, at: datetime) -> str:
    """Return the text of the file.

    Raises
    ------
    InvalidInput
        There is more in it than an import reads.
    """
    content = {
        "format": FORMAT,
        "version": VERSION,
        "exported_at": at.isoformat(timespec="seconds"),
        "connections": [_entry(one) for one in exported],
    }
    if not fits(content, levels=_LIMITS.levels):
        raise InvalidInput(f"The file would hold more than {MOST_VALUES:,} values.", hint=FEWER)
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    text = _ODD.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n"
    if len(text.encode()) > MOST_BYTES:
        raise InvalidInput("The file would be larger than 5 MB.", hint=FEWER)
    return text


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


def drafts_in(
    text: str, *, on_progress: Callable[[int, int], None] = lambda _done, _most: None
) -> tuple[Draft, ...]:
    """Return the connections in a file's text.

    An export of this product, one connection as `{"name", "type", "details"}`, or a list of these.

    Parameters
    ----------
    on_progress
        Called with how many of how many connections are read.

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
    drafts = []
    for number, entry in enumerate(entries, start=1):
        drafts.append(_draft(entry, number))
        on_progress(number, len(entries))
    _refuse_double([draft.name for draft in drafts])
    return tuple(drafts)


def _parsed(text: str) -> Any:  # noqa: ANN401 - any JSON value
    if len(text) > MOST_BYTES or len(text.encode(errors="replace")) > MOST_BYTES:
        _refuse("This is larger than 5 MB.", "Export fewer connections at once.")
    if not text.strip():
        _refuse("There is nothing in it.", "Choose a file, or paste its text.")
    try:
        return json_value(text.removeprefix("\ufeff"), limits=_LIMITS)
    except InvalidInput as error:
        message = error.message
    _refuse(message, "Correct it there, or choose the JSON file that the export made.")


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
    survey = surveyed(template)
    if survey.levels > MOST_LEVELS:
        _refuse(f"{where}: its details are nested more than {MOST_LEVELS} levels deep.", _FLATTER)
    labels = survey.labels
    if len(labels) > _MOST_SLOTS:
        _refuse(f"{where} has more than {_MOST_SLOTS} slots.", "Put its values in there.")
    declared = entry.get("slots", {})
    rooms = entry.get("workspaces", [])
    if not isinstance(declared, dict) or not isinstance(rooms, list):
        _refuse(f"{where}: its slots or workspaces are not as the export writes them.", _ASK_ANEW)
    return Draft(
        name=name,
        type=kind,
        template=Secret.unregistered(template),
        slots=tuple(_slot(one, declared.get(one), labels[one], where) for one in labels),
        workspaces=tuple(_short_text(room, f"{where}: a workspace's name") for room in rooms),
        host=host_of(kind, template, labels),
        values=survey.values,
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
