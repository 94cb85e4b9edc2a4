"""Automates the workshop with the unmodified SDK; run as a process of its own.

Prints one JSON object of what it saw. `WALLAROO_*` in the environment says where and who.
"""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import wallaroo
from wallaroo.deployment_config import DeploymentConfigBuilder
from wallaroo.task_run import TaskRunLogs

LIMIT_S = 150.0
MAIN = """
import os

import httpx
import pandas as pd
import wallaroo

# As in a notebook: inside a task another log-in than the task's own is passed over.
wl = wallaroo.Client(auth_type="sso")
arguments = wl.task_args()
print("in a task:", wl.in_task(), wl.auth.user_email())
workspace = wl.get_workspace(arguments["workspace_name"])
wl.set_current_workspace(workspace)
details = wl.get_connection(arguments["connection_name"]).details()
rows = pd.DataFrame(httpx.get(details["url"]).json())
pipeline = wl.get_pipeline("hf-summarizer")
result = pipeline.infer(rows, timeout=60)
print("summaries:", len(result), all(result["out.summary_text"]))
print("settings:", open("./settings.ini").read())
# The SDK asks for a fresh token before an upload.
wl.auth._force_reload()
print("mine:", [each.name() for each in wl.list_orchestrations()])
"""


def wait_for(what: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:
    """Ask again until the answer is as wanted, and return it."""
    deadline = time.monotonic() + LIMIT_S
    while not wanted(seen := what()):
        if time.monotonic() > deadline:
            raise TimeoutError(str(seen))
        time.sleep(0.2)
    return seen


def main() -> None:
    wl = wallaroo.Client(request_timeout=90)
    workspace = wl.get_workspace("workshop-workspace-summarization")
    wl.set_current_workspace(workspace)
    pipeline = wl.get_pipeline("hf-summarizer")
    version = workspace.models()[0].versions()[-1]
    pipeline.clear().add_model_step(version)
    pipeline.deploy(deployment_config=DeploymentConfigBuilder().cpus(0.25).memory("1Gi").build())
    url = f"{wl.api_endpoint}/_sandbox/samples/test_summarization.df.json"
    wl.create_connection("automated", "HTTP", {"url": url})
    seen: dict[str, Any] = {}
    orchestration = upload(wl, seen)
    once(wl, orchestration, seen)
    scheduled(wl, orchestration, seen)
    refused(wl, orchestration, seen)
    pipeline.undeploy()
    print(json.dumps(seen, default=str))  # noqa: T201  # the script's answer


def upload(wl: Any, seen: dict[str, Any]) -> Any:
    path = Path("summaries.zip")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("job/main.py", MAIN)
        archive.writestr("job/settings.ini", "quiet")
        archive.writestr("requirements.txt", "pandas==2.2.0\nhttpx\n")
    orchestration = wl.upload_orchestration(path=str(path), name="summaries")
    seen["status"] = wait_for(orchestration.status, lambda found: found in ("ready", "error"))
    seen["file"] = [orchestration.file_name(), orchestration.name(), orchestration.workspace_id()]
    (packaging,) = orchestration.task().last_runs()
    seen["packaging"] = [packaging._status, packaging.logs()[0].split(" F ")[1]]
    found = wl.list_orchestrations(workspace_name="workshop-workspace-summarization")
    seen["listed"] = [each.id() for each in found] == [orchestration.id()]
    seen["tables"] = [orchestration.sha()[:6] in found._repr_html_()]
    return orchestration


def once(wl: Any, orchestration: Any, seen: dict[str, Any]) -> None:
    arguments = {
        "workspace_name": "workshop-workspace-summarization",
        "connection_name": "automated",
    }
    task = orchestration.run_once(name="once", json_args=arguments, timeout=140)
    wait_for(task.status, lambda found: found == "started")
    ended = lambda: [run._status for run in task.last_runs(limit=1)]  # noqa: E731  # used below
    seen["run"] = wait_for(ended, lambda found: found not in ([], ["running"]))
    (run,) = task.last_runs(status="all")
    seen["said"] = [line.split(" F ", 1)[1] for line in run.logs()]
    seen["tail"] = [line.split(" F ", 1)[1] for line in run.logs(limit=1)]
    seen["afterwards"] = [task.status(), task.input_data() == arguments, task.task_type()]
    seen["tables"] += [
        "Temporary Run" in task._repr_html_(),
        "success" in wl.list_tasks()._repr_html_(),
        run._pod_id in run._repr_html_(),
        "in a task: True" in TaskRunLogs(run.logs())._repr_html_(),
    ]
    seen["by id"] = wl.get_task_by_id(str(task.id())).name()


def scheduled(wl: Any, orchestration: Any, seen: dict[str, Any]) -> None:
    task = orchestration.run_scheduled(
        name="often", schedule="*/1, *, *, *, *", timeout=60, json_args={}
    )
    wait_for(task.status, lambda found: found == "started")
    seen["schedule"] = [task._descriptive_task_type(), task._descriptive_schedule()]
    seen["tasks"] = [[each.name() for each in of.list_tasks()] for of in (wl, orchestration)]
    seen["paused"] = [task._pause().status(), task._resume().status()]
    seen["kill"] = task.kill()
    wait_for(task.status, lambda found: found == "killed")
    seen["left"] = [len(wl.list_tasks()), len(wl.list_tasks(killed=True))]


def refused(wl: Any, orchestration: Any, seen: dict[str, Any]) -> None:
    orders: dict[str, Callable[[], object]] = {
        "no zip": lambda: wl.upload_orchestration(bytes_buffer=b"no zip", file_name="x.zip"),
        "wrong schedule": lambda: orchestration.run_scheduled("never", "61 * * * *"),
        "task": lambda: wl.get_task_by_id("00000000-0000-4000-8000-000000000000"),
    }
    for name, order in orders.items():
        try:
            order()
        except Exception as exc:  # noqa: BLE001  # the SDK raises nothing more precise
            seen[name] = f"{type(exc).__name__}: {exc}"


if __name__ == "__main__":
    main()
