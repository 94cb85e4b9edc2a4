"""The list of models: one card each, with a way to open it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo

import streamlit as st

from components.model_words import one_line, stage_badge, stage_of
from components.text import md
from dashboard.domain.model import Model, ModelStage


@dataclass(frozen=True, slots=True)
class ModelLine:
    """One model of the list.

    Parameters
    ----------
    room
        The name of its workspace.
    users
        How many pipelines use one of its versions now.
    """

    model: Model
    room: str
    users: int


def model_line(
    line: ModelLine, *, now: datetime, zone: tzinfo, on_open: Callable[[int], None]
) -> None:
    """Draw one model; `on_open` is called with its number."""
    model = line.model
    stage = stage_of(model)
    with (
        st.container(border=True, key=f"model_{model.model_id}"),
        st.container(horizontal=True, vertical_alignment="center"),
    ):
        with st.container(width="stretch", gap="xxsmall"):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{md(model.name)}**", width="content")
                st.markdown(
                    stage_badge(stage) if stage is not None else ":gray-badge[No version]",
                    width="content",
                )
            told = one_line(model, line.room, line.users, now=now, zone=zone)
            st.markdown(f":small[:gray[{md(told)}]]")
            if stage is ModelStage.FAILED and (why := model.versions[0].error_summary):
                st.markdown(f":small[:red[:material/error: {md(why)}]]")
        st.button(
            "Details",
            type="tertiary",
            icon=":material/expand_more:",
            key=f"models_open_{model.model_id}",
            on_click=on_open,
            args=(model.model_id,),
        )
