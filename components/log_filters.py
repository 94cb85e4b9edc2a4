"""What of a pipeline's log is looked at: a stretch of time, how much, and only anomalies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Final

import streamlit as st

from components.choices import days_field, hold
from dashboard.domain.log_view import LIMITS, LogChoice, Span

_SPAN_KEY: Final = "pipeline_log_span"
_DAYS_KEY: Final = "pipeline_log_days"
_LIMIT_KEY: Final = "pipeline_log_limit"
_ONLY_KEY: Final = "pipeline_log_only"
_WORDS: Final = {
    Span.NEWEST: "Newest",
    Span.HOUR: "Last hour",
    Span.DAY: "Last day",
    Span.RANGE: "From – to",
}

#: Takes a change of what is chosen by now: what was drawn may be older.
OnChoose = Callable[[Callable[[LogChoice], LogChoice]], None]


def log_filters(choice: LogChoice, *, today: date, on_choose: OnChoose) -> None:
    """Draw the choices; `today` is the reader's day."""
    with st.container(
        horizontal=True, vertical_alignment="center", gap="small", key="pipeline_log_filters"
    ):
        hold(_SPAN_KEY, choice.span)
        st.segmented_control(
            "Time",
            list(Span),
            required=True,
            format_func=lambda one: _WORDS[one],
            label_visibility="collapsed",
            key=_SPAN_KEY,
            on_change=_chosen_span,
            args=(on_choose, today),
        )
        if choice.span is Span.RANGE:
            days = (choice.first or today, choice.last or today)
            days_field(days, key=_DAYS_KEY, on_choose=partial(_chosen_days, on_choose))
        hold(_LIMIT_KEY, choice.limit)
        st.selectbox(
            "Rows",
            LIMITS,
            format_func=lambda one: f"{one:,} rows at most",
            label_visibility="collapsed",
            width=180,
            key=_LIMIT_KEY,
            on_change=lambda: on_choose(
                lambda old: replace(old, limit=int(st.session_state[_LIMIT_KEY]))
            ),
        )
        hold(_ONLY_KEY, choice.only_anomalies)
        st.toggle(
            "Only anomalies",
            key=_ONLY_KEY,
            on_change=lambda: on_choose(
                lambda old: replace(old, only_anomalies=bool(st.session_state[_ONLY_KEY]))
            ),
        )


def _chosen_span(on_choose: OnChoose, today: date) -> None:
    span = Span(st.session_state.get(_SPAN_KEY) or Span.NEWEST)
    days = (today, today) if span is Span.RANGE else (None, None)
    on_choose(
        lambda old: (
            replace(old, span=span, first=days[0], last=days[1]) if span is not old.span else old
        )
    )


def _chosen_days(on_choose: OnChoose, first: date, last: date) -> None:
    on_choose(lambda old: replace(old, first=first, last=last))
