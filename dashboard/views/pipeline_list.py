"""The list of pipelines: what of it is looked at, what is open, and what is done with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import streamlit as st

from components import outage
from components.pager import pager
from components.pipeline_card import pipeline_card
from components.pipeline_facts import PipelineAct
from components.pipeline_filters import SEARCH_KEY, room_choice, search_box, state_pills
from components.text import count
from dashboard import live, runtime, session
from dashboard.domain.connection_list import Page, page_of
from dashboard.domain.pipeline import Pipeline, PipelineState
from dashboard.domain.pipeline_choice import (
    PAGE_ROWS,
    PARAMETERS,
    PipelineChoice,
    choice_of,
    find,
    page_with,
)
from dashboard.domain.workspace import Workspace, labels
from dashboard.views import guarding, pipeline_facts

_OPEN_EVERY_S: Final = 0.5
#: So many that move are drawn in full at the same time.
_MOST_UNFOLDED: Final = 2
#: With fewer than this there is nothing to look for.
_FILTERED_FROM: Final = 2


@st.fragment(key="pipelines_part")
def draw(listed: Sequence[Pipeline], rooms: Sequence[Workspace]) -> None:
    """Draw filters, cards and pages: a part of the page of its own, which a key press redraws."""
    live.pursue()
    states = _states(listed)
    names = labels(rooms)
    choice = _valid(choice_of(session.address(PARAMETERS)), names)
    words = ""
    if len(listed) >= _FILTERED_FROM:
        with st.container(
            horizontal=True, vertical_alignment="center", gap="small", key="pipelines_filters"
        ):
            words = search_box(_change)
            room_choice(choice, names, _change)
            pills = st.container(width="content")
    unfolded = session.unfold_moving(_moving(listed), at_most=_MOST_UNFOLDED)
    found = find(listed, choice, words=words, states=states, first=unfolded)
    if len(listed) >= _FILTERED_FROM:
        with pills:
            state_pills(choice, found.by_state, _change)
    page = page_of(range(len(found.pipelines)), page_with(found, choice), rows=PAGE_ROWS)
    shown = [found.pipelines[position] for position in page.positions]
    if choice.pipeline and choice.pipeline not in states:
        _draw_missing()
    for pipeline in shown:
        is_only = len(listed) == 1
        is_open = is_only or pipeline.pipeline_id in (choice.pipeline, *unfolded)
        draw_card = _draw_open if is_open else _draw_line
        draw_card(pipeline, listed, is_only=is_only)
    if not shown:
        _draw_none()
    _draw_foot(page, total=len(listed), found=len(found.pipelines))


def _states(listed: Sequence[Pipeline]) -> Mapping[int, PipelineState | None]:
    current = runtime.current()
    who = current.identity()
    if outage.is_on():
        return dict.fromkeys(one.pipeline_id for one in listed)
    return {one.pipeline_id: current.watch.look(who, one).state for one in listed}


def _moving(listed: Sequence[Pipeline]) -> list[int]:
    current = runtime.current()
    who = current.identity()
    if outage.is_on():
        return []
    return [one.pipeline_id for one in listed if current.watch.look(who, one).is_moving]


def _draw_open(pipeline: Pipeline, listed: Sequence[Pipeline], *, is_only: bool) -> None:
    """Draw a card in full, anew twice a second: what it shows may be on the move."""

    @st.fragment(run_every=_OPEN_EVERY_S, key=f"pipelines_open_{pipeline.pipeline_id}")
    def body() -> None:
        live.pursue()
        _draw_card(pipeline, listed, is_open=True, is_only=is_only)

    body()


def _draw_line(pipeline: Pipeline, listed: Sequence[Pipeline], *, is_only: bool) -> None:
    _draw_card(pipeline, listed, is_open=False, is_only=is_only)


def _draw_card(
    pipeline: Pipeline, listed: Sequence[Pipeline], *, is_open: bool, is_only: bool
) -> None:
    current = runtime.current()
    # Those sent by a form have its mark behind them.
    running = current.jobs.running(current.identity())
    busy = {":".join(job.once.split(":")[:2]) for job in running}
    number = pipeline.pipeline_id
    card = pipeline_card(
        pipeline_facts.gather(pipeline, listed, is_open=is_open),
        is_busy=not busy.isdisjoint({f"deploy:{number}", f"undeploy:{number}"}),
        on_act=partial(_act, pipeline),
        on_guard=partial(guarding.set_minutes, pipeline),
        is_open=is_open,
        is_only=is_only,
    )
    if is_open:
        with card:
            _log_button(number)


def _log_button(number: int) -> None:
    st.button(
        "Inference log",
        type="tertiary",
        icon=":material/receipt_long:",
        help="What was sent to it and what it answered.",
        key=f"pipeline_{number}_log",
        on_click=session.go_to,
        args=("pipeline_log",),
        kwargs={"pipeline": str(number)},
    )


def _act(pipeline: Pipeline, asked: PipelineAct) -> None:
    """Do what a card asks for. For callbacks."""
    number = pipeline.pipeline_id
    if asked is PipelineAct.SUMMARIZE:
        session.go_to("summarize", workspace=str(pipeline.workspace_id))
    elif asked is PipelineAct.CANCEL:
        current = runtime.current()
        who = current.identity()
        live.submit(
            lambda: current.deployments.undeploy(who, pipeline),
            doing=f"Undeploying {pipeline.name}",
            once=f"undeploy:{number}",
        )
    elif asked is PipelineAct.KEEP:
        guarding.keep(pipeline)
    elif asked is PipelineAct.OPEN:
        _change(lambda old: replace(old, pipeline=number))
        session.note_submitted()
    elif asked is PipelineAct.CLOSE:
        session.fold_pipeline(number)
        _change(lambda old: replace(old, pipeline=0) if old.pipeline == number else old)
        session.note_submitted()
    else:
        session.open_dialog(asked.value, str(number))


def _valid(choice: PipelineChoice, rooms: Mapping[int, str]) -> PipelineChoice:
    """Return the choice without what there is not."""
    return choice if choice.workspace in (0, *rooms) else replace(choice, workspace=0)


def _change(change: Callable[[PipelineChoice], PipelineChoice]) -> None:
    now = choice_of(session.address(PARAMETERS))
    wanted = change(now)
    if wanted != now:
        session.set_address(PARAMETERS, wanted.to_query())


def _clear() -> None:
    st.session_state[SEARCH_KEY] = ""
    _change(lambda old: PipelineChoice(pipeline=old.pipeline))


def _draw_missing() -> None:
    with st.container(border=True, key="pipelines_missing"):
        st.markdown(
            "**The pipeline of this link is not here.** It was removed, or you are not in its "
            "workspace: ask one of its members to add you."
        )


def _draw_none() -> None:
    with st.container(border=True, key="pipelines_none", horizontal_alignment="center"):
        st.markdown("**No pipeline fits these filters.**", text_alignment="center")
        st.button("Clear filters", key="pipelines_clear", on_click=_clear)


def _draw_foot(page: Page, *, total: int, found: int) -> None:
    if total < _FILTERED_FROM:
        return
    first, last = page.first + 1, page.first + len(page.positions)
    told = f"{first:,}–{last:,} of {count(found, 'pipeline')}" if page.pages > 1 else ""
    told = told or (count(found, "pipeline") if found == total else f"{found:,} of {total:,}")
    with st.container(
        horizontal=True,
        horizontal_alignment="distribute",
        vertical_alignment="center",
        key="pipelines_foot",
    ):
        st.markdown(f":small[:gray[{told}]]", width="content")
        pager(
            page,
            lambda number: _change(lambda old: replace(old, page=number)),
            name="pipelines_page",
        )
