"""What deleting connections breaks, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

import streamlit as st

from components.text import count, md, short, told_when
from dashboard.domain.check import Check
from dashboard.domain.connection import Connection

_MOST_TOLD = 5
_MOST_NAMES = 8
_LONGEST = 80


@dataclass(frozen=True, slots=True)
class Impact:
    """What is known of the use of a connection that is to be deleted.

    Parameters
    ----------
    last_run_at
        When its table was run last; None if never.
    last_use
        How it was fetched last; None if never.
    is_known
        Whether both have been read.
    """

    connection: Connection
    last_run_at: datetime | None = None
    last_use: Check | None = None
    is_known: bool = True


def told_impacts(connections: Sequence[Connection]) -> Sequence[Connection]:
    """Return those of the connections that the dialog tells of one by one."""
    return connections[:_MOST_TOLD]


def impact_list(
    impacts: Sequence[Impact],
    connections: Sequence[Connection],
    *,
    own_rooms: frozenset[str],
    zone: tzinfo,
) -> None:
    """Draw what breaks.

    Parameters
    ----------
    impacts
        Of those `told_impacts` returns.
    connections
        All that are to be deleted.
    own_rooms
        Names of the workspaces the reader is in.
    """
    now = datetime.now(UTC)
    if len(connections) == 1:
        lines = _lines(impacts[0], own_rooms, now=now, zone=zone)
    else:
        names = list(dict.fromkeys(n for one in connections for n in one.workspace_names))
        lines = [_loss(names, own_rooms, "these connections")]
        lines += [
            f"**{md(short(one.connection.name, _LONGEST)) or '(no name)'}**: "
            + " ".join(_lines(one, own_rooms, now=now, zone=zone))
            for one in impacts
        ]
        if len(connections) > len(impacts):
            lines.append(f"And {len(connections) - len(impacts):,} more.")
    lines.append(
        f"Scripts that look {'it' if len(connections) == 1 else 'them'} up by name stop working."
    )
    st.markdown("\n".join(f"- {line}" for line in lines))


def _lines(impact: Impact, own_rooms: frozenset[str], *, now: datetime, zone: tzinfo) -> list[str]:
    lines = [_loss(impact.connection.workspace_names, own_rooms, "it")]
    if not impact.is_known:
        return [*lines, "Reading when it was used last…"]
    ran = impact.last_run_at
    use = impact.last_use
    run = told_when(ran, now=now, zone=zone) if ran is not None else "never"
    fetch = told_when(use.at, now=now, zone=zone) if use is not None else "never"
    return [*lines, f"Last run: {run}.", f"Last fetch: {fetch}."]


def _loss(names: Sequence[str], own_rooms: frozenset[str], it: str) -> str:
    if not names:
        return "No workspace loses it." if it == "it" else "No workspace loses any of them."
    lose = "loses" if len(names) == 1 else "lose"
    told = f"{count(len(names), 'workspace')} {lose} {it}: {names_words(names)}."
    foreign = sum(name not in own_rooms for name in names)
    return f"{told} You are not in {foreign} of them." if foreign else told


def names_words(names: Sequence[str]) -> str:
    """Return Markdown of some names, those beyond the eighth as a number."""
    told = [f"**{md(short(name, _LONGEST))}**" for name in names[:_MOST_NAMES]]
    if len(names) > _MOST_NAMES:
        told.append(f"{len(names) - _MOST_NAMES} more")
    return ", ".join(told)
