"""A connection's details as a tree of leaves that are kept, replaced or removed one by one.

Details are any JSON value. Nothing here shows a value: a leaf is where it stands and what kind it
is. Pure functions without I/O.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NoReturn

from dashboard.errors import InvalidInput
from dashboard.masking import Secret

#: Keys of objects and places in lists, from the outside in.
Path = tuple[str | int, ...]

_MOST_LEAVES: Final = 300
_DEEPEST: Final = 8
_LONGEST_KEY: Final = 60
#: Control and direction marks, and halves of characters, none of which a label may hold.
_ODD: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
#: Stands for what is not there, where None is a value.
_ABSENT: Final = object()


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
    label = ""
    for key in path:
        if isinstance(key, int):
            label += f"[{key}]"
        else:
            label += ("." if label else "") + (_plain(key) or "(no name)")
    return label or "Details"


def _plain(key: str) -> str:
    cut = _ODD.sub("\N{REPLACEMENT CHARACTER}", key[: _LONGEST_KEY + 1])
    return cut if len(cut) <= _LONGEST_KEY else cut[: _LONGEST_KEY - 1] + "…"


def leaves_of(details: Any) -> tuple[Leaf, ...]:  # noqa: ANN401 - any JSON value
    """Return every leaf of `details`, in their order.

    Groups and lists are opened down to 8 levels and as long as there are at most 300 leaves, the
    upper ones first; one that stays closed is a leaf of its own, kept or replaced as a whole.
    Details that are no group at all are one leaf with an empty path.
    """
    opened = _opened(details)
    return tuple(
        Leaf(path, _kind(value), value is not None and value not in ("", [], {}))
        for path, value in _closed_below(details, opened)
    )


def _opened(details: Any) -> frozenset[Path]:  # noqa: ANN401 - any JSON value
    """Return the paths of the groups and lists that are shown with what is in them."""
    if not isinstance(details, Mapping) or len(details) > _MOST_LEAVES:
        return frozenset()
    opened: set[Path] = {()}
    level: list[tuple[Path, Any]] = list(_children((), details))
    count = len(level)
    for _depth in range(_DEEPEST - 1):
        below: list[tuple[Path, Any]] = []
        for path, value in level:
            more = len(value) if isinstance(value, Mapping | list) else 0
            if more and count - 1 + more <= _MOST_LEAVES:
                opened.add(path)
                below.extend(_children(path, value))
                count += more - 1
        level = below
    return frozenset(opened)


def _closed_below(
    value: Any,  # noqa: ANN401 - any JSON value
    opened: frozenset[Path],
    path: Path = (),
) -> Iterator[tuple[Path, Any]]:
    if path not in opened:
        yield path, value
        return
    for inner_path, inner in _children(path, value):
        yield from _closed_below(inner, opened, inner_path)


def _children(path: Path, value: Any) -> Iterator[tuple[Path, Any]]:  # noqa: ANN401 - a group or list
    pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
    return (((*path, key), inner) for key, inner in pairs)


def _kind(value: object) -> ValueKind:
    kinds: tuple[tuple[type | tuple[type, ...], ValueKind], ...] = (
        (str, ValueKind.TEXT),
        (bool, ValueKind.TRUTH),
        ((int, float), ValueKind.NUMBER),
        (list, ValueKind.LIST),
        (Mapping, ValueKind.OBJECT),
    )
    return next((kind for types, kind in kinds if isinstance(value, types)), ValueKind.NULL)


def scalars_of(details: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:  # noqa: ANN401 - any JSON value
    """Yield every value that is no group and no list, however deep, with its path below `path`."""
    waiting = [(path, details)]
    while waiting:
        here, value = waiting.pop()
        if isinstance(value, Mapping | list):
            waiting.extend(reversed(list(_children(here, value))))
        else:
            yield here, value


def value_at(details: Any, path: Path) -> Any:  # noqa: ANN401 - any JSON value
    """Return what stands at `path`. Raises KeyError if there is nothing."""
    value = details
    for key in path:
        value = _inner(value, key)
        if value is _ABSENT:
            raise KeyError(label_of(path))
    return value


def _inner(value: Any, key: str | int) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, Mapping) and isinstance(key, str):
        return value.get(key, _ABSENT)
    if isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value):
        return value[key]
    return _ABSENT


def is_same(
    one: Any,  # noqa: ANN401 - any JSON value
    other: Any,  # noqa: ANN401 - any JSON value
    *,
    as_numbers: bool = False,
) -> bool:
    """Whether two JSON values are equal in value and type: `1`, `1.0` and `true` all differ.

    Parameters
    ----------
    as_numbers
        Whether `1` and `1.0` are the same: a platform may write a number another way.
    """
    waiting = [(one, other)]
    while waiting:
        left, right = waiting.pop()
        if as_numbers and _is_number(left) and _is_number(right):
            if left != right:
                return False
            continue
        if type(left) is not type(right):
            return False
        if isinstance(left, dict):
            if left.keys() != right.keys():
                return False
            waiting.extend((left[key], right[key]) for key in left)
        elif isinstance(left, list):
            if len(left) != len(right):
                return False
            waiting.extend(zip(left, right, strict=True))
        # Zero and minus zero are equal, and are not written the same.
        elif left != right or (isinstance(left, float) and str(left) != str(right)):
            return False
    return True


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def changed(details: Any, changes: Iterable[Change]) -> Any:  # noqa: ANN401 - any JSON value
    """Return `details` with `changes`; every other value keeps its place, value and type.

    `details` themselves stay as they are. Places in lists are those before the changes, however
    many there are; a place right behind a list's end adds to it.

    Raises
    ------
    InvalidInput
        If a change does not fit, such as a place in something that is no group.
    """
    root = _Step()
    for change in changes:
        _plan(root, change)
    return root.applied(details, ())


def _plan(root: _Step, change: Change) -> None:
    step = root
    for key in change.path:
        if step.change is not None:
            _refuse(change.path, "is changed twice")
        step = step.below.setdefault(key, _Step())
    if step.change is not None or step.below:
        _refuse(change.path, "is changed twice")
    step.change = change


class _Step:
    """What is to become of one place and of those below it."""

    def __init__(self) -> None:
        self.change: Change | None = None
        self.below: dict[str | int, _Step] = {}

    def applied(self, value: Any, path: Path) -> Any:  # noqa: ANN401 - any JSON value
        """Return what takes the place of `value`; `_ABSENT` for nothing."""
        if self.change is not None:
            return self._replaced(value, path)
        if not self.below:
            return value
        if value is _ABSENT:
            value = {} if all(isinstance(key, str) for key in self.below) else []
        inner = {key: self._inner(value, key, path) for key in self.below}
        if isinstance(value, Mapping):
            merged = {**value, **inner}
            return {key: kept for key, kept in merged.items() if kept is not _ABSENT}
        # The next place behind the end is added; one further behind would leave a gap.
        behind = sorted(key for key in inner if isinstance(key, int) and key >= len(value))
        if behind != list(range(len(value), len(value) + len(behind))):
            _refuse((*path, behind[-1]), "is no place in the list")
        places = [inner.get(place, kept) for place, kept in enumerate(value)]
        places += [inner[place] for place in behind]
        return [kept for kept in places if kept is not _ABSENT]

    def _inner(self, value: Any, key: str | int, path: Path) -> Any:  # noqa: ANN401 - any JSON value
        in_list = isinstance(value, list) and isinstance(key, int) and key >= 0
        if not in_list and not (isinstance(value, Mapping) and isinstance(key, str)):
            _refuse((*path, key), "is no place in the details")
        return self.below[key].applied(_inner(value, key), (*path, key))

    def _replaced(self, value: Any, path: Path) -> Any:  # noqa: ANN401 - any JSON value
        assert self.change is not None  # noqa: S101 - asked before
        if self.change.act is ChangeAct.REMOVE:
            if value is _ABSENT or not path:
                _refuse(path, "is not there to be removed" if path else "cannot be removed")
            return _ABSENT
        return _json_value(self.change)


def _json_value(change: Change) -> Any:  # noqa: ANN401 - any JSON value
    """Return the new value of a change, if JSON can carry it as it is."""
    value = None if change.value is None else change.value.reveal()
    fits = False
    # Refused outside of the block: the library's exception names the value.
    with contextlib.suppress(TypeError, ValueError, RecursionError):
        fits = is_same(json.loads(json.dumps(value, allow_nan=False)), value)
    if not fits:
        _refuse(change.path, "has a value that JSON cannot carry")
    return value


def _refuse(path: Path, what: str) -> NoReturn:
    # The field is the top-level key, as a form has it.
    field = path[0] if path and isinstance(path[0], str) else "details"
    raise InvalidInput(f"{label_of(path)} {what}.", field=field)
