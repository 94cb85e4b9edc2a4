"""What a single machine does not have is refused: every call fails, none pretends."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from typing import Any

import requests
import wallaroo
from wallaroo.assay import Assay
from wallaroo.framework import Framework


def main() -> None:
    wl = wallaroo.Client()
    workspace = wl.create_workspace("refused")
    wl.set_current_workspace(workspace)
    model = wl.upload_model("refused", "./models/rf_model.onnx", framework=Framework.ONNX)
    pipeline = wl.build_pipeline("refused").add_model_step(model)
    now = datetime.datetime.now(datetime.UTC)
    calls: dict[str, Callable[[], object]] = {
        "list_assays": wl.list_assays,
        "set_assay_active": lambda: wl.set_assay_active(1, True),
        "get_assay_results": lambda: wl.get_assay_results(1, now, now),
        "build_assay": lambda: wl.build_assay(
            assay_name="drift",
            pipeline=pipeline,
            iopath="output variable 0",
            baseline_start=now - datetime.timedelta(days=1),
            baseline_end=now,
        ).build(),
        "publish": pipeline.publish,
        "publishes": pipeline.publishes,
        "list_publishes": wl.list_publishes,
        "list_edges": pipeline.list_edges,
        "remove_edge": lambda: wl.remove_edge("edge"),
        "create_model_registry": lambda: wl.create_model_registry(
            "registry", "token", "https://registry.example.com"
        ),
        "list_model_registries": wl.list_model_registries,
        "register_model_image": lambda: wl.register_model_image("image", "registry/image:1"),
        "openai_completion": lambda: pipeline.openai_completion(prompt="x"),
    }
    facts: dict[str, Any] = {}
    for name, act in calls.items():
        try:
            act()
        except Exception as exc:  # noqa: BLE001  # the SDK raises nothing more precise
            facts[name] = type(exc).__name__
        else:
            facts[name] = "no error"
    # This one call of the SDK returns its error and does not raise it.
    facts["get_assay_info"] = str(Assay.get_assay_info(client=wl, assay_id=1))
    answer = requests.post(
        f"{wl.api_endpoint}/v1/api/assays/list", headers=wl.auth.auth_header(), json={}, timeout=10
    )
    facts["by name"] = [answer.status_code, answer.json()["code"]]
    facts["named"] = "list_assays" in answer.json()["msg"]
    unknown = requests.post(
        f"{wl.api_endpoint}/v1/api/nothing/here", headers=wl.auth.auth_header(), json={}, timeout=10
    )
    facts["unknown"] = [unknown.status_code, unknown.json()["code"]]
    print(json.dumps(facts, default=str))


if __name__ == "__main__":
    main()
