"""What stands in the fields before a run, and what follows from it, also before they are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import streamlit as st

from components.table_fit import SentColumns
from dashboard import live, runtime
from dashboard.domain.model import ModelVersion
from dashboard.domain.pipeline import Pipeline, PipelineState
from dashboard.domain.table import Passport
from dashboard.domain.workspace import Workspace
from dashboard.errors import DashboardError
from dashboard.views import deploying

PIPELINE_KEY: Final = "summarize_pipeline"
READY: Final = (PipelineState.RUNNING, PipelineState.DEGRADED)


def first_room(ids: Sequence[int], pipelines: Sequence[Pipeline]) -> int:
    """Return the workspace that a field of them begins with: the address's, if it names one."""
    # The first visit opens the room where something can be run.
    busy = next((one.workspace_id for one in pipelines if one.workspace_id in ids), ids[0])
    wanted = st.query_params.get("workspace", "")
    return next((one for one in ids if str(one) == wanted), busy)


def room_key(first: int) -> str:
    """Return the key of the field that begins with this workspace."""
    return f"summarize_room_{first}"


def room_stands(rooms: Sequence[Workspace] | None, pipelines: Sequence[Pipeline]) -> int | None:
    """Return the workspace that is chosen, before its field is drawn; None without any."""
    if not rooms:
        return None
    first = first_room([one.workspace_id for one in rooms], pipelines)
    chosen: int = st.session_state.get(room_key(first), first)
    return chosen


def ready_first(room_id: int | None, pipelines: Sequence[Pipeline]) -> list[Pipeline]:
    """Return the pipelines of a workspace, those that answer first."""
    current = runtime.current()
    who = current.identity()
    here = [one for one in pipelines if one.workspace_id == room_id]
    return sorted(here, key=lambda one: current.watch.look(who, one).state not in READY)


def first_version(room_id: int | None, pipelines: Sequence[Pipeline]) -> ModelVersion | None:
    """Return the model version of the pipeline chosen below the table, as far as it is known."""
    here = ready_first(room_id, pipelines)
    return deploying.model_version_of(chosen_pipeline(here)) if here else None


def sent_columns(
    room: Workspace,
    pipelines: Sequence[Pipeline],
    passport: Passport,
    version: ModelVersion | None,
) -> SentColumns | None:
    """Return what a model that is no summarizer gets; None while that is not known."""
    if version is None or version.is_summarizer:
        return None
    current = runtime.current()
    who = current.identity()
    pipeline = chosen_pipeline(ready_first(room.workspace_id, pipelines))
    reads = live.read(current.run_actions.model_reads(who, pipeline, version)).value
    if reads is None:
        return None
    try:
        return SentColumns(current.run_actions.columns(who, passport.table_id, reads))
    except DashboardError as error:
        return SentColumns(problem=error.message)


def chosen_pipeline(here: Sequence[Pipeline]) -> Pipeline:
    """Return the pipeline chosen now; where there is only one, or none was chosen, the first."""
    chosen = st.session_state.get(PIPELINE_KEY)
    number = chosen.pipeline_id if isinstance(chosen, Pipeline) else None
    return next((one for one in here if one.pipeline_id == number), here[0])
