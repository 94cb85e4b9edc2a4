"""The idle guard in words and controls, for every page that shows a pipeline.

`countdown` ends a badge or a line ("stops in 42 min"); `guard_sentence` tells all of it;
`guard_progress` draws the bar; `keep_button` and `policy_popover` are the two controls. Callbacks
for the controls are in `dashboard.views.guarding`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from math import ceil

import streamlit as st

from components.text import duration, md
from dashboard.domain.idle import GuardView

#: What the policy offers, in minutes.
CHOICES = (15, 30, 60, 120, 240, 480)
KEEP_MINUTES = 30
#: A stop that is nearer than this is shown where it can be put off.
SOON = timedelta(minutes=5)
_NEVER = datetime.max.replace(tzinfo=UTC)


def time_left(left: timedelta) -> str:
    """Return the time until a stop in words that hold for a minute: `42 min`, `less than 1 min`."""
    seconds = left.total_seconds()
    if seconds <= 60:
        return "less than 1 min"
    minutes = ceil(seconds / 60)
    return f"{minutes} min" if minutes <= 90 else duration(seconds)


def told_minutes(minutes: int) -> str:
    """Return a policy's time in words: `45 min`, `2 h`."""
    return f"{minutes} min" if minutes % 60 or minutes < 120 else f"{minutes // 60} h"


def countdown(view: GuardView | None, *, now: datetime) -> str:
    """Return `stops in 42 min`, or an empty text where nothing counts."""
    if view is None or view.stops_at is None:
        return ""
    return f"stops in {time_left(view.stops_at - now)}"


def first_stop(views: Iterable[GuardView | None]) -> GuardView | None:
    """Return the one of the guards that stops first; None where none counts."""
    counting = [view for view in views if view is not None and view.stops_at is not None]
    return min(counting, key=lambda view: view.stops_at or _NEVER, default=None)


def is_soon(view: GuardView | None, *, now: datetime) -> bool:
    """Whether it stops so soon that it should be said, and can be put off, on every page."""
    if view is None or view.stops_at is None:
        return False
    return view.is_notice or view.stops_at - now <= SOON


def guard_sentence(view: GuardView | None, *, now: datetime) -> str:  # noqa: PLR0911 - one a case
    """Markdown that tells what the guard does with a pipeline."""
    if view is None:
        return "Not watched: it was not deployed from here. It runs until somebody undeploys it."
    if view.minutes is None:
        return "Off: it runs until somebody undeploys it."
    if view.problem:
        return md(view.problem)
    after = f"after **{told_minutes(view.minutes)}** without a request"
    if view.is_in_use:
        return f"In use now. It stops {after}."
    if view.stops_at is None:
        return (
            f"Counts from the moment the pipeline is ready: stops {after}, never while one is in "
            "flight."
        )
    left = f"Stops in **{time_left(view.stops_at - now)}** unless it is used."
    if view.is_notice:
        return f"{left} Nobody used it while this dashboard or its computer was away."
    return left


def guard_progress(view: GuardView | None, *, now: datetime, key: str) -> None:
    """Draw how much of its time is left, where it counts."""
    if view is None or view.stops_at is None or view.minutes is None:
        return
    left_s = max(0.0, (view.stops_at - now).total_seconds())
    with st.container(key=key):
        # More than all of it is left where somebody has asked to keep it running.
        st.progress(min(1.0, left_s / (view.minutes * 60)))


def keep_button(key: str, on_keep: Callable[[], None], *, is_narrow: bool = False) -> None:
    """Draw `Keep 30 min more`; draw it only where something counts."""
    st.button(
        f"Keep {KEEP_MINUTES} min more",
        key=key,
        width="stretch" if is_narrow else "content",
        on_click=on_keep,
    )


def policy_popover(
    minutes: int | None, *, key: str, on_set: Callable[[int | None], None], is_busy: bool = False
) -> None:
    """Draw the policy of a pipeline: after how many minutes unused it stops, or off.

    Parameters
    ----------
    minutes
        What holds now; None while it is off.
    on_set
        Called with what was chosen.
    """
    now = "off" if minutes is None else told_minutes(minutes)
    options = sorted({*CHOICES, *([minutes] if minutes else [])})
    # The key holds what is in force: when it was changed elsewhere, the choice follows.
    choice_key = f"{key}_choice_{minutes}"

    def chosen() -> None:
        value = st.session_state.get(choice_key)
        if value is not None:
            on_set(value or None)

    with st.popover(f"Idle guard: {now}", icon=":material/timer:", disabled=is_busy, key=key):
        st.radio(
            "Stops when unused for",
            [0, *options],
            index=0 if minutes is None else options.index(minutes) + 1,
            format_func=_choice_words,
            key=choice_key,
            on_change=chosen,
        )
        st.markdown(
            ":small[:gray[Never while a request is in flight. Requests from other programs count "
            "too.]]"
        )


def _choice_words(minutes: int) -> str:
    return told_minutes(minutes) if minutes else "Off, it runs until undeployed"
