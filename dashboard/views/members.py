"""Adding a person to a workspace."""

from __future__ import annotations

import streamlit as st

from components import outage
from components.messages import field_box, field_error
from components.text import count, md
from dashboard import live, runtime, session
from dashboard.domain.workspace import MemberRole, Workspace, labels

_NAME = "add_member"
_ROLES = {
    MemberRole.COLLABORATOR: "uses what is linked, adds models and pipelines",
    MemberRole.OWNER: "the same, and may add other people",
}


def draw(subject: str) -> None:
    """Draw the dialog.

    Parameters
    ----------
    subject
        The workspace's id.
    """
    form = f"{_NAME}_{subject}"
    state = live.form_state(form)
    current = runtime.current()
    known = live.read(current.catalog.workspaces(current.identity()))
    rooms = {str(room.workspace_id): room for room in known.value or ()}
    if state.done is not None or (known.value is not None and subject not in rooms):
        session.close_dialog()
        return

    def dismiss() -> None:
        session.drop_job(form)
        session.close_dialog()

    @st.dialog("Add a member", icon=":material/person_add:", on_dismiss=dismiss)
    def dialog() -> None:
        live.pursue()
        if subject in rooms:
            name = labels(rooms.values())[rooms[subject].workspace_id]
            _form(form, state, rooms[subject], name)
        elif known.error is not None:
            field_error(known.error.message, known.error.hint)
        else:
            st.skeleton(height=260)

    dialog()


def _form(form: str, state: live.FormState, room: Workspace, name: str) -> None:
    email_key, role_key = session.form_key(form, "email"), session.form_key(form, "role")
    st.markdown(_consequence(room, name))
    with field_box("email", state.error):
        st.text_input("E-mail address", type="email", placeholder="ann@example.com", key=email_key)
    st.radio(
        "Role",
        list(_ROLES),
        # Captions of the widget's own fade below what can be read well.
        format_func=lambda role: f"{role} :small[:gray[{_ROLES[role]}]]",
        key=role_key,
    )
    sent_form = live.drawn_form(form)

    def add() -> None:
        current = runtime.current()
        who = current.identity()
        # Read where it is kept: a click can come together with what was typed before it.
        email = str(st.session_state.get(email_key) or "")
        role = MemberRole(st.session_state.get(role_key) or MemberRole.COLLABORATOR)
        live.submit(
            lambda: current.workspaces.add_member(who, room, email=email, role=role),
            doing=f"Adding a member to {room.name}",
            once=f"{form}:{email}",
            form=sent_form,
        )

    st.button(
        "Adding…" if state.is_busy else "Add",
        type="primary",
        **outage.off(disabled=state.is_busy),
        key="add_member_submit",
        on_click=add,
    )


def _consequence(room: Workspace, name: str) -> str:
    """Say what the person will be able to do."""
    current = runtime.current()
    linked = live.read(
        current.catalog.linked_connections(current.identity(), room.workspace_id)
    ).value
    # Not known yet is not none.
    connections = count(len(linked), "connection") if linked else "connections"
    return f"They will see **{md(name)}** and can use its {connections}, models and pipelines."
