"""The log as files and as raw topics: exports over a change of models, sizes, failures."""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import wallaroo
from wallaroo.deployment_config import DeploymentConfigBuilder
from wallaroo.exceptions import InferenceError
from wallaroo.framework import Framework

HOUSE = [4.0, 2.5, 2900.0, *[0.0] * 15]


def main() -> None:
    wl = wallaroo.Client()
    wl.set_current_workspace(wl.create_workspace("log-files"))
    houses = wl.upload_model("houses", "./models/rf_model.onnx", framework=Framework.ONNX)
    words = wl.upload_model("words", "./models/embedder.onnx", framework=Framework.ONNX)
    config = DeploymentConfigBuilder().cpus(0.25).memory("512Mi").build()
    pipeline = wl.build_pipeline("files").add_model_step(houses).deploy(deployment_config=config)
    start = datetime.datetime.now(datetime.UTC)
    pipeline.infer(pd.DataFrame({"tensor": [HOUSE] * 5}))
    arrow = pa.table({"tensor": pa.array([HOUSE] * 4, pa.list_(pa.float32()))})
    pipeline.infer(arrow)
    facts: dict[str, Any] = {"failures before": len(pipeline.logs(valid=False))}
    try:
        pipeline.infer(pd.DataFrame({"wrong": [1]}))
    except InferenceError as exc:
        facts["refused"] = str(exc)[:20]
    failures = pipeline.logs(valid=False)
    facts["failures"] = [len(failures), list(failures.columns)]
    pipeline.undeploy()
    pipeline.clear()
    pipeline.add_model_step(words).deploy(
        deployment_config=DeploymentConfigBuilder().cpus(0.25).memory("512Mi").build()
    )
    pipeline.infer(pd.DataFrame({"tensor": [[0.5] * 100] * 3}))
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=1)
    fresh = wl.get_pipeline("files")
    facts["newest schema"], facts["note"] = said(lambda: list(fresh.logs().columns))
    export(fresh, (start, end), facts)
    raw(wl, fresh, (start, end), facts)
    facts["model's log"] = [len(houses.logs()), len(words.logs(limit=2))]
    for limit in (0, -1):
        try:
            facts[f"limit {limit}"] = len(wl.get_pipeline("files").logs(limit=limit))
        except Exception as exc:  # noqa: BLE001  # the SDK raises nothing more precise
            facts[f"limit {limit}"] = str(exc)
    pipeline.undeploy()
    print(json.dumps(facts, default=str))


def said(work: Any) -> tuple[Any, str]:
    """Return what `work` returns and what it said meanwhile."""
    stream = io.StringIO()
    with contextlib.redirect_stderr(stream):
        result = work()
    return result, stream.getvalue().strip().split(".")[0]


def export(pipeline: Any, window: tuple[Any, Any], facts: dict[str, Any]) -> None:
    dates = {"start_datetime": window[0], "end_datetime": window[1]}
    _, facts["export's note"] = said(
        lambda: pipeline.export_logs(directory="both", file_prefix="p", arrow=True, **dates)
    )
    counts = {}
    for path in sorted(Path("both").iterdir()):
        with pa.ipc.open_file(str(path)) as reader:
            counts[path.name] = reader.read_all().num_rows
    facts["exported"] = counts
    pipeline.export_logs(directory="json", limit=2)
    lines = Path("json/files-1.json").read_text().splitlines()
    facts["a line"] = [len(lines), sorted(json.loads(lines[0]))]
    _, warning = said(
        lambda: pipeline.export_logs(directory="tiny", data_size_limit="0.1KiB", **dates)
    )
    facts["tiny"] = [warning[:52], len(list(Path("tiny").iterdir()))]


def raw(wl: Any, pipeline: Any, window: tuple[Any, Any], facts: dict[str, Any]) -> None:
    topic = wl.get_topic_name(pipeline.id())
    frame = wl.get_raw_logs(topic, limit=2)
    facts["raw"] = [len(frame), sorted(frame.columns)]
    named = wl.get_raw_pipeline_inference_logs(topic, *window, model_name="houses")
    facts["of one model"] = len(named)
    flat = wl.get_pipeline_inference_dataframe(topic, *window, model_name="words", limit=100)
    numbers = [name for name in flat.columns if name.startswith("input_tensor_")]
    facts["flattened"] = [len(flat), len(numbers), math.isclose(flat[numbers[0]].iloc[0], 0.5)]


if __name__ == "__main__":
    main()
