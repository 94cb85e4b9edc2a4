"""What the page of an edit does: which connection, test, replace, and what went on elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import streamlit as st

from components.messages import success
from dashboard import live, runtime, session
from dashboard.connectors import registry
from dashboard.domain.connection import Connection
from dashboard.errors import Conflict
from dashboard.services import catalog
from dashboard.services.jobs import Outcome
from dashboard.services.reads import Read
from dashboard.services.replacing import Outline
from dashboard.views import finding, testing
from dashboard.views.connection_changes import Pending, pending
from dashboard.views.connection_editing import FORM, Editor, editor, key_of


@dataclass(frozen=True, slots=True)
class Subject:
    """The connection under edit.

    Parameters
    ----------
    known
        The list it was looked for in.
    seen
        As the editor saw it first; None if there is none of this id.
    newer
        The one that took its name meanwhile.
    is_gone
        Whether the one that was seen is not there any more.
    """

    known: Read[tuple[Connection, ...]]
    seen: Connection | None = None
    newer: Connection | None = None
    is_gone: bool = False


def subject(opened_id: str, *, is_busy: bool) -> Subject:
    """Return the connection that the address names, and what became of it elsewhere."""
    seen: Connection | None = st.session_state.get(key_of("seen"))
    if seen is not None and seen.connection_id != opened_id:
        session.renew_form(FORM)  # nothing typed for one connection goes over to another
        seen = None
    found = finding.find(FORM, opened_id)
    if seen is None and found.connection is not None:
        seen = st.session_state[key_of("seen")] = found.connection
    if found.connection is not None or is_busy or not found.is_sure:
        return Subject(found.known, seen)
    listed = found.known.value or ()
    if seen is None:
        return Subject(found.known, None, _successor(opened_id, listed), True)
    named = (one for one in listed if one.name == seen.name)
    return Subject(found.known, seen, next(named, None), True)


def _successor(old_id: str, listed: tuple[Connection, ...]) -> Connection | None:
    """Return what took the place of a connection, as far as this dashboard replaced it."""
    current = runtime.current()
    receipts = live.read(current.replacing.replacements(current.identity())).value or ()
    names = [one.connection_name for one in receipts if one.old_id == old_id]
    return next((one for one in listed if one.name in names), None)


def going_on(newer: Connection | None, *, keeps: bool) -> Callable[[], None] | None:
    """Return what goes on with the one that took the name; None where there is none.

    Parameters
    ----------
    keeps
        Whether what is typed stays: it has the same places there.
    """
    if newer is None:
        return None

    def go_on() -> None:
        if keeps:
            session.drop_job(FORM)
            session.set_test(FORM, "")
        else:
            session.renew_form(FORM)
        st.session_state[key_of("seen")] = newer
        st.query_params["connection"] = newer.connection_id

    return go_on


def has_typed(outline: Outline) -> bool:
    """Whether anything is typed that would change the connection."""
    now = pending(editor(outline))
    return bool(now.changes) or now.trouble is not None


def has_same_places(one: Outline, other: Outline) -> bool:
    """Whether what was typed for one connection's details fits another's."""
    return [(leaf.path, leaf.kind) for leaf in one.leaves] == [
        (leaf.path, leaf.kind) for leaf in other.leaves
    ]


def start_test(edited: Editor, form: live.Form, corrected: Mapping[int, str] | None = None) -> None:
    """Test the stored details with the changes, on the server. For callbacks."""
    now = pending(edited, corrected)
    if _told(now, form):
        return
    current = runtime.current()
    session.drop_job(FORM)
    testing.start(
        FORM,
        lambda: current.tests.start_stored(
            current.identity(),
            edited.outline.connection,
            session=session.mark(),
            changes=now.changes,
        ),
    )


def replace(
    edited: Editor,
    form: live.Form,
    *,
    drawn: Pending,
    tested: bool = True,
    corrected: Mapping[int, str] | None = None,
) -> None:
    """Replace the connection by one with the changes. For callbacks.

    Parameters
    ----------
    drawn
        The changes as they were drawn: what is dropped must have been told before.
    """
    now = pending(edited, corrected)
    if not now.changes and now.trouble is None:
        session.keep_message(success("Nothing to change. Nothing was sent."))
        return
    if _told(now, form) or {leaf.path for leaf in now.dropped} - {
        leaf.path for leaf in drawn.moved
    }:
        return
    current = runtime.current()
    who = current.identity()
    connection = edited.outline.connection
    test_id = current.tests.new_id(session.mark()) if tested and edited.connector.can_fetch else ""

    def act() -> Outcome:
        try:
            return current.replacing.replace(who, connection, now.changes, test_id=test_id)
        except Conflict:
            current.reads.invalidate(who.key, catalog.CONNECTIONS)
            raise

    before = session.job_of(FORM)
    live.submit(
        act,
        doing=f"Replacing {connection.name}",
        once=f"replace:{connection.connection_id}",
        form=form,
    )
    if session.job_of(FORM) != before:
        session.set_test(FORM, test_id)


def correct(
    edited: Editor,
    form: live.Form,
    state: live.FormState,
    drawn: Pending,
    corrected: Mapping[int, str],
) -> None:
    """Do again what failed, with a correction taken. For callbacks."""
    if state.error is None:
        start_test(edited, form, corrected)
    else:
        replace(edited, form, drawn=drawn, corrected=corrected)


def _told(now: Pending, form: live.Form) -> bool:
    """Tell at its field what is not complete; whether there is anything."""
    trouble = now.trouble
    if trouble is None:
        return False

    def refuse() -> Outcome:
        raise trouble

    session.set_test(FORM, "")
    live.submit(refuse, doing="Checking what is typed", once=FORM, form=form)
    return True


def what_happens(connection: Connection, drawn: Pending) -> str:
    """Say what a replace does, for the place beside its button. Plain text."""
    if not drawn.changes and drawn.trouble is None:
        return "Nothing is changed yet: every detail is kept."
    rooms = connection.workspace_names
    first = "made, tested" if registry.can_fetch(connection.type) else "made"
    links = "it is linked to no workspace"
    if len(rooms) == 1:
        links = f"the link to {rooms[0]} is kept"
    elif rooms:
        named = [*rooms[:3], *([f"{len(rooms) - 3} more"] if len(rooms) > 3 else [])]
        links = f"the links to {', '.join(named[:-1])} and {named[-1]} are kept"
    return (
        f"The platform has no edit: the new one is {first}, then takes the name. "
        f"The name is missing for a moment (about 0.3 s), id and date change, {links}."
    )


def cancel(connection_id: str) -> None:
    """Forget what is typed and go back to the connection. For callbacks."""
    session.renew_form(FORM)
    session.go_to("connections", connection=connection_id)
