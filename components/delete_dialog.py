"""Deleting connections: the lesser acts first, then the name to type."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from components import outage
from components.delete_impact import names_words
from components.text import md, plain
from dashboard.domain.connection import Connection


def asked_text(connections: Sequence[Connection]) -> str:
    """Return what is to be typed: the name as it is shown, or for several their number."""
    name = plain(connections[0].name) if len(connections) == 1 else ""
    return name or f"delete {len(connections)}"


def is_confirmed(typed: str, connections: Sequence[Connection]) -> bool:
    """Whether `typed` is what was asked for, letter by letter."""
    if not connections:
        return False
    exact = connections[0].name.strip() if len(connections) == 1 else ""
    return typed.strip() in {asked_text(connections), exact} - {""}


def lesser_acts(
    *,
    rooms: Sequence[str],
    is_linked: bool,
    many: bool,
    is_busy: bool,
    on_unlink: Callable[[], None],
    on_export: Callable[[], None],
) -> None:
    """Draw what can be done in the place of deleting, or before it.

    Parameters
    ----------
    rooms
        Names of the reader's workspaces that it would be unlinked from.
    is_linked
        Whether it is linked to any workspace at all.
    """
    it = "them" if many else "it"
    if rooms:
        told = f"Unlinking keeps {it} for others: only {names_words(rooms)} would lose {it}."
    elif is_linked:
        told = f"You are in none of its workspaces, so you cannot unlink {it}."
    else:
        told = f"Nothing to unlink: no workspace has {it}."
    _act_line(
        told,
        "Unlink instead",
        key="delete_unlink",
        disabled=is_busy or not rooms,
        on_click=on_unlink,
    )
    _act_line(
        "There is no undo on the platform. Export first keeps everything but the secrets.",
        "Export…",
        key="delete_export",
        disabled=False,
        on_click=on_export,
    )


def confirmation(
    connections: Sequence[Connection],
    *,
    key: str,
    is_busy: bool,
    on_delete: Callable[[], None],
    on_keep: Callable[[], None],
) -> None:
    """Draw the field to type into, kept under `key`, and the buttons."""
    many = len(connections) > 1
    named = len(connections) == 1 and bool(plain(connections[0].name))
    st.markdown(f"To delete {'them' if many else 'it'}, type **{md(asked_text(connections))}**")
    typed = st.text_input(
        "Type its name to delete" if named else "Type the words above to delete",
        label_visibility="collapsed",
        autocomplete="off",
        live=True,
        key=key,
    )
    with st.container(horizontal=True):
        st.button(
            f"Delete {len(connections):,}" if many else "Delete",
            type="primary",
            **outage.off(disabled=is_busy or not is_confirmed(typed or "", connections)),
            key="delete_confirm",
            on_click=on_delete,
        )
        st.button(
            f"Keep {'them' if many else 'it'}", type="tertiary", key="delete_keep", on_click=on_keep
        )


def _act_line(
    told: str, label: str, *, key: str, disabled: bool, on_click: Callable[[], None]
) -> None:
    with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="small"):
        st.markdown(told, width="stretch")
        st.button(label, key=key, on_click=on_click, **outage.off(disabled=disabled))
