"""What becomes of details when some of them are changed: secrets are bound to their address.

The one place of the rule, for tests of pending changes, for the form that announces what will be
dropped, and for the replace that does it. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dashboard.connectors.address_finding import may_lead, stays, whole
from dashboard.connectors.base import Connector
from dashboard.domain.detail_tree import (
    Change,
    ChangeAct,
    Leaf,
    Path,
    changed,
    leaves_of,
    scalars_of,
)


@dataclass(frozen=True, slots=True)
class Pending:
    """Details with their changes.

    Parameters
    ----------
    details
        Clear details, any JSON value.
    dropped
        Leaves that nobody asked to change, but that were bound to an address that moves.
    touched
        Top-level keys that changed, the dropped ones included; for `Connector.check`.
    """

    details: Any = field(repr=False)
    dropped: tuple[Leaf, ...]
    touched: frozenset[str]


def pending_details(
    connector: Connector,
    details: Any,  # noqa: ANN401 - any JSON value
    changes: Sequence[Change],
) -> Pending:
    """Return clear `details` with `changes`, less all that is bound to an address that moves.

    Raises
    ------
    InvalidInput
        If a change does not fit the details.
    """
    addresses = addresses_of(connector, details)
    dropped = dropped_leaves(connector, leaves_of(details), addresses, changes)
    removals = [Change(leaf.path, ChangeAct.REMOVE) for leaf in dropped]
    after = changed(details, [*changes, *removals])
    paths = [change.path for change in (*changes, *removals)]
    return Pending(after, dropped, _top_level(paths, details, after))


def addresses_of(
    connector: Connector,
    details: Any,  # noqa: ANN401 - any JSON value
    path: Path = (),
) -> dict[Path, str]:
    """Return the addresses that `details`, which stand at `path`, name, by their place."""
    found = ((here, connector.address_in(here, value)) for here, value in scalars_of(details, path))
    return {here: address for here, address in found if address is not None}


def dropped_leaves(
    connector: Connector,
    leaves: Iterable[Leaf],
    addresses: Mapping[Path, str],
    changes: Sequence[Change],
) -> tuple[Leaf, ...]:
    """Return the leaves that `changes` drop besides what they change themselves.

    Parameters
    ----------
    leaves, addresses
        Of the details before: `leaves_of` and `addresses_of`.
    """
    moved = _moved_to(connector, addresses, changes) - _separate(addresses.values())
    if not moved:
        return ()
    paths = frozenset(change.path for change in changes)
    return tuple(
        leaf
        for leaf in leaves
        if leaf.is_set
        and not _is_within(leaf.path, paths)
        and not (leaf.path in addresses and stays(leaf.path, addresses[leaf.path]))
        and not connector.is_free(leaf.path)
    )


def _moved_to(
    connector: Connector, addresses: Mapping[Path, str], changes: Sequence[Change]
) -> frozenset[str]:
    """Return the addresses that `changes` write: what is one, and what takes the place of one."""
    known = frozenset(_kind_of_place(path) for path in addresses)
    above = frozenset(place[:end] for place in known for end in range(len(place) + 1))
    found: list[str] = []
    for change in changes:
        if change.act is not ChangeAct.REPLACE or change.value is None:
            continue
        for here, value in scalars_of(change.value.reveal(), change.path):
            address = connector.address_in(here, value)
            place = _kind_of_place(here)
            takes_place = place in above or _is_within(place, known)
            if address is None and takes_place and _is_text_or_number(value) and may_lead(here):
                address = whole(str(value))
            if address:
                found.append(address)
    return _separate(found)


def _kind_of_place(path: Path) -> Path:
    """Return a path in which all places of a list are one: they mean the same."""
    return tuple(0 if isinstance(key, int) else key for key in path)


def _is_text_or_number(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _separate(addresses: Iterable[str]) -> frozenset[str]:
    return frozenset(part for address in addresses for part in address.split(","))


def _is_within(path: Path, changed_paths: frozenset[Path]) -> bool:
    return any(path[:end] in changed_paths for end in range(len(path) + 1))


def _top_level(paths: Iterable[Path], before: object, after: object) -> frozenset[str]:
    keys: set[str] = set()
    for path in paths:
        if path and isinstance(path[0], str):
            keys.add(path[0])
        else:
            for details in (before, after):
                keys.update(details if isinstance(details, Mapping) else ("details",))
    return frozenset(keys)
