"""A notebook that is run from its top twice: what exists is found again, and nothing is in the way.

Its cells are those of the tutorials: getters that make what is missing, tables, hot swaps.
"""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import wallaroo
from wallaroo.deployment_config import DeploymentConfigBuilder
from wallaroo.framework import Framework
from wallaroo.object import EntityNotFoundError

HOUSE = pd.DataFrame({"tensor": [[4.0, 2.5, 2900.0, *[0.0] * 15]]})


def get_workspace(wl: Any, name: str) -> Any:
    for workspace in wl.list_workspaces():
        if workspace.name() == name:
            return workspace
    return wl.create_workspace(name)


def get_pipeline(wl: Any, name: str) -> Any:
    try:
        return wl.pipelines_by_name(name)[0]
    except EntityNotFoundError:
        return wl.build_pipeline(name)


def main() -> None:
    turns = [run(), run()]
    versions = [turn.pop("versions") for turn in turns]
    both = turns[0] == turns[1]
    facts = turns[1] | {"first and second turn": both}
    # The first cell of the second turn uploads a new version of the model that is there.
    facts["versions"] = [f"{number} of {versions[1]}" for number in versions]
    print(json.dumps(facts, default=str))


def run() -> dict[str, Any]:
    wl = wallaroo.Client()
    wl.set_current_workspace(get_workspace(wl, "rerun"))
    facts: dict[str, Any] = {"workspace": wl.get_current_workspace().name()}
    model, other = (
        wl.upload_model(name, f"./models/{file}.onnx", framework=Framework.ONNX).configure(
            tensor_fields=["tensor"]
        )
        for name, file in (("rerun-model", "rf_model"), ("rerun-other", "xgb_model"))
    )
    facts["model"] = [model.name(), str(model.status()), str(model.arch()), str(model.accel())]
    facts["versions"] = len(wl.get_current_workspace().models()[-1].versions())
    pipeline = get_pipeline(wl, "rerun")
    pipeline.clear()
    pipeline.add_model_step(model)
    small = DeploymentConfigBuilder().replica_count(1).cpus(0.25).memory("512Mi")
    pipeline.deploy(deployment_config=small.build())
    facts["price"] = pipeline.infer(HOUSE)["out.variable"][0]
    pipeline.replace_with_model_step(0, other).deploy()
    facts["swapped price"] = pipeline.infer(HOUSE)["out.variable"][0]
    facts["tables"] = [
        shown.lstrip().startswith("<table>")
        for shown in (
            pipeline._repr_html_(),
            model._repr_html_(),
            wl.list_pipelines()._repr_html_(),
            wl.list_models()._repr_html_(),
            wl.list_workspaces()._repr_html_(),
        )
    ]
    pipeline.undeploy()
    pipeline.deploy(deployment_config=small.build(), wait_for_status=False)
    pipeline._deployment_for_pipeline().wait_for_running()
    facts["not awaited"] = pipeline.status()["status"]
    pipeline.infer(HOUSE)
    facts["logged"] = len(pipeline.logs(limit=3))
    pipeline.undeploy()
    facts["after undeploy"] = [error_of(pipeline.status), error_of(lambda: pipeline.infer(HOUSE))]
    never = get_pipeline(wl, "rerun-never").status()["status"]
    facts["after undeploy"].append(never.replace("-never", ""))
    return facts


def error_of(act: Any) -> str:
    try:
        act()
    except Exception as exc:  # noqa: BLE001  # its name is the fact
        return type(exc).__name__
    return "no error"


if __name__ == "__main__":
    main()
