import streamlit as st

from components import loading
from components.connection_actions import Actions, changed_elsewhere, form_actions, gone_card
from components.frame import page_header
from components.messages import field_error
from components.text import md, short
from dashboard import live, runtime, session
from dashboard.errors import FetchFailed
from dashboard.navigation import page_file
from dashboard.services.replacing import Outline
from dashboard.views import connection_changes, connection_lines, testing, ways_back
from dashboard.views import connection_edit as view
from dashboard.views import connection_editing as editing
from dashboard.views.connection_form import last_error, why_no_test

current = runtime.current()
who = current.identity()
opened_id = st.query_params.get("connection", "")
state = live.form_state(editing.FORM)
if state.done is not None:
    opened_id = state.done.result or opened_id
    st.switch_page(page_file("connections"), query_params={"connection": opened_id})
subject = view.subject(opened_id, is_busy=state.is_busy)
seen, newer = subject.seen, subject.newer
outlined = live.read(current.replacing.outline(who, seen)) if seen is not None else None
outline = outlined.value if outlined is not None else None


def back() -> None:
    """Go back to the list."""
    session.go_to("connections")


def tell_gone() -> None:
    """Say above what is typed that the connection was changed elsewhere, and offer the newer."""
    its_outline = live.read(current.replacing.outline(who, newer)).value if newer else None
    keeps = bool(outline and its_outline and view.has_same_places(outline, its_outline))
    go_on = view.going_on(newer if its_outline else None, keeps=keeps)
    has_typed = outline is not None and view.has_typed(outline)
    changed_elsewhere(
        seen.name if seen else "",
        keeps=keeps if has_typed else None,
        on_newer=go_on,
        on_back=back,
    )


def edit(outline: Outline) -> None:
    """Draw the form."""
    form = live.drawn_form(editing.FORM)
    error = last_error(editing.FORM, state)
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


named = f"Edit {md(short(seen.name, 80))}" if seen is not None else "Edit connection"
page_header(named, "What is stored stays on the platform and is not shown. Type only what changes.")
if seen is None and subject.is_gone:
    name = newer.name if newer is not None else ""
    gone_card(name, on_back=back, on_newer=view.going_on(newer, keeps=False))
elif seen is None and subject.known.error is not None:
    ways_back.show(subject.known.error, what="this connection", key="edit_connection")
elif outlined is None:
    loading.skeleton("your connections", subject.known, height=380)
else:
    if subject.is_gone:
        tell_gone()
    elif outline is None and outlined.error is not None:
        ways_back.show(outlined.error, what="the details", key="edit_connection")
    elif outline is None:
        loading.skeleton("what is stored", outlined, height=380)
    if outline is not None:
        edit(outline)
