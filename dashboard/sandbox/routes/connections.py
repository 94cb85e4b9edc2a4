"""The seven calls on connections. They are instance-wide: any logged-in person sees them all."""

from __future__ import annotations

import json
from json.encoder import encode_basestring_ascii

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from dashboard.sandbox.bodies import Body, storable
from dashboard.sandbox.context import Json, sandbox_of
from dashboard.sandbox.errors import BadRequest, WireError
from dashboard.sandbox.routes.access import LARGEST_ID, member_workspace
from dashboard.sandbox.routes.calls import Id, call, no_content
from dashboard.sandbox.routes.entry import API, Entry
from dashboard.sandbox.store import Row
from dashboard.sandbox.store.connections import AlreadyLinked
from dashboard.sandbox.store.workspaces import NameTaken

#: Names and types are free text on the platform; this only keeps a slip out of the list.
_LONGEST_TEXT = 1024
_LARGEST_DETAILS_BYTES = 1024 * 1024


class NewConnection(Body):
    """What a connection needs; the details may be any JSON."""

    name: str = Field(max_length=_LONGEST_TEXT)
    type: str = Field(max_length=_LONGEST_TEXT)
    details: Json = Field()


class InWorkspace(Body):
    """All connections, or those of one workspace."""

    workspace_id: Id | None = None


class Named(Body):
    """A connection by its name."""

    name: str


class Identified(Body):
    """A connection by its id."""

    id: str


class Link(Body):
    """A connection and a workspace."""

    workspace_id: Id = Field(le=LARGEST_ID)
    connection_id: str


def create_connection(request: Request, body: NewConnection) -> Response:
    """Create a connection and answer the whole of it, which saves the SDK a request."""
    details = json.dumps(_finite(body.details), separators=(",", ":"))
    if len(details) > _LARGEST_DETAILS_BYTES:
        raise BadRequest("details: are larger than 1,024 KiB")
    name, kind = storable(body.name, "name"), storable(body.type, "type")
    try:
        row = sandbox_of(request).store.connections.add(name, kind, details)
    except NameTaken as exc:
        raise WireError(409, f"A connection named {name[:100]!r} exists already") from exc
    return _json(_item(row, []))


def list_connections(request: Request, body: InWorkspace) -> Response:
    """Return connections with their details, in the order they were made or linked."""
    store = sandbox_of(request).store
    if body.workspace_id is not None:
        member_workspace(request, body.workspace_id)
    names = store.connections.workspace_names()
    items = [
        _item(row, names.get(row["id"], [])) for row in store.connections.listing(body.workspace_id)
    ]
    return _json('{"connections":[' + ",".join(items) + "]}")


def get_connection(request: Request, body: Named) -> Response:
    """Return one connection by name."""
    name = storable(body.name, "name")
    return _answer(request, sandbox_of(request).store.connections.by_name(name), name)


def get_connection_by_id(request: Request, body: Identified) -> Response:
    """Return one connection by id."""
    connection_id = storable(body.id, "id")
    found = sandbox_of(request).store.connections.by_id(connection_id)
    return _answer(request, found, connection_id)


def delete_connection(request: Request, body: Named) -> Response:
    """Delete a connection and every link to it."""
    name = storable(body.name, "name")
    if not sandbox_of(request).store.connections.delete(name):
        raise _missing(name)
    return no_content()


def add_to_workspace(request: Request, body: Link) -> object:
    """Link a connection to a workspace the sender is in.

    Failures are 403, 404 or 409: the SDK keeps silent about 400, 401 and 500 here.
    """
    store = sandbox_of(request).store
    connection_id = storable(body.connection_id, "connection_id")
    if store.connections.by_id(connection_id) is None:
        raise _missing(connection_id)
    member_workspace(request, body.workspace_id)
    try:
        return {"id": store.connections.link(connection_id, body.workspace_id)}
    except AlreadyLinked as exc:
        raise WireError(409, "The connection is in this workspace already") from exc


def remove_from_workspace(request: Request, body: Link) -> Response:
    """Take a connection out of a workspace the sender is in."""
    member_workspace(request, body.workspace_id)
    connection_id = storable(body.connection_id, "connection_id")
    store = sandbox_of(request).store
    if not store.connections.unlink(connection_id, body.workspace_id):
        raise WireError(404, "The connection is not in this workspace")
    return no_content()


def _item(row: Row, workspace_names: list[str]) -> str:
    """Return a connection as JSON text, its details spliced in as they were kept."""
    quote = encode_basestring_ascii
    names = ",".join(map(quote, workspace_names))
    return (
        f'{{"id":"{row["id"]}","name":{quote(row["name"])},"type":{quote(row["type"])},'
        f'"details":{row["details"]},"created_at":"{row["created_at"]}",'
        f'"workspace_names":[{names}]}}'
    )


def _answer(request: Request, row: Row | None, wanted: str) -> Response:
    if row is None:
        raise _missing(wanted)
    names = sandbox_of(request).store.connections.workspace_names(row["id"])
    return _json(_item(row, names.get(row["id"], [])))


def _missing(wanted: str) -> WireError:
    return WireError(404, f"Connection {wanted[:100]!r} not found")


def _json(text: str) -> Response:
    return Response(text, media_type="application/json")


def _finite(details: Json) -> Json:
    """Return the details; a number like 1e999 parses as infinity, which JSON cannot carry."""
    try:
        json.dumps(details, allow_nan=False)
    except (ValueError, RecursionError) as exc:
        raise BadRequest("details: are not valid JSON") from exc
    return details


ROUTES: tuple[Entry, ...] = (
    Entry(
        "POST",
        f"{API}/connections/create",
        call(NewConnection, create_connection),
        "create_connection, Connection.create_connection",
    ),
    Entry(
        "POST",
        f"{API}/connections/list",
        call(InWorkspace, list_connections),
        "list_connections, Workspace.list_connections, Connection.list_connections",
    ),
    Entry(
        "POST",
        f"{API}/connections/get",
        call(Named, get_connection),
        "get_connection, Connection.get_connection",
    ),
    Entry(
        "POST",
        f"{API}/connections/get_by_id",
        call(Identified, get_connection_by_id),
        "Connection.*",
    ),
    Entry(
        "POST",
        f"{API}/connections/delete",
        call(Named, delete_connection),
        "Connection.delete_connection",
    ),
    Entry(
        "POST",
        f"{API}/connections/add_to_workspace",
        call(Link, add_to_workspace),
        "Workspace.add_connection, Connection.add_connection_to_workspace",
    ),
    Entry(
        "POST",
        f"{API}/connections/remove_from_workspace",
        call(Link, remove_from_workspace),
        "Workspace.remove_connection, Connection.remove_connection_from_workspace",
    ),
)
