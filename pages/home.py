import streamlit as st

from components import home_cards, loading, outage
from components.frame import page_header
from components.steps import steps_row
from components.vocabulary import vocabulary_of
from dashboard import live, runtime, session
from dashboard.domain.pipeline import PipelineState
from dashboard.domain.story import StepKey, StoryFacts, steps
from dashboard.services import story
from dashboard.views import deploying, guarding, undeploying, ways_back

current = runtime.current()
who = current.identity()
is_sandbox = current.place().is_sandbox
with page_header("Home", home_cards.place_line(is_sandbox=is_sandbox, zone=session.zone())):
    st.button(
        "Preflight…",
        icon=":material/flight_takeoff:",
        **outage.off(help="Walks every step from the connection to an answer, before a demo."),
        key="home_preflight",
        on_click=session.go_to,
        args=("preflight",),
    )

connections = live.read(current.catalog.connections(who))
workspaces = live.read(current.catalog.workspaces(who))
pipelines = live.read(current.catalog.pipelines(who))
runs = (live.read(current.run_actions.recent(who)).value or ())[:8]

known = connections.value is not None and pipelines.value is not None
views = {one.pipeline_id: current.watch.look(who, one) for one in pipelines.value or ()}
facts = StoryFacts(**current.remembered_facts())
# Until the platform has answered, the way of the last visit is shown: its next step works.
if known:
    facts = story.facts(
        connections=connections.value or (),
        pipelines=pipelines.value or (),
        states={} if outage.is_on() else {number: view.state for number, view in views.items()},
        runs=runs,
        created_name=current.marks.get(story.CREATED_MARK),
        timing_seen=bool(current.marks.get(story.TIMING_MARK)),
    )
    current.remember_facts(facts)


def take_step(step: StepKey) -> None:
    """Go where the step is done."""
    if step is StepKey.LINK:
        linked = [one for one in connections.value or () if one.name == facts.connection]
        session.go_to("connections", **({"connection": linked[0].connection_id} if linked else {}))
        return
    pages = {
        StepKey.CONNECT: "new_connection",
        StepKey.DEPLOY: "pipelines",
        StepKey.SUMMARIZE: "summarize",
        StepKey.LATENCY: "latency",
    }
    session.go_to(pages[step])


def do(asked: home_cards.HomeIntent) -> None:
    """Do what a card asks for."""
    if asked.undeploy_mine:
        session.open_dialog("undeploy_mine")
    elif asked.keep is not None:
        for pipeline in pipelines.value or ():
            if pipeline.pipeline_id == asked.keep:
                guarding.keep(pipeline)
    elif asked.undeploy is not None:
        session.open_dialog("undeploy", str(asked.undeploy))
    else:
        session.go_to(asked.page, **asked.query)


here = [one for one in pipelines.value or () if one.workspace_name == facts.workspace]
here.sort(key=lambda one: views[one.pipeline_id].state is not PipelineState.RUNNING)
said = vocabulary_of(deploying.model_version_of(here[0]) if here else None)
steps_row(steps(facts), on_press=take_step, said=said)
error = connections.error or pipelines.error
if error is not None and not known:
    ways_back.show(error, what="what is on the platform", key="home")
elif not known:
    loading.skeleton("your connections and pipelines", [connections, pipelines], height=230)
else:
    home_cards.cards_row(
        connections=connections.value or (),
        health=live.read(current.checks.health(who), wait=False).value or {},
        workspaces=len(workspaces.value or ()),
        running=[
            (one, view.state, view.since_s)
            for one in pipelines.value or ()
            for view in [views[one.pipeline_id]]
            if view.state is not None and view.state is not PipelineState.NOT_DEPLOYED
        ],
        last_run=runs[0] if runs else None,
        guards={number: current.guard.view(number) for number in views},
        mine=len(undeploying.started_here()),
        on_ask=do,
    )
if runs:
    st.subheader("Recent runs", anchor=False)
    home_cards.recent_runs(runs, me=who.user_id, zone=session.zone())
