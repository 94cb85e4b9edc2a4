"""Deploying and undeploying: what it takes or frees is said before the click."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from components import loading
from components.deploy_dialog import DeployRequest, deploy_form, frees
from components.text import md
from dashboard import live, runtime, session
from dashboard.domain.deployment_settings import DeploymentSettings, settings_of
from dashboard.domain.model import Model, ModelVersion
from dashboard.domain.pipeline import Pipeline


def stored_settings(pipeline: Pipeline) -> DeploymentSettings | None:
    """What the running deployment was asked to take, if the platform has told."""
    current = runtime.current()
    known = live.read(current.catalog.deployment(current.identity(), pipeline), wait=False)
    return settings_of(known.value.engine_config) if known.value is not None else None


def model_version_of(pipeline: Pipeline) -> ModelVersion | None:
    """Return the model version of the pipeline's newest definition, if it is known."""
    steps = pipeline.versions[0].steps if pipeline.versions else ()
    wanted = {step.model_version for step in steps}
    versions = usable(models_of(pipeline.workspace_id))
    return next((one for one in versions if one.version in wanted), None)


def models_of(workspace_id: int) -> Sequence[Model]:
    """Return the models of a workspace, as far as they are known."""
    current = runtime.current()
    return live.read(current.catalog.models(current.identity(), workspace_id)).value or ()


def usable(models: Sequence[Model]) -> list[ModelVersion]:
    """Return the versions that can be deployed."""
    return [version for model in models for version in model.versions if version.is_usable]


def _pipeline(subject: str) -> Pipeline | None:
    current = runtime.current()
    known = live.read(current.catalog.pipelines(current.identity()), wait=False).value or ()
    return next((one for one in known if str(one.pipeline_id) == subject), None)


def draw_deploy(subject: str) -> None:
    """Ask what to deploy, and with which sizes."""
    pipeline = _pipeline(subject)
    if pipeline is None:
        session.close_dialog()
        return
    current = runtime.current()
    who = current.identity()
    models = live.read(current.catalog.models(who, pipeline.workspace_id))
    own = model_version_of(pipeline)
    others = [one for one in usable(models.value or ()) if one != own]
    # The pipeline's own model stands first; another model of the room can be put in its place.
    versions = ([own] if own is not None else []) + others
    view = current.watch.look(who, pipeline)

    def deploy(asked: DeployRequest) -> None:
        if session.dialog() != ("deploy", subject):
            return  # the second click of a double click
        session.close_dialog()
        live.submit(
            lambda: current.deployments.deploy(
                who, pipeline, model_version=asked.model_version, settings=asked.settings
            ),
            doing=f"Deploying {pipeline.name}",
            once=f"deploy:{pipeline.pipeline_id}",
        )

    @st.dialog(
        f"Deploy {md(pipeline.name)}",
        width="medium",
        icon=":material/rocket_launch:",
        on_dismiss=session.close_dialog,
    )
    def dialog() -> None:
        live.pursue()
        if versions:
            deploy_form(
                versions,
                usual_start_s=view.usual_start_s,
                is_busy=bool(current.jobs.running(who)),
                key=f"deploy_{pipeline.pipeline_id}",
                on_deploy=deploy,
            )
        elif models.is_loading:
            loading.skeleton("the models", models, height=200)
        else:
            st.markdown("This workspace holds no model version yet. Upload one first.")

    dialog()


def draw_undeploy(subject: str) -> None:
    """Say what undeploying frees, and ask."""
    pipeline = _pipeline(subject)
    if pipeline is None:
        session.close_dialog()
        return
    current = runtime.current()
    who = current.identity()
    settings = stored_settings(pipeline)
    runs = live.read(current.run_actions.recent(who), wait=False).value or ()
    in_flight = any(
        not run.state.is_over
        and (run.workspace_id, run.pipeline_name) == (pipeline.workspace_id, pipeline.name)
        for run in runs
    )

    def undeploy() -> None:
        if session.dialog() != ("undeploy", subject):
            return  # the second click of a double click
        session.close_dialog()
        live.submit(
            lambda: current.deployments.undeploy(who, pipeline),
            doing=f"Undeploying {pipeline.name}",
            once=f"undeploy:{pipeline.pipeline_id}",
        )

    @st.dialog(f"Undeploy {md(pipeline.name)}?", on_dismiss=session.close_dialog)
    def dialog() -> None:
        live.pursue()
        st.markdown(frees(settings))
        if in_flight:
            st.markdown(
                ":orange[:material/warning: A run is using it. Its rows done are kept; the others "
                "fail and can be run again.]"
            )
        else:
            st.markdown("Nothing is in flight from here. You can deploy it again at any time.")
        with st.container(horizontal=True):
            st.button("Undeploy", type="primary", key="undeploy_confirm", on_click=undeploy)
            st.button(
                "Keep running", type="tertiary", key="undeploy_keep", on_click=session.close_dialog
            )

    dialog()
