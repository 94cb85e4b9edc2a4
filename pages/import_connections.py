import streamlit as st

from components import loading
from components.frame import page_header
from components.import_form import about_the_file, file_fields, file_summary
from components.messages import field_box
from dashboard import live, runtime, session
from dashboard.errors import InvalidInput
from dashboard.navigation import page_file
from dashboard.services.portable import MOST_BYTES, Draft
from dashboard.views import importing, ways_back

current = runtime.current()
who = current.identity()


def read(content: bytes | str | None) -> tuple[tuple[Draft, ...], InvalidInput | None]:
    """Return what the file holds, or why it cannot be read."""
    if content is None:
        return (), None
    try:
        return current.portable.read(content), None
    except InvalidInput as exc:
        return (), exc


def forget() -> None:
    """Forget what was typed for the file that was there before."""
    session.renew_form(importing.FORM)


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
    drafts, problem = read(content)
    if problem is not None:
        with field_box("import_file", problem):
            pass
with right:
    if drafts:
        file_summary(len(drafts), sum(len(draft.slots) for draft in drafts))
    else:
        about_the_file()

parts = importing.parts_of(drafts)
if state.done is not None:
    following = int(state.done.result) + 1
    if following >= len(parts):
        session.renew_form(importing.FILE_FORM)
        st.switch_page(page_file("connections"))
    importing.go_on(following)
if parts:
    existing = live.read(current.catalog.connections(who))
    rooms = live.read(current.catalog.workspaces(who))
    if existing.value is not None and rooms.value is not None:
        taken = frozenset(one.name for one in existing.value)
        importing.fill_in(parts, state, taken=taken, rooms=rooms.value)
    elif (lost := existing.error or rooms.error) is not None:
        ways_back.show(lost, what="which names are free", key="import_connections")
    else:
        loading.skeleton("your connections and workspaces", [existing, rooms], height=200)
