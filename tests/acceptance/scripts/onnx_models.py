"""House prices and card fraud: ONNX models uploaded, deployed and used, in every form of input."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import wallaroo
from wallaroo.deployment_config import DeploymentConfigBuilder
from wallaroo.exceptions import InferenceError
from wallaroo.framework import Framework
from wallaroo.object import EntityNotFoundError

HOUSE = [4.0, 2.5, 2900.0, 5505.0, 2.0, 0.0, 0.0, 3.0, 8.0, 2900.0, 0.0, 47.6063]
HOUSE += [-122.02, 2970.0, 5251.0, 12.0, 0.0, 0.0]
CARD = [0.5, *[0.0] * 28]
SMALL = DeploymentConfigBuilder().replica_count(1).cpus(0.25).memory("512Mi")


def main() -> None:
    wl = wallaroo.Client()
    wl.set_current_workspace(wl.get_workspace("house-prices", create_if_not_exist=True))
    facts: dict[str, Any] = {}
    model = wl.upload_model("house-price", "./models/rf_model.onnx", framework=Framework.ONNX)
    facts["upload"] = [model.name(), str(model.status()), model.file_name()]
    digest = hashlib.sha256(Path("./models/rf_model.onnx").read_bytes()).hexdigest()
    facts["sha is the file's"] = model.sha() == digest
    facts["image"] = model.image_path()
    facts["config"] = [model.config().runtime(), model.config().tensor_fields()]
    pipeline = wl.build_pipeline("house-price").add_model_step(model)
    pipeline.deploy(deployment_config=SMALL.build())
    status = pipeline.status()
    facts["status"] = [status["status"], len(status["engines"]), status["sidekicks"]]
    shown = status["engines"][0]["model_statuses"]["models"][0]
    facts["model status"] = [shown["name"], shown["sha"] == model.sha(), shown["status"]]
    infer(pipeline, facts)
    refuse(pipeline, facts)
    card_fraud(wl, facts)
    several_fields(wl, facts)
    pipeline.undeploy()
    try:
        pipeline.status()
    except EntityNotFoundError:
        facts["after undeploy"] = "no deployment"
    print(json.dumps(facts, default=str))


def infer(pipeline: Any, facts: dict[str, Any]) -> None:
    frame = pd.DataFrame({"tensor": [HOUSE, HOUSE]})
    result = pipeline.infer(frame)
    facts["columns"] = list(result.columns)
    facts["prices"] = [list(each) for each in result["out.variable"]]
    facts["dtypes"] = [str(each) for each in result.dtypes]
    # The tutorials send a row with the index that pandas makes of it.
    row = pd.Series([HOUSE], index=[7])
    facts["with index"] = sorted(pipeline.infer(row.to_frame("tensor").reset_index()).columns)
    table = pa.table({"tensor": pa.array([HOUSE, HOUSE], pa.list_(pa.float32()))})
    answer = pipeline.infer(table)
    facts["arrow"] = {field.name: str(field.type) for field in answer.schema}
    facts["arrow prices"] = answer["out.variable"].to_pylist()
    fixed = pa.FixedSizeListArray.from_arrays(pa.array(HOUSE, pa.float32()), len(HOUSE))
    facts["fixed size list"] = pipeline.infer(pa.table({"tensor": fixed})).num_rows
    arrays = pd.DataFrame({"tensor": [np.array(HOUSE, dtype=np.float32)]})
    facts["of numpy"] = len(pipeline.infer(arrays))
    frame.to_json("houses.df.json", orient="records")
    with pa.OSFile("houses.arrow", "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    facts["of files"] = [
        len(pipeline.infer_from_file("houses.df.json")),
        pipeline.infer_from_file("houses.arrow").num_rows,
    ]
    picked = pipeline.infer(frame, dataset=["time", "out.variable", "metadata.elapsed"])
    facts["dataset"] = list(picked.columns)
    facts["elapsed entries"] = len(picked["metadata.elapsed"][0])
    excluded = pipeline.infer(frame, dataset=["*", "metadata"], dataset_exclude=["in"])
    facts["metadata"] = sorted(excluded.columns)
    facts["last model"] = sorted(json.loads(excluded["metadata.last_model"][0]))
    thousand = pipeline.infer(pd.DataFrame({"tensor": [HOUSE] * 1_000}))
    facts["a thousand"] = [len(thousand), thousand["time"].nunique()]
    facts["none"] = len(pipeline.infer(frame.iloc[:0]))


def refuse(pipeline: Any, facts: dict[str, Any]) -> None:
    """Send what the model cannot take; each must be the engine's own 400."""
    wrong = {
        "too short": pd.DataFrame({"tensor": [HOUSE[:5]]}),
        "other column": pd.DataFrame({"houses": [HOUSE]}),
        "text": pd.DataFrame({"tensor": [["a"] * len(HOUSE)]}),
        "null": pd.DataFrame({"tensor": [None]}),
        "ragged": pd.DataFrame({"tensor": [HOUSE, HOUSE[:3]]}),
    }
    facts["refused"] = {}
    for name, frame in wrong.items():
        try:
            pipeline.infer(frame)
        except InferenceError as exc:
            text = str(exc)
            facts["refused"][name] = ["[400]" in text, "source: engine" in text]
        else:
            facts["refused"][name] = "it was answered"
    facts["still answers"] = len(pipeline.infer(pd.DataFrame({"tensor": [HOUSE]})))


def card_fraud(wl: Any, facts: dict[str, Any]) -> None:
    """A single input is `tensor`, whatever it is called; `configure` gives it another name."""
    model = wl.upload_model("ccfraud", Path("./models/ccfraud.onnx"), framework=Framework.ONNX)
    pipeline = wl.build_pipeline("ccfraud").add_model_step(model)
    pipeline.deploy(deployment_config=SMALL.build())
    result = pipeline.infer(pd.DataFrame({"tensor": [CARD]}))
    facts["fraud"] = [list(result.columns), round(result["out.dense_1"][0][0], 4)]
    named = model.configure(tensor_fields=["card"])
    facts["configured"] = named.config().tensor_fields()
    pipeline.clear().add_model_step(named).deploy(deployment_config=SMALL.build())
    result = pipeline.infer(pd.DataFrame({"card": [CARD]}))
    facts["fraud configured"] = list(result.columns)
    pipeline.undeploy()


def several_fields(wl: Any, facts: dict[str, Any]) -> None:
    """A model of two inputs, and one whose outputs have different types."""
    model = wl.upload_model("multi-io", "./models/multi_io.onnx", framework=Framework.ONNX)
    model.configure(tensor_fields=["input_1", "input_2"])
    classifier = wl.upload_model("classes", "./models/classifier.onnx", framework=Framework.ONNX)
    pipeline = wl.build_pipeline("multi-io").add_model_step(model)
    pipeline.deploy(deployment_config=SMALL.build())
    frame = pd.DataFrame({"input_1": [[1.0, 2.0, 3.0]], "input_2": [[4.0, 5.0]]})
    result = pipeline.infer(frame)
    facts["two inputs"] = [
        list(result.columns),
        result["out.output_1"][0],
        result["out.output_2"][0],
    ]
    pipeline.clear().add_model_step(classifier).deploy(deployment_config=SMALL.build())
    table = pa.table({"tensor": pa.array([[0.0, 5.0, 1.0]], pa.list_(pa.float32()))})
    answer = pipeline.infer(table)
    facts["classes"] = {
        name: str(answer.schema.field(name).type)
        for name in answer.column_names
        if name.startswith("out.")
    }
    facts["class"] = answer["out.output_label"].to_pylist()
    pipeline.undeploy()


if __name__ == "__main__":
    main()
