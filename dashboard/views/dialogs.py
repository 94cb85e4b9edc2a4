"""The dialogs any page may open; the frame draws the open one.

Only one can be open, and a full redraw closes what is not drawn again: which one is open is kept
in the session until it is dismissed or has done its work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from components import outage, presenting
from components.messages import field_box
from components.text import plain
from dashboard import live, runtime, session, strings
from dashboard.domain.model import ModelVersion
from dashboard.domain.workspace import labels
from dashboard.views import (
    deleting,
    deploy_asking,
    deploying,
    exporting,
    linking,
    members,
    run_dialogs,
    run_export,
    undeploying,
    uploading,
)

#: What takes something away, or shows what an audience must not see.
_NOT_ON_STAGE = (
    "undeploy",
    "undeploy_mine",
    "use_instance",
    "delete_connections",
    "export_connections",
    "add_member",
    "delete_runs",
    "export_run",
)


def draw() -> None:
    """Draw the open dialog, if one is."""
    name, subject = session.dialog()
    openers: dict[str, Callable[[str], None]] = {
        "deploy": deploy_asking.draw,
        "undeploy": undeploying.draw,
        "undeploy_mine": undeploying.draw_mine,
        "new_pipeline": _new_pipeline,
        "upload_model": uploading.draw,
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
    if name not in openers:
        return
    if presenting.is_on() and name in _NOT_ON_STAGE:
        session.close_dialog()
        return
    openers[name](subject)
    if session.dialog() != (name, subject):
        # The page was drawn for an open dialog: what stands behind it, such as a drawer, is due.
        st.rerun()


def _new_pipeline(subject: str) -> None:
    current = runtime.current()
    who = current.identity()
    rooms = live.read(current.catalog.workspaces(who)).value or ()
    names = labels(rooms)
    form = "new_pipeline"
    state = live.form_state(form)
    upload = live.form_state(uploading.FORM)
    room_text, _, version_text = subject.partition(":")
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
        room_key = session.form_key(form, "room")
        room_id = st.selectbox(
            "Workspace",
            ids,
            index=_place(ids, room_text),
            format_func=lambda one: names[one],
            help=strings.WORKSPACE,
            key=room_key,
        )
        versions = deploying.usable(deploying.models_of(room_id))
        if versions:
            _pipeline_from(form, state, room_id, versions, preset=version_text)
        else:
            st.markdown("This workspace holds no model yet.")
        with st.expander("Upload a model", expanded=not versions):
            uploading.form(room_id, upload, room_key=room_key)

    dialog()


def _place(numbers: Sequence[int], text: str) -> int:
    """Return where the number that is written so stands; the first place if it is none of them."""
    wanted = int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None
    return numbers.index(wanted) if wanted in numbers else 0


def _pipeline_from(
    form: str,
    state: live.FormState,
    room_id: int,
    versions: Sequence[ModelVersion],
    *,
    preset: str,
) -> None:
    current = runtime.current()
    who = current.identity()
    version_key = session.form_key(form, "version")
    drawn_version = st.selectbox(
        "Model version",
        versions,
        index=_place([one.version_id for one in versions], preset),
        format_func=lambda one: (
            f"{plain(one.model_name)}, version {presenting.short_id(one.version)}"
        ),
        key=version_key,
    )
    name_key, room_key = session.form_key(form, "name"), session.form_key(form, "room")
    with field_box("pipeline_name", state.error):
        st.text_input("Name", value=drawn_version.model_name.lower(), key=name_key)

    sent_form = live.drawn_form(form)

    def create() -> None:
        # Read where it is kept: a click can come together with the change before it.
        if st.session_state.get(room_key, room_id) != room_id:
            return  # the models of the workspace chosen now have not been seen yet
        version = st.session_state.get(version_key) or drawn_version
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
        **outage.off(disabled=state.is_busy),
        key="new_pipeline_submit",
        on_click=create,
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
            **outage.off(disabled=state.is_busy),
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
