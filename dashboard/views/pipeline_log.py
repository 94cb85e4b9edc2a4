"""A pipeline's inference log: the filters, the rows of the stretch chosen, and them as files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import streamlit as st

from components import loading, presenting
from components.log_filters import log_filters
from components.log_table import log_table, log_words
from components.text import count
from dashboard import live, runtime, session
from dashboard.domain.log_view import PARAMETERS, LogChoice, Span, choice_of, entries
from dashboard.domain.pipeline import Pipeline
from dashboard.services import pipeline_logs
from dashboard.views import ways_back

#: The table is not sent whole where it is long.
_MOST_DRAWN: Final = 500


def chosen() -> LogChoice:
    """Return what the address asks for."""
    return choice_of(session.address(PARAMETERS))


def choose(change: Callable[[LogChoice], LogChoice]) -> None:
    """Change what is looked at. For callbacks."""
    now = chosen()
    wanted = change(now)
    if wanted != now:
        session.set_address(PARAMETERS, wanted.to_query())


def draw(pipeline: Pipeline) -> None:
    """Draw the log of one pipeline."""
    current = runtime.current()
    choice, zone = chosen(), session.zone()
    today = datetime.now(zone).date()
    if choice.span is Span.RANGE and (choice.first is None or choice.last is None):
        choice = replace(choice, first=today, last=today)
    log_filters(choice, today=today, on_choose=choose)
    known = live.read(
        pipeline_logs.page(
            current.gateway,
            current.identity(),
            pipeline,
            name=f"{choice.span}:{choice.first}:{choice.last}:{zone}",
            window=lambda: choice.window(datetime.now(UTC), zone),
            limit=choice.limit,
        )
    )
    if known.value is None and known.error is not None:
        ways_back.show(known.error, what="the log of this pipeline", key="pipeline_log")
        return
    if known.value is None:
        loading.skeleton("the log of this pipeline", known, height=380)
        return
    _rows(pipeline, choice, known.value.rows, known.value.is_complete, known.value.cut_by)


def _rows(
    pipeline: Pipeline,
    choice: LogChoice,
    rows: Sequence[Mapping[str, Any]],
    is_complete: bool,
    cut_by: str,
) -> None:
    read = entries(rows)
    odd = [place for place, one in enumerate(read) if one.anomalies]
    told = log_words(len(rows), is_complete=is_complete, cut_by=cut_by, anomalies=len(odd))
    shown = odd if choice.only_anomalies else list(range(len(rows)))
    with st.container(
        horizontal=True,
        horizontal_alignment="distribute",
        vertical_alignment="center",
        key="pipeline_log_head",
    ):
        if rows or not is_complete:
            st.markdown(told)
        if shown:
            with st.container(horizontal=True, width="content", gap="small"):
                _files(pipeline, [rows[place] for place in shown])
    if not rows:
        _empty(choice)
    elif not shown:
        with st.container(border=True, key="pipeline_log_no_anomalies"):
            st.markdown("**No row here has anomalies.** No check of the pipeline failed.")
    else:
        drawn = [read[place] for place in shown[:_MOST_DRAWN]]
        log_table(drawn, zone=session.zone(), key=f"pipeline_log_{pipeline.pipeline_id}")
        if len(shown) > _MOST_DRAWN:
            left = count(len(shown) - _MOST_DRAWN, "more row")
            st.markdown(f":small[:gray[{left} in the files.]]")


def _empty(choice: LogChoice) -> None:
    is_any_time = choice.window(datetime.now(UTC), UTC) is None
    with st.container(border=True, key="pipeline_log_empty"):
        if is_any_time:
            st.markdown(
                "**The platform's log of this pipeline is empty.** Whoever sends it something, "
                "from here or elsewhere, leaves a row there."
            )
            return
        st.markdown("**Nothing was sent to this pipeline in this time.**")
        st.button(
            "Show the newest of any time",
            key="pipeline_log_any_time",
            on_click=choose,
            args=(_any_time,),
        )


def _any_time(old: LogChoice) -> LogChoice:
    return LogChoice(pipeline=old.pipeline, limit=old.limit)


def _files(pipeline: Pipeline, rows: Sequence[Mapping[str, Any]]) -> None:
    name = f"{pipeline.name}-log-{datetime.now(session.zone()):%Y-%m-%d}"
    told = "The rows that are shown, with all their columns. Inputs and outputs are private."
    st.download_button(
        "CSV",
        # The mark at the beginning tells spreadsheets that it is UTF-8.
        lambda: pipeline_logs.csv_text(rows).encode("utf-8-sig"),
        f"{name}.csv",
        "text/csv",
        icon=":material/download:",
        **presenting.off(help=told),
        key="pipeline_log_csv",
        on_click="ignore",
    )
    st.download_button(
        "JSON",
        lambda: pipeline_logs.json_text(rows).encode("utf-8", "replace"),
        f"{name}.json",
        "application/json",
        icon=":material/download:",
        **presenting.off(help=told),
        key="pipeline_log_json",
        on_click="ignore",
    )


def choose_pipeline(pipeline: Pipeline, pipelines: Sequence[Pipeline]) -> None:
    """Draw the choice among the pipelines, where there are several."""
    if len(pipelines) < 2:
        return
    ids = [one.pipeline_id for one in pipelines]
    names = {one.pipeline_id: presenting.words(one.name) for one in pipelines}
    key = f"pipeline_log_of_{pipeline.pipeline_id}"
    st.selectbox(
        "Pipeline",
        ids,
        index=ids.index(pipeline.pipeline_id),
        format_func=lambda one: names.get(one, ""),
        label_visibility="collapsed",
        width=280,
        key=key,
        on_change=lambda: choose(lambda old: replace(old, pipeline=int(st.session_state[key]))),
    )
