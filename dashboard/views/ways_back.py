"""The error state of any page, with its ways back."""

from __future__ import annotations

from components.error_panel import WayBack, error_panel, stale_notice
from dashboard import runtime, session
from dashboard.errors import DashboardError


def show(error: DashboardError, *, what: str, key: str) -> None:
    """Draw the error state: `what` cannot be shown, such as `your connections`."""
    can_start = runtime.current().place().can_start
    error_panel(error, what=what, key=key, can_start=can_start, on_way_back=_take)


def show_stale() -> None:
    """Say above the page, if it shows something old, that it does and why."""
    noted = session.stale()
    if noted is None:
        return
    title, message, hint, age_s = noted
    stale_notice(
        title=title,
        message=message,
        hint=hint,
        age_s=age_s,
        can_start=runtime.current().place().can_start,
        on_way_back=_take,
    )


def _take(chosen: WayBack) -> None:
    current = runtime.current()
    if chosen is WayBack.START_AGAIN:
        current.start_sandbox_again()
    current.reads.invalidate(current.identity().key)
