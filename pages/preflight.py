import streamlit as st

from components import loading
from components.empty_state import Way, empty_state
from components.frame import page_header
from dashboard import live, runtime, session, strings
from dashboard.views import preflight, ways_back

current = runtime.current()
who = current.identity()


def back() -> None:
    """Go where a run begins."""
    session.go_to("summarize")


def begin() -> None:
    """Open the form of a new workspace."""
    session.open_dialog("new_workspace")


with page_header("Preflight", "Walks every step once, before you go on stage."):
    st.button("Summarize", icon=":material/short_text:", key="preflight_summarize", on_click=back)
rooms = live.read(current.catalog.workspaces(who))
pipelines = live.read(current.catalog.pipelines(who))
error = rooms.error or pipelines.error
if rooms.value is not None and not rooms.value:
    way = Way("preflight_room", "New workspace", begin, ":material/add:")
    empty_state("No workspace yet", strings.WORKSPACE, [way], icon="folder_shared")
elif rooms.value is not None and pipelines.value is not None:
    preflight.draw(rooms.value, pipelines.value)
elif error is not None:
    ways_back.show(error, what="your workspaces and pipelines", key="preflight")
else:
    loading.skeleton("your workspaces and pipelines", [rooms, pipelines], height=300)
