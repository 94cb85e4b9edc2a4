"""SDK code that looks up or makes a connection, without any of its values.

The code runs as it is pasted: the log-in comes from the SDK's environment variables, and every
value is asked for. Names are hostile: they reach the code as literals that only Python reads.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from dashboard.domain.connection import Connection
from dashboard.domain.detail_tree import Leaf, Path, ValueKind, label_of

_LOG_IN: Final = (
    "# The log-in comes from WALLAROO_URL, WALLAROO_SDK_AUTH_TYPE, WALLAROO_USER and "
    "WALLAROO_PASSWORD."
)
_RIGHT_TO_LEFT: Final = frozenset({"R", "AL", "AN"})
_EMPTY: Final = {
    ValueKind.TEXT: '""',
    ValueKind.LIST: "[]",
    ValueKind.OBJECT: "{}",
}
_JSON_WORDS: Final = {
    ValueKind.NUMBER: "a number",
    ValueKind.TRUTH: "true or false",
    ValueKind.LIST: "a list in JSON",
    ValueKind.OBJECT: "a group in JSON",
}
_INDENT: Final = "    "


def use_snippet(connection: Connection) -> str:
    """Return Python that looks the connection up by name and reads its details."""
    return f"""\
# Looks the connection up by its name and reads its details.
{_LOG_IN}
import wallaroo

client = wallaroo.Client()
connection = client.get_connection({_literal(connection.name)})
details = connection.details()  # in clear: keep it out of outputs and logs
print("Found a connection of type", connection.connection_type())
"""


def create_snippet(connection: Connection, leaves: Sequence[Leaf]) -> str:
    """Return Python that makes the connection on another instance; it asks for every value."""
    details = _code(_tree(leaves), (), 0)
    name, type_ = _literal(connection.name), _literal(connection.type)
    lines = ["# Makes the connection on the instance of the log-in, linked to no workspace."]
    if "getpass.getpass(" in details:
        lines += [
            "# Asks for every value and shows none. A text of several lines cannot be typed: read",
            '# it with open("...").read() in the place of getpass.getpass(...).',
        ]
    lines += [_LOG_IN]
    imports = [f"import {one}" for one in ("getpass", "json") if f"{one}." in details]
    lines += [*imports, ""] if imports else []
    lines += [
        "import wallaroo",
        "",
        "client = wallaroo.Client()",
        f"details = {details}",
        f"client.create_connection({name}, {type_}, details)",
    ]
    return "\n".join(lines) + "\n"


@dataclass(slots=True)
class _Node:
    """A group or list of the details, or a leaf."""

    leaf: Leaf | None = None
    below: dict[str | int, _Node] = field(default_factory=dict)


def _tree(leaves: Sequence[Leaf]) -> _Node:
    root = _Node(Leaf((), ValueKind.OBJECT, is_set=False) if not leaves else None)
    for leaf in leaves:
        node = root
        for key in leaf.path:
            node = node.below.setdefault(key, _Node())
        node.leaf = leaf
    return root


def _code(node: _Node, path: Path, depth: int) -> str:
    if node.leaf is not None:
        return _asked(node.leaf)
    is_list = all(isinstance(key, int) for key in node.below)
    opening, closing = "[]" if is_list else "{}"
    pad = _INDENT * (depth + 1)
    lines = [
        f"{pad}{'' if is_list else f'{_literal(str(key))}: '}"
        f"{_code(inner, (*path, key), depth + 1)},\n"
        for key, inner in node.below.items()
    ]
    return f"{opening}\n{''.join(lines)}{_INDENT * depth}{closing}"


def _asked(leaf: Leaf) -> str:
    """Return the code of one value: what asks for it, or nothing where nothing is stored."""
    if leaf.kind is ValueKind.NULL:
        return "None"
    if not leaf.is_set:
        return _EMPTY.get(leaf.kind, "None")
    words = _JSON_WORDS.get(leaf.kind)
    label = "".join(letter if letter.isprintable() else "\ufffd" for letter in label_of(leaf.path))
    if words is None:
        return f"getpass.getpass({_literal(f'{label}: ')})"
    return f"json.loads(getpass.getpass({_literal(f'{label} ({words}): ')}))"


def _literal(text: str) -> str:
    """Return `text` as a Python literal that reads in one direction, on one line.

    `repr` escapes what is not printable: line ends, direction marks, halves of characters. Letters
    that are written from right to left would turn the code around them, so they are escaped too.
    """
    if any(unicodedata.bidirectional(letter) in _RIGHT_TO_LEFT for letter in text):
        return ascii(text)
    return repr(text)
