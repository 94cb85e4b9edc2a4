"""One connection, opened: its safe parts, the rest in words, and the workspaces it is linked to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import StrEnum

import streamlit as st

from components.badges import Look, badge
from components.text import count, md, moment, plain
from dashboard.domain.connection import Connection, DetailPart


class DrawerAct(StrEnum):
    """What was asked for."""

    SET_LINKS = "set_links"
    FETCH = "fetch"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class DrawerIntent:
    """What was asked for; `workspace_ids` are the links wanted, or where to fetch."""

    act: DrawerAct
    workspace_ids: tuple[int, ...] = ()


def connection_drawer(  # noqa: PLR0913 - what the drawer shows, by keyword
    connection: Connection,
    *,
    workspaces: Mapping[int, str],
    linked: Sequence[int],
    can_fetch: bool,
    is_busy: bool,
    zone: tzinfo,
    on_act: Callable[[DrawerIntent], None],
) -> None:
    """Draw the drawer's body.

    Parameters
    ----------
    workspaces
        Labels of the workspaces by id, in display order.
    linked
        Ids of those the connection is linked to.
    is_busy
        Whether a change of this connection is under way.
    on_act
        Called with what was asked for.
    """
    created = moment(connection.created_at, now=datetime.now(UTC), zone=zone)
    with st.container(horizontal=True, gap="xsmall"):
        st.markdown(badge(Look("category", "gray", ""), connection.type or "no type"))
        st.markdown(
            badge(
                Look("folder_shared", "gray", ""),
                count(len(connection.workspace_names), "workspace"),
            )
            + f" :small[:gray[created {created}]]"
        )
    _parts(connection.parts)
    _links(connection, workspaces=workspaces, linked=linked, is_busy=is_busy, on_act=on_act)
    ready = can_fetch and bool(linked)
    st.button(
        "Fetch a table",
        type="primary",
        disabled=not ready,
        help=None if ready else _why_no_fetch(can_fetch=can_fetch),
        key="drawer_fetch",
        on_click=on_act,
        args=(DrawerIntent(DrawerAct.FETCH, tuple(linked[:1])),),
    )
    with st.expander("Delete…", type="compact", key="drawer_delete_fold"):
        # Also those the reader is not in: their members lose it all the same.
        _delete(connection, connection.workspace_names, is_busy=is_busy, on_act=on_act)


def _parts(parts: Sequence[DetailPart]) -> None:
    st.markdown("**Details** :gray[only the parts that are safe to show]")
    if not parts:
        st.markdown(":small[:gray[None. What it holds is used by scripts and never shown.]]")
    with st.container(gap=2):
        for part in parts:
            with st.container(horizontal=True, gap="small"):
                st.markdown(f":gray[{md(part.label)}]", width=143)
                if part.value is not None:
                    st.markdown(md(part.value), width="stretch")
                else:
                    st.markdown("**set**" if part.is_set else "**not set**", width="stretch")


def _links(
    connection: Connection,
    *,
    workspaces: Mapping[int, str],
    linked: Sequence[int],
    is_busy: bool,
    on_act: Callable[[DrawerIntent], None],
) -> None:
    st.markdown("**Linked workspaces** :gray[whose members can use it]")
    now_linked = [one for one in linked if one in workspaces]
    # A new set of links gives the field a new key: it then shows what the platform says.
    version = "_".join(str(one) for one in sorted(now_linked))
    key = f"drawer_links_{connection.connection_id}_{version}"
    wanted = st.multiselect(
        "Linked workspaces",
        list(workspaces),
        default=now_linked,
        format_func=lambda one: plain(workspaces.get(one, "")),
        placeholder="Choose a workspace",
        label_visibility="collapsed",
        disabled=is_busy,
        key=key,
    )
    added = [workspaces[one] for one in wanted if one not in now_linked]
    gone = [workspaces[one] for one in now_linked if one not in wanted]
    told = []
    if added:
        told.append(f"Link to **{', '.join(md(name) for name in added)}**.")
    if gone:
        told.append(f"Unlink from **{', '.join(md(name) for name in gone)}**: its members lose it.")
    if told:
        st.markdown(":small[" + " ".join(told) + "]")
        st.button(
            "Save links",
            disabled=is_busy,
            key="drawer_save_links",
            # Read where it is kept: a click can come together with the choice before it.
            on_click=lambda: on_act(
                DrawerIntent(DrawerAct.SET_LINKS, tuple(st.session_state.get(key, now_linked)))
            ),
        )


def _delete(
    connection: Connection,
    linked: Sequence[str],
    *,
    is_busy: bool,
    on_act: Callable[[DrawerIntent], None],
) -> None:
    if linked:
        lose = "loses" if len(linked) == 1 else "lose"
        names = ", ".join(md(name) for name in linked)
        st.markdown(
            f"{count(len(linked), 'workspace')} ({names}) {lose} it. Scripts that look it up by "
            "name stop working. To keep it for others, unlink it instead."
        )
    else:
        st.markdown("It is not linked. Scripts that look it up by name stop working.")
    typed = st.text_input("Type its name to delete", key=f"drawer_name_{connection.connection_id}")
    st.button(
        "Delete",
        disabled=is_busy or (typed or "").strip() != connection.name.strip(),
        key="drawer_delete",
        on_click=on_act,
        args=(DrawerIntent(DrawerAct.DELETE),),
    )


def _why_no_fetch(*, can_fetch: bool) -> str:
    if not can_fetch:
        return "Tables can be fetched through HTTP connections for now. Scripts can use this one."
    return "Link it to a workspace first."
