"""Many rows at once: parallel and asynchronous inferences, spread over two replicas."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pandas as pd
import wallaroo
from wallaroo.deployment_config import DeploymentConfigBuilder
from wallaroo.framework import Framework

HOUSE = [4.0, 2.5, 2900.0, *[0.0] * 15]


async def one_by_one(pipeline: Any, frame: pd.DataFrame) -> list[Any]:
    async with httpx.AsyncClient() as http:
        sent = [
            pipeline.async_infer(frame.iloc[[n]], async_client=http, timeout=30, retries=2)
            for n in range(len(frame))
        ]
        return list(await asyncio.gather(*sent))


def main() -> None:
    wl = wallaroo.Client()
    wl.set_current_workspace(wl.create_workspace("parallel"))
    model = wl.upload_model("houses", "./models/rf_model.onnx", framework=Framework.ONNX)
    pipeline = wl.build_pipeline("parallel").add_model_step(model)
    config = DeploymentConfigBuilder().replica_count(2).cpus(0.25).memory("512Mi").build()
    pipeline.deploy(deployment_config=config)
    facts: dict[str, Any] = {"engines": len(pipeline.status()["engines"])}
    frame = pd.DataFrame({"tensor": [[float(n), *HOUSE[1:]] for n in range(60)]})
    answers = asyncio.run(one_by_one(pipeline, frame.head(20)))
    facts["async"] = [answer["in.tensor"].iloc[0][0] for answer in answers] == [
        float(n) for n in range(20)
    ]
    together = asyncio.run(
        pipeline.parallel_infer(tensor=frame, timeout=20, num_parallel=8, retries=2, batch_size=10)
    )
    facts["parallel rows"] = len(together)
    facts["parallel numbers"] = sorted(row[0] for row in together["in.tensor"]) == [
        float(n) for n in range(60)
    ]
    facts["parallel columns"] = list(together.columns)
    by_default = asyncio.run(pipeline.parallel_infer(tensor=frame.head(10), timeout=20))
    facts["by default"] = len(by_default)
    partitions = pipeline.logs(limit=100, dataset=["time", "metadata"])
    facts["replicas used"] = partitions["metadata.partition"].nunique()
    pipeline.undeploy()
    print(json.dumps(facts, default=str))


if __name__ == "__main__":
    main()
