"""The latency charts of a run: each in a card with its finding, and one plain sentence below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from components.latency_plots import (
    POINTS_AT_MOST,
    bar_size,
    length_figure,
    over_time_figure,
    share_done_figure,
    split_figure,
)
from components.text import count, milliseconds
from dashboard.domain.latency import (
    Drift,
    LengthFit,
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


def latency_charts(samples: Sequence[Sample], *, key: str) -> None:
    """Draw where the time went, how long rows take, what length costs and how the run went on.

    Parameters
    ----------
    samples
        As of `dashboard.domain.latency.samples_of`, of one run. None and one are designed cases:
        what needs more rows says so.
    key
        Prefix of the charts' and the toggle's keys, unique on the page.
    """
    if not samples:
        with st.container(border=True):
            st.markdown("**No row was answered yet**")
            _sentence("A row's time appears here as soon as its answer is in.")
        return
    _split_card(samples, key=key)
    if len(samples) < 2:
        with st.container(border=True):
            st.markdown("**One row so far** :gray[how long rows take, and why, shows from two on]")
        return
    with st.grid(2, min_column_width=340, gap="small"):
        with st.container(border=True, height="stretch"):
            _share_done_card(samples, key=key)
        with st.container(border=True, height="stretch"):
            _length_card(samples, key=key)
    with st.container(border=True):
        _over_time_card(samples, key=key)


def _split_card(samples: Sequence[Sample], *, key: str) -> None:
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
            split_figure(samples, with_model=not without_model),
            key=f"{key}_split",
            alt=f"Where the time of {count(len(samples), 'row')} went: {_split_detail(samples)}",
        )
        _sentence(_split_sentence(samples))


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


def _split_sentence(samples: Sequence[Sample]) -> str:
    told = (
        "Sending and platform: all between this dashboard and the engine until the answer begins."
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


def _share_done_card(samples: Sequence[Sample], *, key: str) -> None:
    marks = percentiles(samples)
    st.markdown("**How long a row takes** :gray[share of rows done within a time]")
    given = [f"p{m.percent} {milliseconds(m.value_ms)}" for m in marks if m.value_ms is not None]
    _chart(
        share_done_figure(samples, marks),
        key=f"{key}_share_done",
        alt="How long a row takes: " + ", ".join(given),
    )
    lacking = [mark for mark in marks if mark.lack]
    if not lacking:
        _sentence(f"Every mark is one of {count(len(samples), 'measured time')}.")
        return
    needs = ", ".join(f"p{mark.percent} needs {mark.rows_needed} rows" for mark in lacking)
    _sentence(f"{needs}; this run has {len(samples):,}.")


def _length_card(samples: Sequence[Sample], *, key: str) -> None:
    fit = fit_to_length(samples)
    finding, told = _length_finding(fit, len(samples))
    st.markdown(f"**{finding}** :gray[one dot per row]")
    _chart(
        length_figure(samples, fit),
        key=f"{key}_length",
        alt=f"{finding}: {told}",
    )
    if len(samples) > POINTS_AT_MOST:
        told += f" About {POINTS_AT_MOST:,} of {len(samples):,} rows are drawn, evenly spaced."
    _sentence(told)


def _length_finding(fit: LengthFit | None, rows: int) -> tuple[str, str]:
    if fit is None:
        return "Length and time", f"A fit needs 10 rows of different length; this run has {rows}."
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


def _over_time_card(samples: Sequence[Sample], *, key: str) -> None:
    ordered = in_order_of_answer(samples)
    finding, told = _drift_finding(ordered)
    rate = rows_per_second(samples)
    st.markdown(f"**{finding}** :gray[{_rate_text(rate)}]")
    _chart(over_time_figure(ordered), key=f"{key}_over_time", alt=f"{finding}: {told}")
    _sentence(told)


def _rate_text(rate: float | None) -> str:
    if rate is None:
        return "rows in the order of their answers"
    return f"{rate:,.1f} rows a second" if rate >= 1 else f"{60 * rate:,.1f} rows a minute"


def _drift_finding(ordered: Sequence[Sample]) -> tuple[str, str]:
    found, change = drift(ordered)
    gap = "The gap between the two is everything that is not the engine."
    if found is Drift.UNKNOWN:
        return "Over the run", gap
    if found is Drift.STEADY:
        return "Steady over the run", f"First and last third differ by less than 20 %. {gap}"
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
