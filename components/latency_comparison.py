"""Several sets of rows on one axis: whole runs, or all runs of a pipeline's version."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from components.latency_spread_plots import Series, overlay_figure
from components.text import md, milliseconds, plain
from dashboard.domain.distribution import Objective, hit_rate
from dashboard.domain.latency import Percentile, percentiles, quantile

#: Medians closer together than this are called alike.
_ALIKE_BELOW = 0.05


def comparison_card(series: Sequence[Series], *, objective: Objective, key: str) -> None:
    """Draw the shares done of up to four sets of rows, and a table of their percentiles.

    Parameters
    ----------
    series
        Sets without any answered row are named, not drawn.
    """
    drawn = [one for one in series if one.samples]
    if len(drawn) < 2:
        st.markdown(":gray[No row of the others was answered: there is nothing to compare.]")
        return
    finding, detail = comparison_finding(drawn)
    st.markdown(f"**{md(finding)}** :gray[{detail}]")
    st.plotly_chart(
        overlay_figure(drawn, objective=objective),
        width="stretch",
        theme="streamlit",
        key=f"{key}_overlay",
        alt=f"{plain(finding)}, {detail}. " + "; ".join(_spoken(one) for one in drawn),
        config={"displayModeBar": False},
    )
    st.dataframe(
        [_table_row(one, objective) for one in series],
        hide_index=True,
        column_config={"Of": st.column_config.TextColumn(width="medium")},
        width="stretch",
        key=f"{key}_table",
        alt="Percentiles of each, with the number of rows they are of",
    )


def comparison_finding(series: Sequence[Series]) -> tuple[str, str]:
    """Say which of several sets of rows is faster, by half of their rows; finding and detail.

    The finding is plain text and may be hostile.
    """
    halves = sorted((_half_ms(one), one.name) for one in series)
    (fastest_ms, name), (slowest_ms, _) = halves[0], halves[-1]
    if slowest_ms - fastest_ms <= _ALIKE_BELOW * slowest_ms:
        return "As fast as each other", f"half of the rows within {milliseconds(fastest_ms)}"
    return (
        f"Fastest: {name}",
        f"half of the rows within {milliseconds(fastest_ms)}, slowest {milliseconds(slowest_ms)}",
    )


def _half_ms(one: Series) -> float:
    return quantile([sample.total_ms for sample in one.samples], 0.5)


def _spoken(one: Series) -> str:
    given = [f"p{mark.percent} {_value(mark)}" for mark in percentiles(one.samples)]
    return f"{plain(one.name)}, {len(one.samples):,} rows: {', '.join(given)}"


def _table_row(one: Series, objective: Objective) -> dict[str, str]:
    rate = hit_rate([sample.total_ms for sample in one.samples], objective)
    marks = {f"p{mark.percent}": _value(mark) for mark in percentiles(one.samples)}
    return {
        "Of": plain(one.name),
        "Rows": f"{len(one.samples):,}",
        **marks,
        f"Under {objective.limit_ms / 1000:g} s": f"{rate.percent:g} %" if rate else "–",
    }


def _value(mark: Percentile) -> str:
    if mark.value_ms is None:
        return f"needs {mark.rows_needed} rows"
    return milliseconds(mark.value_ms)
