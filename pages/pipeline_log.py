import streamlit as st

from components import loading
from components.empty_state import Way, empty_state
from components.frame import page_header
from components.text import plain, short
from dashboard import live, runtime, session, strings
from dashboard.views import pipeline_log, ways_back

current = runtime.current()
who = current.identity()
heading = st.container()
known = live.read(current.catalog.pipelines(who))
listed = sorted(known.value or (), key=lambda one: (one.name.casefold(), one.pipeline_id))
wanted = pipeline_log.chosen().pipeline
pipeline = next((one for one in listed if one.pipeline_id == wanted), None)
if not wanted and listed:
    pipeline = listed[0]


def back() -> None:
    """Go back to the pipelines."""
    session.go_to("pipelines", **({"pipeline": str(wanted)} if wanted else {}))


told = "What was sent to it and what it answered, as the platform has noted it."
if pipeline is not None:
    told = f"Of {short(plain(pipeline.name), 60)}. {told}"
with heading, page_header("Inference log", told):
    if pipeline is not None:
        pipeline_log.choose_pipeline(pipeline, listed)
    st.button("Back to the pipelines", key="pipeline_log_back", on_click=back)

if known.value is None and known.error is not None:
    ways_back.show(known.error, what="your pipelines", key="pipeline_log_list")
elif known.value is None:
    loading.skeleton("your pipelines", known, height=380)
elif pipeline is not None:
    pipeline_log.draw(pipeline)
elif wanted:
    with st.container(border=True, key="pipeline_log_missing"):
        st.markdown(
            "**The pipeline of this link is not here.** It was removed, or you are not in its "
            "workspace: ask one of its members to add you."
        )
else:
    way = Way("pipeline_log_first", "Go to the pipelines", back, ":material/account_tree:")
    empty_state("No pipelines here yet", strings.PIPELINE, [way], icon="receipt_long")
