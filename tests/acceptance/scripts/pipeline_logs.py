"""The inference log: limits, windows of time, formats, metadata, export, the raw topic."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import requests
import wallaroo
from wallaroo.deployment_config import DeploymentConfigBuilder
from wallaroo.framework import Framework

HOUSE = [4.0, 2.5, 2900.0, *[0.0] * 15]


def main() -> None:
    wl = wallaroo.Client()
    workspace = wl.create_workspace("log-readers")
    wl.set_current_workspace(workspace)
    model = wl.upload_model("logged", "./models/rf_model.onnx", framework=Framework.ONNX)
    pipeline = wl.build_pipeline("logged").add_model_step(model)
    pipeline.deploy(deployment_config=DeploymentConfigBuilder().cpus(0.25).memory("512Mi").build())
    facts: dict[str, Any] = {}
    start = datetime.datetime.now(datetime.UTC)
    for number in range(3):
        pipeline.infer(pd.DataFrame({"tensor": [[float(number), *HOUSE[1:]]] * 50}))
    middle = datetime.datetime.now(datetime.UTC)
    pipeline.infer(pd.DataFrame({"tensor": [[9.0, *HOUSE[1:]]] * 1_100}))
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=1)
    limits(pipeline, facts)
    windows(pipeline, (start, middle, end), facts)
    export(pipeline, (start, middle, end), facts)
    raw(wl, workspace, pipeline, (start, end), facts)
    model_rows = model.logs(limit=5)
    facts["model's own log"] = len(model_rows)
    pipeline.undeploy()
    facts["after undeploy"] = len(pipeline.logs(limit=3))
    print(json.dumps(facts, default=str))


def limits(pipeline: Any, facts: dict[str, Any]) -> None:
    logs = pipeline.logs()
    facts["default"] = [len(logs), bool(logs["time"].is_monotonic_decreasing)]
    facts["columns"] = list(logs.columns)
    facts["limit"] = [len(pipeline.logs(limit=limit)) for limit in (1, 100, 1_200)]
    table = pipeline.logs(limit=2, arrow=True)
    facts["arrow"] = [type(table).__name__, table.num_rows, table.column_names]
    metadata = pipeline.logs(limit=1, dataset=["time", "metadata"])
    facts["metadata"] = sorted(metadata.columns)
    elapsed = pipeline.logs(limit=1, dataset=["time", "out", "metadata.elapsed"])
    facts["picked"] = sorted(elapsed.columns)
    facts["without"] = sorted(pipeline.logs(limit=1, dataset_exclude=["in"]).columns)


def windows(pipeline: Any, times: tuple[Any, Any, Any], facts: dict[str, Any]) -> None:
    start, middle, end = times
    first = pipeline.logs(start_datetime=start, end_datetime=middle)
    facts["first window"] = [len(first), bool(first["time"].is_monotonic_increasing)]
    facts["first numbers"] = [first["in.tensor"].iloc[0][0], first["in.tensor"].iloc[-1][0]]
    facts["long window"] = len(pipeline.logs(start_datetime=start, end_datetime=end))
    long_ago = start - datetime.timedelta(days=2)
    facts["empty window"] = len(
        pipeline.logs(start_datetime=long_ago, end_datetime=long_ago + datetime.timedelta(hours=1))
    )
    try:
        pipeline.logs(start_datetime=start)
    except Exception as exc:  # noqa: BLE001  # the SDK raises nothing more precise
        facts["one date"] = str(exc)


def export(pipeline: Any, times: tuple[Any, Any, Any], facts: dict[str, Any]) -> None:
    start, _, end = times
    pipeline.export_logs()
    facts["exported"] = sorted(path.name for path in Path("logs").iterdir())
    pipeline.export_logs(
        directory="all-logs", file_prefix="all", start_datetime=start, end_datetime=end, arrow=True
    )
    rows = 0
    for path in sorted(Path("all-logs").iterdir()):
        with pa.ipc.open_file(str(path)) as reader:
            rows += reader.read_all().num_rows
    facts["exported rows"] = rows
    pipeline.export_logs(directory="few", limit=150, data_size_limit="1MiB")
    lines = sum(len(path.read_text().splitlines()) for path in Path("few").iterdir())
    facts["exported lines"] = lines


def raw(
    wl: Any, workspace: Any, pipeline: Any, times: tuple[Any, Any], facts: dict[str, Any]
) -> None:
    topic = wl.get_topic_name(pipeline.id())
    facts["topic"] = topic == f"workspace-{workspace.id()}-pipeline-logged-inference"
    frame = wl.get_raw_logs(topic, start=times[0], end=times[1], limit=5_000)
    facts["raw rows"] = len(frame)
    headers = wl.auth.auth_header()
    body = {"pipeline_name": "logged", "workspace_id": workspace.id(), "page_size": 100}
    answer = requests.post(
        f"{wl.api_endpoint}/v1/api/pipelines/get_logs", headers=headers, json=body, timeout=20
    )
    facts["get_logs"] = answer.status_code
    if answer.ok:
        records = answer.json()
        facts["get_logs rows"] = len(records)
        facts["get_logs keys"] = sorted(records[0])
        facts["get_logs status"] = answer.headers.get("x-iteration-status")


if __name__ == "__main__":
    main()
