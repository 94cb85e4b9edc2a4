import streamlit as st

from components import loading, outage
from components.connection_actions import Actions, form_actions
from components.frame import page_header
from components.messages import field_error
from components.text import md, short
from dashboard import live, runtime
from dashboard.errors import FetchFailed
from dashboard.navigation import page_file
from dashboard.services.replace_words import ChangedMeanwhile, Unfinished
from dashboard.services.replacing import Outline
from dashboard.views import connection_changes, connection_lines, testing, ways_back
from dashboard.views import connection_edit as view
from dashboard.views import connection_editing as editing
from dashboard.views import connection_going_on as going_on
from dashboard.views import connection_standing as standing
from dashboard.views.connection_form import last_error, why_no_test

current = runtime.current()
who = current.identity()
opened_id = st.query_params.get("connection", "")
state = live.form_state(editing.FORM)
if state.done is not None:
    opened_id = state.done.result or opened_id
    going_on.note_told(opened_id)
    st.switch_page(page_file("connections"), query_params={"connection": opened_id})
subject = standing.subject(opened_id, is_busy=state.is_busy)
outlined = standing.outline_of(subject)
outline = outlined.value if outlined is not None else None
has_typed = outline is not None and going_on.has_typed(outline)
# What an unfinished edit was begun with goes with it once it is finished.
others_typed = has_typed and not isinstance(state.error, Unfinished)
going_on.go_on_when_over(subject, outline, has_typed=others_typed)


def edit(outline: Outline) -> None:
    """Draw the form."""
    form = live.drawn_form(editing.FORM)
    error = last_error(editing.FORM, state)
    if isinstance(error, Unfinished) or (isinstance(error, ChangedMeanwhile) and is_told):
        error = None
    edited = editing.editor(outline)
    can_test = edited.connector.can_fetch
    health = live.read(current.checks.health(who)).value or {}
    pending = connection_changes.pending(edited)
    may_skip = isinstance(error, FetchFailed) and bool(pending.changes)
    left, right = st.columns([1.65, 1], gap="large")
    with left:
        found = connection_lines.draw(
            edited,
            pending,
            health.get(outline.connection.connection_id),
            error,
            on_correct=lambda fixed: view.correct(edited, form, state, pending, fixed),
        )
        if error is not None and not found:
            field_error(error.message, error.hint)
        form_actions(
            Actions(
                page="edit_connection",
                save="Test and replace" if can_test else "Replace",
                saving="Replacing…",
                is_busy=state.is_busy,
                why_off=subject.why_off or outage.why_off(),
                why_no_test=why_no_test(editing.FORM, edited.connector),
                untested="Replace without testing" if may_skip else "",
                on_save=lambda: view.replace(edited, form, drawn=pending),
                on_test=lambda: view.start_test(edited, form),
                on_save_untested=lambda: view.replace(edited, form, drawn=pending, tested=False),
                on_cancel=lambda: view.cancel(opened_id),
            )
        )
        st.markdown(f":small[:gray[{md(view.what_happens(outline.connection, pending))}]]")
    with right:
        if can_test:
            testing.panel(editing.FORM)


# Typed for one that is not as it was: kept below what is told of it.
is_told = bool(subject.why_off)
named = f"Edit {md(short(subject.name, 80))}" if subject.name else "Edit connection"
rule = "What is stored stays on the platform and is not shown. Type only what changes."
page_header(named, rule if has_typed or not is_told else "")
going_on.tell(subject, outline, has_typed=has_typed)
if outline is not None and (has_typed or not is_told):
    edit(outline)
elif is_told:
    pass
elif subject.known.error is not None and subject.known.value is None:
    ways_back.show(subject.known.error, what="this connection", key="edit_connection")
elif outlined is not None and outlined.error is not None:
    ways_back.show(outlined.error, what="the details", key="edit_connection")
elif outlined is not None:
    loading.skeleton("what is stored", outlined, height=380)
else:
    loading.skeleton("your connections", subject.known, height=380)
