"""The times of one run, of several, or of a pipeline's log at the platform."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import streamlit as st

from components import loading, presenting
from components.compare_header import run_label
from components.latency_charts import latency_charts
from components.latency_comparison import comparison_card
from components.latency_figures import latency_figures
from components.latency_objective import (
    PERCENT_RANGE,
    SECONDS_RANGE,
    chosen_objective,
    objective_fields,
)
from components.latency_plots import OF_A_LOG
from components.latency_spread_plots import Series
from components.text import count, md, plain
from dashboard import live, runtime, session, strings
from dashboard.domain.distribution import Objective
from dashboard.domain.latency import Sample
from dashboard.domain.log_times import LogTimes
from dashboard.domain.pipeline import Pipeline
from dashboard.domain.run import Run
from dashboard.errors import DashboardError, NotFound
from dashboard.services import measuring, story
from dashboard.views import ways_back

#: Four lines on one axis can be told apart, this run's among them.
_OTHERS_AT_MOST = 3
_USUAL = Objective(90.0, 3000.0)


def objective() -> Objective:
    """Return the objective as it stands in the address, the usual one without it."""
    percent = _number("share", PERCENT_RANGE, _USUAL.percent)
    seconds = _number("under", SECONDS_RANGE, _USUAL.limit_ms / 1000)
    return Objective(percent, 1000 * seconds)


def _number(name: str, within: tuple[float, float], usual: float) -> float:
    try:
        value = float(st.query_params.get(name, ""))
    except ValueError:
        return usual
    return value if math.isfinite(value) and within[0] <= value <= within[1] else usual


def _keep_objective() -> None:
    wanted = chosen_objective()
    if wanted is not None:
        st.query_params["share"] = f"{wanted.percent:g}"
        st.query_params["under"] = f"{wanted.limit_ms / 1000:g}"


def older_run(run_id: str) -> Run | None:
    """Return a run that is not among the newest; draw why not, and return None."""
    current = runtime.current()
    try:
        return current.runs.run(current.identity(), run_id)
    except NotFound:
        st.markdown("This run is not kept any more. Shown is the newest.")
    except DashboardError as error:
        ways_back.show(error, what="this run", key="latency_run")
    return None


def source(run: Run | None, pipelines: Sequence[Pipeline]) -> Pipeline | None:
    """Draw where the times come from; return the pipeline whose log is wanted, None for the run."""
    asked = st.query_params.get("log", "")
    offered: dict[str, str] = {"": "This run"} if run is not None else {}
    # The run's own pipeline first.
    ranked = sorted(pipelines, key=lambda one: run is None or one.name != run.pipeline_name)
    offered |= {str(one.pipeline_id): f"The platform's log of {plain(one.name)}" for one in ranked}
    if len(offered) < 2 and run is not None:
        return None
    wanted = asked if asked in offered else next(iter(offered), "")
    key = f"latency_from_{wanted}"

    def choose() -> None:
        told = st.session_state.get(key) or ""
        if told in offered and told:
            st.query_params["log"] = told
        elif told in offered:
            st.query_params.pop("log", None)

    st.selectbox(
        "From",
        list(offered),
        index=list(offered).index(wanted) if wanted in offered else None,
        format_func=lambda one: offered.get(one, one),
        width=380,
        key=key,
        on_change=choose,
    )
    return next((one for one in pipelines if str(one.pipeline_id) == wanted), None)


def show_run(run: Run, listed: Sequence[Run]) -> None:
    """Draw a run's times, and beside them those of others."""
    current = runtime.current()
    st.markdown(
        f":small[:gray[{md(run.title or run.connection_name)}, {count(run.rows_total, 'row')}, "
        f"{md(run.pipeline_name)} version {md(presenting.short_id(run.pipeline_version))}, "
        f"{count(run.replicas, 'replica')}]]"
    )
    known = live.read(measuring.samples(current.runs, current.identity(), run))
    if known.value is None:
        if known.error is not None:
            ways_back.show(known.error, what="the times of this run", key="latency_times")
        else:
            loading.skeleton("the times", known, height=380)
        return
    wanted = objective()
    latency_figures(known.value)
    if not run.is_of_texts:
        st.markdown(f":small[:gray[{md(strings.REQUEST_TIMES)}]]")
    if run.rows_total > measuring.ROWS_AT_MOST:
        st.markdown(f":small[:gray[Of the first {measuring.ROWS_AT_MOST:,} rows.]]")
    objective_fields(wanted, known.value, failed=run.rows_failed, on_change=_keep_objective)
    latency_charts(known.value, key=f"latency_{run.run_id}", objective=wanted)
    if known.value:
        current.marks.put(story.TIMING_MARK, run.run_id)
        _others(run, known.value, listed, wanted)


def _others(run: Run, own: Sequence[Sample], listed: Sequence[Run], wanted: Objective) -> None:
    members = _sets(run, listed)
    if not members:
        return
    with st.container(border=True):
        names = {name: _set_label(name, runs) for name, runs in members.items()}
        key = f"latency_with_{run.run_id}"
        chosen = st.multiselect(
            "Compare with",
            list(members),
            format_func=lambda one: names.get(one, one),
            max_selections=_OTHERS_AT_MOST,
            placeholder="Up to three other runs, or versions of pipelines",
            key=key,
        )
        if not chosen:
            return
        series = [Series(f"This run, {run_label(run, session.zone())}", own)]
        for name in (one for one in chosen if one in members):
            samples = _samples_of(members[name])
            if samples is None:
                return
            series.append(Series(names[name], samples))
        comparison_card(series, objective=wanted, key=f"latency_{run.run_id}")


def _sets(run: Run, listed: Sequence[Run]) -> Mapping[str, Sequence[Run]]:
    """Return what can be compared with a run: every other run, and versions run more than once."""
    sets: dict[str, list[Run]] = {}
    for one in listed:
        if one.pipeline_version:
            sets.setdefault(f"version:{one.pipeline_name}:{one.pipeline_version}", []).append(one)
    versions = {name: runs for name, runs in sets.items() if len(runs) > 1}
    return {**{one.run_id: [one] for one in listed if one.run_id != run.run_id}, **versions}


def _set_label(name: str, runs: Sequence[Run]) -> str:
    first = runs[0]
    if name == first.run_id:
        return run_label(first, session.zone())
    return (
        f"Version {plain(presenting.short_id(first.pipeline_version))} of "
        f"{plain(first.pipeline_name)}, all {len(runs)} runs"
    )


def _samples_of(runs: Sequence[Run]) -> Sequence[Sample] | None:
    """Return the samples of all these runs; draw what is awaited or why not, and return None."""
    current = runtime.current()
    reads = [live.read(measuring.samples(current.runs, current.identity(), run)) for run in runs]
    missing = next((one for one in reads if one.value is None), None)
    if missing is None:
        return [sample for one in reads for sample in one.value or ()]
    if missing.error is not None:
        ways_back.show(missing.error, what="the times of the other runs", key="latency_others")
    else:
        loading.skeleton("the times of the other runs", missing, height=310)
    return None


def show_log(pipeline: Pipeline) -> None:
    """Draw the engine's times of a pipeline's newest inferences, whoever sent them."""
    current = runtime.current()
    known = live.read(measuring.platform_log(current.gateway, current.identity(), pipeline))
    if known.value is None:
        if known.error is not None:
            ways_back.show(known.error, what="the platform's log", key="latency_log")
        else:
            loading.skeleton("the platform's log", known, height=380)
        return
    st.markdown(log_words(known.value))
    st.button(
        "Inference log",
        type="tertiary",
        icon=":material/receipt_long:",
        help="The rows themselves, with what was sent and answered.",
        key="latency_log_rows",
        on_click=session.go_to,
        args=("pipeline_log",),
        kwargs={"pipeline": str(pipeline.pipeline_id)},
    )
    samples = known.value.samples
    if not samples:
        return
    wanted = objective()
    latency_figures(samples, basis=OF_A_LOG)
    objective_fields(wanted, samples, failed=0, on_change=_keep_objective)
    latency_charts(
        samples, key=f"latency_log_{pipeline.pipeline_id}", objective=wanted, basis=OF_A_LOG
    )


def log_words(known: LogTimes) -> str:
    """Say what the log holds and what it cannot say. Markdown."""
    if not known.rows:
        return (
            "**The platform's log of this pipeline is empty.** "
            ":gray[Whoever sends it something, from here or elsewhere, leaves a row there.]"
        )
    told = f"**{count(known.rows, 'inference')}** in the log, sent from here or elsewhere"
    told += "." if known.is_complete else ": the newest; older ones were left out."
    if known.overflowed:
        told += (
            f" In {count(known.overflowed, 'row')} the engine's clock overflowed: no time there."
        )
    if known.untimed:
        told += f" In {count(known.untimed, 'row')} the engine gave no time."
    return (
        f"{told}  \n:small[:gray[Engine times only. Waiting, sending and receiving are not "
        "measured in the log. Rows sent in one request share its time, and each shows it.]]"
    )
