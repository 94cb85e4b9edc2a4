"""What the metrics page asks: requests per second, latencies, replicas; over plain HTTP."""

from __future__ import annotations

import datetime
import json
import math
import time
from typing import Any

import pandas as pd
import requests
import wallaroo
from wallaroo.deployment_config import DeploymentConfigBuilder
from wallaroo.framework import Framework


def main() -> None:
    wl = wallaroo.Client()
    wl.set_current_workspace(wl.create_workspace("measurers"))
    model = wl.upload_model("measured", "./models/rf_model.onnx", framework=Framework.ONNX)
    pipeline = wl.build_pipeline("measured").add_model_step(model)
    pipeline.deploy(deployment_config=DeploymentConfigBuilder().cpus(0.25).memory("512Mi").build())
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=1)
    frame = pd.DataFrame({"tensor": [[1.0, *[0.0] * 17]]})
    for _ in range(20):
        pipeline.infer(frame)
    facts: dict[str, Any] = {}

    def ask(path: str, **params: Any) -> Any:
        answer = requests.get(
            f"{wl.api_endpoint}/v1/api/metrics/{path}",
            headers=wl.auth.auth_header(),
            params=params,
            timeout=20,
        )
        return answer.status_code, answer.json()

    rate = (
        'sum by (pipeline_name) (rate(latency_histogram_ns_count{pipeline_name="measured"}[60s]))'
    )
    quantile = (
        "histogram_quantile(0.99, sum(rate(latency_histogram_ns_bucket"
        '{pipeline_name="measured"}[60s])) by (le)) / 1e6'
    )
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        status, body = ask("query", query=rate)
        if status != 200 or body["data"]["result"]:
            break
        time.sleep(0.3)
    facts["query"] = [status, body.get("status")]
    if status == 200:
        result = body["data"]["result"]
        facts["rate"] = [len(result), float(result[0]["value"][1]) > 0 if result else None]
        facts["label"] = result[0]["metric"] if result else None
    end = datetime.datetime.now(datetime.UTC)
    status, body = ask(
        "query_range", query=quantile, start=start.timestamp(), end=end.timestamp(), step="15"
    )
    facts["range"] = [status, body.get("status"), body.get("data", {}).get("resultType")]
    if status == 200 and body["data"]["result"]:
        values = [float(value) for _, value in body["data"]["result"][0]["values"]]
        facts["latency is plausible"] = all(
            math.isnan(each) or 0 <= each < 60_000 for each in values
        )
    status, body = ask("query", query="sum(((")
    facts["no query"] = status
    pipeline.undeploy()
    print(json.dumps(facts, default=str))


if __name__ == "__main__":
    main()
