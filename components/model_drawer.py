"""One model, opened: its versions, and of the chosen one what it takes, gives and is used by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo
from typing import Final

import streamlit as st

from components import presenting
from components.badges import pipeline_badge
from components.model_words import stage_badge, version_label, when
from components.text import md, plain
from dashboard.domain.model import Model, ModelDetails, ModelStage, ModelVersion
from dashboard.domain.pipeline import Pipeline, PipelineState
from dashboard.domain.table import ColumnFacts
from dashboard.errors import DashboardError

#: So many columns of a schema are drawn; the rest is counted.
_MOST_COLUMNS: Final = 60


def version_choice(
    model: Model,
    chosen: ModelVersion,
    *,
    now: datetime,
    zone: tzinfo,
    on_choose: Callable[[int], None],
) -> None:
    """Draw the choice among the versions, newest first; `on_choose` gets the number of one."""
    if len(model.versions) < 2:
        return
    key = f"model_drawer_version_{model.model_id}"
    ids = [one.version_id for one in model.versions]
    told = {
        one.version_id: version_label(one, model.versions, now=now, zone=zone)
        for one in model.versions
    }
    st.session_state[key] = chosen.version_id
    st.selectbox(
        "Version",
        ids,
        format_func=lambda one: told.get(one, ""),
        key=key,
        on_change=lambda: on_choose(int(st.session_state[key])),
    )


def version_facts(version: ModelVersion, *, now: datetime, zone: tzinfo) -> None:
    """Draw what is known of a version without asking further."""
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        st.markdown(stage_badge(version.stage), width="content")
        uploaded = f"uploaded {when(version, now=now, zone=zone)}"
        st.markdown(f":small[:gray[{md(uploaded)}]]", width="content")
    if version.stage is ModelStage.FAILED:
        why = version.error_summary or "The platform gave no reason."
        with st.container(border=True, key="model_drawer_failed"):
            st.markdown(f":material/error: **The platform could not use this file.** {md(why)}")
            st.markdown(
                ":small[:gray[Mend the file and upload it again under the same name: it becomes a "
                "new version.]]"
            )
    elif version.stage is ModelStage.CONVERTING:
        st.markdown("The platform is converting the file. This can take minutes.")
    lines = []
    if version.file_name:
        lines.append(f"File {md(presenting.words(version.file_name))}")
    if version.framework:
        lines.append(f"Kind {md(version.framework)}")
    if version.version and not presenting.is_on():
        lines.append(f"Version id {md(version.version)}")
    st.markdown("  \n".join(f":small[:gray[{line}]]" for line in lines))
    if version.sha and not presenting.is_on():
        st.markdown("**Checksum** :gray[sha256 of the file]")
        st.code(plain(version.sha), language=None, wrap_lines=True)


def schemas(details: ModelDetails | None, error: DashboardError | None) -> None:
    """Draw the columns it takes and gives; `details` is None while they are not known."""
    if details is None and error is not None:
        st.markdown(f":small[:orange[:material/warning: {md(presenting.words(error.message))}]]")
        return
    if details is None:
        st.skeleton(height=90)
        return
    _columns("Takes", details.inputs)
    _columns("Gives", details.outputs)


def _columns(title: str, columns: Sequence[ColumnFacts] | None) -> None:
    st.markdown(f"**{title}**")
    if not columns:
        st.markdown(":small[:gray[The platform does not tell.]]")
        return
    rows = [f"| {md(one.name)} | {md(one.type) or 'not told'} |" for one in columns[:_MOST_COLUMNS]]
    st.markdown("\n".join(["| Column | Type |", "|---|---|", *rows]))
    if len(columns) > _MOST_COLUMNS:
        st.markdown(f":small[:gray[{len(columns) - _MOST_COLUMNS:,} more columns.]]")


def used_by(
    users: Sequence[tuple[Pipeline, PipelineState | None]],
    once: Sequence[Pipeline],
    *,
    on_open: Callable[[int], None],
) -> None:
    """Draw which pipelines use it now, with their states, and which did so once."""
    st.markdown("**Used by**")
    if not users:
        st.markdown(":small[:gray[No pipeline.]]")
    for pipeline, state in users:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.button(
                md(pipeline.name),
                type="tertiary",
                icon=":material/account_tree:",
                key=f"model_drawer_pipeline_{pipeline.pipeline_id}",
                on_click=on_open,
                args=(pipeline.pipeline_id,),
            )
            badge = pipeline_badge(state) if state is not None else ":gray-badge[Asking…]"
            st.markdown(badge, width="content")
    if once:
        names = ", ".join(md(one.name) for one in once[:5])
        more = f" and {len(once) - 5} more" if len(once) > 5 else ""
        st.markdown(f":small[:gray[In an older version of {names}{more}.]]")


def upload_log(lines: Sequence[str] | None) -> None:
    """Draw what the platform has written about the upload; nothing where it has not."""
    if not lines or presenting.is_on():
        return
    with st.expander("The platform's log of this upload"):
        st.code("\n".join(plain(line) for line in lines), language=None, wrap_lines=True)
