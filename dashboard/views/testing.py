"""A test of a connection as it goes: its stages, its verdict, and the way to stop it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from components.test_panel import PanelState, stages_panel, waiting_stages
from components.text import count
from dashboard import runtime, session
from dashboard.errors import DashboardError
from dashboard.services.jobs import JobState
from dashboard.services.watched_tests import TestView

_POLL_S = 0.25
#: A second click that comes so soon after the first belongs to it.
_DOUBLE_CLICK_S = 0.5


def start(form: str, begin: Callable[[], str]) -> None:
    """Begin a test for a form or a view, unless one of its own is under way. For callbacks.

    Parameters
    ----------
    begin
        Starts the test and returns its id, as `ConnectionTests.start_typed` does.
    """
    view = _view(form)
    if view is not None and (view.is_running or view.age_s < _DOUBLE_CLICK_S):
        return  # the second click of a double click
    session.set_test(form, begin())


def is_running(form: str) -> bool:
    """Whether the form's test is under way."""
    view = _view(form)
    return view is not None and view.is_running


def panel(form: str, *, bordered: bool = True) -> None:
    """Draw the test that `session.test_of(form)` names, polling while it runs.

    The page is drawn again when it ends, so that its error can stand at the form's field.

    Parameters
    ----------
    bordered
        Whether it is a card of its own.
    """
    was_moving = _is_moving(form)

    @st.fragment(run_every=_POLL_S if was_moving else None, key=f"{form}_test")
    def drawn() -> None:
        if was_moving and not _is_moving(form):
            st.rerun()
        stages_panel(_state(form), key=form, on_cancel=lambda: _cancel(form), bordered=bordered)

    drawn()


def failure_of(form: str) -> DashboardError | None:
    """Why the form's last test failed, for the field it belongs to; None if it did not."""
    view = _view(form)
    if view is None or view.is_running:
        return None
    if view.error is not None:
        return view.error
    if view.result is None or view.result.was_cancelled:
        return None
    return view.result.failure


def _view(form: str) -> TestView | None:
    current = runtime.current()
    test_id = session.test_of(form)
    return current.tests.view(current.identity(), test_id) if test_id else None


def _is_moving(form: str) -> bool:
    """Whether the panel is to be looked at again: a test runs, or is about to."""
    view = _view(form)
    return view.is_running if view is not None else _is_awaited(form)


def _is_awaited(form: str) -> bool:
    """Whether a job of the form, such as "Test and save", is about to begin its test."""
    current = runtime.current()
    job = current.jobs.find(current.identity(), session.job_of(form))
    return bool(session.test_of(form)) and job is not None and job.state is JobState.RUNNING


def _cancel(form: str) -> None:
    current = runtime.current()
    current.tests.cancel(current.identity(), session.test_of(form))


def _state(form: str) -> PanelState | None:
    view = _view(form)
    if view is None:
        return PanelState(waiting_stages(), is_running=True) if _is_awaited(form) else None
    result = view.result
    return PanelState(
        # One that could not be made has no stages to tell of.
        stages=view.stages if view.error is None else (),
        is_running=view.is_running,
        running_s=view.running_s,
        found=f"{count(result.rows, 'row')}, {result.format}" if result and result.passed else "",
        error=view.error or (result.failure if result else None),
        was_cancelled=result is not None and result.was_cancelled,
        age_s=view.age_s,
    )
