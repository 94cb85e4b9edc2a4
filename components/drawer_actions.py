"""What can be done with an opened connection."""

from __future__ import annotations

import streamlit as st

from components import outage, presenting
from components.connection_drawer import DrawerAct, DrawerIntent, OnAct


def drawer_actions(
    *,
    can_fetch: bool,
    fetch_from: int | None,
    is_busy: bool,
    on_act: OnAct,
) -> None:
    """Draw what can be done with it.

    Parameters
    ----------
    fetch_from
        Id of the workspace to fetch its table in; None where it is linked to none.
    """
    ready = can_fetch and fetch_from is not None
    rooms = (fetch_from,) if fetch_from is not None else ()
    with st.container(horizontal=True, gap="small", key="drawer_actions"):
        st.button(
            "Fetch a table",
            type=outage.primary(),
            **outage.off(
                disabled=not ready,
                help=None if ready else _why_no_fetch(can_fetch=can_fetch),
            ),
            key="drawer_fetch",
            on_click=on_act,
            args=(DrawerIntent(DrawerAct.FETCH, rooms),),
        )
        for label, act in (
            ("Edit…", DrawerAct.EDIT),
            ("Duplicate", DrawerAct.DUPLICATE),
            ("Export…", DrawerAct.EXPORT),
            ("Delete…", DrawerAct.DELETE),
        ):
            st.button(
                label,
                type="tertiary" if act is DrawerAct.DELETE else "secondary",
                **outage.off(
                    **presenting.off(disabled=is_busy and act in (DrawerAct.EDIT, DrawerAct.DELETE))
                ),
                key=f"drawer_{act.value}",
                on_click=on_act,
                args=(DrawerIntent(act),),
            )


def _why_no_fetch(*, can_fetch: bool) -> str:
    if not can_fetch:
        return "Tables can be fetched through HTTP connections for now. Scripts can use this one."
    return "Link it to a workspace first."
