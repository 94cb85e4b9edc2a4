"""Automation: an orchestration with a connection and a deployed pipeline, run as tasks."""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import wallaroo
from wallaroo.deployment_config import DeploymentConfigBuilder
from wallaroo.framework import Framework

HOUSE = [4.0, 2.5, 2900.0, *[0.0] * 15]
MAIN = """
import wallaroo
import pandas as pd

wl = wallaroo.Client()
arguments = wl.task_args() if wl.in_task() else {}
workspace = wl.get_workspace(arguments["workspace_name"])
wl.set_current_workspace(workspace)
print("Workspace:", workspace.name(), flush=True)
connection = wl.get_connection(arguments["connection_name"])
print("Host of the data:", connection.details()["host"], flush=True)
pipeline = wl.get_pipeline(arguments["pipeline_name"])
rows = pd.read_json("./data/houses.df.json")
result = pipeline.infer(rows)
print("Prices:", [each[0] for each in result["out.variable"]], flush=True)
"""
FOR_EVER = """
import time
import wallaroo

print("works until it is killed", flush=True)
while True:
    time.sleep(0.2)
"""
FAILING = """
import wallaroo

wl = wallaroo.Client()
print("about to fail", flush=True)
wl.get_workspace("there-is-no-such-workspace")
"""
LIMIT_S = 60.0


def wait_for(what: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:
    """Ask again until the answer is as wanted; notebooks do it with a loop and a sleep."""
    deadline = time.monotonic() + LIMIT_S
    while not wanted(seen := what()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return seen


def zipped(name: str, files: dict[str, str]) -> Path:
    path = Path(f"{name}.zip")
    with zipfile.ZipFile(path, "w") as archive:
        for inner, text in files.items():
            archive.writestr(inner, text)
    return path


def main() -> None:
    wl = wallaroo.Client()
    workspace = wl.create_workspace("automation")
    wl.set_current_workspace(workspace)
    model = wl.upload_model("houses", "./models/rf_model.onnx", framework=Framework.ONNX)
    pipeline = wl.build_pipeline("automation").add_model_step(model)
    pipeline.deploy(deployment_config=DeploymentConfigBuilder().cpus(0.25).memory("512Mi").build())
    wl.create_connection("automation-data", "HTTP", {"host": "https://data.example.com/houses"})
    workspace.add_connection("automation-data")
    facts: dict[str, Any] = {}
    arguments = {
        "workspace_name": "automation",
        "pipeline_name": "automation",
        "connection_name": "automation-data",
    }
    orchestration = upload(wl, facts)
    once(orchestration, arguments, facts)
    endless = continuously(wl, facts)
    failing(wl, facts)
    scheduled(orchestration, arguments, facts)
    lists(wl, workspace, endless, facts)
    facts["logged by the pipeline"] = len(pipeline.logs(limit=10))
    pipeline.undeploy()
    print(json.dumps(facts, default=str))


def upload(wl: Any, facts: dict[str, Any]) -> Any:
    houses = pd.DataFrame({"tensor": [HOUSE, HOUSE]}).to_json(orient="records")
    path = zipped("inference", {"main.py": MAIN, "data/houses.df.json": houses})
    orchestration = wl.upload_orchestration(name="inference", path=str(path))
    status = wait_for(orchestration.status, lambda seen: seen in ("ready", "error"))
    facts["status"] = str(status)
    facts["names"] = [orchestration.name(), orchestration.file_name()]
    facts["sha is hex"] = len(orchestration.sha()) == 64
    try:
        no_main = zipped("no-main", {"other.py": "print(1)"})
        bad = wl.upload_orchestration(name="no-main", path=str(no_main))
        facts["without main.py"] = str(wait_for(bad.status, lambda seen: seen == "error"))
    except Exception as exc:  # noqa: BLE001  # the SDK raises nothing more precise
        facts["without main.py"] = f"refused: {type(exc).__name__}"
    return orchestration


def once(orchestration: Any, arguments: dict[str, str], facts: dict[str, Any]) -> None:
    task = orchestration.run_once(name="once", json_args=arguments, timeout=120)
    facts["task"] = [task.name(), task.input_data()]
    facts["task status"] = str(wait_for(task.status, lambda seen: seen == "started"))
    ended = lambda: [run._status for run in task.last_runs()]  # noqa: E731
    wait_for(ended, lambda seen: bool(seen) and seen[0] != "running")
    run = task.last_runs()[0]
    facts["run"] = str(run._status)
    text = "\n".join(run.logs())
    facts["said"] = [
        word in text
        for word in ("Workspace: automation", "https://data.example.com", "[291000.0, 291000.0]")
    ]
    if not all(facts["said"]):
        facts["log"] = text
    facts["tail"] = len(run.logs(limit=1))
    facts["of the orchestration"] = [each.name() for each in orchestration.list_tasks()]


def continuously(wl: Any, facts: dict[str, Any]) -> Any:
    path = zipped("endless", {"main.py": FOR_EVER})
    orchestration = wl.upload_orchestration(name="endless", path=str(path))
    wait_for(orchestration.status, lambda seen: seen in ("ready", "error"))
    task = orchestration.run_continuously(name="endless")
    wait_for(task.status, lambda seen: seen == "started")
    said = lambda: "\n".join(line for run in task.last_runs() for line in run.logs())  # noqa: E731
    facts["endless said"] = "until it is killed" in wait_for(said, lambda seen: "killed" in seen)
    facts["endless type"] = task.task_type()
    facts["kill answers"] = str(task.kill())
    facts["killed"] = str(wait_for(task.status, lambda seen: seen == "killed"))
    return task


def failing(wl: Any, facts: dict[str, Any]) -> None:
    orchestration = wl.upload_orchestration(
        name="failing", bytes_buffer=zipped("failing", {"main.py": FAILING}).read_bytes()
    )
    wait_for(orchestration.status, lambda seen: seen in ("ready", "error"))
    task = orchestration.run_once(name="failing", json_args={})
    ended = lambda: [run._status for run in task.last_runs()]  # noqa: E731
    facts["failing"] = wait_for(ended, lambda seen: bool(seen) and seen[0] != "running")
    text = "\n".join(task.last_runs()[0].logs())
    facts["failing said"] = ["about to fail" in text, "Traceback" in text]


def scheduled(orchestration: Any, arguments: dict[str, str], facts: dict[str, Any]) -> None:
    task = orchestration.run_scheduled(
        name="every-minute", schedule="*/1 * * * *", timeout=60, json_args=arguments
    )
    facts["scheduled"] = str(wait_for(task.status, lambda seen: seen == "started"))
    facts["scheduled type"] = task.task_type()
    facts["kill of the schedule"] = str(task.kill())
    facts["schedule killed"] = str(wait_for(task.status, lambda seen: seen == "killed"))
    try:
        orchestration.run_scheduled(name="never", schedule="not a schedule", json_args={})
    except Exception as exc:  # noqa: BLE001  # the SDK raises nothing more precise
        facts["bad schedule"] = "refused" if str(exc) else ""


def lists(wl: Any, workspace: Any, killed: Any, facts: dict[str, Any]) -> None:
    listed = wl.list_orchestrations(workspace_id=workspace.id())
    facts["orchestrations"] = sorted(each.name() for each in listed if each.name() != "no-main")
    facts["tasks"] = sorted(each.name() for each in wl.list_tasks(workspace_id=workspace.id()))
    ended = wl.list_tasks(killed=True, workspace_id=workspace.id())
    facts["killed is listed"] = killed.id() in [each.id() for each in ended]
    started = killed.last_runs()[0]
    facts["run table"] = str(killed.id()) in started._repr_html_()
    facts["by id"] = wl.get_task_by_id(str(killed.id())).name()
    facts["tables"] = ["inference" in listed._repr_html_(), "endless" in ended._repr_html_()]
    facts["outside a task"] = wl.in_task()


if __name__ == "__main__":
    main()
