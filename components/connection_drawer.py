"""One connection, opened: what it is and how it does, its sections, what can be done with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import StrEnum

import streamlit as st

from components.badges import Look, badge, health_badge
from components.health_words import health_words
from components.text import count, md, short, told_when
from dashboard.domain.check import Health
from dashboard.domain.connection import Connection

_LONGEST_TYPE = 40


class DrawerAct(StrEnum):
    """What was asked for."""

    SET_LINKS = "set_links"
    FETCH = "fetch"
    EDIT = "edit"
    DUPLICATE = "duplicate"
    EXPORT = "export"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class DrawerIntent:
    """What was asked for; `workspace_ids` are the links wanted, or where to fetch."""

    act: DrawerAct
    workspace_ids: tuple[int, ...] = ()


OnAct = Callable[[DrawerIntent], None]


class Section(StrEnum):
    """What of the connection is shown."""

    OVERVIEW = "Overview"
    ACTIVITY = "Activity"
    CODE = "Code"


def drawer_head(connection: Connection, health: Health | None, *, zone: tzinfo) -> None:
    """Draw what it is and how it does; `health` is None while it is not known."""
    now = datetime.now(UTC)
    kind = short(connection.type, _LONGEST_TYPE) or "no type"
    linked = len(connection.workspace_names)
    rooms = count(linked, "workspace") if linked else "not linked"
    created = told_when(connection.created_at, now=now, zone=zone)
    known = health_badge(health.state, health_words(health, now=now, zone=zone)) if health else ""
    with st.container(horizontal=True, gap="xsmall", key="drawer_badges"):
        for told in (
            known,
            badge(Look("category", "gray", ""), kind),
            badge(Look("folder_shared", "gray", ""), rooms),
            f":small[:gray[created {created}]]",
        ):
            if told:
                st.markdown(told, width="content")


def took_place_notice(name: str, created_at: datetime, *, zone: tzinfo) -> None:
    """Say that the connection shown is not the one that was opened."""
    made = told_when(created_at, now=datetime.now(UTC), zone=zone)
    with st.container(border=True, key="drawer_took_place"):
        st.markdown(
            f":material/info: **{md(short(name, 80))}** was replaced meanwhile: this is the new "
            f"one, created {made}."
        )


def section_choice(
    key: str, *, on_change: Callable[[], None], beside: Mapping[Section, Callable[[], None]]
) -> Section:
    """Draw the choice of sections and return the chosen one.

    Parameters
    ----------
    beside
        What to draw to the right of it while a section is chosen.
    """
    with st.container(
        horizontal=True,
        horizontal_alignment="distribute",
        vertical_alignment="center",
        key="drawer_sections",
    ):
        chosen = st.segmented_control(
            "Section",
            list(Section),
            default=Section.OVERVIEW,
            required=True,
            format_func=lambda one: one.value,
            label_visibility="collapsed",
            key=key,
            on_change=on_change,
        )
        section = Section(chosen or Section.OVERVIEW)
        beside.get(section, lambda: None)()
    return section
