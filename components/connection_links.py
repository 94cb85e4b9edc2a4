"""The workspaces a connection is linked to, and the runs that used it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo

import streamlit as st

from components import outage, presenting
from components.connection_drawer import DrawerAct, DrawerIntent, OnAct
from components.text import count, md, plain, told_when
from dashboard.domain.check import Check
from dashboard.domain.run import Run


def links_choice(
    connection_id: str,
    *,
    workspaces: Mapping[int, str] | None,
    linked: Sequence[int],
    others: Sequence[str],
    is_busy: bool,
    on_act: OnAct,
) -> None:
    """Draw the workspaces to link it to.

    Parameters
    ----------
    workspaces
        Labels of the reader's workspaces by id, in display order; None while they are not known.
    linked
        Ids of those the connection is linked to.
    others
        Names of the workspaces it is linked to besides, which the reader is not in.
    """
    st.markdown("**Linked workspaces** :gray[whose members can use it]")
    if workspaces is None:
        st.markdown(":small[:gray[Loading your workspaces…]]")
        return
    now_linked = [one for one in linked if one in workspaces]
    # A new set of links gives the field a new key: it then shows what the platform says.
    version = "_".join(str(one) for one in sorted(now_linked))
    key = f"drawer_links_{connection_id}_{version}"
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
    if others:
        names = ", ".join(md(name) for name in others)
        st.markdown(f":small[:gray[Also linked to {names}, which you are not in.]]")
    told = _told(workspaces, now_linked, wanted)
    takes_away = not set(now_linked) <= set(wanted)
    if told:
        st.markdown(f":small[{told}]")
        st.button(
            "Save links",
            # What takes a link away from others is no click for a stage.
            **outage.off(
                **(presenting.off(disabled=is_busy) if takes_away else {"disabled": is_busy})
            ),
            key="drawer_save_links",
            # Read where it is kept: a click can come together with the choice before it.
            on_click=lambda: on_act(
                DrawerIntent(DrawerAct.SET_LINKS, tuple(st.session_state.get(key, now_linked)))
            ),
        )


def use_lines(
    last_use: Check | None,
    last_run: Run | None,
    last_run_at: datetime | None,
    *,
    reader_id: str,
    zone: tzinfo,
) -> None:
    """Draw when it was fetched and run last.

    Parameters
    ----------
    last_run
        The last run over a table of it, if it is among the newest runs.
    last_run_at
        When that was; None if there never was one.
    """
    now = datetime.now(UTC)
    fetched = "never"
    if last_use is not None:
        fetched = told_when(last_use.at, now=now, zone=zone)
        fetched += "" if last_use.passed else ", which failed"
    ran = "never" if last_run_at is None else told_when(last_run_at, now=now, zone=zone)
    if last_run is not None:
        who = (
            "you"
            if last_run.owner_id == reader_id
            else md(presenting.person(last_run.owner_email)) or "somebody"
        )
        ran += (
            f" by {who}, {count(last_run.rows_total, 'row')} through {md(last_run.pipeline_name)}"
        )
    st.markdown(f":small[:gray[Last fetch: {fetched}. Last run: {ran}.]]")


def _told(workspaces: Mapping[int, str], linked: Sequence[int], wanted: Sequence[int]) -> str:
    added = [workspaces[one] for one in wanted if one not in linked]
    gone = [workspaces[one] for one in linked if one not in wanted]
    told = []
    if added:
        told.append(f"Link to **{', '.join(md(name) for name in added)}**.")
    if gone:
        told.append(f"Unlink from **{', '.join(md(name) for name in gone)}**: its members lose it.")
    return " ".join(told)
