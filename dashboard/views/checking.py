"""Testing all connections: one paced job, its progress, and the way to stop it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from components import outage
from dashboard import runtime
from dashboard.domain.connection import Connection
from dashboard.views.connection_list import check

_EVERY_S = 1.0


def check_all(connections: Sequence[Connection]) -> None:
    """Draw the button, or how far the test of many has come."""
    current = runtime.current()
    if current.tests.check_progress(current.identity()) is not None:
        _progress()
        return
    st.button(
        "Check all",
        icon=":material/published_with_changes:",
        **outage.off(),
        key="connections_check_all",
        on_click=check,
        args=(connections,),
    )


@st.fragment(run_every=_EVERY_S)
def _progress() -> None:
    current = runtime.current()
    who = current.identity()
    progress = current.tests.check_progress(who)
    if progress is None:
        # Its end is a job's end: the frame draws the page anew.
        st.markdown(":small[:gray[Checked.]]", width="content")
        return
    done, total = progress
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(
            f":small[:material/progress_activity: {done:,} of {total:,} checked]", width="content"
        )
        st.button(
            "Cancel",
            key="connections_check_cancel",
            on_click=current.tests.cancel_check,
            args=(who,),
        )
