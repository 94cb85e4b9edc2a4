from urllib.parse import urljoin

import streamlit as st

from components.connection_form import FieldSpec, name_field, type_fields
from components.frame import page_header
from components.messages import field_error
from components.text import md
from dashboard import live, runtime, session, strings
from dashboard.connectors import registry
from dashboard.domain.workspace import labels
from dashboard.masking import Secret
from dashboard.navigation import page_file

_FORM = "new_connection"

current = runtime.current()
who = current.identity()
place = current.place()


def key_of(field: str) -> str:
    """Widget key of a field of this form."""
    return session.form_key(_FORM, field)


def fill_in_sample() -> None:
    """Put the workshop's name and link into the fields before they are drawn."""
    st.session_state[key_of("name")] = strings.WORKSHOP_CONNECTION
    st.session_state[key_of("url")] = urljoin(place.url, strings.WORKSHOP_SAMPLE_PATH)


page_header("New connection", "Nothing you type is stored until you save it.")
state = live.form_state(_FORM)
if state.done is not None:
    st.switch_page(page_file("connections"), query_params={"connection": state.done.result})

rooms = live.read(current.catalog.workspaces(who)).value or ()
pipelines = live.read(current.catalog.pipelines(who)).value or ()
names = labels(rooms)
busy_rooms = [one.workspace_id for one in pipelines if one.workspace_id in names]

form = live.drawn_form(_FORM)
links_key, room_key = "new_connection_link", "new_connection_room"
connector = registry.CONNECTORS[0]
fields = [
    FieldSpec(one.key, one.label, one.help, one.example, one.kind, one.choices, one.shown_when)
    for one in connector.fields()
]
field_keys = [spec.key for spec in fields]


def save(corrected: dict[str, str] | None = None) -> None:
    """Save what is typed, with a correction if one was taken."""
    # Read where it is kept: a click can come together with the last change.
    kept = {field: str(st.session_state.get(key_of(field)) or "") for field in field_keys}
    typed = {field: Secret(text) for field, text in {**kept, **(corrected or {})}.items()}
    name = str(st.session_state.get(key_of("name")) or "").strip()
    room_id = st.session_state.get(room_key) if st.session_state.get(links_key) else None
    link_to = next((room for room in rooms if room.workspace_id == room_id), None)
    live.submit(
        lambda: current.connections.create(
            who,
            name=name,
            connection_type=connector.type_names[0],
            fields=typed,
            link_to=link_to,
        ),
        doing=f"Saving {name}" if name else "Saving the connection",
        once="new_connection",
        form=form,
    )


def cancel() -> None:
    """Forget what is typed and go back."""
    session.renew_form(_FORM)
    session.go_to("connections")


left, right = st.columns([1.65, 1], gap="large")
with left:
    st.markdown(f"**{md(connector.title)}**")
    name_field(state.error_at("name"), key=key_of("name"))
    type_fields(fields, state.error, key_of=key_of, on_correct=save)
    if (rest := state.error_elsewhere("name", *field_keys)) is not None:
        field_error(rest.message, rest.hint)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Saving…" if state.is_busy else "Save",
            type="primary",
            disabled=state.is_busy,
            key="new_connection_save",
            on_click=save,
        )
        st.button("Cancel", type="tertiary", key="new_connection_cancel", on_click=cancel)
with right, st.container(border=True, key="new_connection_after"):
    st.markdown("**After saving**")
    if names:
        link = st.toggle("Link it right away", value=True, key=links_key)
        ids = list(names)
        st.selectbox(
            "Workspace",
            ids,
            index=ids.index(busy_rooms[0]) if busy_rooms else 0,
            format_func=lambda one: names[one],
            help=strings.WORKSPACE,
            disabled=not link,
            key=room_key,
        )
    else:
        st.markdown(":small[:gray[You can link it to a workspace once there is one.]]")
    st.markdown(f":small[:gray[{md(strings.CONNECTION)}]]")
    if place.is_sandbox and place.url:
        st.markdown("**No link at hand?**")
        st.button(
            "Fill in the workshop's sample",
            icon=":material/auto_fix_high:",
            on_click=fill_in_sample,
            key="new_connection_sample",
        )
