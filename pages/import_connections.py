import streamlit as st

from components import loading
from components.frame import page_header
from components.import_form import about_the_file, file_fields, file_summary
from components.messages import field_box
from dashboard import live, runtime, session
from dashboard.navigation import page_file
from dashboard.services.portable import MOST_BYTES
from dashboard.views import importing, ways_back

current = runtime.current()
who = current.identity()


def forget() -> None:
    """Forget what was typed for the file that was there before."""
    session.renew_form(importing.FORM)
    session.renew_form(importing.READ_FORM)


page_header("Import connections", "From the file of an export. You fill in the secrets here.")
state = live.form_state(importing.FORM)
left, right = st.columns([1.65, 1], gap="large")
with left:
    content = file_fields(
        upload_key=session.form_key(importing.FILE_FORM, "upload"),
        text_key=session.form_key(importing.FILE_FORM, "text"),
        most_mb=MOST_BYTES // 1_000_000,
        on_change=forget,
    )
    file_id, found = importing.read(content)
    if found is None:
        importing.follow_reading(file_id)
    elif found.problem is not None:
        with field_box("import_file", found.problem):
            pass
drafts = found.drafts if found is not None else ()
with right:
    if drafts:
        file_summary(len(drafts), sum(len(draft.slots) for draft in drafts))
    else:
        about_the_file()

parts = importing.parts_of(drafts)
if state.done is not None:
    if not state.done.result:
        importing.drop(file_id)
        st.switch_page(page_file("connections"))
    importing.go_on(int(state.done.result))
if parts:
    existing = live.read(current.catalog.connections(who))
    rooms = live.read(current.catalog.workspaces(who))
    if existing.value is not None and rooms.value is not None:
        taken = frozenset(one.name for one in existing.value)
        importing.fill_in(file_id, parts, state, taken=taken, rooms=rooms.value)
    elif (lost := existing.error or rooms.error) is not None:
        ways_back.show(lost, what="which names are free", key="import_connections")
    else:
        loading.skeleton("your connections and workspaces", [existing, rooms], height=200)
