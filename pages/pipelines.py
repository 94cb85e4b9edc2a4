import streamlit as st

from components import loading, outage
from components.empty_state import Way, empty_state
from components.frame import page_header
from dashboard import live, runtime, session, strings
from dashboard.domain.pipeline_choice import PARAMETERS, choice_of
from dashboard.views import pipeline_list, ways_back

current = runtime.current()
who = current.identity()
heading = st.container()
known = live.read(current.catalog.pipelines(who))
rooms = live.read(current.catalog.workspaces(who))


def begin() -> None:
    """Open the form of a new pipeline."""
    room = choice_of(session.address(PARAMETERS)).workspace
    session.open_dialog("new_pipeline", str(room or ""))


with heading, page_header("Pipelines", strings.PIPELINE):
    st.button(
        "New pipeline…",
        icon=":material/add:",
        key="pipelines_new",
        on_click=begin,
        **outage.off(),
    )

if known.value is None and known.error is not None:
    ways_back.show(known.error, what="your pipelines", key="pipelines")
elif known.value is None:
    loading.skeleton("your pipelines", known, height=300)
elif not known.value:
    told = strings.PIPELINE + " You make one from a model version."
    way = Way("pipelines_first", "New pipeline…", begin, ":material/add:")
    empty_state("No pipelines here yet", told, [way], icon="account_tree")
else:
    pipeline_list.draw(known.value, rooms.value or ())
