import streamlit as st

from components import loading, outage
from components.empty_state import Way, empty_state
from components.frame import page_header
from components.text import count
from dashboard import live, runtime, session
from dashboard.services.run_history import RunFilter
from dashboard.views import run_list, ways_back

_PER_PAGE = 50
_EXPLANATION = (
    "A run is one table through one deployed pipeline. It is kept here with its inputs, its "
    "summaries and their times, to be searched, compared and exported by the members of its "
    "workspace."
)

current = runtime.current()
who = current.identity()
heading = st.container()
known = live.read(current.history.find(who, RunFilter(), limit=_PER_PAGE))
everything = known.value


def begin() -> None:
    """Go to the page that starts a run."""
    session.go_to("summarize")


with heading:
    told = "Every table that went through a pipeline, with its summaries and times."
    if everything is not None and everything.kept:
        told = f"{count(everything.kept, 'run')} in your workspaces."
        if current.settings.keep_days:
            told += f" Kept for {count(current.settings.keep_days, 'day')}."
    with page_header("Runs", told):
        if everything is not None and everything.kept:
            st.button(
                "New run",
                type=outage.primary(),
                icon=":material/add:",
                key="runs_new",
                on_click=begin,
            )

if everything is None and known.error is not None:
    ways_back.show(known.error, what="your runs", key="runs")
elif everything is None:
    loading.skeleton("your runs", known, height=460)
elif not everything.kept:
    way = Way("runs_first", "Summarize a table", begin, ":material/short_text:")
    empty_state("No runs yet", _EXPLANATION, [way], icon="checklist")
else:
    run_list.draw(everything.choices)
