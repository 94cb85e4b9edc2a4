"""Undeploying one pipeline, or everything that somebody started here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

import streamlit as st

from components.text import md
from components.undeploy_dialog import UndeployFacts, undeploy_dialog
from dashboard import live, runtime, session
from dashboard.domain.idle import LastUse
from dashboard.domain.pipeline import Pipeline, PipelineState
from dashboard.domain.run import Run
from dashboard.services import last_use
from dashboard.services.jobs import Outcome
from dashboard.services.undeploying import Started
from dashboard.views import deploying

#: The log's times and ours are of two clocks.
_SAME = timedelta(seconds=5)


def draw(subject: str) -> None:
    """Say what undeploying a pipeline frees and who uses it, and ask."""
    current = runtime.current()
    who = current.identity()
    pipeline = next((one for one in _pipelines() if str(one.pipeline_id) == subject), None)
    if pipeline is None:
        session.close_dialog()
        return
    _ask(
        f"Undeploy {md(pipeline.name)}?",
        [pipeline],
        lambda: current.deployments.undeploy(who, pipeline),
        doing=f"Undeploying {pipeline.name}",
        once=f"undeploy:{pipeline.pipeline_id}",
        is_named=True,
    )


def draw_mine(_subject: str) -> None:
    """List what this person started that still runs, and ask to stop all of it."""
    current = runtime.current()
    who = current.identity()
    started = started_here()
    _ask(
        "Undeploy everything you started?",
        [one.pipeline for one in started],
        lambda: current.undeploying.undeploy_started(who, started),
        doing="Undeploying everything you started",
        once="undeploy_mine",
    )


def _ask(
    question: str,
    pipelines: Sequence[Pipeline],
    undeploy: Callable[[], Outcome],
    *,
    doing: str,
    once: str,
    is_named: bool = False,
) -> None:
    """Draw the dialog that is open, and have `undeploy` done as a job once it is confirmed."""
    mine = runtime.current().identity().user_id
    facts = [facts_of(one) for one in pipelines]
    opened = session.dialog()

    def confirmed() -> None:
        if session.dialog() != opened:
            return  # the second click of a double click
        session.close_dialog()
        live.submit(undeploy, doing=doing, once=once)

    width: Literal["small", "medium"] = "small" if is_named else "medium"

    @st.dialog(question, width=width, on_dismiss=session.close_dialog)
    def dialog() -> None:
        live.pursue()
        undeploy_dialog(
            facts,
            mine=mine,
            now=datetime.now(UTC),
            zone=session.zone(),
            on_undeploy=confirmed,
            on_keep=session.close_dialog,
            is_named=is_named,
        )

    dialog()


def started_here() -> list[Started]:
    """Return what this person started here and that still uses something, oldest first."""
    current = runtime.current()
    who = current.identity()
    # By name too: a platform that was begun anew gives its numbers again.
    known = {(one.pipeline_id, one.name): one for one in _pipelines()}
    mine = {(one.pipeline_id, one.pipeline_name): one for one in current.deployments.mine(who)}
    return [
        Started(known[which], record.version)
        for which, record in mine.items()
        if which in known
        and current.watch.look(who, known[which]).state
        not in (PipelineState.NOT_DEPLOYED, PipelineState.STOPPING)
    ]


def facts_of(pipeline: Pipeline) -> UndeployFacts:
    """Gather what is said of a pipeline before it is undeployed. Waits for nothing."""
    current = runtime.current()
    who = current.identity()
    logged = live.read(last_use.last_inference(current.gateway, who, pipeline), wait=False)
    runs = [run for run in _runs() if _is_of(run, pipeline)]
    use = _last_use(current.guard.last_use(pipeline.pipeline_id), runs, logged.value)
    return UndeployFacts(
        name=pipeline.name,
        state=current.watch.look(who, pipeline).state,
        settings=deploying.stored_settings(pipeline),
        last_use=use,
        is_asking=logged.is_loading,
        run=next((run for run in runs if not run.state.is_over), None),
        is_in_flight=current.guard.is_in_use(pipeline.pipeline_id),
    )


def _last_use(here: LastUse | None, runs: list[Run], logged: datetime | None) -> LastUse | None:
    """Return the newest use that is known, by whom it was."""
    known = [
        LastUse(run.finished_at, run.owner_id, run.owner_email) for run in runs if run.finished_at
    ]
    known += [here] if here is not None and here.who_id else []
    newest = max(known, key=lambda use: use.at, default=None)
    if logged is not None and (newest is None or logged > newest.at + _SAME):
        return LastUse(logged)
    return newest or here


def _is_of(run: Run, pipeline: Pipeline) -> bool:
    return (run.workspace_id, run.pipeline_name) == (pipeline.workspace_id, pipeline.name)


def _runs() -> tuple[Run, ...]:
    current = runtime.current()
    return live.read(current.run_actions.recent(current.identity()), wait=False).value or ()


def _pipelines() -> tuple[Pipeline, ...]:
    current = runtime.current()
    return live.read(current.catalog.pipelines(current.identity()), wait=False).value or ()
