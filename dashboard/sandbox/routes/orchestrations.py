"""Orchestrations: upload, look-ups, download and deletion."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from dashboard.sandbox.automation.archive import LARGEST_ARCHIVE_BYTES, examine
from dashboard.sandbox.automation.service import Automation
from dashboard.sandbox.automation.shapes import orchestration_json, task_json
from dashboard.sandbox.bodies import Body, check, parse_json, storable
from dashboard.sandbox.context import Json, sandbox_of, user_of
from dashboard.sandbox.conversion import BadArchive
from dashboard.sandbox.errors import BadRequest, WireError, json_answer
from dashboard.sandbox.routes.access import is_mine, member_workspace
from dashboard.sandbox.routes.calls import Id, call
from dashboard.sandbox.routes.entry import API, Entry, Support
from dashboard.sandbox.routes.parts import copy_file, limit_body
from dashboard.sandbox.routes.workspaces import workspace_json
from dashboard.sandbox.store import Row
from dashboard.sandbox.store.tasks import PACKAGING, PENDING_KILL

_LONGEST_NAME: Final = 255
_LARGEST_PART_BYTES: Final = 64 * 1024
NO_TIME_RANGE: Final = "A time range, which no call of the SDK sends, is refused."


class Metadata(Body):
    """The second part of an upload."""

    workspace_id: Id
    name: str | None = Field(default=None, max_length=_LONGEST_NAME)


async def upload(request: Request) -> Response:
    """Take an orchestration; its packaging goes on after the answer."""
    automation_of(request).check_open()
    limit_body(request, LARGEST_ARCHIVE_BYTES)
    try:
        form = await request.form(max_files=2, max_fields=4, max_part_size=_LARGEST_PART_BYTES)
    except HTTPException as exc:
        raise BadRequest(f"body: {exc.detail}") from exc
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise BadRequest("file: the upload has no file")
        metadata = await _metadata(form.get("metadata"))
        row = await run_in_threadpool(_keep, request, metadata, file)
    finally:
        await form.close()
    automation_of(request).begin(row["task_id"])
    return json_answer({"id": row["id"]}, 202)


async def _metadata(part: UploadFile | str | None) -> Metadata:
    """Read the other part, which programs send with or without a file name."""
    if part is None:
        raise BadRequest("metadata: the upload has no metadata")
    if isinstance(part, str):
        return check(Metadata, parse_json(part.encode(errors="surrogateescape")))
    if (part.size or 0) > _LARGEST_PART_BYTES:
        raise BadRequest("metadata: is too large")
    return check(Metadata, parse_json(await part.read()))


def _keep(request: Request, metadata: Metadata, file: UploadFile) -> Row:
    """Store an archive that was found good, and the task of its packaging."""
    member_workspace(request, metadata.workspace_id)
    store, owner_id = sandbox_of(request).store, user_of(request).user_id
    name = None if metadata.name is None else storable(metadata.name, "name")
    file_name = storable(Path(file.filename or "_").name[:_LONGEST_NAME], "file_name")
    draft = store.orchestrations.draft_path()
    try:
        size_bytes, sha = copy_file(file, draft)
        examine(draft)
        values: Row = {
            "name": name,
            "file_name": file_name,
            "file_size": size_bytes,
            "sha": sha,
            "owner_id": owner_id,
            "workspace_id": metadata.workspace_id,
            "task_id": str(uuid4()),
        }
        with store.database.transaction():
            row = store.orchestrations.add(values, draft)
            store.tasks.add(
                {
                    "id": row["task_id"],
                    "orchestration_id": row["id"],
                    "orchestration_sha": sha,
                    "kind": PACKAGING,
                    "name": name,
                    "owner_id": owner_id,
                    "workspace_id": metadata.workspace_id,
                },
                {},
            )
    except BadArchive as exc:
        raise BadRequest(f"file: {exc}") from exc
    except OSError as exc:
        raise WireError(507, "The file cannot be kept: there may be no room for it") from exc
    finally:
        draft.unlink(missing_ok=True)
    return row


class InWorkspace(Body):
    """The orchestrations of one workspace."""

    workspace_id: Id


def list_orchestrations(request: Request, body: InWorkspace) -> object:
    """Return the orchestrations of a workspace, oldest first."""
    member_workspace(request, body.workspace_id)
    rows = sandbox_of(request).store.orchestrations.of_workspaces([body.workspace_id])
    return [orchestration_json(row) for row in rows]


class Listing(Body):
    """Which orchestrations, and which of their runs."""

    workspace_ids: list[Id] = Field(default_factory=list, max_length=1000)
    task_run_status: list[str] = Field(default_factory=list, max_length=20)
    killed: bool | None = None
    time_range: Json = None


def list_all(request: Request, body: Listing) -> object:
    """Return orchestrations with their tasks and workspaces; all the sender's if none is named."""
    refuse_time_range(body.time_range)
    store = sandbox_of(request).store
    if body.workspace_ids:
        found = {each: member_workspace(request, each) for each in body.workspace_ids}
    else:
        rows = store.workspaces.of_user(user_of(request).user_id)
        found = {row["id"]: row for row in rows}
    tasks: dict[str, list[Row]] = {}
    for task in store.tasks.of_workspaces(list(found), with_killed=bool(body.killed)):
        tasks.setdefault(task["orchestration_id"], []).append(task)
    return {
        "orchestrations": [
            {
                "orchestration": orchestration_json(row),
                "tasks": [
                    _with_runs(task_json(store, task), set(body.task_run_status))
                    for task in tasks.get(row["id"], ())
                ],
                "workspace": workspace_json(found[row["workspace_id"]]),
            }
            for row in store.orchestrations.of_workspaces(list(found))
        ]
    }


def _with_runs(task: Row, statuses: set[str]) -> Row:
    runs = [run for run in task["last_runs"] if not statuses or run["status"] in statuses]
    return task | {"last_runs": runs}


class Identified(Body):
    """An orchestration by its id."""

    id: UUID


def get_by_id(request: Request, body: Identified) -> object:
    """Return one orchestration."""
    return orchestration_json(my_orchestration(request, body.id))


async def download(request: Request) -> Response:
    """Return the uploaded file."""
    try:
        wanted = UUID(request.query_params.get("id", ""))
    except ValueError as exc:
        raise BadRequest("id: is not a UUID") from exc
    row = await run_in_threadpool(my_orchestration, request, wanted)
    path = sandbox_of(request).store.orchestrations.archive(row["id"])
    return FileResponse(path, media_type="application/zip", filename=row["file_name"])


class Deletion(Body):
    """Which orchestrations to delete; without the confirmation nothing is."""

    orchestrations: list[UUID] = Field(max_length=1000)
    confirm_delete: bool | None = None


def delete(request: Request, body: Deletion) -> object:
    """Delete orchestrations with their tasks and say how many bytes that frees."""
    store = sandbox_of(request).store
    rows = {row["id"]: row for row in (my_orchestration(request, e) for e in body.orchestrations)}
    if body.confirm_delete:
        for orchestration_id in rows:
            tasks = store.tasks.of_orchestration(orchestration_id)
            for task in tasks:
                store.tasks.set_status(task["id"], PENDING_KILL)
            store.tasks.delete_of(orchestration_id)
            store.orchestrations.delete(orchestration_id)
            for task in tasks:
                automation_of(request).kill(task["id"])
    return {"bytes": sum(row["file_size"] for row in rows.values())}


def my_orchestration(request: Request, orchestration_id: UUID) -> Row:
    """Return an orchestration in one of the sender's workspaces. Raises WireError (404)."""
    found = sandbox_of(request).store.orchestrations.get(str(orchestration_id))
    if found is None or not is_mine(request, found["workspace_id"]):
        raise WireError(404, f"Orchestration {orchestration_id} not found")
    return found


def refuse_time_range(time_range: Json) -> None:
    """Say that runs are not narrowed by time, instead of answering too many. Raises WireError."""
    if time_range is not None:
        raise WireError(501, "The sandbox does not look for runs by a time range")


def automation_of(request: Request) -> Automation:
    """Return what runs the tasks of the sandbox that serves `request`."""
    found: Automation = request.app.state.automation
    return found


ROUTES: tuple[Entry, ...] = (
    Entry(
        "POST",
        f"{API}/orchestration/upload",
        upload,
        "upload_orchestration, Orchestration.upload",
        note="The packages of requirements.txt are installed with pip, if they are not here yet.",
    ),
    Entry(
        "POST",
        f"{API}/orchestration/list_all",
        call(Listing, list_all),
        "list_orchestrations, Orchestration.list_orchestrations",
        Support.PARTLY,
        note=NO_TIME_RANGE,
    ),
    Entry("POST", f"{API}/orchestration/list", call(InWorkspace, list_orchestrations)),
    Entry("POST", f"{API}/orchestration/get_by_id", call(Identified, get_by_id)),
    Entry(
        "GET",
        f"{API}/orchestration/download",
        download,
        note="The token is taken from the header only, not from the address.",
    ),
    Entry(
        "POST",
        f"{API}/orchestration/delete_orchestrations",
        call(Deletion, delete),
        note="Needs confirm_delete; the tasks of a deleted orchestration end.",
    ),
)
