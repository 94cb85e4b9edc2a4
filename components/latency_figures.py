"""The figures above the latency charts: percentiles and the model's share, with their basis."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from components.latency_plots import OF_A_RUN, Basis
from components.text import count, milliseconds
from dashboard.domain.latency import Percentile, Sample, model_share, percentiles

_MEANING = {
    50: "half of the rows within",
    90: "9 of 10 within",
    95: "19 of 20 within",
    99: "99 of 100 within",
}


def latency_figures(samples: Sequence[Sample], *, basis: Basis = OF_A_RUN) -> None:
    """Draw p50, p90, p95, p99 and the model's share of time, as five figures.

    Parameters
    ----------
    samples
        As of `dashboard.domain.latency.samples_of`; a figure with too few rows says how many it
        needs.
    """
    with st.grid(5, min_column_width=184, gap="xsmall"):
        for percentile in percentiles(samples):
            st.metric(
                f"p{percentile.percent}, {_MEANING[percentile.percent]}",
                _value(percentile),
                border=True,
                height="stretch",
                help=_basis(percentile, basis),
            )
        share = model_share(samples)
        st.metric(
            "Model's share of time" if basis.is_whole else "Model's share in the engine",
            "not known" if share is None else f"{100 * share:.0f} %",
            border=True,
            height="stretch",
            help=_share_basis(samples),
        )


def _value(percentile: Percentile) -> str:
    if percentile.value_ms is None:
        return f"needs {percentile.rows_needed} rows"
    return milliseconds(percentile.value_ms)


def _basis(percentile: Percentile, basis: Basis) -> str | None:
    if percentile.lack:
        return (
            f"It needs {percentile.rows_needed} rows, {basis.source} has {percentile.rows}: "
            f"{percentile.rows_missing} more to see it."
        )
    if percentile.percent < 95:  # plain enough, and the label needs the room
        return None
    return f"One of {count(percentile.rows, 'measured time')}, never a value between two."


def _share_basis(samples: Sequence[Sample]) -> str | None:
    known = sum(sample.is_split for sample in samples)
    if known == len(samples) and known:
        return None
    if not known:
        return "No answer here says how long the engine took."
    return f"Of all time of {count(known, 'row')} whose engine time is known."
