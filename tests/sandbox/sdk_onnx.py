"""ONNX models on the unmodified SDK, as its users write it; run as a process of its own.

Prints one JSON object of what it saw. `WALLAROO_*` in the environment says where and who.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import wallaroo
from wallaroo.deployment_config import DeploymentConfigBuilder
from wallaroo.framework import Framework

from tests.sandbox import onnx_models

Facts = dict[str, Any]  # Any: JSON
ROW = pd.DataFrame({"tensor": [[1.0, 2.0, 3.0, 4.0]]})


def main() -> None:
    client = wallaroo.Client(request_timeout=90)
    client.set_current_workspace(client.create_workspace("onnx"))
    with tempfile.TemporaryDirectory() as folder:
        facts: Facts = {}
        models = Models(client, Path(folder))
        lone_model(client, models, facts)
        two_inputs(client, models, facts)
        pictures(client, models, facts)
        chain(client, models, facts)
        split(client, models, facts)
        shadow(client, models, facts)
        validations(client, models, facts)
        refused(client, models, facts)
    print(json.dumps(facts, default=str))  # noqa: T201  # the script's answer


class Models:
    """Uploads models made on the spot."""

    def __init__(self, client: wallaroo.Client, folder: Path) -> None:
        self._client = client
        self._folder = folder

    def add(self, name: str, content: bytes) -> Any:  # Any: the SDK has no types
        path = self._folder / f"{name}.onnx"
        path.write_bytes(content)
        return self._client.upload_model(name, path, framework=Framework.ONNX)


def config() -> Any:  # Any: the SDK has no types
    return DeploymentConfigBuilder().replica_count(1).cpus(0.5).memory("1Gi").build()


def lone_model(client: wallaroo.Client, models: Models, facts: Facts) -> None:
    first = models.add("lone", onnx_models.linear())
    version = models.add("lone", onnx_models.linear(factor=0.123))
    facts["versions"] = [each.id() for each in client.list_models()[0].versions()] == [
        version.id(),
        first.id(),
    ]
    facts["upload"] = [version.name(), str(version.status()), version.config().runtime()]
    facts["log"] = len(version.get_upload_logs())
    pipeline = client.build_pipeline("lone").add_model_step(version)
    pipeline.deploy(deployment_config=config())
    status = pipeline.status()
    facts["status"] = [status["status"], status["sidekicks"]]
    facts["frame"] = pipeline.infer(ROW)["out.variable"].tolist()
    table = pa.table({"tensor": pa.array([[1.0, 2.0, 3.0, 4.0]] * 2, pa.list_(pa.float32()))})
    answer = pipeline.infer(table)
    facts["arrow"] = [
        str(answer.schema.field("out.variable").type),
        answer["out.variable"].to_pylist() == [[float(np.float32(1.23))]] * 2,
    ]
    facts["raw"] = pipeline.infer([{"tensor": [1, 2, 3, 4]}])[0]["out"]
    meta = pipeline.infer(ROW, dataset=["out", "metadata"])
    facts["elapsed"] = len(meta["metadata.elapsed"][0])
    facts["last"] = json.loads(meta["metadata.last_model"][0])["model_sha"] == version.sha()
    facts["errors"] = [
        error_of(pipeline, {"tensor": [[1.0, 2.0, 3.0]]}),
        error_of(pipeline, {"other": [1]}),
        error_of(pipeline, {"tensor": [[1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, None]]}),
    ]
    facts["logged"] = [list(map(float, each)) for each in pipeline.logs(limit=1)["out.variable"]]
    pipeline.undeploy()


def error_of(pipeline: Any, columns: dict[str, list[Any]]) -> str:  # Any: the SDK has no types
    try:
        pipeline.infer(pd.DataFrame(columns))
    except Exception as exc:  # noqa: BLE001  # the SDK's exceptions are what is looked at
        return f"{type(exc).__name__}: {exc}"
    return "no error"


def two_inputs(client: wallaroo.Client, models: Models, facts: Facts) -> None:
    version = models.add("two", onnx_models.two_in_two_out())
    configured = version.configure(tensor_fields=["a", "b"])
    facts["tensor_fields"] = configured.config().tensor_fields()
    pipeline = client.build_pipeline("two").add_model_step(configured)
    pipeline.deploy(deployment_config=config())
    frame = pd.DataFrame({"a": [[5.0, 7.0]], "b": [[1.0, 1.0]]})
    answer = pipeline.infer(frame)
    facts["two"] = [answer["out.sum"][0], answer["out.difference"][0]]
    pipeline.undeploy()


def pictures(client: wallaroo.Client, models: Models, facts: Facts) -> None:
    version = models.add("picture", onnx_models.picture()).configure(batch_config="single")
    pipeline = client.build_pipeline("picture").add_model_step(version)
    pipeline.deploy(deployment_config=config())
    image = np.arange(24, dtype=np.float32).reshape(3, 2, 4)
    nested = pipeline.infer(pd.DataFrame({"tensor": [image.tolist()] * 2}))
    flat = pipeline.infer(pd.DataFrame({"tensor": [image.ravel()]}))
    facts["picture"] = [nested["out.mean"].tolist(), flat["out.mean"].tolist()]
    pipeline.undeploy()


def chain(client: wallaroo.Client, models: Models, facts: Facts) -> None:
    first = models.add("first", onnx_models.linear(factor=1.0, output="middle"))
    last = models.add("last", onnx_models.linear(factor=10.0, width=1, output="end"))
    pipeline = client.build_pipeline("chain").add_model_step(first).add_model_step(last)
    pipeline.deploy(deployment_config=config())
    answer = pipeline.infer(ROW, dataset=["*", "metadata.elapsed", "metadata.last_model"])
    facts["chain"] = [
        answer["out.end"][0],
        [name for name in answer.columns if name.startswith("out")],
        len(answer["metadata.elapsed"][0]),
        json.loads(answer["metadata.last_model"][0])["model_name"],
    ]
    pipeline.replace_with_model_step(1, first)
    pipeline.remove_step(0)
    pipeline.deploy(deployment_config=config())
    facts["replaced"] = pipeline.infer(ROW)["out.middle"][0]
    pipeline.undeploy()


def split(client: wallaroo.Client, models: Models, facts: Facts) -> None:
    one = models.add("control", onnx_models.linear(factor=1.0))
    two = models.add("challenger", onnx_models.linear(factor=2.0))
    pipeline = client.build_pipeline("split").add_random_split([(2, one), (1, two)])
    pipeline.deploy(deployment_config=config())
    answers = [pipeline.infer(ROW).loc[0] for _ in range(40)]
    labels = [json.loads(each["out._model_split"][0]) for each in answers]
    prices = {"control": [10.0], "challenger": [20.0]}
    facts["split"] = [
        sorted({each["name"] for each in labels}),
        sorted(labels[0]),
        all(
            each["out.variable"] == prices[label["name"]]
            for each, label in zip(answers, labels, strict=True)
        ),
    ]
    facts["model log"] = len(two.logs(limit=100)) == sum(
        each["name"] == "challenger" for each in labels
    )
    pipeline.clear()
    pipeline.add_key_split(one, "card", {"gold": two})
    pipeline.deploy(deployment_config=config())
    frame = pd.DataFrame({"tensor": [[1.0] * 4] * 2, "card": ["gold", "tin"]})
    facts["keys"] = pipeline.infer(frame)["out.variable"].tolist()
    pipeline.undeploy()


def shadow(client: wallaroo.Client, models: Models, facts: Facts) -> None:
    one = models.add("champion", onnx_models.linear(factor=1.0))
    two = models.add("other", onnx_models.linear(factor=2.0))
    pipeline = client.build_pipeline("shadow").add_shadow_deploy(one, [two])
    pipeline.deploy(deployment_config=config())
    answer = pipeline.infer(ROW)
    facts["shadow"] = [answer["out.variable"][0], answer["out_other.variable"][0]]
    pipeline.undeploy()


def validations(client: wallaroo.Client, models: Models, facts: Facts) -> None:
    version = models.add("checked", onnx_models.linear(factor=1.0))
    pipeline = client.build_pipeline("checked").add_model_step(version)
    pipeline.add_validations(
        high=pl.col("out.variable").list.get(0) > 5.0,
        low=pl.col("out.variable").list.get(0) < 1.0,
    )
    pipeline.deploy(deployment_config=config())
    frame = pd.DataFrame({"tensor": [[1.0, 2.0, 3.0, 4.0], [0.5, 0.5, 0.5, 0.5]]})
    answer = pipeline.infer(frame)
    facts["anomalies"] = [answer[f"anomaly.{name}"].tolist() for name in ("count", "high", "low")]
    pipeline.undeploy()


def refused(client: wallaroo.Client, models: Models, facts: Facts) -> None:
    version = models.add("bad", b"this is no model")
    facts["bad"] = [str(version.status()), version.error_summary()]
    pipeline = client.build_pipeline("bad").add_model_step(version)
    try:
        pipeline.deploy(deployment_config=config())
    except Exception as exc:  # noqa: BLE001  # the SDK raises nothing more precise
        facts["bad deploy"] = str(exc)


if __name__ == "__main__":
    main()
