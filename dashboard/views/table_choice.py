"""The page Summarize before a run: choose where the texts come from, look at the table, start."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import streamlit as st

from components import loading, outage
from components.empty_state import Way, empty_state
from components.fetch_progress import fetch_progress
from components.frame import page_header
from components.messages import field_error
from components.run_bar import RunAct, start_bar
from components.table_card import chosen_text_column, shown_rows, table_card
from components.text import ago, count, md, plain
from components.vocabulary import vocabulary_of
from dashboard import live, runtime, session, strings
from dashboard.connectors import registry
from dashboard.domain.connection import Connection
from dashboard.domain.model import ModelVersion
from dashboard.domain.pipeline import Pipeline, PipelineState
from dashboard.domain.table import Passport
from dashboard.domain.workspace import Workspace, labels
from dashboard.errors import DashboardError
from dashboard.views import deploying, try_one, ways_back
from dashboard.views.run_fields import (
    PIPELINE_KEY,
    READY,
    chosen_pipeline,
    first_room,
    first_version,
    ready_first,
    room_key,
    room_stands,
    sent_columns,
)

_FETCH = "fetch"
_START = "start_run"
_POLL_S = 0.25


def draw() -> None:
    """Draw the page."""
    current = runtime.current()
    who = current.identity()
    rooms = live.read(current.catalog.workspaces(who))
    pipelines = live.read(current.catalog.pipelines(who), wait=False).value or ()
    version = first_version(room_stands(rooms.value, pipelines), pipelines)
    said = vocabulary_of(version)
    with page_header(said.verb, said.choosing):
        st.button(
            "Preflight…",
            icon=":material/flight_takeoff:",
            **outage.off(help="Walks every step from the connection to an answer, before a demo."),
            key="summarize_preflight",
            on_click=_preflight,
        )
    if rooms.value is None and rooms.error is not None:
        ways_back.show(rooms.error, what="your workspaces", key="summarize")
    elif rooms.value is None:
        loading.skeleton("your workspaces", rooms, height=300)
    elif not rooms.value:
        way = Way("summarize_room", "New workspace", _new_room, ":material/add:")
        empty_state("No workspace yet", strings.WORKSPACE, [way], icon="folder_shared")
    else:
        _choose(rooms.value)


def _choose(rooms: Sequence[Workspace]) -> None:
    current = runtime.current()
    who = current.identity()
    pipelines_read = live.read(current.catalog.pipelines(who))
    pipelines = pipelines_read.value
    if pipelines is None:
        if pipelines_read.error is not None:
            ways_back.show(pipelines_read.error, what="your pipelines", key="summarize_pipelines")
        else:
            loading.skeleton("your pipelines", pipelines_read, height=300)
        return
    left, middle, right = st.columns([1, 1, 0.5], vertical_alignment="bottom")
    with left:
        room, room_key = _room_field(rooms, pipelines)
    linked = live.read(current.catalog.linked_connections(who, room.workspace_id))
    usable = [one for one in linked.value or () if registry.can_fetch(one.type)]
    with middle:
        chosen, connection_key = _connection_field(usable, is_loading=linked.is_first)
    fetch = live.form_state(_FETCH)
    if fetch.done is not None and fetch.done.result:
        st.query_params["table"] = fetch.done.result
    with right:
        has_table = bool(st.query_params.get("table"))
        label = "Fetch again" if has_table else "Fetch"
        st.button(
            "Fetching…" if fetch.is_busy else label,
            type="secondary" if has_table else outage.primary(),
            **outage.off(disabled=chosen is None or fetch.is_busy),
            icon=":material/download:",
            width="stretch",
            key="summarize_fetch",
            on_click=_fetch,
            args=(_Offered(room, room_key, usable, connection_key), live.drawn_form(_FETCH)),
        )
    if fetch.error is not None:
        field_error(fetch.error.message, fetch.error.hint)
    if linked.value is not None and not usable:
        _no_connection(room)
    elif fetch.is_busy:
        _progress()
    else:
        if chosen is not None:
            _fetched_before(chosen, room)
        _table(room, pipelines, linked.value or ())
    try_one.draw(room, pipelines)


@dataclass(frozen=True, slots=True)
class _Offered:
    """What could be chosen to fetch from when the button was drawn, and the fields' keys."""

    room: Workspace
    room_key: str
    connections: Sequence[Connection]
    connection_key: str

    def chosen(self) -> Connection | None:
        """Return what is chosen now: a click can come together with the choice before it."""
        if st.session_state.get(self.room_key) != self.room.workspace_id:
            return None  # what the workspace chosen now offers has not been seen yet
        chosen = st.session_state.get(self.connection_key)
        return next((one for one in self.connections if one.connection_id == chosen), None)


def _fetch(offered: _Offered, form: live.Form) -> None:
    connection, room = offered.chosen(), offered.room
    if connection is None:
        return
    current = runtime.current()
    who = current.identity()
    watch_id = _watch_id(form.version)
    live.submit(
        lambda: current.fetching.fetch(
            who,
            connection_id=connection.connection_id,
            workspace=room,
            watch_id=watch_id,
        ),
        doing=f"Fetching from {connection.name}",
        once=f"fetch:{connection.connection_id}:{room.workspace_id}",
        form=form,
    )


def _watch_id(version: int) -> str:
    return f"{session.mark()}:{version}"


def _progress() -> None:
    """Draw how far the fetch is; the frame draws the page again when it ends."""
    version = live.drawn_form(_FETCH).version
    watch_id = _watch_id(version)

    @st.fragment(run_every=_POLL_S, key="summarize_progress_poll")
    def drawn() -> None:
        live.pursue()
        current = runtime.current()
        who = current.identity()
        view = current.fetching.view(who, watch_id)
        if view is None:
            st.skeleton(height=260)
            return
        fetch_progress(
            stage=view.stage,
            running_s=view.running_s,
            received_bytes=view.received_bytes,
            expected_bytes=view.expected_bytes,
            rows=view.rows,
            is_cancelled=view.is_cancelled,
            on_cancel=lambda: current.fetching.cancel(who, watch_id),
            source=view.source,
            first_rows=view.first_rows,
        )

    drawn()


def _fetched_before(connection: Connection, room: Workspace) -> None:
    """Offer the tables of this connection that were fetched before: one fetch, read by many."""
    current = runtime.current()
    try:
        known = current.tables.recent(
            current.identity(), connection_name=connection.name, workspace_id=room.workspace_id
        )
    except DashboardError:
        return  # nothing to offer; the page itself says what is wrong
    opened = st.query_params.get("table", "")
    others = [one for one in known if one.table_id != opened]
    if not others:
        return
    now = datetime.now(UTC)
    with st.container(horizontal=True, vertical_alignment="center", key="summarize_before"):
        newest, *older = others
        if not opened:
            told = ago((now - newest.fetched_at).total_seconds())
            st.button(
                f"Use the table fetched {told}",
                icon=":material/history:",
                key="summarize_use",
                on_click=_use_table,
                args=(newest.table_id,),
            )
        if listed := (others if opened else older):
            with st.popover("Earlier fetches", type="tertiary", key="summarize_earlier"):
                for one in listed:
                    st.button(
                        f"{ago((now - one.fetched_at).total_seconds())}: {count(one.rows, 'row')}",
                        type="tertiary",
                        key=f"summarize_use_{one.table_id}",
                        on_click=_use_table,
                        args=(one.table_id,),
                    )


def _use_table(table_id: str) -> None:
    st.query_params["table"] = table_id


def _new_room() -> None:
    session.open_dialog("new_workspace")


def _room_field(rooms: Sequence[Workspace], pipelines: Sequence[Pipeline]) -> tuple[Workspace, str]:
    """Draw the choice of a workspace; return it, and the field's key."""
    names = labels(rooms)
    ids = list(names)
    first = first_room(ids, pipelines)
    key = room_key(first)
    room_id = st.selectbox(
        "Workspace",
        ids,
        index=ids.index(first),
        format_func=lambda one: plain(names[one]),
        help=strings.WORKSPACE,
        key=key,
        on_change=_choose_room,
        args=(key, first),
    )
    return next(room for room in rooms if room.workspace_id == room_id), key


def _connection_field(
    usable: Sequence[Connection], *, is_loading: bool
) -> tuple[Connection | None, str]:
    """Draw the choice of a connection; return it, and the field's key."""
    by_id = {one.connection_id: one for one in usable}
    ids = list(by_id)
    wanted = _asked_connection(usable)
    if wanted and "connection" in st.query_params:
        st.query_params["connection"] = wanted  # a run's address gives its name
    key = f"summarize_connection_{wanted}_{len(ids)}"
    stands = wanted or (ids[-1] if ids else None)
    chosen = st.selectbox(
        "Connection",
        ids,
        index=ids.index(stands) if stands else None,
        format_func=lambda one: plain(by_id[one].name) if one in by_id else "",
        placeholder="Loading…" if is_loading else "None is linked",
        disabled=not ids,
        help=strings.CONNECTION,
        key=key,
        on_change=_choose_connection,
        args=(key, stands),
    )
    return (by_id.get(chosen) if chosen else None), key


def _asked_connection(usable: Sequence[Connection]) -> str:
    """Id of the connection the address names, by id or name, or its table is from; or empty."""
    asked = st.query_params.get("connection", "")
    table_id = st.query_params.get("table", "")
    if not asked and table_id:
        current = runtime.current()
        # Why a table cannot be read is said where it would stand.
        with contextlib.suppress(DashboardError):
            asked = current.tables.passport(current.identity(), table_id).connection_name
    ids = [one.connection_id for one in usable]
    if asked in ids:
        return asked
    return next((one.connection_id for one in usable if one.name == asked), "")


def _choose_connection(key: str, stood: str | None) -> None:
    chosen = st.session_state[key]
    # A page that is opened over itself tells of its fields anew: what is the same is no choice.
    if chosen == stood:
        return
    if chosen:
        st.query_params["connection"] = chosen
    _forget_table()


def _choose_room(key: str, stood: int) -> None:
    chosen = st.session_state[key]
    if chosen == stood:
        return
    st.query_params["workspace"] = str(chosen)
    _forget_table()


def _forget_table() -> None:
    st.query_params.pop("table", None)


def _no_connection(room: Workspace) -> None:
    ways = [
        Way("summarize_link", "See connections", _see_connections, ":material/link:"),
        Way("summarize_new", "New connection", _new_connection, ":material/add:"),
    ]
    told = "Link a connection to a file to this workspace; its table can then be fetched here."
    empty_state(f"Nothing is linked to {room.name}", told, ways, icon="link_off")


def _preflight() -> None:
    """Walk what is chosen here, as far as the address tells."""
    chosen = {
        name: st.query_params[name]
        for name in ("workspace", "connection")
        if name in st.query_params
    }
    session.go_to("preflight", **chosen)


def _see_connections() -> None:
    session.go_to("connections")


def _new_connection() -> None:
    session.go_to("new_connection")


def _see_pipelines() -> None:
    session.go_to("pipelines")


def _table(room: Workspace, pipelines: Sequence[Pipeline], linked: Sequence[Connection]) -> None:
    current = runtime.current()
    who = current.identity()
    table_id = st.query_params.get("table", "")
    if not table_id:
        st.markdown(":gray[Fetch the table to look at it before anything is run.]")
        return
    try:
        passport = current.tables.passport(who, table_id)
        if passport.workspace_id != room.workspace_id:
            # Fetched for another workspace while this one was chosen.
            _forget_table()
            st.markdown(":gray[Fetch the table to look at it before anything is run.]")
            return
        offset, limit = shown_rows(passport)
        rows = current.tables.page_rows(who, table_id, offset=offset, limit=limit)
        first_rows = current.tables.page_rows(who, table_id) if offset else rows
        before = current.tables.before(who, passport)
    except DashboardError as error:
        field_error(error.message, error.hint)
        return
    version = first_version(room.workspace_id, pipelines)
    goes_out = sent_columns(room, pipelines, passport, version)
    text_column, fit = table_card(
        passport,
        rows,
        key=_text_key(passport),
        host=next((one.host or "" for one in linked if one.name == passport.connection_name), ""),
        before=before,
        zone=session.zone(),
        is_of_texts=version is None or version.is_summarizer,
        sent=goes_out,
        first_rows=first_rows,
    )
    can_be_sent = fit.fits and (goes_out is None or not goes_out.problem)
    _start(room, pipelines, passport, text_column if can_be_sent else None)


def _text_key(passport: Passport) -> str:
    return f"summarize_text_{passport.table_id}"


def _start(
    room: Workspace, pipelines: Sequence[Pipeline], passport: Passport, text_column: str | None
) -> None:
    current = runtime.current()
    who = current.identity()
    here = ready_first(room.workspace_id, pipelines)
    if not here:
        st.markdown("This workspace has no pipeline yet. Make one on the page Pipelines.")
        st.button("Go to pipelines", key="summarize_pipelines", on_click=_see_pipelines)
        return
    pipeline = here[0]
    if len(here) > 1:
        pipeline = st.selectbox(
            "Pipeline", here, format_func=lambda one: plain(one.name), key=PIPELINE_KEY
        )
    state = current.watch.look(who, pipeline).state
    version = deploying.model_version_of(pipeline)
    start = live.form_state(_START)
    if start.done is not None:
        st.query_params.from_dict({"run": start.done.result})
        st.rerun()
    form = live.drawn_form(_START)
    if state in READY and version is None:
        field_error("Which model version answers here is not known, so nothing can be recorded.")

    def act(asked: RunAct) -> None:
        if asked is RunAct.DEPLOY:
            session.open_dialog("deploy", str(chosen_pipeline(here).pipeline_id))
        elif asked is RunAct.START and st.query_params.get("table") == passport.table_id:
            _begin(room, chosen_pipeline(here), passport, text_column, form)

    start_bar(
        pipeline=pipeline.name,
        state=(state.value.lower() if state else "asking the platform…"),
        can_start=(
            state in READY
            and version is not None
            and text_column is not None
            and passport.rows > 0
            and not start.is_busy
        ),
        can_deploy=state is PipelineState.NOT_DEPLOYED,
        rows=passport.rows,
        on_act=act,
        verb=vocabulary_of(version).verb,
    )
    if start.error is not None:
        field_error(start.error.message, start.error.hint)
    if version is not None:
        _about(version)


def _begin(
    room: Workspace,
    pipeline: Pipeline,
    passport: Passport,
    drawn_column: str | None,
    form: live.Form,
) -> None:
    """Start a run with what is chosen now: a click can come together with the choice before it."""
    current = runtime.current()
    who = current.identity()
    version = deploying.model_version_of(pipeline)
    column = drawn_column
    if version is not None and version.is_summarizer:
        column = chosen_text_column(passport, _text_key(passport))
    if version is None or column is None or current.watch.look(who, pipeline).state not in READY:
        return  # what is chosen now is drawn, with the reason why it cannot be started
    settings = deploying.stored_settings(pipeline)
    live.submit(
        lambda: current.run_actions.start(
            who,
            table_id=passport.table_id,
            pipeline=pipeline,
            model_version=version,
            workspace=room,
            replicas=settings.replicas if settings else 1,
            text_column=column,
        ),
        doing="Starting the run",
        once=f"run:{passport.table_id}:{pipeline.pipeline_id}",
        form=form,
    )


def _about(version: ModelVersion) -> None:
    if not version.is_summarizer:
        st.markdown(f":small[:gray[:material/info: {md(strings.COLUMNS_SENT)}]]")
    if version.is_embedded:
        st.markdown(f":small[:gray[:material/info: {md(strings.EMBEDDED_ENGINE)}]]")
