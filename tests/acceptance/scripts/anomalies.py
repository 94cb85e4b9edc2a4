"""Validations: expressions over inputs and outputs that mark a row as an anomaly."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import wallaroo
from wallaroo.deployment_config import DeploymentConfigBuilder
from wallaroo.framework import Framework


def house(square_feet: float) -> list[float]:
    return [4.0, 2.5, square_feet, *[0.0] * 15]


def main() -> None:
    wl = wallaroo.Client()
    wl.set_current_workspace(wl.create_workspace("anomalies"))
    model = wl.upload_model("houses", "./models/rf_model.onnx", framework=Framework.ONNX)
    pipeline = wl.build_pipeline("anomalies").add_model_step(model)
    facts: dict[str, Any] = {}
    pipeline = pipeline.add_validations(
        too_high=pl.col("out.variable").list.get(0) > 500_000.0,
        too_low=pl.col("out.variable").list.get(0) < 50_000.0,
    )
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        pipeline.add_validations(
            many_rooms=pl.col("in.tensor").list.get(0) > 10.0,
            in_and_out=(pl.col("in.tensor").list.get(0) > 3.0)
            & (pl.col("out.variable").list.get(0) > 500_000.0),
        )
    pipeline.deploy(deployment_config=DeploymentConfigBuilder().cpus(0.25).memory("512Mi").build())
    frame = pd.DataFrame({"tensor": [house(2_900.0), house(9_000.0), house(100.0)]})
    result = pipeline.infer(frame)
    facts["columns"] = list(result.columns)
    facts["count"] = result["anomaly.count"].tolist()
    facts["too_high"] = result["anomaly.too_high"].tolist()
    facts["too_low"] = result["anomaly.too_low"].tolist()
    facts["in_and_out"] = result["anomaly.in_and_out"].tolist()
    facts["picked"] = len(result.loc[result["anomaly.too_high"] == True])  # noqa: E712  # as users write it
    table = pa.table({"tensor": pa.array([house(9_000.0)], pa.list_(pa.float32()))})
    answer = pipeline.infer(table)
    facts["arrow"] = {
        field.name: str(field.type) for field in answer.schema if field.name.startswith("anomaly")
    }
    logged = pipeline.logs(limit=10)
    facts["logged"] = sorted(logged["anomaly.count"].tolist())
    only = pipeline.infer(frame, dataset=["anomaly"])
    facts["dataset"] = sorted(only.columns)
    pipeline.undeploy()
    print(json.dumps(facts, default=str))


if __name__ == "__main__":
    main()
