import streamlit as st

from components import loading
from components.compare_header import run_label
from components.empty_state import Way, empty_state
from components.frame import page_header
from dashboard import live, runtime, session
from dashboard.domain.run import Run
from dashboard.views import timing, ways_back

_DETAIL = "Where the time of a run went."
_EXPLANATION = (
    "A run sends a table through a pipeline, row by row. Its times are measured on the way and "
    "drawn here."
)

current = runtime.current()
who = current.identity()
runs = live.read(current.run_actions.recent(who))
pipelines = live.read(current.catalog.pipelines(who), wait=False).value or ()
listed = {run.run_id: run for run in runs.value or ()}
wanted = st.query_params.get("run", "")
wants_log = bool(st.query_params.get("log", "")) and bool(pipelines)


def choose_table() -> None:
    """Go where a run begins."""
    session.go_to("summarize")


def read_log() -> None:
    """Show what the platform has noted itself."""
    st.query_params["log"] = str(pipelines[0].pipeline_id)


def choose_run(chosen: Run) -> None:
    """Draw the list of runs; another choice changes the address."""
    ids = list(listed)
    key = f"latency_run_{chosen.run_id}"

    def choose() -> None:
        # A label that changed meanwhile, such as by a new title, comes back as it was.
        if st.session_state[key] in listed:
            st.query_params["run"] = st.session_state[key]

    st.selectbox(
        "Run",
        ids,
        index=ids.index(chosen.run_id),
        format_func=lambda one: run_label(listed[one], session.zone()),
        label_visibility="collapsed",
        width=380,
        key=key,
        on_change=choose,
    )


if runs.value is None:
    page_header("Latency", _DETAIL)
    if runs.error is not None:
        ways_back.show(runs.error, what="your runs", key="latency")
    else:
        loading.skeleton("your runs", runs, height=380)
elif not listed and not wants_log:
    page_header("Latency", _DETAIL)
    ways = [Way("latency_first", "Choose a table", choose_table, ":material/short_text:")]
    if pipelines:
        ways.append(Way("latency_log", "Read the platform's log", read_log, ":material/history:"))
    empty_state("Nothing has run yet", _EXPLANATION, ways, icon="timer")
else:
    header = page_header("Latency", _DETAIL)
    if wanted and wanted not in listed:
        older = timing.older_run(wanted)
        listed |= {wanted: older} if older is not None else {}
    run = listed.get(wanted) or next(iter(listed.values()), None)
    pipeline = timing.source(run, pipelines)
    if pipeline is not None:
        timing.show_log(pipeline)
    elif run is not None:
        with header:
            choose_run(run)
        timing.show_run(run, runs.value)
