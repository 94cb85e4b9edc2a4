"""The last test of an opened connection, the one under way, and the way to test it again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from components import outage
from components.test_panel import PanelState, stages_panel
from components.text import count
from dashboard import runtime, session
from dashboard.connectors import registry
from dashboard.domain.check import Check, CheckKind
from dashboard.domain.connection import Connection
from dashboard.errors import FetchFailed
from dashboard.views import testing

_CANNOT = "Connections of this type cannot be tested here. Scripts can use them."


def draw(connection: Connection, checks: Sequence[Check] | None) -> None:
    """Draw the test under way, or else the last one; `checks` is None while they are not known."""
    if not registry.can_fetch(connection.type):
        st.markdown(f"**Test** :gray[{_CANNOT}]")
        return
    form = _test_form(connection)
    last = next((one for one in checks or () if one.kind is CheckKind.TEST), None)
    # A failure that is no finding, such as too many tests, is kept nowhere else.
    if testing.is_running(form) or _is_untold(form, last):
        testing.panel(form)
    elif checks is None:
        st.markdown("**Test** :small[:gray[Loading the last one…]]")
    else:
        stages_panel(_panel(last), key=form, on_cancel=lambda: None)


def button(connection: Connection) -> None:
    """Draw the way to test it again."""
    form = _test_form(connection)
    can_test = registry.can_fetch(connection.type)
    st.button(
        "Test now",
        icon=":material/play_arrow:",
        **outage.off(
            disabled=not can_test or testing.is_running(form),
            help=None if can_test else _CANNOT,
        ),
        key="drawer_test",
        on_click=_start_test,
        args=(connection,),
    )


def _test_form(connection: Connection) -> str:
    return f"drawer_{connection.connection_id}"


def _start_test(connection: Connection) -> None:
    current = runtime.current()
    testing.start(
        _test_form(connection),
        lambda: current.tests.start_stored(current.identity(), connection, session=session.mark()),
    )
    session.note_submitted()


def _is_untold(form: str, last: Check | None) -> bool:
    """Whether this session's last test is newer than the last one that was kept."""
    current = runtime.current()
    view = current.tests.view(current.identity(), session.test_of(form))
    if view is None:
        return False
    kept_s = (datetime.now(UTC) - last.at).total_seconds() if last is not None else float("inf")
    return view.age_s < kept_s


def _panel(last: Check | None) -> PanelState | None:
    if last is None:
        return None
    failure = None
    if not last.passed:
        failure = FetchFailed(
            last.message, cause_code=last.cause_code, hint=last.hint, field=last.field
        )
    return PanelState(
        last.stages,
        running_s=last.total_ms / 1000,
        found=f"{count(last.rows, 'row')}, {last.format}" if last.passed else "",
        error=failure,
        age_s=max(0.0, (datetime.now(UTC) - last.at).total_seconds()),
    )
