"""Gathers how far a visitor has come, from what the platform and the store say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dashboard.connectors import registry
from dashboard.domain.connection import Connection
from dashboard.domain.pipeline import Pipeline, PipelineState
from dashboard.domain.run import Run, RunState
from dashboard.domain.story import StoryFacts

#: Keys of the marks that survive a restart.
CREATED_MARK = "created_connection"
TIMING_MARK = "timing_seen_run"


def facts(
    *,
    connections: Sequence[Connection],
    pipelines: Sequence[Pipeline],
    states: Mapping[int, PipelineState | None],
    runs: Sequence[Run],
    created_name: str,
    timing_seen: bool,
) -> StoryFacts:
    """Return the facts.

    Parameters
    ----------
    states
        What each pipeline is doing, by its id; None where it is not known yet.
    created_name
        The connection that was created here last, if any.
    """
    rooms = {pipeline.workspace_name for pipeline in pipelines}
    usable = [one for one in connections if registry.can_fetch(one.type)]
    linked = [one for one in usable if rooms.intersection(one.workspace_names)]
    created = [one for one in usable if one.name == created_name]
    chosen = next(iter([one for one in created if one in linked] or linked or created), None)
    running = next(
        (one for one in pipelines if states.get(one.pipeline_id) is PipelineState.RUNNING), None
    )
    done = next((run for run in runs if run.state is RunState.DONE), None)
    return StoryFacts(
        connection=chosen.name if chosen else "",
        workspace=next(
            (name for name in chosen.workspace_names if name in rooms) if chosen else iter(()), ""
        ),
        running=f"{running.name} is running" if running else "",
        run=f"{done.rows_done} of {done.rows_total} rows done" if done else "",
        timing_seen=timing_seen,
    )
