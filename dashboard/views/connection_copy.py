"""What a duplicate takes over into the form of a new connection: nothing secret."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

from dashboard import live, runtime
from dashboard.connectors import registry
from dashboard.connectors.base import Connector, FieldKind
from dashboard.domain.connection import Connection
from dashboard.domain.detail_tree import Leaf, ValueKind
from dashboard.domain.workspace import Workspace
from dashboard.services.reads import Read
from dashboard.views import finding
from dashboard.views.connection import linked_rooms
from dashboard.views.connection_form import CUSTOM, FORM, key_of


@dataclass(frozen=True, slots=True)
class Copy:
    """What a new connection takes over from another one: nothing secret.

    Parameters
    ----------
    values
        What to put into which field.
    left_out
        What is not copied and has to be typed; may be hostile.
    lost
        What is not copied and has no field in the form; may be hostile.
    """

    values: Mapping[str, str]
    left_out: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Copying:
    """The connection that is copied: what it gives once it is known, and what is awaited.

    Parameters
    ----------
    name
        Of the connection that is copied; empty when there is none.
    room_ids
        The workspaces it is linked to, as far as they can be told from others of their name.
    """

    name: str = ""
    copy: Copy | None = None
    awaited: Read[Any] | None = None
    room_ids: tuple[int, ...] = ()

    @property
    def left_out(self) -> tuple[str, ...]:
        """What is not copied and has to be typed."""
        return self.copy.left_out if self.copy is not None else ()

    @property
    def lost(self) -> tuple[str, ...]:
        """What is not copied and has no field."""
        return self.copy.lost if self.copy is not None else ()


def copying(source_id: str, rooms: Sequence[Workspace]) -> Copying:
    """Return what there is of the connection to copy; nothing for an empty id.

    Parameters
    ----------
    rooms
        Those that the copy can be linked to.
    """
    found = finding.find(FORM, source_id)
    source, known = found.connection, found.known
    if source is None:
        is_awaited = bool(source_id) and not found.is_sure and known.error is None
        return Copying(awaited=known if is_awaited else None)
    taken = {one.name for one in known.value or ()}
    name = f"{source.name} copy"
    number = 2
    while name in taken:
        name, number = f"{source.name} copy {number}", number + 1
    linked = linked_rooms(source, rooms)
    own = registry.connector_for(source.type)
    if own in registry.CONNECTORS:
        return Copying(source.name, copy_typed(source, own, name=name), room_ids=linked)
    current = runtime.current()
    outline = live.read(current.replacing.outline(current.identity(), source))
    if outline.value is None and outline.is_first:
        return Copying(source.name, awaited=outline)
    leaves = outline.value.leaves if outline.value is not None else ()
    return Copying(source.name, copy_custom(source, leaves, name=name), room_ids=linked)


def link_to(
    copied: Copying, rooms: Sequence[Workspace], chosen_id: int | None
) -> Sequence[Workspace]:
    """Return the workspaces to link the new connection to: the original's, or the one chosen."""
    wanted = copied.room_ids or (chosen_id,)
    return [room for room in rooms if room.workspace_id in wanted]


def copy_typed(source: Connection, own: Connector, *, name: str) -> Copy:
    """Copy what may be shown of a connection whose type has a form."""
    shown = {part.key: part for part in source.parts}
    values = {"name": name, "kind": own.type_names[0]}
    left_out: list[str] = []
    covered: set[str] = set()
    for spec in own.fields():
        part = shown.get(spec.key)
        if spec.kind is FieldKind.CHOICE and part is not None and part.value:
            match = [value for value, words in spec.choices if words == part.value]
            values |= {spec.key: match[0]} if match else {}
        elif spec.shown_when is not None and part is not None and part.is_set:
            values.setdefault(*spec.shown_when)
            left_out.append(spec.label)
        covered.add(spec.key)
    for link_key in ("url", "host"):
        link = _shown_whole(source, link_key)
        if link is not None:
            values |= {"url": link} if link else {}
            left_out += [] if link else ["Link"]
            covered.add(link_key)
            break
    headers = [key.removeprefix("headers.") for key in shown if key.startswith("headers.")]
    if headers:
        values["headers"] = "\n".join(f"{header}: " for header in headers)
        left_out += [f"Header {header}" for header in headers]
    lost = [part.label for part in source.parts if part.key.split(".", 1)[0] not in covered]
    return Copy(values, tuple(left_out), tuple(lost))


def _shown_whole(source: Connection, key: str) -> str | None:
    """Return the link made of shown parts, empty if it has others too; None if there is none."""
    parts = {
        part.key.removeprefix(f"{key}."): part
        for part in source.parts
        if part.key.startswith(f"{key}.")
    }
    if "host" not in parts:
        return "" if any(part.key == key and part.is_set for part in source.parts) else None
    if any(part.value is None for part in parts.values()):
        return ""
    texts = {name: part.value or "" for name, part in parts.items()}
    host = f"[{texts['host']}]" if ":" in texts["host"] else texts["host"]
    port = f":{texts['port']}" if "port" in texts else ""
    return f"{texts['scheme']}://{host}{port}/{texts.get('file', '')}"


def copy_custom(source: Connection, leaves: Sequence[Leaf], *, name: str) -> Copy:
    """Copy the type and the keys of a connection of any other type."""
    values = {
        "name": name,
        "kind": CUSTOM,
        "type": source.type,
        "details": json.dumps(empty_details(leaves), indent=2, ensure_ascii=False),
    }
    return Copy(values, ("The value of each detail",) if leaves else ())


_EMPTY: Final[Mapping[ValueKind, Any]] = {
    ValueKind.TEXT: "",
    ValueKind.LIST: [],
    ValueKind.OBJECT: {},
}


def empty_details(leaves: Sequence[Leaf]) -> Any:  # noqa: ANN401 - any JSON value
    """Return the structure that `leaves` stand in, each value empty."""
    tree: dict[str | int, Any] = {}
    for leaf in leaves:
        place = tree
        for step in leaf.path[:-1]:
            place = place.setdefault(step, {})
        if leaf.path:
            place[leaf.path[-1]] = _EMPTY.get(leaf.kind)
    return _with_lists(tree)


def _with_lists(tree: Any) -> Any:  # noqa: ANN401 - any JSON value
    if not isinstance(tree, dict):
        return tree
    if tree and all(isinstance(step, int) for step in tree):
        return [_with_lists(value) for value in tree.values()]
    return {step: _with_lists(value) for step, value in tree.items()}


def prefill(copied: Copying) -> None:
    """Put what is copied into the fields that are not drawn yet: what is typed is left alone."""
    if copied.copy is None or key_of("name") in st.session_state:
        return
    for name, value in copied.copy.values.items():
        st.session_state[key_of(name)] = value
