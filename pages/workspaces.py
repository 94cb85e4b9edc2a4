import streamlit as st

from components import loading
from components.empty_state import Way, empty_state
from components.frame import page_header
from components.text import md
from components.workspace_table import MembersChange, workspace_drawer, workspace_table
from dashboard import live, runtime, session, strings
from dashboard.domain.workspace import Workspace, labels
from dashboard.views import ways_back

_OPENED = "workspace"

current = runtime.current()
who = current.identity()


def begin() -> None:
    """Open the form of a new workspace."""
    session.open_dialog("new_workspace")


def open_room(workspace_id: str) -> None:
    """Open a workspace."""
    st.query_params[_OPENED] = workspace_id


def close_room() -> None:
    """Close the opened workspace."""
    st.query_params.pop(_OPENED, None)


with page_header("Workspaces", strings.WORKSPACE):
    st.button(
        "New workspace", type="primary", icon=":material/add:", key="workspaces_new", on_click=begin
    )
known = live.read(current.catalog.workspaces(who))
connections = live.read(current.catalog.connections(who))
pipelines = live.read(current.catalog.pipelines(who))


def draw_drawer(room: Workspace, title: str) -> None:
    """Open one workspace over the page, with its own lists."""
    linked = live.read(current.catalog.linked_connections(who, room.workspace_id))
    models = live.read(current.catalog.models(who, room.workspace_id))
    here = [one.name for one in pipelines.value or () if one.workspace_id == room.workspace_id]

    def change(asked: MembersChange) -> None:
        live.submit(
            lambda: current.connections.set_members(
                who, room, link=asked.link, unlink=asked.unlink
            ),
            doing=f"Linking to {room.name}",
            once=f"members:{room.workspace_id}:{hash(asked)}",
        )

    @st.dialog(
        title, width=560, position="right", icon=":material/folder_shared:", on_dismiss=close_room
    )
    def drawer() -> None:
        live.pursue()
        workspace_drawer(
            room,
            connections=connections.value or (),
            linked=linked.value,
            models=[model.name for model in models.value or ()],
            pipelines=here,
            is_busy=bool(current.jobs.running(who)),
            me=who.user_id,
            zone=session.zone(),
            on_change=change,
        )

    drawer()


if known.value is None and known.error is not None:
    ways_back.show(known.error, what="your workspaces", key="workspaces")
elif known.value is None:
    loading.skeleton("your workspaces", known, height=250)
elif not known.value:
    way = Way("workspaces_first", "New workspace", begin, ":material/add:")
    empty_state("No workspaces yet", strings.WORKSPACE, [way], icon="folder_shared")
else:
    names = labels(known.value)
    workspace_table(
        known.value,
        names=names,
        connections=connections.value or (),
        me=who.user_id,
        zone=session.zone(),
        on_open=open_room,
    )
    opened_id = st.query_params.get(_OPENED, "")
    opened = next((room for room in known.value if str(room.workspace_id) == opened_id), None)
    if opened is not None and session.dialog() == ("", ""):
        draw_drawer(opened, md(names[opened.workspace_id]))
