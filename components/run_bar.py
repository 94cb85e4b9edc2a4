"""A run's bar: start it, watch it, stop it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import streamlit as st

from components import outage
from components.badges import run_badge
from components.text import count, duration, md
from dashboard.domain.run import Run, RunState


class RunAct(StrEnum):
    """What was asked for."""

    START = "start"
    DEPLOY = "deploy"
    CANCEL = "cancel"
    RETRY = "retry"


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far a run is. `left_s` is None while it cannot be told."""

    done: int
    failed: int
    total: int
    rate_per_s: float | None
    left_s: float | None


def start_bar(  # noqa: PLR0913 - what it shows, by keyword
    *,
    pipeline: str,
    state: str,
    can_start: bool,
    can_deploy: bool,
    rows: int,
    on_act: Callable[[RunAct], None],
    verb: str = "Summarize",
) -> None:
    """Draw the bar before a run.

    Parameters
    ----------
    state
        What the pipeline is doing, in words.
    can_start
        Whether it runs and the table fits.
    can_deploy
        Whether it stands still and could be deployed.
    on_act
        Called with what was asked for.
    verb
        What a run does.
    """
    with (
        st.container(border=True, key="summarize_start"),
        st.container(horizontal=True, vertical_alignment="center"),
    ):
        told = "not known" if outage.is_on() else state
        st.markdown(f"**{md(pipeline)}** :gray[{md(told)}]", width="stretch")
        if can_deploy:
            st.button(
                "Deploy…",
                type=outage.primary(),
                **outage.off(),
                key="summarize_deploy",
                on_click=on_act,
                args=(RunAct.DEPLOY,),
            )
        else:
            st.button(
                f"{verb} {count(rows, 'row')}",
                type=outage.primary(),
                **outage.off(disabled=not can_start),
                icon=":material/play_arrow:",
                key="summarize_run",
                on_click=on_act,
                args=(RunAct.START,),
            )


def progress_bar(run: Run, progress: RunProgress, *, on_act: Callable[[RunAct], None]) -> None:
    """Draw the bar of a run under way; `on_act` is called with what was asked for."""
    settled = progress.done + progress.failed
    left = progress.total - settled
    parts = [f"{progress.failed:,} failed"] if progress.failed else []
    parts.append(f"{left:,} left")
    if progress.left_s is not None and left:
        parts.append(f"about {duration(progress.left_s)} more")
    if progress.rate_per_s:
        parts.append(f"{progress.rate_per_s:.1f} rows a second")
    said = f"**{progress.done:,} of {progress.total:,} rows done** :gray[{', '.join(parts)}]"
    if run.state in (RunState.QUEUED, RunState.PAUSED):
        said += f" {run_badge(run.state)} {md(run.message)}"
    with (
        st.container(border=True, key="run_bar"),
        st.container(horizontal=True, vertical_alignment="center"),
    ):
        with st.container(width="stretch", gap="xsmall"):
            st.markdown(f":small[{said}]")
            st.progress(settled / progress.total if progress.total else 0.0)
        st.button("Cancel", key="run_cancel", on_click=on_act, args=(RunAct.CANCEL,))
