from functools import partial

import streamlit as st

from components import loading
from components.empty_state import Way, empty_state
from components.frame import page_header
from components.pipeline_card import PipelineAct, PipelineFacts, pipeline_card
from dashboard import live, runtime, session, strings
from dashboard.domain.pipeline import Pipeline
from dashboard.domain.workspace import labels
from dashboard.views import deploying, ways_back

_MOVING_S = 0.5
_RESTING_S = 2.0

current = runtime.current()
who = current.identity()
heading = st.container()
known = live.read(current.catalog.pipelines(who))
names = labels(live.read(current.catalog.workspaces(who)).value or ())


def begin() -> None:
    """Open the form of a new pipeline."""
    session.open_dialog("new_pipeline", str(room_id or ""))


with heading, page_header("Pipelines", strings.PIPELINE):
    room_id = st.selectbox(
        "Workspace",
        list(names),
        index=None,
        placeholder="All workspaces",
        format_func=lambda one: names.get(one, ""),
        label_visibility="collapsed",
        width=260,
        key="pipelines_workspace",
    )
    st.button("New pipeline…", icon=":material/add:", key="pipelines_new", on_click=begin)


def facts_of(pipeline: Pipeline) -> PipelineFacts:
    """Gather what a card shows."""
    view = current.watch.look(who, pipeline, wait_s=session.read_budget_s())
    uses = view.state is not None and view.state.uses_resources
    return PipelineFacts(
        pipeline=pipeline,
        status=view.status,
        since_s=view.since_s,
        started_s=view.started_s,
        usual_start_s=view.usual_start_s,
        phases=view.phases,
        settings=deploying.stored_settings(pipeline) if uses else None,
        model_version=deploying.model_version_of(pipeline),
        problem=view.error.message if view.error else "",
    )


def act(pipeline: Pipeline, asked: PipelineAct) -> None:
    """Do what a card asks for."""
    if asked is PipelineAct.SUMMARIZE:
        session.go_to("summarize", workspace=str(pipeline.workspace_id))
    else:
        session.open_dialog(asked.value, str(pipeline.pipeline_id))


def draw_cards(shown: list[Pipeline]) -> None:
    """Draw the cards, anew while they are looked at: what uses something stands first."""
    live.pursue()
    busy = {job.once for job in current.jobs.running(who)}
    gathered = [facts_of(pipeline) for pipeline in shown]
    for facts in sorted(gathered, key=lambda one: one.settings is None):
        pipeline_card(
            facts,
            is_busy=not busy.isdisjoint(
                {f"deploy:{facts.pipeline.pipeline_id}", f"undeploy:{facts.pipeline.pipeline_id}"}
            ),
            on_act=partial(act, facts.pipeline),
        )


if known.value is None and known.error is not None:
    ways_back.show(known.error, what="your pipelines", key="pipelines")
elif known.value is None:
    loading.skeleton("your pipelines", known, height=300)
else:
    shown = [one for one in known.value if room_id in (None, one.workspace_id)]
    moving = any(state is None or state.is_moving for _, state in current.watch.states(who))
    every_s = _MOVING_S if moving else _RESTING_S
    if shown:
        st.fragment(draw_cards, run_every=every_s, key="pipelines_cards")(shown)
    else:
        told = strings.PIPELINE + " You make one from a model version."
        way = Way("pipelines_first", "New pipeline…", begin, ":material/add:")
        empty_state("No pipelines here yet", told, [way], icon="account_tree")
