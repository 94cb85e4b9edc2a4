"""Orchestrations for tests: their archives, their upload, and waiting for what their tasks do."""

from __future__ import annotations

import json
from typing import Any

from dashboard.sandbox.automation.service import Automation
from tests.sandbox.archives import packed
from tests.support.waiting import wait_until

#: A process that starts on a busy machine.
LIMIT_S = 60.0
NOWHERE = "00000000-0000-4000-8000-000000000000"


def program(text: str, **files: str) -> bytes:
    """Return an archive with this `main.py` and, by their names, other files."""
    content = {"main.py": text.encode()}
    return packed(content | {name: file.encode() for name, file in files.items()})


def upload(platform, archive: bytes, *, workspace_id: int = 1, as_user: str = "", name="o"):
    """Upload like the SDK and return the answer."""
    metadata = json.dumps({"workspace_id": workspace_id, "name": name})
    return platform.http.post(
        "/v1/api/orchestration/upload",
        files={
            "file": ("../program.zip", archive, "application/octet-stream"),
            "metadata": (None, metadata, "application/json"),
        },
        headers=platform.headers(as_user),
    )


def workspace(platform, name: str = "automation", *, as_user: str = "") -> int:
    """Create a workspace."""
    answer = platform.post("workspaces/create", {"workspace_name": name}, as_user=as_user)
    return int(answer.json()["workspace_id"])


def status(platform, orchestration_id: str) -> str:
    """Return the state of an orchestration."""
    answer = platform.post("orchestration/get_by_id", {"id": orchestration_id})
    return str(answer.json()["status"])


def ready(platform, archive: bytes, *, workspace_id: int = 1, as_user: str = "") -> str:
    """Upload an archive, wait until it is ready, and return its id."""
    answer = upload(platform, archive, workspace_id=workspace_id, as_user=as_user)
    assert answer.status_code == 202, answer.text
    orchestration_id = str(answer.json()["id"])
    find = platform.sandbox.store.orchestrations.get
    wait_until(
        lambda: find(orchestration_id)["status"] in ("ready", "error"),
        within_s=LIMIT_S,
        what="the orchestration is packaged",
    )
    assert find(orchestration_id)["status"] == "ready"
    return orchestration_id


def order(platform, orchestration_id: str, how: str = "run_once", *, as_user: str = "", **over):
    """Ask for a task and return the answer."""
    body = {"orch_id": orchestration_id, "workspace_id": 1, "name": "t", "json": {}} | over
    return platform.post(f"task/{how}", body, as_user=as_user)


def begun(platform, orchestration_id: str, how: str = "run_once", **over) -> str:
    """Begin a task and return its id."""
    answer = order(platform, orchestration_id, how, **over)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def task(platform, task_id: str) -> dict[str, Any]:
    """Return a task."""
    return dict(platform.post("task/get_by_id", {"id": task_id}).json())


def runs(platform, task_id: str, **more: object) -> list[dict[str, Any]]:
    """Return the runs of a task, newest first."""
    return list(platform.post("task/list_task_runs", {"task_id": task_id, **more}).json())


def ended(platform, task_id: str, *, count: int = 1) -> list[dict[str, Any]]:
    """Wait until a task has this many ended runs, and return them, newest first."""
    found: list[dict[str, Any]] = []

    def are_over() -> bool:
        found[:] = runs(platform, task_id)
        return len([run for run in found if run["status"] != "running"]) >= count

    wait_until(are_over, within_s=LIMIT_S, what="the runs are over")
    return found


def log(platform, run: dict[str, Any], **more: object) -> list[str]:
    """Return the lines of a run without their times: `stdout F text`."""
    lines = platform.post("task/get_logs_for_run", {"id": run["run_id"], **more}).json()["logs"]
    return [line.partition(" ")[2] for line in lines]


def look(platform) -> None:
    """Let the sandbox look at its schedules now."""
    platform.http.portal.call(automation(platform).tick)


def automation(platform) -> Automation:
    """Return what runs the tasks of a platform in this process."""
    found: Automation = platform.http.app.state.automation
    return found


def wait_for_line(platform, task_id: str, text: str) -> dict[str, Any]:
    """Wait until the newest run of a task has written a line, and return the run."""

    def has_written() -> bool:
        found = runs(platform, task_id, limit=1)
        return bool(found) and any(text in line for line in log(platform, found[0]))

    wait_until(has_written, within_s=LIMIT_S, what=f"the program writes {text!r}")
    return runs(platform, task_id, limit=1)[0]
