"""The fields of the linking dialog, and the preview of what they would change."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from components.text import count, md, plain

MODE_KEY = "linking_mode"
CONNECTIONS_KEY = "linking_connections"
ROOMS_KEY = "linking_rooms"
SEARCH_KEY = "linking_search"
LINK, UNLINK = "Link", "Unlink"

#: A list of thousands in a field is slow to draw and of no use to anybody.
MOST_OPTIONS = 200
_MOST_TAGS = 30
_MOST_NAMED = 3
_MOST_PAIRS = 20
_PAIRS_HEIGHT_PX = 232
_RIGHT_TO_LEFT = ("R", "AL", "AN")
_ISOLATE, _ISOLATE_END = "\u2068", "\u2069"


@dataclass(frozen=True, slots=True)
class Preview:
    """What would change, in labels.

    Parameters
    ----------
    pairs
        Connection and workspace of each change.
    already
        How many of the pairs chosen are so already.
    lost
        How many connections the members of a workspace lose, by its label.
    """

    link: bool
    pairs: Sequence[tuple[str, str]]
    already: int
    lost: Mapping[str, int]


def told_apart(names: Mapping[str, str]) -> dict[str, str]:
    """Map ids to the texts their names are shown by; names that look the same get the id."""
    shown = {one: plain(name) or "(no name)" for one, name in names.items()}
    seen: dict[str, int] = {}
    for text in shown.values():
        seen[text] = seen.get(text, 0) + 1
    return {
        one: text if seen[text] == 1 else f"{text} (id {plain(one)})" for one, text in shown.items()
    }


def options_of(labels: Mapping[str, str], kept: Collection[str], words: str) -> list[str]:
    """Return the ids to choose from: what matches, `MOST_OPTIONS` at most, and those kept.

    A choice moves none of them: they are drawn anew under the pointer that makes the next one.
    """
    wanted = words.casefold().split()
    options: list[str] = []
    for one, label in labels.items():
        folded = label.casefold()
        if all(word in folded for word in wanted):
            options.append(one)
        if len(options) == MOST_OPTIONS:
            break
    offered = set(options)
    return options + [one for one in kept if one not in offered]


def mode_field(*, unlink: bool) -> None:
    """Draw the choice between linking and unlinking; its value is under `MODE_KEY`."""
    st.segmented_control(
        "What to do",
        [LINK, UNLINK],
        default=UNLINK if unlink else LINK,
        required=True,
        label_visibility="collapsed",
        key=MODE_KEY,
    )


def connections_field(
    labels: Mapping[str, str], *, chosen: Sequence[str], among: Collection[str] | None = None
) -> None:
    """Draw the connections; the ids chosen are under `CONNECTIONS_KEY`.

    Parameters
    ----------
    labels
        All connections by id.
    chosen
        Those that stand there at first. Many of them are told, not drawn one by one.
    among
        The ids to choose from; all if none are given.
    """
    if is_fixed(chosen):
        named = ", ".join(isolated(labels[one]) for one in chosen[:_MOST_NAMED])
        st.markdown(
            f"**{len(chosen):,} connections**, as ticked in the list: {named} and "
            f"{len(chosen) - _MOST_NAMED:,} more."
        )
        return
    offered = labels if among is None else {one: labels[one] for one in labels if one in among}
    words = ""
    if len(offered) > MOST_OPTIONS:
        words = st.text_input(
            "Find a connection",
            placeholder="A part of its name",
            icon=":material/search:",
            live=True,
            key=SEARCH_KEY,
        )
    kept = [one for one in st.session_state.get(CONNECTIONS_KEY, chosen) if one in labels]
    options = options_of(offered, kept, words or "")
    st.multiselect(
        "Connections",
        options,
        default=[one for one in chosen if one in labels],
        format_func=lambda one: labels.get(one, ""),
        placeholder="Choose connections",
        key=CONNECTIONS_KEY,
    )
    if len(options) >= MOST_OPTIONS:
        st.markdown(
            f":small[:gray[{MOST_OPTIONS} of {len(offered):,} are offered. Type a part of a name "
            "above to find the others.]]"
        )


def is_fixed(chosen: Sequence[str]) -> bool:
    """Whether so many connections were chosen before that they cannot be changed here."""
    return len(chosen) > _MOST_TAGS


def rooms_field(
    labels: Mapping[str, str], *, chosen: Sequence[str], on_change: Callable[[], None]
) -> None:
    """Draw the workspaces; the ids chosen are under `ROOMS_KEY`."""
    st.multiselect(
        "Workspaces",
        list(labels),
        default=[one for one in chosen if one in labels],
        format_func=lambda one: labels.get(one, ""),
        placeholder="Choose workspaces",
        on_change=on_change,
        key=ROOMS_KEY,
    )


def preview(shown: Preview) -> None:
    """Draw what would change: the sum, what it means for the members, and pair by pair."""
    with st.container(border=True, key="linking_preview", gap="xsmall"):
        st.markdown(_sum(shown))
        for sentence in _losses(shown.lost):
            st.markdown(f":small[{sentence}]")
        if not shown.pairs:
            return
        sign = ":green[:material/add_link:]" if shown.link else ":red[:material/link_off:]"
        rows = [
            f"{sign} {isolated(name)} :gray[{'to' if shown.link else 'from'}] {isolated(room)}"
            for name, room in shown.pairs[:_MOST_PAIRS]
        ]
        if (rest := len(shown.pairs) - len(rows)) > 0:
            rows.append(f":gray[and {rest:,} more]")
        is_long = len(rows) > 7
        with st.container(height=_PAIRS_HEIGHT_PX if is_long else "content", border=False):
            # One text, not one element each: the browser draws it at once.
            st.markdown("  \n".join(f":small[{row}]" for row in rows))


def isolated(name: str) -> str:
    """Return a name as Markdown; one of another direction does not turn its neighbours around."""
    is_other = any(unicodedata.bidirectional(sign) in _RIGHT_TO_LEFT for sign in name)
    return f"{_ISOLATE}{md(name)}{_ISOLATE_END}" if is_other else md(name)


def _sum(shown: Preview) -> str:
    changed, already = len(shown.pairs), shown.already
    if shown.link:
        exist = "exists" if already == 1 else "exist"
        told, rest = f"**{count(changed, 'new link')}**", f"{already:,} {exist} already"
        nothing = f"{count(already, 'link')} {exist} already"
    else:
        told, rest = f"**{count(changed, 'link')} to remove**", f"{already:,} not linked anyway"
        nothing = "none of these are linked"
    if not changed:
        return f"Nothing to change: {nothing}."
    return f"{told}, {rest}." if already else f"{told}."


def _losses(lost: Mapping[str, int]) -> list[str]:
    if not lost:
        return []
    told = [
        f"The members of **{isolated(room)}** lose **{count(number, 'connection')}**."
        for room, number in list(lost.items())[:_MOST_NAMED]
    ]
    if (rest := len(lost) - len(told)) > 0:
        told.append(f"The members of {count(rest, 'more workspace', 'more workspaces')} lose some.")
    told.append(":gray[Runs and scripts there stop finding them. You can link them again.]")
    return told
