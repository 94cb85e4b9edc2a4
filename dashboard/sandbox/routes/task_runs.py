"""The runs of tasks, and what they wrote."""

from __future__ import annotations

from typing import Final, Literal
from uuid import UUID

from starlette.requests import Request

from dashboard.sandbox.automation.shapes import run_json
from dashboard.sandbox.bodies import Body
from dashboard.sandbox.context import Json, sandbox_of
from dashboard.sandbox.errors import WireError
from dashboard.sandbox.routes.access import is_mine
from dashboard.sandbox.routes.calls import call
from dashboard.sandbox.routes.entry import API, Entry, Support
from dashboard.sandbox.routes.orchestrations import NO_TIME_RANGE, refuse_time_range
from dashboard.sandbox.routes.tasks import Count, at_most, my_task
from dashboard.sandbox.store import Row

_USUAL_RUNS: Final = 10


class Runs(Body):
    """Which runs of a task."""

    task_id: UUID
    limit: Count | None = None
    status: Literal["all", "failure", "killed", "running", "success", "timed_out"] | None = None
    time_range: Json = None


def list_runs(request: Request, body: Runs) -> object:
    """Return the runs of a task, the newest first."""
    refuse_time_range(body.time_range)
    task = my_task(request, body.task_id)
    status = None if body.status == "all" else body.status
    limit = at_most(body.limit, _USUAL_RUNS)
    rows = sandbox_of(request).store.tasks.runs(task["id"], limit=limit, status=status)
    return [run_json(row) | {"task": task["id"]} for row in rows]


class RunOfTask(Body):
    """A run of a task by both their ids."""

    task: UUID
    pod_id: UUID


def get_run(request: Request, body: RunOfTask) -> object:
    """Return one run."""
    run = _my_run(request, body.pod_id)
    if run["task_id"] != str(body.task):
        raise WireError(404, f"Task run {body.pod_id} not found")
    return run_json(run)


class Log(Body):
    """A run by its id, and how much of its log."""

    id: UUID
    lines: Count | None = None


def get_log(request: Request, body: Log) -> object:
    """Return what a run wrote, oldest line first; with a number, its last lines."""
    run = _my_run(request, body.id)
    return {"logs": sandbox_of(request).store.tasks.lines(run["id"], body.lines)}


def _my_run(request: Request, run_id: UUID) -> Row:
    found = sandbox_of(request).store.tasks.run(str(run_id))
    task = None if found is None else sandbox_of(request).store.tasks.get(found["task_id"])
    if found is None or task is None or not is_mine(request, task["workspace_id"]):
        raise WireError(404, f"Task run {run_id} not found")
    return found


ROUTES: tuple[Entry, ...] = (
    Entry(
        "POST",
        f"{API}/task/list_task_runs",
        call(Runs, list_runs),
        "Task.last_runs",
        Support.PARTLY,
        note=NO_TIME_RANGE,
    ),
    Entry("POST", f"{API}/task/get_run_details", call(RunOfTask, get_run), "TaskRun.*"),
    Entry("POST", f"{API}/task/get_logs_for_run", call(Log, get_log), "TaskRun.logs"),
)
