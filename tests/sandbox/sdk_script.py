"""The workshop notebook's calls on the unmodified SDK; run as a process of its own.

Prints one JSON object of what it saw. `WALLAROO_*` in the environment says where and who.
"""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from pathlib import Path

import pyarrow as pa
import wallaroo
from wallaroo.deployment_config import DeploymentConfigBuilder
from wallaroo.framework import Framework


def main() -> None:
    client = wallaroo.Client(request_timeout=40)
    seen: dict[str, object] = {}
    workspace = client.get_workspace("workshop-workspace-summarization")
    client.set_current_workspace(workspace)
    model_version = workspace.models()[0].versions()[-1]
    seen["model"] = [model_version.name(), str(model_version.status()), model_version.sha()]
    pipeline = client.get_pipeline("hf-summarizer")
    seen["before"] = pipeline.status()
    pipeline.clear()
    pipeline.add_model_step(model_version)
    config = (
        DeploymentConfigBuilder()
        .cpus(0.25)
        .memory("1Gi")
        .sidekick_cpus(model_version, 1)
        .sidekick_memory(model_version, "4Gi")
        .build()
    )
    pipeline.deploy(deployment_config=config)
    seen["running"] = pipeline.status()["status"]
    url = f"{os.environ['WALLAROO_URL']}/_sandbox/samples/test_summarization.df.json"
    client.create_connection("summary-sample-connection", "HTTP", {"url": url})
    workspace.add_connection("summary-sample-connection")
    connection = workspace.list_connections()[-1]
    seen["connection"] = [connection.name(), connection.details()]
    seen["linked"] = client.get_connection("summary-sample-connection").workspace_names()
    seen["url"] = pipeline.url()
    pipeline.undeploy()
    seen["table"] = "<td>False</td>" in pipeline._repr_html_()  # what notebooks show
    workspace.remove_connection("summary-sample-connection")
    connection.delete_connection()
    seen["connections"] = [each.name() for each in client.list_connections()]
    seen["upload"] = upload(client)
    seen["default"] = wallaroo.Client().get_current_workspace().name()
    print(json.dumps(seen))  # noqa: T201  # the script's answer


def upload(client: wallaroo.Client) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("model/config.json", "{}")
        version = client.upload_model(
            "uploaded",
            str(path),
            framework=Framework.HUGGING_FACE_SUMMARIZATION,
            input_schema=pa.schema([pa.field("inputs", pa.string())]),
            output_schema=pa.schema([pa.field("summary_text", pa.string())]),
            convert_wait=False,
        )
    return [version.name(), str(version.arch()), version.file_name()]


if __name__ == "__main__":
    main()
