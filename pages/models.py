import streamlit as st

from components import loading, outage
from components.empty_state import Way, empty_state
from components.frame import page_header
from dashboard import live, runtime, strings
from dashboard.views import models, uploading, ways_back

current = runtime.current()
who = current.identity()
heading = st.container()
known = live.read(current.models.all(who))
rooms = live.read(current.catalog.workspaces(who))
mine = {room.workspace_id for room in rooms.value or ()}
listed = [one for one in known.value or () if one.workspace_id in mine]

with heading, page_header("Models", strings.MODEL):
    st.button(
        "Upload a model…",
        type=outage.primary() if listed else "secondary",
        icon=":material/upload:",
        key="models_upload",
        on_click=models.begin_upload,
        **outage.off(),
    )

uploading.progress()
error = known.error or rooms.error
if error is not None and (known.value is None or rooms.value is None):
    ways_back.show(error, what="your models", key="models")
elif known.value is None or rooms.value is None:
    loading.skeleton("your models", [known, rooms], height=300)
else:
    models.note_moving(listed)
    if listed:
        models.draw(listed, rooms.value)
    else:
        way = Way("models_first", "Upload a model…", models.begin_upload, ":material/upload:")
        empty_state("No models here yet", strings.MODEL, [way], icon="deployed_code")
    models.draw_drawer(listed, rooms.value)
