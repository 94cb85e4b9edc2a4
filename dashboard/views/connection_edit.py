"""What the page of an edit does: test, replace, and say what a replace is."""

from __future__ import annotations

from collections.abc import Mapping

from components.messages import success
from dashboard import live, runtime, session
from dashboard.connectors import registry
from dashboard.domain.connection import Connection
from dashboard.errors import Conflict
from dashboard.services import catalog
from dashboard.services.jobs import Outcome
from dashboard.views import connection_standing as standing
from dashboard.views import testing
from dashboard.views.connection_changes import Pending, pending
from dashboard.views.connection_editing import FORM, Editor


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
    if standing.is_under_way(connection.connection_id):
        return  # in another window; this one says so
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
        once=standing.once_of(connection.connection_id),
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
