"""The page Preflight: what to walk, the walk itself, and the way on after a red one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import streamlit as st

from components import outage
from components.preflight_card import preflight_card
from components.text import plain
from dashboard import live, runtime, session, strings
from dashboard.connectors import registry
from dashboard.domain.connection import Connection
from dashboard.domain.pipeline import Pipeline, PipelineState
from dashboard.domain.preflight import PreflightView, Subject, Way
from dashboard.domain.workspace import Workspace, labels
from dashboard.views.run_fields import first_room

_POLL_S = 0.25
_COMING = (PipelineState.STARTING, PipelineState.RUNNING, PipelineState.DEGRADED)


def draw(rooms: Sequence[Workspace], pipelines: Sequence[Pipeline]) -> None:
    """Draw the choices, the button and the steps."""
    current = runtime.current()
    left, middle, right = st.columns(3)
    with left:
        room = _room(rooms, pipelines)
    linked = live.read(current.catalog.linked_connections(current.identity(), room.workspace_id))
    usable = [one for one in linked.value or () if registry.can_fetch(one.type)]
    with middle:
        connection = _connection(usable, is_loading=linked.is_first)
    here = [one for one in pipelines if one.workspace_id == room.workspace_id]
    with right:
        pipeline = _pipeline(here)
    if connection is None or pipeline is None:
        if not linked.is_first:
            _what_lacks(connection)
        return
    subject = Subject(room.workspace_id, connection.connection_id, pipeline.pipeline_id)
    version_id = pipeline.versions[0].version_id if pipeline.versions else 0
    view = current.preflight.view(current.identity(), subject, version_id=version_id)
    with st.container(horizontal=True):
        _run_button(subject, view)
        _way_on(subject, pipeline, view)
    _steps(subject, version_id)


def _run_button(subject: Subject, view: PreflightView | None) -> None:
    is_running = view is not None and view.is_running
    asks_for_deploy = view is not None and view.failed is not None and view.failed.way is Way.DEPLOY
    st.button(
        "Running…" if is_running else "Run again" if view is not None else "Run the preflight",
        type="secondary" if asks_for_deploy else outage.primary(),
        icon=":material/flight_takeoff:",
        **outage.off(disabled=is_running),
        key="preflight_run",
        on_click=_run,
        args=(subject, _address()),
    )


def _way_on(subject: Subject, pipeline: Pipeline, view: PreflightView | None) -> None:
    """Offer to deploy what is not deployed, and to go on with what was read before."""
    if view is None or view.is_running or view.failed is None or view.failed.way is not Way.DEPLOY:
        return
    current = runtime.current()
    state = current.watch.look(current.identity(), pipeline, closely=True).state
    if state not in _COMING:
        st.button(
            "Deploy…",
            type=outage.primary(),
            icon=":material/play_circle:",
            **outage.off(disabled=state is not PipelineState.NOT_DEPLOYED),
            key="preflight_deploy",
            on_click=session.open_dialog,
            args=("deploy", str(pipeline.pipeline_id)),
        )
        return
    is_ready = state is not PipelineState.STARTING
    st.button(
        "Go on" if is_ready else "Go on when it is running",
        type=outage.primary(),
        icon=":material/play_arrow:",
        **outage.off(
            help=None if view.can_go_on else "What was read is not kept any more: it begins anew."
        ),
        key="preflight_go_on",
        on_click=partial(_run, subject, _address(), go_on=True),
    )


def _address() -> dict[str, str]:
    return dict(st.query_params)


def _run(subject: Subject, drawn_for: dict[str, str], *, go_on: bool = False) -> None:
    # A choice that came together with the click is drawn first: what is walked is what is seen.
    if _address() != drawn_for:
        return
    current = runtime.current()
    who = current.identity()
    mark = session.mark()
    live.submit(
        lambda: current.preflight.run(who, subject, session=mark, go_on=go_on),
        doing="Preflight",
        once=f"preflight:{subject}",
    )


def _is_moving(subject: Subject) -> bool:
    current = runtime.current()
    who = current.identity()
    view = current.preflight.view(who, subject)
    awaited = any(job.once == f"preflight:{subject}" for job in current.jobs.running(who))
    return awaited or (view is not None and view.is_running)


def _steps(subject: Subject, version_id: int) -> None:
    was_moving = _is_moving(subject)

    @st.fragment(run_every=_POLL_S if was_moving else None, key="preflight_poll")
    def drawn() -> None:
        live.pursue()
        if was_moving and not _is_moving(subject):
            st.rerun()
        current = runtime.current()
        who = current.identity()
        view = current.preflight.view(who, subject, version_id=version_id)
        if view is not None and not view.is_running:
            # Its age is told.
            session.note_due(5.0 if view.age_s < 60 else 30.0)
        preflight_card(
            view,
            on_cancel=partial(current.preflight.cancel, who, subject),
            on_way=partial(_take, subject),
        )

    drawn()


def _take(subject: Subject, way: Way) -> None:
    room, connection = str(subject.workspace_id), subject.connection_id
    if way is Way.CONNECTION:
        session.go_to("connections", connection=connection)
    elif way is Way.TABLE:
        session.go_to("summarize", workspace=room, connection=connection)
    elif way is Way.PIPELINE:
        session.go_to("pipelines", workspace=room)


def _what_lacks(connection: Connection | None) -> None:
    if connection is None:
        st.markdown("No connection to a file is linked to this workspace.")
        st.button(
            "See connections", key="preflight_connections", on_click=_go, args=("connections",)
        )
    else:
        st.markdown("This workspace has no pipeline yet. Make one on the page Pipelines.")
        st.button("Go to pipelines", key="preflight_pipelines", on_click=_go, args=("pipelines",))


def _go(page: str) -> None:
    session.go_to(page)


def _room(rooms: Sequence[Workspace], pipelines: Sequence[Pipeline]) -> Workspace:
    names = labels(rooms)
    ids = list(names)
    first = first_room(ids, pipelines)
    key = f"preflight_room_{first}"
    room_id = st.selectbox(
        "Workspace",
        ids,
        index=ids.index(first),
        format_func=lambda one: plain(names[one]),
        help=strings.WORKSPACE,
        key=key,
        on_change=_choose,
        args=("workspace", key, first),
    )
    return next(room for room in rooms if room.workspace_id == room_id)


def _connection(usable: Sequence[Connection], *, is_loading: bool) -> Connection | None:
    by_id = {one.connection_id: one for one in usable}
    ids = list(by_id)
    wanted = st.query_params.get("connection", "")
    key = f"preflight_connection_{wanted}_{len(ids)}"
    stands = wanted if wanted in by_id else ids[-1] if ids else None
    chosen = st.selectbox(
        "Connection",
        ids,
        index=ids.index(stands) if stands else None,
        format_func=lambda one: plain(by_id[one].name) if one in by_id else "",
        placeholder="Loading…" if is_loading else "None is linked",
        disabled=not ids,
        help=strings.CONNECTION,
        key=key,
        on_change=_choose,
        args=("connection", key, stands),
    )
    return by_id.get(chosen) if chosen else None


def _pipeline(here: Sequence[Pipeline]) -> Pipeline | None:
    by_id = {str(one.pipeline_id): one for one in here}
    ids = list(by_id)
    wanted = st.query_params.get("pipeline", "")
    key = f"preflight_pipeline_{wanted}_{len(ids)}"
    stands = wanted if wanted in by_id else ids[0] if ids else None
    chosen = st.selectbox(
        "Pipeline",
        ids,
        index=ids.index(stands) if stands else None,
        format_func=lambda one: plain(by_id[one].name) if one in by_id else "",
        placeholder="None yet",
        disabled=not ids,
        help=strings.PIPELINE,
        key=key,
        on_change=_choose,
        args=("pipeline", key, stands),
    )
    return by_id.get(chosen) if chosen else None


def _choose(parameter: str, key: str, stood: int | str | None) -> None:
    chosen = st.session_state[key]
    # A page that is opened over itself tells of its fields anew: what is the same is no choice.
    if chosen != stood:
        st.query_params[parameter] = str(chosen)
