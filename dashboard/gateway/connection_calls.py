"""Connections through the SDK.

The SDK says nothing when deleting, unlinking and sometimes linking fails, so each of these reads
again and compares before it says that it is done.
"""

from __future__ import annotations

import json

from dashboard.domain.connection import Connection
from dashboard.errors import AccessDenied, Conflict, DashboardError, InvalidInput, NotFound
from dashboard.gateway import translate
from dashboard.gateway.base import Describe
from dashboard.gateway.clients import Json, SdkObject, Session
from dashboard.gateway.sdk_errors import Doing
from dashboard.gateway.sdk_errors import translate as translate_error
from dashboard.masking import SecretDetails

_NOT_DONE_HINT = "Read the list again; if it stays so, ask the platform's administrator."


def find(session: Session, name: str) -> SdkObject | None:
    """Return the SDK's connection of that name, or None.

    The SDK's text is the same for "no such name" and for any other failure. A 404 is believed;
    for the rest the list decides.
    """
    try:
        return session.client.get_connection(name)
    except Exception as exc:  # noqa: BLE001 - the SDK raises bare Exception; told apart below
        error = translate_error(exc, session.wire, _reading(name))
    last = session.wire.last
    if isinstance(error, NotFound):
        return None
    if last is None or last.status is None or last.status in (401, 403):
        raise error
    if any(found.name() == name for found in session.client.list_connections()):
        raise error
    return None


def get(session: Session, name: str) -> SdkObject:
    """As `find`, but a missing one is `NotFound`."""
    found = find(session, name)
    if found is None:
        raise NotFound(f'There is no connection "{name}".', hint="Somebody may have deleted it.")
    return found


def listing(session: Session, workspace_id: int | None) -> SdkObject:
    """Return the SDK's connections, all or those of a workspace."""
    if workspace_id is None:
        return session.client.list_connections()
    return session.workspace(workspace_id).list_connections()


def create(
    session: Session, name: str, connection_type: str, details: SecretDetails, describe: Describe
) -> Connection:
    """Create one and read it again."""
    clear = details.reveal()
    _check_json(clear)
    made = session.client.create_connection(name, connection_type, clear)
    stored = get(session, name)
    if stored.id() != made.id():
        raise Conflict(f'Somebody else replaced the connection "{name}" just now.', field="name")
    return translate.connection(stored, describe)


def delete(session: Session, name: str, connection_id: str) -> None:
    """Delete one and see that it is gone; not if another one has its name by now."""
    wanted = _meant(session, name, connection_id, "deleted")
    wanted.delete_connection()
    refusal = session.wire.last
    still = find(session, name)
    if still is not None and still.id() == wanted.id():
        status = refusal.status if refusal else None
        raise _not_done(status, f'The connection "{name}" was not deleted.')


def link(
    session: Session, name: str, connection_id: str, workspace_id: int, describe: Describe
) -> Connection:
    """Link one to a workspace; that workspace's own list has the last word."""
    wanted = _meant(session, name, connection_id, "linked")
    problem: DashboardError | None = None
    try:
        wanted.add_connection_to_workspace(workspace_id)
    except Exception as exc:  # noqa: BLE001 - linked already is an error too; the list decides
        doing = Doing("link the connection", subject="such workspace", field="workspace")
        problem = translate_error(exc, session.wire, doing)
    refusal = session.wire.last
    if refusal is not None and refusal.status is None and problem is not None:
        raise problem
    for found in session.workspace(workspace_id).list_connections():
        if found.id() == wanted.id():
            return translate.connection(found, describe)
    if problem is not None:
        raise problem
    status = refusal.status if refusal else None
    raise _not_done(status, f'The connection "{name}" was not linked to the workspace.')


def unlink(
    session: Session, name: str, connection_id: str, workspace_id: int, describe: Describe
) -> Connection:
    """Take one out of a workspace; that workspace's own list has the last word."""
    wanted = _meant(session, name, connection_id, "taken out of the workspace")
    wanted.remove_connection_from_workspace(workspace_id)
    refusal = session.wire.last
    linked = session.workspace(workspace_id).list_connections()
    if any(found.id() == wanted.id() for found in linked):
        status = refusal.status if refusal else None
        raise _not_done(status, f'The connection "{name}" was not taken out of the workspace.')
    now = get(session, name)
    if now.id() != wanted.id():
        raise _another(name, "It was left as it is.")
    return translate.connection(now, describe)


def _meant(session: Session, name: str, connection_id: str, done: str) -> SdkObject:
    """Return the connection of that name, if it is the one that is meant.

    What the SDK then sends for it carries its id (only deleting goes by name).

    Parameters
    ----------
    connection_id
        Empty where the name alone says which one is meant.
    done
        What is to be done with it, as in `deleted`.
    """
    found = get(session, name)
    if connection_id and str(found.id()) != connection_id:
        raise _another(name, f"It was not {done}.")
    return found


def _another(name: str, what: str) -> Conflict:
    return Conflict(
        f'Another connection is called "{name}" by now. {what}',
        hint="Open it and look at it before you change anything.",
    )


def creating_connection(name: str) -> Doing:
    """Say what `create` is about."""
    taken = f'There is a connection "{name}" already. Choose another name.'
    return Doing("create the connection", taken=taken, field="name")


def _reading(name: str) -> Doing:
    return Doing("read the connection", subject=f'connection "{name}"')


def _not_done(status: int | None, text: str) -> DashboardError:
    if status in (401, 403):
        return AccessDenied(text, hint="You may not change it; ask its owner or administrator.")
    return Conflict(text, hint=_NOT_DONE_HINT)


def _check_json(details: Json) -> None:
    """Refuse what JSON cannot carry: the SDK would send `NaN` or fail half-way."""
    is_json = True
    try:
        json.dumps(details, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        is_json = False
    if not is_json:
        # Outside the except block: the library's exception names the value.
        raise InvalidInput("The details hold a value that JSON cannot carry.", field="details")
