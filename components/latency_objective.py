"""What is wanted of the rows' times: two numbers, and one sentence on how often it was kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from components.latency_spread_plots import objective_words
from components.text import count
from dashboard.domain.distribution import Objective, hit_rate
from dashboard.domain.latency import Sample

#: Of the share in percent, and of the time in s.
PERCENT_RANGE = (1.0, 100.0)
SECONDS_RANGE = (0.001, 3600.0)
_PERCENT_KEY, _SECONDS_KEY = "latency_share", "latency_under"


def objective_fields(
    objective: Objective, samples: Sequence[Sample], *, failed: int, on_change: Callable[[], None]
) -> None:
    """Draw the objective's two fields and how the rows keep it.

    Parameters
    ----------
    failed
        Rows without an answer: they are in no share, and that is said.
    on_change
        Called when either number was changed; see `chosen_objective`.
    """
    with st.container(border=True, horizontal=True, vertical_alignment="bottom", gap="small"):
        st.number_input(
            "Objective: share of rows (%)",
            *PERCENT_RANGE,
            value=objective.percent,
            step=1.0,
            format="%g",
            width=190,
            key=_PERCENT_KEY,
            on_change=on_change,
        )
        st.number_input(
            "answered in less than (s)",
            *SECONDS_RANGE,
            value=objective.limit_ms / 1000,
            step=0.5,
            format="%g",
            width=190,
            key=_SECONDS_KEY,
            on_change=on_change,
        )
        st.markdown(objective_sentence(objective, samples, failed=failed), width="stretch")


def chosen_objective() -> Objective | None:
    """Return what stands in the fields; None where they were not drawn."""
    percent = st.session_state.get(_PERCENT_KEY)
    seconds = st.session_state.get(_SECONDS_KEY)
    if not isinstance(percent, float) or not isinstance(seconds, float):
        return None
    return Objective(percent, 1000 * seconds)


def objective_sentence(objective: Objective, samples: Sequence[Sample], *, failed: int) -> str:
    """Return Markdown on how often the objective was kept, with its basis."""
    rate = hit_rate([sample.total_ms for sample in samples], objective)
    if rate is None:
        return ":gray[No row was answered yet.]"
    badge = (
        ":green-badge[:material/check_circle: Met]"
        if rate.is_met
        else ":orange-badge[:material/warning: Missed]"
    )
    told = (
        f"{badge} **{rate.percent:g} %** under {objective.limit_ms / 1000:g} s: "
        f"{rate.hits:,} of {count(rate.rows, 'row')}. "
        f":gray[Wanted: {objective_words(objective)}.]"
    )
    if failed:
        told += f" :gray[{count(failed, 'failed row')} not counted.]"
    return told
