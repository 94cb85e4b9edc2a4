"""The list of models and the opened one: what of it is looked at, and what is done with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import streamlit as st

from components import model_drawer, outage
from components.choices import filter_field, hold, search_field
from components.model_table import ModelLine, model_line
from components.pager import pager
from components.text import count, md, plain, short
from dashboard import live, runtime, session
from dashboard.domain.connection_list import page_of
from dashboard.domain.model import Model, ModelStage, ModelVersion, once_users_of, users_of
from dashboard.domain.model_choice import PAGE_ROWS, PARAMETERS, ModelChoice, choice_of, find
from dashboard.domain.pipeline import Pipeline
from dashboard.domain.workspace import Workspace, labels
from dashboard.views import uploading

_SEARCH_KEY: Final = "models_search"
_ROOM_KEY: Final = "models_workspace"
#: While a version is being converted the list is read again so often.
_MOVING_S: Final = 2.0


@st.fragment(key="models_part")
def draw(models: Sequence[Model], rooms: Sequence[Workspace]) -> None:
    """Draw filters, list and pages: a part of the page of its own, which a key press redraws."""
    live.pursue()
    names = labels(rooms)
    choice = choice_of(session.address(PARAMETERS))
    if choice.workspace not in (0, *names):
        choice = replace(choice, workspace=0)
    words = _filters(choice, names)
    found = find(models, choice, words=words, rooms=names)
    page = page_of(range(len(found)), choice.page or 1, rows=PAGE_ROWS)
    pipelines = _pipelines()
    now, zone = datetime.now(UTC), session.zone()
    for position in page.positions:
        model = found[position]
        used = {one.pipeline_id for each in model.versions for one in users_of(each, pipelines)}
        line = ModelLine(model, names[model.workspace_id], len(used))
        model_line(line, now=now, zone=zone, on_open=_open)
    if not found:
        with st.container(border=True, key="models_none", horizontal_alignment="center"):
            st.markdown("**No model fits these filters.**", text_alignment="center")
            st.button("Clear filters", key="models_clear", on_click=_clear)
    with st.container(
        horizontal=True,
        horizontal_alignment="distribute",
        vertical_alignment="center",
        key="models_foot",
    ):
        total = sum(1 for one in models if one.workspace_id in names)
        told = count(total, "model")
        if len(found) != total:
            told = f"{len(found):,} of {told}"
        st.markdown(f":small[:gray[{told}]]", width="content")
        pager(page, lambda number: _change(page=number), name="models_page")


def note_moving(models: Sequence[Model]) -> None:
    """See that the page is read again soon while a version is being converted."""
    if any(each.stage is ModelStage.CONVERTING for one in models for each in one.versions[:3]):
        session.note_due(_MOVING_S)


def begin_upload() -> None:
    """Open the dialog of an upload. For callbacks."""
    room = choice_of(session.address(PARAMETERS)).workspace
    uploading.forget_error()
    session.open_dialog("upload_model", str(room or ""))


def _pipelines() -> Sequence[Pipeline]:
    current = runtime.current()
    return live.read(current.catalog.pipelines(current.identity()), wait=False).value or ()


def _filters(choice: ModelChoice, rooms: Mapping[int, str]) -> str:
    hold(_ROOM_KEY, choice.workspace or None)
    with st.container(horizontal=True, gap="small", key="models_filters"):
        words = search_field(
            "Search",
            "Name",
            key=_SEARCH_KEY,
            width=230,
            pause="100ms",
            on_change=lambda: _change(page=0),
        )
        filter_field(
            "Workspace",
            {number: plain(name) for number, name in rooms.items()},
            placeholder="All workspaces",
            key=_ROOM_KEY,
            width=260,
            on_change=lambda: _change(workspace=int(st.session_state.get(_ROOM_KEY) or 0), page=0),
        )
    return words


def _change(**values: int) -> None:
    now = choice_of(session.address(PARAMETERS))
    wanted = replace(now, **values)
    if wanted != now:
        session.set_address(PARAMETERS, wanted.to_query())


def _clear() -> None:
    st.session_state[_SEARCH_KEY] = ""
    _change(workspace=0, page=0)


def _open(number: int) -> None:
    _change(model=number, version=0)
    session.note_submitted()


def _close() -> None:
    _change(model=0, version=0)
    session.note_submitted()


def draw_drawer(models: Sequence[Model], rooms: Sequence[Workspace]) -> None:
    """Draw the opened model, if one is and no dialog stands before it."""
    choice = choice_of(session.address(PARAMETERS))
    if not choice.model or session.dialog() != ("", ""):
        return
    names = labels(rooms)
    model = next((one for one in models if one.model_id == choice.model), None)
    if model is None or model.workspace_id not in names:
        _missing()
        return
    version = _chosen(model, choice)
    if version is None:
        contents: Callable[[], None] = _no_version
    else:
        contents = _version(model, version)

    @st.dialog(
        md(short(model.name, 80)) or "(no name)",
        width=560,
        position="right",
        icon=":material/deployed_code:",
        on_dismiss=_close,
    )
    def drawer() -> None:
        live.pursue()
        st.markdown(f":small[:gray[In {md(names[model.workspace_id])}]]")
        contents()

    drawer()


def _missing() -> None:
    with st.container(border=True, key="models_missing"):
        st.markdown(
            "**The model of this link is not here.** It was removed, or you are not in its "
            "workspace: ask one of its members to add you."
        )


def _chosen(model: Model, choice: ModelChoice) -> ModelVersion | None:
    wanted = [one for one in model.versions if one.version_id == choice.version]
    return next(iter([*wanted, *model.versions]), None)


def _no_version() -> None:
    st.markdown("It has no version: the upload has not arrived, or its versions were removed.")


def _version(model: Model, version: ModelVersion) -> Callable[[], None]:
    """Return what draws one version. What it shows is read here: a dialog follows no read."""
    current = runtime.current()
    who = current.identity()
    details = live.read(current.models.details(who, version), wait=False)
    log = live.read(current.models.log(who, version), wait=False)
    pipelines = _pipelines()
    users = [(one, current.watch.look(who, one).state) for one in users_of(version, pipelines)]
    once = once_users_of(version, pipelines)
    now, zone = datetime.now(UTC), session.zone()

    def choose(number: int) -> None:
        _change(version=number)
        session.note_submitted()

    def open_pipeline(number: int) -> None:
        session.go_to("pipelines", pipeline=str(number))

    def new_pipeline() -> None:
        # Asked anew: a click can come together with the choice before it.
        chosen = _chosen(model, choice_of(session.address(PARAMETERS))) or version
        session.open_dialog("new_pipeline", f"{model.workspace_id}:{chosen.version_id}")

    def draw_version() -> None:
        model_drawer.version_choice(model, version, now=now, zone=zone, on_choose=choose)
        model_drawer.version_facts(version, now=now, zone=zone)
        st.button(
            "New pipeline…",
            icon=":material/add:",
            **outage.off(
                disabled=not version.is_usable,
                help=None if version.is_usable else "Only a version that is ready can be used.",
            ),
            key="model_drawer_new_pipeline",
            on_click=new_pipeline,
        )
        model_drawer.schemas(details.value, details.error)
        model_drawer.used_by(users, once, on_open=open_pipeline)
        model_drawer.upload_log(log.value)

    return draw_version
