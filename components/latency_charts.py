"""The latency charts of a run: each in a card with its finding, and one plain sentence below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from components.latency_plots import (
    OF_A_RUN,
    POINTS_AT_MOST,
    Basis,
    bar_size,
    length_figure,
    over_time_figure,
    split_figure,
)
from components.latency_spread_plots import (
    histogram_figure,
    objective_words,
    share_done_figure,
    shows_objective,
)
from components.run_diff import span
from components.text import count, milliseconds
from dashboard.domain.distribution import Objective, histogram, hit_rate
from dashboard.domain.latency import (
    Drift,
    LengthFit,
    Percentile,
    Sample,
    drift,
    fit_to_length,
    in_order_of_answer,
    model_share,
    percentiles,
    rows_per_second,
    slowest,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

#: From this share on the model hides everything else in a stacked bar.
_MODEL_HIDES_FROM = 0.9
_NO_MODE_BAR = {"displayModeBar": False}


def latency_charts(
    samples: Sequence[Sample],
    *,
    key: str,
    objective: Objective | None = None,
    basis: Basis = OF_A_RUN,
) -> None:
    """Draw where the time went, how long rows take, what length costs and how the run went on.

    Parameters
    ----------
    samples
        As of `dashboard.domain.latency.samples_of`, of one run. None and one are designed cases:
        what needs more rows says so.
    key
        Prefix of the charts' and the toggle's keys, unique on the page.
    objective
        Drawn with the share of rows done.
    """
    if not samples:
        with st.container(border=True):
            st.markdown("**No row was answered yet**")
            _sentence("A row's time appears here as soon as its answer is in.")
        return
    _split_card(samples, key=key, basis=basis)
    if len(samples) < 2:
        with st.container(border=True):
            st.markdown("**One row so far** :gray[how long rows take, and why, shows from two on]")
        return
    with st.grid(2, min_column_width=340, gap="small"):
        with st.container(border=True, height="stretch"):
            _share_done_card(samples, key=key, objective=objective, basis=basis)
        with st.container(border=True, height="stretch"):
            _histogram_card(samples, key=key, basis=basis)
        with st.container(border=True, height="stretch"):
            _length_card(samples, key=key, basis=basis)
        with st.container(border=True, height="stretch"):
            _over_time_card(samples, key=key, basis=basis)


def _split_card(samples: Sequence[Sample], *, key: str, basis: Basis) -> None:
    share = model_share(samples)
    with st.container(border=True):
        with st.container(
            horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
        ):
            st.markdown(f"**Where the time went** :gray[{_split_detail(samples)}]")
            without_model = (
                share is not None
                and share > _MODEL_HIDES_FROM
                and st.toggle("Without the model", key=f"{key}_without_model")
            )
        _chart(
            split_figure(samples, with_model=not without_model, basis=basis),
            key=f"{key}_split",
            alt=f"Where the time of {count(len(samples), 'row')} went: {_split_detail(samples)}",
        )
        _sentence(_split_sentence(samples, basis))


def _split_detail(samples: Sequence[Sample]) -> str:
    share = model_share(samples)
    if share is None:
        return f"{count(len(samples), 'row')}, the engine's part is not known"
    known = [sample for sample in samples if sample.is_split]
    rest_ms = sum(sample.total_ms for sample in known) * (1 - share) / len(known)
    percent = round(100 * share)
    return (
        f"model {percent} %, everything else {100 - percent} %, about {milliseconds(rest_ms)} a row"
    )


def _split_sentence(samples: Sequence[Sample], basis: Basis) -> str:
    told = (
        "Sending and platform: all between this dashboard and the engine until the answer begins."
        if basis.is_whole
        else "As the engine measured it: nothing around the engine is in this log."
    )
    if (size := bar_size(samples)) > 1:
        top = slowest(samples)
        told = f"Each bar is the average of {size} neighbouring rows. " + told
        if top:
            told += f" Slowest: row {top.row_index + 1:,}, {milliseconds(top.total_ms)}."
    overflowed = sum(sample.overflowed for sample in samples)
    silent = sum(not sample.is_split for sample in samples) - overflowed
    if overflowed:
        told += f" The engine's clock overflowed in {count(overflowed, 'row')}: not split."
    if silent:
        told += f" In {count(silent, 'row')} the engine gave no time: not split."
    return told


def _share_done_card(
    samples: Sequence[Sample], *, key: str, objective: Objective | None, basis: Basis
) -> None:
    marks = percentiles(samples)
    st.markdown("**How long a row takes** :gray[share of rows done within a time]")
    totals_ms = [sample.total_ms for sample in samples]
    told = _lacking(marks, basis)
    alt = "How long a row takes: " + _given(marks)
    if objective is not None and (rate := hit_rate(totals_ms, objective)) is not None:
        alt += f"; {rate.percent:g} % under {objective.limit_ms / 1000:g} s"
        if not shows_objective(max(totals_ms), objective):
            told += f" The objective, {objective_words(objective)}, is beyond the right edge."
    _chart(
        share_done_figure(samples, marks, objective=objective, basis=basis),
        key=f"{key}_share_done",
        alt=alt,
    )
    _sentence(told)


def _histogram_card(samples: Sequence[Sample], *, key: str, basis: Basis) -> None:
    bins = histogram([sample.total_ms for sample in samples])
    at = bins.fullest
    marks = percentiles(samples)
    finding = f"Most often {span(*bins.edges[at : at + 2], to=' to ')}"
    detail = f"{bins.counts[at]:,} of {count(len(samples), 'row')}"
    st.markdown(f"**{finding}** :gray[{detail}]")
    _chart(
        histogram_figure(bins, marks, basis=basis),
        key=f"{key}_histogram",
        alt=f"{finding}: {detail}; {_given(marks)}",
    )
    width = milliseconds(bins.edges[1] - bins.edges[0])
    _sentence(f"Each bar counts the rows of {width}. {_lacking(marks, basis)}")


def _given(marks: Sequence[Percentile]) -> str:
    given = [f"p{m.percent} {milliseconds(m.value_ms)}" for m in marks if m.value_ms is not None]
    return ", ".join(given)


def _lacking(marks: Sequence[Percentile], basis: Basis) -> str:
    lacking = [mark for mark in marks if mark.lack]
    if not lacking:
        return f"Every mark is one of {count(marks[0].rows, 'measured time')}."
    needs = ", ".join(f"p{mark.percent} needs {mark.rows_needed} rows" for mark in lacking)
    return f"{needs}; {basis.source} has {marks[0].rows:,}."


def _length_card(samples: Sequence[Sample], *, key: str, basis: Basis) -> None:
    fit = fit_to_length(samples)
    finding, told = _length_finding(fit, len(samples), basis)
    st.markdown(f"**{finding}** :gray[one dot per row]")
    _chart(
        length_figure(samples, fit, basis=basis),
        key=f"{key}_length",
        alt=f"{finding}: {told}",
    )
    if len(samples) > POINTS_AT_MOST:
        told += f" About {POINTS_AT_MOST:,} of {len(samples):,} rows are drawn, evenly spaced."
    _sentence(told)


def _length_finding(fit: LengthFit | None, rows: int, basis: Basis) -> tuple[str, str]:
    if fit is None:
        return (
            "Length and time",
            f"A fit needs 10 rows of different length; {basis.source} has {rows}.",
        )
    explained = round(100 * fit.explained)
    if not fit.is_clear:
        return (
            "Length says little about time",
            f"The dashed line is a least-squares fit; it explains {explained} % of the spread.",
        )
    return (
        "Longer texts take longer" if fit.ms_per_100_words > 0 else "Longer texts take less time",
        f"The dashed line is a least-squares fit over these {rows:,} rows, not a promise; "
        f"it explains {explained} % of the spread.",
    )


def _over_time_card(samples: Sequence[Sample], *, key: str, basis: Basis) -> None:
    ordered = in_order_of_answer(samples)
    finding, told = _drift_finding(ordered, basis)
    rate = rows_per_second(samples)
    st.markdown(f"**{finding}** :gray[{_rate_text(rate)}]")
    _chart(over_time_figure(ordered, basis=basis), key=f"{key}_over_time", alt=f"{finding}: {told}")
    _sentence(told)


def _rate_text(rate: float | None) -> str:
    if rate is None:
        return "rows in the order of their answers"
    return f"{rate:,.1f} rows a second" if rate >= 1 else f"{60 * rate:,.1f} rows a minute"


def _drift_finding(ordered: Sequence[Sample], basis: Basis) -> tuple[str, str]:
    found, change = drift(ordered)
    gap = (
        "The gap between the two is everything that is not the engine."
        if basis.is_whole
        else "The engine's time alone."
    )
    if found is Drift.UNKNOWN:
        return "One after the other", gap
    if found is Drift.STEADY:
        over = "run" if basis.is_whole else "log"
        return f"Steady over the {over}", f"First and last third differ by less than 20 %. {gap}"
    longer = "longer" if change > 0 else "shorter"
    finding = "Slower toward the end" if found is Drift.SLOWER else "Faster toward the end"
    return (
        finding,
        f"Half of the last third's rows took {abs(100 * change):.0f} % {longer} than half of the "
        f"first third's (medians). {gap}",
    )


def _chart(figure: go.Figure, *, key: str, alt: str) -> None:
    st.plotly_chart(
        figure, width="stretch", theme="streamlit", key=key, alt=alt, config=_NO_MODE_BAR
    )


def _sentence(told: str) -> None:
    st.markdown(f":small[:gray[{told}]]")
