"""A connection's details as a tree of leaves that are kept, replaced or removed one by one.

Details are any JSON value. Nothing here shows a value: a leaf is where it stands and what kind it
is. Pure functions without I/O.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from dashboard.masking import Secret

#: Keys of objects and places in lists, from the outside in.
Path = tuple[str | int, ...]


class ValueKind(StrEnum):
    """What a leaf holds; the value is the word it is shown by."""

    TEXT = "text"
    NUMBER = "number"
    TRUTH = "true or false"
    NULL = "nothing"
    LIST = "list"
    OBJECT = "group"


@dataclass(frozen=True, slots=True)
class Leaf:
    """One place in the details.

    Parameters
    ----------
    kind
        `LIST` and `OBJECT` only where the list or group is empty, or too deep to be opened.
    is_set
        Whether it holds anything: False and 0 do, an empty text does not.
    set_at
        Since when it is what it is, UTC; None where that is not known.
    """

    path: Path
    kind: ValueKind
    is_set: bool
    set_at: datetime | None = None

    @property
    def label(self) -> str:
        """Where it stands, such as `auth.token` or `keys[1]`. Hostile text."""
        return label_of(self.path)


class ChangeAct(StrEnum):
    """What is to become of a leaf; what is not mentioned is kept."""

    REPLACE = "Replace"
    REMOVE = "Remove"


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the details. `REPLACE` of a path that does not exist adds it."""

    path: Path
    act: ChangeAct
    value: Secret[Any] | None = None  # any JSON value


def label_of(path: Path) -> str:
    """Return a path as it is shown, such as `auth.token` or `keys[1]`."""
    raise NotImplementedError


def leaves_of(details: Any) -> tuple[Leaf, ...]:  # noqa: ANN401 - any JSON value
    """Return every leaf of `details`, in their order."""
    raise NotImplementedError


def value_at(details: Any, path: Path) -> Any:  # noqa: ANN401 - any JSON value
    """Return what stands at `path`. Raises KeyError if there is nothing."""
    raise NotImplementedError


def changed(details: Any, changes: Iterable[Change]) -> Any:  # noqa: ANN401 - any JSON value
    """Return `details` with `changes`; every other value keeps its place, value and type.

    Raises
    ------
    InvalidInput
        If a change does not fit, such as a place in something that is no group.
    """
    raise NotImplementedError
