"""The dialog that deploys a pipeline: what it takes is said before the click."""

from __future__ import annotations

import streamlit as st

from components import loading
from components.deploy_dialog import DeployFacts, DeployRequest, deploy_form
from components.text import duration, md
from dashboard import live, runtime, session
from dashboard.domain.model import ModelVersion
from dashboard.domain.pipeline import Pipeline, PipelineState
from dashboard.services.deploy_log import UsualStart
from dashboard.services.snippets import deploy_snippet
from dashboard.views import deploying

_SANDBOX_IDLE_MINUTES = 60


def draw(subject: str) -> None:
    """Ask what to deploy, and with which settings."""
    pipeline = _pipeline(subject)
    if pipeline is None:
        session.close_dialog()
        return
    current = runtime.current()
    who = current.identity()
    form = f"deploy_{pipeline.pipeline_id}"
    state = live.form_state(form)
    if state.done is not None:
        session.close_dialog()
        return
    models = live.read(current.catalog.models(who, pipeline.workspace_id))
    facts = _facts(pipeline, state)
    sent_form = live.drawn_form(form)

    def deploy(asked: DeployRequest) -> None:
        if session.dialog() != ("deploy", subject):
            return  # the second click of a double click
        live.submit(
            lambda: current.deployments.deploy(
                who,
                pipeline,
                model_version=asked.model_version,
                settings=asked.settings,
                idle_minutes=asked.idle_minutes,
            ),
            doing=f"Deploying {pipeline.name}",
            once=f"deploy:{pipeline.pipeline_id}",
            form=sent_form,
        )

    def close() -> None:
        # What was typed goes with the dialog: it may hold a token.
        session.renew_form(form)
        session.close_dialog()

    @st.dialog(
        f"Deploy {md(pipeline.name)}",
        width="medium",
        icon=":material/rocket_launch:",
        on_dismiss=close,
    )
    def dialog() -> None:
        live.pursue()
        if facts is not None:
            deploy_form(
                facts,
                key_of=lambda name: session.form_key(form, name),
                code_of=lambda version, settings: deploy_snippet(pipeline, version, settings),
                on_deploy=deploy,
                on_cancel=close,
            )
        elif models.is_loading:
            loading.skeleton("the models", models, height=200)
        else:
            st.markdown("This workspace holds no model version yet. Upload one first.")

    dialog()


def _pipeline(subject: str) -> Pipeline | None:
    current = runtime.current()
    known = live.read(current.catalog.pipelines(current.identity()), wait=False).value or ()
    return next((one for one in known if str(one.pipeline_id) == subject), None)


def _facts(pipeline: Pipeline, state: live.FormState) -> DeployFacts | None:
    """Gather what is known; None without a model version to deploy."""
    versions = _versions(pipeline)
    if not versions:
        return None
    current = runtime.current()
    who = current.identity()
    view = current.watch.look(who, pipeline, wait_s=session.read_budget_s())
    last = live.read(current.deployments.last(who, pipeline)).value
    uses = view.state is not None and view.state.uses_resources
    is_sandbox = current.place().is_sandbox
    guarded = current.guard.view(pipeline.pipeline_id)
    idle_minutes = _SANDBOX_IDLE_MINUTES if is_sandbox else None
    first_start = view.state is PipelineState.STARTING and not (
        view.status is not None and view.status.running_versions
    )
    return DeployFacts(
        versions=versions,
        last=last.settings if last is not None else None,
        # Of one that runs, its own stays as it was set.
        idle_minutes=guarded.minutes if uses and guarded is not None else idle_minutes,
        state=view.state,
        running=deploying.stored_settings(pipeline) if uses else None,
        running_version=_running_version(pipeline),
        usual=_usual(current.deployments.usual_start(pipeline.pipeline_id)),
        is_sandbox=is_sandbox,
        is_starting=first_start and not state.is_busy,
        is_busy=state.is_busy,
        error=state.error,
        last_model=last.model_name if last is not None else "",
    )


def _versions(pipeline: Pipeline) -> list[ModelVersion]:
    """Return what can be deployed, the pipeline's own version first."""
    own = deploying.model_version_of(pipeline)
    others = [
        one for one in deploying.usable(deploying.models_of(pipeline.workspace_id)) if one != own
    ]
    return ([own] if own is not None else []) + others


def _running_version(pipeline: Pipeline) -> str:
    steps = pipeline.versions[0].steps if pipeline.versions else ()
    return steps[0].model_version if len(steps) == 1 else ""


def _usual(usual: UsualStart | None) -> str:
    if usual is None:
        return ""
    if usual.starts == 1:
        return f"Ready in {duration(usual.median_s)} the last time."
    shortest, longest = f"{usual.shortest_s:.0f}", f"{usual.longest_s:.0f}"
    took = f"{longest} s" if shortest == longest else f"{shortest} to {longest} s"
    return f"Usually ready in {took} (last {usual.starts} deploys)."
