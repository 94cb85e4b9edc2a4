"""Uploading a model: its form, its dialog, and how far the uploads are that are under way."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Final

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from components import outage
from components.messages import field_box
from components.model_words import upload_words
from components.text import md, plain
from dashboard import live, runtime, session, strings
from dashboard.domain.model import NewModel, is_onnx_file
from dashboard.domain.workspace import Workspace, labels
from dashboard.errors import InvalidInput
from dashboard.services.jobs import JobState, Outcome
from dashboard.services.models import Upload, columns_in

FORM: Final = "upload_model"
_USUAL_NAME: Final = "hf-summarizer"
_EVERY_S: Final = 0.5
_LONGEST_NAME: Final = 60


def draw(subject: str) -> None:
    """Draw the dialog; `subject` is the number of the workspace it begins with, or empty."""
    current = runtime.current()
    rooms = live.read(current.catalog.workspaces(current.identity())).value
    state = live.form_state(FORM)
    if state.done is not None:
        session.close_dialog()
        return

    @st.dialog("Upload a model", width="medium", on_dismiss=session.close_dialog)
    def dialog() -> None:
        live.pursue()
        if rooms is None:
            st.skeleton(height=260)
        elif not rooms:
            st.markdown("It needs a workspace. Create one on the page Workspaces first.")
        else:
            form(_room(rooms, subject), state, room_key=_room_key())

    dialog()


def _room(rooms: tuple[Workspace, ...], subject: str) -> int:
    names = labels(rooms)
    ids = list(names)
    return int(
        st.selectbox(
            "Workspace",
            ids,
            index=next((place for place, one in enumerate(ids) if str(one) == subject), 0),
            format_func=lambda one: plain(names[one]),
            help=strings.WORKSPACE,
            key=_room_key(),
        )
    )


def _room_key() -> str:
    return session.form_key(FORM, "room")


def form(room_id: int, state: live.FormState, *, room_key: str) -> None:
    """Draw the fields and the button, and what is under way in the workspace of that number.

    Parameters
    ----------
    room_key
        Key of the field in which the workspace is chosen.
    """
    st.markdown(
        ":small[:gray[A zip of a Hugging Face summarization model, or an ONNX file. The platform "
        "takes it in, which can take minutes; you can leave this page meanwhile.]]"
    )
    name_key, file_key = session.form_key(FORM, "name"), session.form_key(FORM, "file")
    columns_key = session.form_key(FORM, "columns")
    with field_box("model_name", state.error_at("name")):
        st.text_input(
            "Model name",
            value=_USUAL_NAME,
            help="Letters, digits and dashes; a letter first. A name that is there already gets a "
            "new version.",
            disabled=state.is_busy,
            key=name_key,
        )
    with field_box("model_file", state.error_elsewhere("name", "columns")):
        file = st.file_uploader(
            "Model file",
            type=["zip", "onnx"],
            disabled=state.is_busy,
            key=file_key,
            on_change=_another_file,
            args=(file_key, name_key),
        )
    if file is not None and is_onnx_file(file.name):
        with field_box("model_columns", state.error_at("columns")):
            st.text_input(
                "Columns it reads",
                placeholder="the names in the file",
                help="The table's columns for the model's inputs, in the model's order, parted by "
                "commas. Leave it empty to use the names in the file; a model with a single input "
                "reads the column tensor.",
                disabled=state.is_busy,
                key=columns_key,
            )
    progress(room_id)
    sent_form = live.drawn_form(FORM)

    def upload() -> None:
        # Read where it is kept: a click can come together with the change before it.
        chosen_room = int(st.session_state.get(room_key) or room_id)
        name = str(st.session_state.get(name_key, "")).strip()
        columns = str(st.session_state.get(columns_key) or "")
        _send(chosen_room, name, st.session_state.get(file_key), columns, sent_form)

    st.button(
        "Upload",
        type="primary",
        **outage.off(disabled=state.is_busy or file is None),
        key="upload_model_submit",
        on_click=upload,
    )


def forget_error() -> None:
    """Drop what the last upload failed with: it was about another file. For callbacks."""
    current = runtime.current()
    job = current.jobs.find(current.identity(), session.job_of(FORM))
    if job is not None and job.state is JobState.FAILED:
        session.drop_job(FORM)


def _another_file(file_key: str, name_key: str) -> None:
    forget_error()
    file = st.session_state.get(file_key)
    if file is None or not is_onnx_file(file.name):
        return
    # An ONNX file is hardly another version of the summarizer: its own name fits better.
    own = re.sub(r"[^A-Za-z0-9]+", "-", PurePath(file.name).stem).strip("-").lower()
    if own[:1].isalpha() and st.session_state.get(name_key) == _USUAL_NAME:
        st.session_state[name_key] = own[:_LONGEST_NAME]


def _send(room_id: int, name: str, file: object, columns: str, sent_form: live.Form) -> None:
    current = runtime.current()
    who = current.identity()

    def act() -> Outcome:
        # One that takes another's place is on its way for a moment, and the other gone already.
        if not isinstance(file, UploadedFile):
            raise InvalidInput(
                "The file has not arrived yet.", hint="Upload once its name stands there."
            )
        reads = columns_in(columns) if is_onnx_file(file.name) else ()
        return current.models.upload(who, NewModel(room_id, name, file.name, file, reads))

    live.submit(act, doing="Uploading the model", once=f"upload:{room_id}:{name}", form=sent_form)


def progress(room_id: int | None = None) -> None:
    """Draw this person's uploads that are under way, of one workspace or all, anew twice a second.

    A reload, another page or another window finds them again.
    """
    current = runtime.current()
    who = current.identity()

    def of_room() -> list[Upload]:
        return [one for one in current.models.under_way(who) if room_id in (None, one.workspace_id)]

    busy = bool(of_room())
    place = "all" if room_id is None else str(room_id)

    @st.fragment(run_every=_EVERY_S if busy else None, key=f"uploads_{place}")
    def body() -> None:
        for one in of_room():
            _progress(one, place)

    body()


def _progress(upload: Upload, place: str) -> None:
    with st.container(border=True, gap="xsmall", key=f"upload_{place}_{upload.number}"):
        st.markdown(
            f":material/progress_activity: **{md(upload.name)}** "
            f":small[:gray[{md(upload.file_name)}]]"
        )
        told = upload.progress
        if told is not None and not told.is_sent and told.total_bytes:
            st.progress(min(1.0, told.sent_bytes / told.total_bytes))
        st.markdown(f":small[{md(upload_words(told, upload.age_s))}]")
