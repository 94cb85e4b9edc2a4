import streamlit as st

from components import loading, outage
from components.empty_state import Way, empty_state
from components.frame import page_header
from components.workspace_table import workspace_table
from dashboard import live, runtime, session, strings
from dashboard.domain.workspace import labels
from dashboard.views import room, ways_back

current = runtime.current()
who = current.identity()


def begin() -> None:
    """Open the form of a new workspace."""
    session.open_dialog("new_workspace")


with page_header("Workspaces", strings.WORKSPACE):
    st.button(
        "New workspace",
        type=outage.primary(),
        icon=":material/add:",
        key="workspaces_new",
        on_click=begin,
        **outage.off(),
    )
known = live.read(current.catalog.workspaces(who))
connections = live.read(current.catalog.connections(who))

if known.value is None and known.error is not None:
    ways_back.show(known.error, what="your workspaces", key="workspaces")
elif known.value is None:
    loading.skeleton("your workspaces", known, height=250)
elif not known.value:
    way = Way("workspaces_first", "New workspace", begin, ":material/add:")
    empty_state("No workspaces yet", strings.WORKSPACE, [way], icon="folder_shared")
else:
    workspace_table(
        known.value,
        names=labels(known.value),
        linked=room.linked_counts(known.value, connections.value),
        me=who.user_id,
        zone=session.zone(),
        on_open=room.open_drawer,
    )
    room.draw_drawer(known)
