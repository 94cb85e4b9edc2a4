"""The error state of any page, and the notice above one that shows something old."""

from __future__ import annotations

from components.error_panel import WayBack, error_panel, stale_notice
from dashboard import runtime, session
from dashboard.errors import DashboardError


def show(error: DashboardError, *, what: str, key: str) -> None:
    """Draw the error state: `what` cannot be shown, such as `your connections`."""
    session.note_error_shown()
    # The last resort of every page must not depend on what may have failed.
    can_start = runtime.is_started() and runtime.current().place().can_start
    error_panel(error, what=what, key=key, can_start=can_start, on_way_back=_take)


def show_stale() -> None:
    """Say above the page, if it shows something old, that it does and why."""
    if session.error_was_shown():
        return
    current = runtime.current()
    error = current.down_error()
    age_s = None
    if error is None:
        error, age_s = session.stale()
    if error is not None:
        stale_notice(error, age_s=age_s, can_start=current.place().can_start, on_way_back=_take)


def _take(chosen: WayBack) -> None:
    current = runtime.current()
    if chosen is WayBack.START_AGAIN:
        current.start_sandbox_again()
    current.try_again()
