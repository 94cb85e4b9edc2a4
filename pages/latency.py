import streamlit as st

from components import loading
from components.empty_state import Way, empty_state
from components.frame import page_header
from components.latency_charts import latency_charts
from components.latency_figures import latency_figures
from components.text import count, md, plain
from dashboard import live, runtime, session
from dashboard.domain.run import Run
from dashboard.services import measuring, story
from dashboard.views import ways_back

current = runtime.current()
who = current.identity()
runs = live.read(current.run_actions.recent(who))
listed = {run.run_id: run for run in runs.value or ()}
wanted = st.query_params.get("run", "")


def choose_table() -> None:
    """Go where a run begins."""
    session.go_to("summarize")


def label(run_id: str) -> str:
    """Name a run in the list: when, and of which connection."""
    run = listed[run_id]
    return f"{run.created_at.astimezone(session.zone()):%d %b %H:%M} {plain(run.connection_name)}"


def chosen_run() -> Run | None:
    """Draw the list of runs; return the one to look at."""
    ids = list(listed)
    run_id = st.selectbox(
        "Run",
        ids,
        index=ids.index(wanted) if wanted in listed else 0,
        format_func=label,
        label_visibility="collapsed",
        width=300,
        key=f"latency_run_{wanted}",
    )
    if wanted and run_id != wanted:
        st.query_params["run"] = run_id
    return listed.get(run_id)


if runs.value is None and runs.error is not None:
    page_header("Latency")
    ways_back.show(runs.error, what="your runs", key="latency")
elif runs.value is None:
    page_header("Latency", "Where the time of a run went.")
    loading.skeleton("your runs", runs, height=380)
elif not listed:
    page_header("Latency", "Where the time of a run went.")
    told = (
        "A run sends a table through a pipeline, row by row. Its times are measured on the way and "
        "drawn here."
    )
    way = Way("latency_first", "Choose a table", choose_table, ":material/short_text:")
    empty_state("Nothing has run yet", told, [way], icon="timer")
else:
    with page_header("Latency", "Where the time of a run went."):
        run = chosen_run()
    if run is not None:
        st.markdown(
            f":small[:gray[{md(run.connection_name)}, {count(run.rows_total, 'row')}, "
            f"{md(run.pipeline_name)} version {md(run.pipeline_version[:8])}, "
            f"{count(run.replicas, 'replica')}]]"
        )
        samples = live.read(measuring.samples(current.runs, who, run))
        if samples.value is not None:
            latency_figures(samples.value)
            latency_charts(samples.value, key=f"latency_{run.run_id}")
            if samples.value:
                current.marks.put(story.TIMING_MARK, run.run_id)
        elif samples.error is not None:
            ways_back.show(samples.error, what="the times of this run", key="latency_times")
        else:
            loading.skeleton("the times", samples, height=380)
