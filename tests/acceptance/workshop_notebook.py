"""The workshop's notebook, cell by cell, for the SDK of today; run as a program of its own.

`workshop_notebook.py URL CONNECTION_URL MODEL_ZIP RESULT_FILE`, with the account in WALLAROO_USER
and WALLAROO_PASSWORD. What the notebook would display goes into RESULT_FILE, a JSON object.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import requests
import wallaroo
from wallaroo.framework import Framework

API_ENDPOINT, CONNECTION_URL, MODEL_ZIP, RESULT_FILE = sys.argv[1:]
SHOWN: dict[str, Any] = {}


def display(name: str, thing: Any) -> None:
    """Keep what a notebook would show for `thing`: its table, or its text if it has none."""
    SHOWN[name] = thing._repr_html_() if hasattr(thing, "_repr_html_") else repr(thing)


def describe(frame: pd.DataFrame) -> dict[str, Any]:
    """Keep a frame's columns in their order, their types and its rows."""
    return {
        "columns": list(frame.columns),
        "types": [str(each) for each in frame.dtypes],
        "rows": json.loads(frame.to_json(orient="records")),
    }


def get_workspace(name: str) -> Any:
    for each in wl.list_workspaces():
        if each.name() == name:
            return each
    return wl.create_workspace(name)


def get_model_version(model_name: str) -> Any:
    for each in workspace.models():
        if each.name() == model_name:
            return each.versions()[-1]
    raise KeyError(f"Model {model_name} not found in this workspace")


def get_pipeline(name: str) -> Any:
    for each in workspace.pipelines():
        if each.name() == name:
            return each
    raise KeyError(f"Pipeline {name} not found in this workspace")


# Log in.
wl = wallaroo.Client(api_endpoint=API_ENDPOINT, auth_type="user_password", request_timeout=60)

# Set the workspace, load the model version and the pipeline.
workspace = get_workspace("workshop-workspace-summarization")
wl.set_current_workspace(workspace)
model_version = get_model_version("hf-summarizer")
pipeline = get_pipeline("hf-summarizer")
display("workspace", workspace)
display("model_version", model_version)
display("pipeline_before", pipeline)

# Steps and deployment.
pipeline.clear()
pipeline.add_model_step(model_version)
deployment_config = (
    wallaroo.DeploymentConfigBuilder()
    .cpus(0.25)
    .memory("1Gi")
    .sidekick_cpus(model_version, 1)
    .sidekick_memory(model_version, "4Gi")
    .build()
)
pipeline.deploy(deployment_config=deployment_config)
display("pipeline_deployed", pipeline)
SHOWN["status"] = pipeline.status()

# Create the connection.
connection = wl.create_connection("summary-sample-connection", "HTTP", {"url": CONNECTION_URL})
display("connection", connection)
display("connections", wl.list_connections())
try:
    wl.create_connection("summary-sample-connection", "HTTP", {"url": CONNECTION_URL})
except Exception as exc:  # noqa: BLE001 - the SDK raises nothing more precise
    SHOWN["duplicate"] = str(exc)

# Get it by name and add it to the workspace.
by_name = wl.get_connection(name="summary-sample-connection")
display("connection_by_name", by_name)
workspace.add_connection("summary-sample-connection")
display("workspace_connections", workspace.list_connections())

# Fetch the data through it.
latest = workspace.list_connections()[-1]
SHOWN["details"] = latest.details()
answer = requests.get(latest.details()["url"], timeout=10)
frame = pd.DataFrame(answer.json())
SHOWN["input"] = describe(frame)

# Infer.
result = pipeline.infer(frame, timeout=60)
SHOWN["result"] = describe(result)
SHOWN["result_with_metadata"] = describe(
    pipeline.infer(frame, timeout=60, dataset=["*", "metadata.elapsed", "metadata.last_model"])
)
SHOWN["result_arrow"] = pipeline.infer(pa.Table.from_pandas(frame), timeout=60).column_names

# Logs.
began = time.monotonic()
SHOWN["logs"] = describe(pipeline.logs())
SHOWN["logs_s"] = time.monotonic() - began
SHOWN["one_log"] = describe(pipeline.logs(limit=1, dataset=["time", "out", "metadata"]))

# Upload another version of the model.
fields = [
    pa.field("inputs", pa.string()),
    pa.field("return_text", pa.bool_()),
    pa.field("return_tensors", pa.bool_()),
    pa.field("clean_up_tokenization_spaces", pa.bool_()),
]
uploaded = wl.upload_model(
    "hf-summarizer-small",
    MODEL_ZIP,
    framework=Framework.HUGGING_FACE_SUMMARIZATION,
    input_schema=pa.schema(fields),
    output_schema=pa.schema([pa.field("summary_text", pa.string())]),
)
SHOWN["uploaded"] = {"name": uploaded.name(), "status": str(uploaded.status())}
display("uploaded_version", uploaded)

# Take the connection out again, and give the resources back.
workspace.remove_connection("summary-sample-connection")
display("workspace_connections_after", workspace.list_connections())
pipeline.undeploy()
display("pipeline_undeployed", pipeline)
display("pipelines", wl.list_pipelines())

Path(RESULT_FILE).write_text(json.dumps(SHOWN))
