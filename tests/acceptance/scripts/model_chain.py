"""Two models one after the other: the embedder's output is the sentiment model's input."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import wallaroo
from wallaroo.deployment_config import DeploymentConfigBuilder
from wallaroo.framework import Framework

WORDS = [3.0, *[0.0] * 99]


def main() -> None:
    wl = wallaroo.Client()
    wl.set_current_workspace(wl.create_workspace("sentiment"))
    embedder = wl.upload_model("embedder", "./models/embedder.onnx", framework=Framework.ONNX)
    sentiment = wl.upload_model("sentiment", "./models/sentiment.onnx", framework=Framework.ONNX)
    pipeline = wl.build_pipeline("imdb")
    pipeline.add_model_step(embedder)
    pipeline.add_model_step(sentiment)
    facts: dict[str, Any] = {"steps": len(pipeline.steps())}
    config = DeploymentConfigBuilder().cpus(0.25).memory("512Mi").build()
    pipeline.deploy(deployment_config=config)
    frame = pd.DataFrame({"tensor": [WORDS, WORDS]})
    result = pipeline.infer(frame)
    facts["columns"] = list(result.columns)
    facts["answer"] = result["out.dense_1"][0]
    result = pipeline.infer(frame, dataset=["*", "metadata"])
    last = json.loads(result["metadata.last_model"][0])
    facts["last model"] = [last["model_name"], last["model_sha"] == sentiment.sha()]
    facts["elapsed entries"] = len(result["metadata.elapsed"][0])
    models = pipeline.status()["engines"][0]["model_statuses"]["models"]
    facts["models"] = sorted(each["name"] for each in models)
    # The steps of a pipeline that is fetched anew are those that were deployed.
    fetched = wl.get_pipeline("imdb")
    definition = fetched.versions()[0].definition()
    facts["definition"] = [
        step["ModelInference"]["models"][0]["name"] for step in definition["steps"]
    ]
    fetched.deploy(deployment_config=config)
    facts["fetched and deployed again"] = fetched.infer(frame)["out.dense_1"][0]
    pipeline.remove_step(1)
    pipeline.deploy(deployment_config=config)
    facts["one step less"] = list(pipeline.infer(frame).columns)
    pipeline.replace_with_model_step(0, wl.get_model("embedder"))
    facts["versions"] = len(pipeline.versions())
    pipeline.undeploy()
    print(json.dumps(facts, default=str))


if __name__ == "__main__":
    main()
