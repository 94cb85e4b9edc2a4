"""Tasks of orchestrations: begun once, by a schedule or for ever; looked up, paused, killed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Final
from uuid import UUID

from pydantic import Field, StrictInt
from starlette.requests import Request
from starlette.responses import Response

from dashboard.sandbox.automation import cron
from dashboard.sandbox.automation.shapes import FEW_RUNS, task_json
from dashboard.sandbox.bodies import Body, storable
from dashboard.sandbox.context import Json, sandbox_of, user_of
from dashboard.sandbox.errors import BadRequest, WireError, json_answer
from dashboard.sandbox.routes.access import is_mine, member_workspace
from dashboard.sandbox.routes.calls import Id, call
from dashboard.sandbox.routes.entry import API, Entry, Support
from dashboard.sandbox.routes.orchestrations import automation_of, my_orchestration
from dashboard.sandbox.store import Row
from dashboard.sandbox.store.orchestrations import READY
from dashboard.sandbox.store.tasks import (
    CRON_JOB,
    KILLED,
    NETWORK_SERVICE,
    ONESHOT,
    PACKAGING,
    PENDING_KILL,
)

_LONGEST_TIMEOUT_S: Final = 30 * 86_400
_MOST_RUNS: Final = 1000
_MOST_LINES: Final = 1_000_000

_IN_PROCESS: Final = "A task is a process of this machine, not a container: nothing confines it."

Count = Annotated[StrictInt, Field(ge=0, le=_MOST_LINES)]


class Order(Body):
    """What to run, with which arguments."""

    orch_id: UUID
    workspace_id: Id
    arguments: dict[str, Json] = Field(default_factory=dict, alias="json")
    name: str | None = Field(default=None, max_length=255)
    timeout: Annotated[StrictInt, Field(ge=1, le=_LONGEST_TIMEOUT_S)] | None = None
    debug: bool | None = None


class ScheduledOrder(Order):
    """What to run when."""

    schedule: str = Field(max_length=255)


def run_once(request: Request, body: Order) -> Response:
    """Run an orchestration once."""
    return _begin(request, body, ONESHOT, {"timeout_s": _timeout_s(request, body)})


def run_scheduled(request: Request, body: ScheduledOrder) -> Response:
    """Run an orchestration whenever its schedule says so."""
    schedule = storable(body.schedule, "schedule").strip()
    try:
        cron.parse(schedule)
    except cron.BadSchedule as exc:
        raise BadRequest(f"schedule: {exc}") from exc
    values = {"timeout_s": _timeout_s(request, body), "schedule": schedule}
    return _begin(request, body, CRON_JOB, values)


def run_continuously(request: Request, body: Order) -> Response:
    """Run an orchestration, and run it again when it has ended."""
    return _begin(request, body, NETWORK_SERVICE, {})


def _timeout_s(request: Request, body: Order) -> int:
    return automation_of(request).limits.timeout_s if body.timeout is None else body.timeout


def _begin(request: Request, body: Order, kind: str, values: Row) -> Response:
    store = sandbox_of(request).store
    member_workspace(request, body.workspace_id)
    orchestration = my_orchestration(request, body.orch_id)
    if orchestration["status"] != READY:
        raise BadRequest(f"orch_id: the orchestration is not ready: {orchestration['status']}")
    _check_arguments(body.arguments)
    automation_of(request).check_room()
    task = store.tasks.add(
        {
            "orchestration_id": orchestration["id"],
            "orchestration_sha": orchestration["sha"],
            "kind": kind,
            "name": None if body.name is None else storable(body.name, "name"),
            "debug": int(bool(body.debug)),
            "owner_id": user_of(request).user_id,
            "workspace_id": body.workspace_id,
            **values,
        },
        body.arguments,
    )
    automation_of(request).begin(task["id"])
    return json_answer({"id": task["id"]}, 201)


def _check_arguments(arguments: Json) -> None:
    """Refuse what a program could not read back, such as 1e999."""
    try:
        json.dumps(arguments, allow_nan=False)
    except (ValueError, RecursionError) as exc:
        raise BadRequest("json: is not valid JSON") from exc


class Listing(Body):
    """Which tasks: all of the sender's, unless something is named."""

    workspace_id: Id | None = None
    orch_id: UUID | None = None
    orch_sha: str | None = None
    killed: bool | None = None
    run_limit: Count | None = None


def list_tasks(request: Request, body: Listing) -> object:
    """Return tasks, the one changed last first."""
    store = sandbox_of(request).store
    if body.workspace_id is not None:
        workspace_ids = [int(member_workspace(request, body.workspace_id)["id"])]
    else:
        rows = store.workspaces.of_user(user_of(request).user_id)
        workspace_ids = [int(row["id"]) for row in rows]
    return [
        task_json(store, row, run_limit=at_most(body.run_limit, FEW_RUNS))
        for row in store.tasks.of_workspaces(workspace_ids, with_killed=bool(body.killed))
        if body.orch_id in (None, UUID(row["orchestration_id"]))
        and body.orch_sha in (None, row["orchestration_sha"])
    ]


class OfArchive(Body):
    """The sha256 of an orchestration's file."""

    sha: str


def tasks_of_archive(request: Request, body: OfArchive) -> object:
    """Return the ids of the tasks that run a file."""
    listed = list_tasks(request, Listing(orch_sha=body.sha, killed=True))
    assert isinstance(listed, list)  # noqa: S101  # as it is made above
    return {"ids": [task["id"] for task in listed]}


class Identified(Body):
    """A task by its id."""

    id: UUID
    run_limit: Count | None = None


def get_by_id(request: Request, body: Identified) -> object:
    """Return one task."""
    limit = at_most(body.run_limit, FEW_RUNS)
    return task_json(sandbox_of(request).store, my_task(request, body.id), run_limit=limit)


def kill(request: Request, body: Identified) -> Response:
    """End a task and its run, for good. It says that it will be ended."""
    store = sandbox_of(request).store
    task = my_task(request, body.id)
    if task["kind"] == PACKAGING:
        raise BadRequest("id: the packaging of an orchestration cannot be killed")
    if task["status"] != KILLED:
        store.tasks.set_status(task["id"], PENDING_KILL)
        task = my_task(request, body.id)
    answer = json_answer(task_json(store, task), 202)
    automation_of(request).kill(task["id"])
    return answer


class Pause(Identified):
    """Whether a scheduled task is to pause or to go on."""

    pause: bool


def pause(request: Request, body: Pause) -> Response:
    """Stop a task's schedule for a while, or let it go on. A run under way is not touched."""
    store = sandbox_of(request).store
    task = my_task(request, body.id)
    if task["kind"] != CRON_JOB:
        raise BadRequest("id: only a scheduled task can be paused")
    if not store.tasks.pause(task["id"], is_paused=body.pause):
        # Looked up again: it may have been killed, or deleted, since.
        raise BadRequest(f"id: the task is {my_task(request, body.id)['status']}")
    # As an instance says it: it has taken the order, not yet carried it out.
    told = "pending_pause" if body.pause else "pending_resume"
    return json_answer(task_json(store, task) | {"status": told}, 202)


def my_task(request: Request, task_id: UUID) -> Row:
    """Return a task in one of the sender's workspaces. Raises WireError (404)."""
    found = sandbox_of(request).store.tasks.get(str(task_id))
    if found is None or not is_mine(request, found["workspace_id"]):
        raise WireError(404, f"Task {task_id} not found")
    return found


def at_most(wanted: int | None, usual: int) -> int:
    """Return how many of something to answer."""
    return usual if wanted is None else min(wanted, _MOST_RUNS)


def _entry(
    name: str,
    shape: type[Body],
    work: Callable[..., object],
    sdk_calls: str = "",
    note: str = "",
) -> Entry:
    support = Support.PARTLY if note else Support.FULL
    return Entry("POST", f"{API}/task/{name}", call(shape, work), sdk_calls, support, note)


ROUTES: tuple[Entry, ...] = (
    _entry("run_once", Order, run_once, "Orchestration.run_once", _IN_PROCESS),
    _entry(
        "run_scheduled", ScheduledOrder, run_scheduled, "Orchestration.run_scheduled", _IN_PROCESS
    ),
    _entry(
        "run_continuously", Order, run_continuously, "Orchestration.run_continuously", _IN_PROCESS
    ),
    _entry("list", Listing, list_tasks, "list_tasks, Orchestration.list_tasks, Task.list_tasks"),
    _entry("get_by_id", Identified, get_by_id, "get_task_by_id, Task.get_task_by_id, Task.*"),
    _entry("get_tasks_by_orch_sha", OfArchive, tasks_of_archive),
    _entry("kill", Identified, kill, "Task.kill"),
    _entry("pause", Pause, pause),
)
