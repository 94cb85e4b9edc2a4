"""The dialogs any page may open; the frame draws the open one.

Only one can be open, and a full redraw closes what is not drawn again: which one is open is kept
in the session until it is dismissed or has done its work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from components import loading
from components.deploy_dialog import DeployRequest, deploy_form, frees
from components.messages import field_box
from components.text import md, plain
from dashboard import live, runtime, session, strings
from dashboard.domain.model import Model, ModelVersion
from dashboard.domain.pipeline import DeploymentSettings, Pipeline, settings_of
from dashboard.domain.workspace import labels
from dashboard.views import deleting, exporting, linking, members, run_dialogs, run_export


def draw() -> None:
    """Draw the open dialog, if one is."""
    name, subject = session.dialog()
    openers: dict[str, Callable[[str], None]] = {
        "deploy": _deploy,
        "undeploy": _undeploy,
        "new_pipeline": _new_pipeline,
        "new_workspace": _new_workspace,
        "use_instance": _use_instance,
        "link_connections": linking.draw,
        "delete_connections": deleting.draw,
        "export_connections": exporting.draw,
        "add_member": members.draw,
        "rename_run": run_dialogs.draw_rename,
        "delete_runs": run_dialogs.draw_delete,
        "export_run": run_export.draw,
    }
    if name in openers:
        openers[name](subject)


def stored_settings(pipeline: Pipeline) -> DeploymentSettings | None:
    """What the running deployment was asked to take, if the platform has told."""
    current = runtime.current()
    known = live.read(current.catalog.deployment(current.identity(), pipeline), wait=False)
    return settings_of(known.value.engine_config) if known.value is not None else None


def model_version_of(pipeline: Pipeline) -> ModelVersion | None:
    """Return the model version of the pipeline's newest definition, if it is known."""
    steps = pipeline.versions[0].steps if pipeline.versions else ()
    wanted = {step.model_version for step in steps}
    versions = _versions(_models(pipeline.workspace_id))
    return next((one for one in versions if one.version in wanted), None)


def _models(workspace_id: int) -> Sequence[Model]:
    current = runtime.current()
    return live.read(current.catalog.models(current.identity(), workspace_id)).value or ()


def _versions(models: Sequence[Model]) -> list[ModelVersion]:
    return [version for model in models for version in model.versions if version.is_usable]


def _pipeline(subject: str) -> Pipeline | None:
    current = runtime.current()
    known = live.read(current.catalog.pipelines(current.identity()), wait=False).value or ()
    return next((one for one in known if str(one.pipeline_id) == subject), None)


def _deploy(subject: str) -> None:
    pipeline = _pipeline(subject)
    if pipeline is None:
        session.close_dialog()
        return
    current = runtime.current()
    who = current.identity()
    models = live.read(current.catalog.models(who, pipeline.workspace_id))
    own = model_version_of(pipeline)
    others = [one for one in _versions(models.value or ()) if one != own]
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


def _undeploy(subject: str) -> None:
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


def _new_pipeline(subject: str) -> None:
    current = runtime.current()
    who = current.identity()
    rooms = live.read(current.catalog.workspaces(who)).value or ()
    names = labels(rooms)
    form = "new_pipeline"
    state = live.form_state(form)
    upload = live.form_state("upload_model")
    if state.done is not None:
        session.close_dialog()
        return

    @st.dialog("New pipeline", width="medium", on_dismiss=session.close_dialog)
    def dialog() -> None:
        live.pursue()
        st.markdown(strings.PIPELINE)
        if not names:
            st.markdown("It needs a workspace. Create one on the page Workspaces first.")
            return
        ids = list(names)
        room_id = st.selectbox(
            "Workspace",
            ids,
            index=ids.index(int(subject)) if subject.isdigit() and int(subject) in ids else 0,
            format_func=lambda one: names[one],
            help=strings.WORKSPACE,
            key=session.form_key(form, "room"),
        )
        versions = _versions(_models(room_id))
        if versions:
            _pipeline_from(form, state, room_id, versions)
        else:
            st.markdown("This workspace holds no model yet.")
        with st.expander("Upload a model", expanded=not versions):
            _upload(room_id, upload)

    dialog()


def _pipeline_from(
    form: str, state: live.FormState, room_id: int, versions: Sequence[ModelVersion]
) -> None:
    current = runtime.current()
    who = current.identity()
    version = st.selectbox(
        "Model version",
        versions,
        format_func=lambda one: f"{plain(one.model_name)}, version {one.version[:8]}",
        key=session.form_key(form, "version"),
    )
    name_key = session.form_key(form, "name")
    with field_box("pipeline_name", state.error):
        st.text_input("Name", value=version.model_name.lower(), key=name_key)

    sent_form = live.drawn_form(form)

    def create() -> None:
        name = str(st.session_state.get(name_key, "")).strip()
        live.submit(
            lambda: current.deployments.create(
                who, workspace_id=room_id, name=name, model_version=version
            ),
            doing="Creating the pipeline",
            once=f"new_pipeline:{room_id}:{name}",
            form=sent_form,
        )

    st.button(
        "Create pipeline",
        type="primary",
        disabled=state.is_busy,
        key="new_pipeline_submit",
        on_click=create,
    )


def _upload(room_id: int, state: live.FormState) -> None:
    current = runtime.current()
    who = current.identity()
    form = "upload_model"
    st.markdown(
        ":small[:gray[A zip of a Hugging Face summarization model. The platform takes it in, which "
        "can take minutes; you can leave this page meanwhile.]]"
    )
    name_key = session.form_key(form, "name")
    with field_box("model_name", state.error_at("name")):
        st.text_input("Model name", value="hf-summarizer", key=name_key)
    with field_box("model_file", state.error_elsewhere("name")):
        file = st.file_uploader("Zip file", type=["zip"], key=session.form_key(form, "file"))
    if state.is_busy:
        st.markdown(":small[:material/progress_activity: Uploading and waiting for the platform…]")

    sent_form = live.drawn_form(form)

    def upload() -> None:
        name = str(st.session_state.get(name_key, "")).strip()
        if file is not None:
            live.submit(
                lambda: current.deployments.upload_summarizer(
                    who, workspace_id=room_id, name=name, file_name=file.name, content=file
                ),
                doing="Uploading the model",
                once=f"upload:{room_id}:{name}",
                form=sent_form,
            )

    st.button(
        "Upload",
        disabled=state.is_busy or file is None,
        key="upload_model_submit",
        on_click=upload,
    )


def _new_workspace(_subject: str) -> None:
    current = runtime.current()
    who = current.identity()
    form = "new_workspace"
    state = live.form_state(form)
    if state.done is not None:
        session.close_dialog()
        # Where it is shown by its address, the new one stands open; Summarize chooses it.
        st.query_params["workspace"] = state.done.result
        return

    name_key = session.form_key(form, "name")

    sent_form = live.drawn_form(form)

    def create() -> None:
        name = str(st.session_state.get(name_key, "")).strip()
        live.submit(
            lambda: current.workspaces.create(who, name),
            doing="Creating the workspace",
            once=f"new_workspace:{name}",
            form=sent_form,
        )

    @st.dialog("New workspace", on_dismiss=session.close_dialog)
    def dialog() -> None:
        live.pursue()
        st.markdown(strings.WORKSPACE)
        with field_box("workspace_name", state.error):
            st.text_input(
                "Name",
                help="Letters, digits and dashes; a letter first. For example press-desk.",
                key=name_key,
            )
        st.button(
            "Create workspace",
            type="primary",
            disabled=state.is_busy,
            key="new_workspace_submit",
            on_click=create,
        )

    dialog()


def _use_instance(_subject: str) -> None:
    @st.dialog("Use a Wallaroo instance", width="medium", on_dismiss=session.close_dialog)
    def dialog() -> None:
        st.markdown(
            "The dashboard works on an instance in the same way as on the sandbox. Whoever starts "
            "it sets three values and starts it again:"
        )
        st.code(
            "export WALLAROO_DASHBOARD_URL=https://wallaroo.example.com\n"
            "export WALLAROO_DASHBOARD_USERNAME=…\n"
            "export WALLAROO_DASHBOARD_PASSWORD=…\n"
            "make run",
            language="bash",
        )
        st.markdown(
            ":small[:gray[The account's password stays on the server. What is in the sandbox stays "
            "in the sandbox.]]"
        )

    dialog()
