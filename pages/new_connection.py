from urllib.parse import urljoin

import streamlit as st

from components import loading, outage
from components.connection_actions import Actions, after_saving, copied_note, form_actions
from components.connection_form import custom_fields, name_field, type_choice, type_fields
from components.frame import page_header
from components.messages import field_error
from dashboard import live, runtime, strings
from dashboard.domain.activity import Act
from dashboard.domain.json_text import json_trouble
from dashboard.domain.workspace import labels
from dashboard.errors import FetchFailed
from dashboard.navigation import page_file
from dashboard.views import connection_copy, testing
from dashboard.views import connection_form as view

current = runtime.current()
who = current.identity()
place = current.place()
copied_id = st.query_params.get("from", "")

detail = "You can test before you save. Nothing you type is stored until then."
page_header("Duplicate a connection" if copied_id else "New connection", detail)
state = live.form_state(view.FORM)
if state.done is not None:
    st.switch_page(page_file("connections"), query_params={"connection": state.done.result})

listed = live.read(current.catalog.connections(who)).value or ()
rooms = live.read(current.catalog.workspaces(who))
pipelines = live.read(current.catalog.pipelines(who))
names = labels(rooms.value or ())
busy_rooms = [one.workspace_id for one in pipelines.value or () if one.workspace_id in names]
link_key = "duplicate_link" if copied_id else "new_connection_link"
room_key = "new_connection_room"

copied = connection_copy.copying(copied_id, rooms.value or ())
connection_copy.prefill(copied)
error = view.last_error(view.FORM, state)
form = live.drawn_form(view.FORM)
connector = view.connector()


def save(corrected: dict[str, str] | None = None, *, tested: bool = True) -> None:
    """Save what is typed, with a correction if one was taken."""
    may_link = rooms.value or () if st.session_state.get(link_key) else ()
    link_to = connection_copy.link_to(copied, may_link, st.session_state.get(room_key))
    act = Act.CREATED if copied.copy is None else Act.DUPLICATED
    view.save(form, link_to=link_to, act=act, tested=tested, corrected=corrected)


def fill_in_sample() -> None:
    """Put the workshop's name and link into the fields before they are drawn."""
    view.fill_in(strings.WORKSHOP_CONNECTION, urljoin(place.url, strings.WORKSHOP_SAMPLE_PATH))


def draw() -> None:
    """Draw the form, and beside it the test and what follows saving."""
    left, right = st.columns([1.65, 1], gap="large")
    with left:
        if copied_id:
            copied_note(copied.name, left_out=copied.left_out, lost=copied.lost)
        type_choice(view.kinds(), key=view.key_of("kind"))
        name_error = error if error is not None and error.field == "name" else None
        name_field(name_error, key=view.key_of("name"), on_open=view.taken_by(listed))
        if view.kind() == view.CUSTOM:
            custom_fields(
                error,
                key_of=view.key_of,
                types_in_use=view.types_in_use(listed),
                known_type=view.known_type(),
                on_known=view.use_known_type,
                trouble=json_trouble(view.typed("details"), wants_object=True),
                example=connector.fields()[0].example,
            )
        else:
            type_fields(
                connector.fields(),
                error,
                key_of=view.key_of,
                bound=view.bound(),
                on_correct=save if state.error is not None else view.start_test,
            )
        if (rest := view.error_elsewhere(error, connector)) is not None:
            field_error(rest.message, rest.hint)
        form_actions(
            Actions(
                page="new_connection",
                save="Test and save" if connector.can_fetch else "Save",
                saving="Saving…",
                is_busy=state.is_busy,
                why_no_test=view.why_no_test(view.FORM, connector),
                untested="Save without testing" if isinstance(error, FetchFailed) else "",
                on_save=save,
                on_test=view.start_test,
                on_save_untested=lambda: save(tested=False),
                on_cancel=view.cancel,
                why_off=outage.why_off(),
            )
        )
    with right:
        if connector.can_fetch:
            testing.panel(view.FORM)
        after_saving(
            None if rooms.is_first or pipelines.is_first else names,
            room_id=busy_rooms[0] if busy_rooms else None,
            same_ids=copied.room_ids if copied.copy is not None else None,
            link_key=link_key,
            room_key=room_key,
            explanation=strings.WORKSPACE,
            about=strings.CONNECTION,
            on_sample=fill_in_sample if place.url and place.is_sandbox and not copied_id else None,
        )


if copied.awaited is not None:
    loading.skeleton("the connection to copy", copied.awaited, height=380)
else:
    draw()
