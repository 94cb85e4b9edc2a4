"""A/B tests, shadow deployments and key splits over three models of house prices."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pandas as pd
import wallaroo
from wallaroo.deployment_config import DeploymentConfigBuilder
from wallaroo.framework import Framework

HOUSE = [4.0, 2.5, 2900.0, *[0.0] * 15]
PRICES = {"control": 291_000.0, "challenger01": 292_000.0, "challenger02": 293_000.0}


def config() -> Any:
    return DeploymentConfigBuilder().replica_count(1).cpus(0.25).memory("512Mi").build()


def chosen(row: Any) -> str:
    """Return the name of the model that answered a row, as the tutorials find it."""
    split = row["out._model_split"]
    return str(json.loads(split if isinstance(split, str) else split[0])["name"])


def main() -> None:
    wl = wallaroo.Client()
    wl.set_current_workspace(wl.create_workspace("experiments"))
    facts: dict[str, Any] = {}
    files = {"control": "rf_model", "challenger01": "xgb_model", "challenger02": "gbr_model"}
    control, first, second = (
        wl.upload_model(name, f"./models/{file}.onnx", framework=Framework.ONNX)
        for name, file in files.items()
    )
    pipeline = wl.build_pipeline("experiments")
    ab_test(pipeline, control, first, facts)
    shadow(pipeline, control, [first, second], facts)
    failing_challenger(wl, pipeline, control, facts)
    key_split(pipeline, control, first, facts)
    pipeline.undeploy()
    print(json.dumps(facts, default=str))


def ab_test(pipeline: Any, control: Any, challenger: Any, facts: dict[str, Any]) -> None:
    pipeline.add_random_split([(2, control), (1, challenger)], "session_id")
    pipeline.deploy(deployment_config=config())
    answers = [pipeline.infer(pd.DataFrame({"tensor": [HOUSE]})) for _ in range(90)]
    rows = [answer.loc[0] for answer in answers]
    facts["ab columns"] = list(answers[0].columns)
    names = Counter(chosen(row) for row in rows)
    facts["ab names"] = sorted(names)
    # Two thirds of 90 is 60; six standard deviations are 27.
    facts["ab share is plausible"] = 33 <= names["control"] <= 87
    facts["ab price is the model's"] = all(
        row["out.variable"][0] == PRICES[chosen(row)] for row in rows
    )
    split = rows[0]["out._model_split"]
    facts["ab split keys"] = sorted(
        json.loads(split if isinstance(split, str) else split[0]).keys()
    )
    same = {
        chosen(pipeline.infer(pd.DataFrame({"tensor": [HOUSE], "session_id": ["ann"]})).loc[0])
        for _ in range(8)
    }
    facts["one session, one model"] = len(same)
    logged = pipeline.logs(limit=20)
    facts["ab logged"] = "out._model_split" in logged.columns


def shadow(pipeline: Any, control: Any, challengers: list[Any], facts: dict[str, Any]) -> None:
    pipeline.clear()
    pipeline.add_shadow_deploy(control, challengers)
    pipeline.deploy(deployment_config=config())
    result = pipeline.infer(pd.DataFrame({"tensor": [HOUSE]}))
    facts["shadow columns"] = sorted(result.columns)
    facts["shadow price"] = result["out.variable"][0]
    for name in ("challenger01", "challenger02"):
        column = f"out_{name}.variable"
        facts[name] = result[column][0] if column in result else "missing"
    logged = pipeline.logs(limit=1)
    facts["shadow logged"] = sorted(each for each in logged.columns if each.startswith("out"))


def failing_challenger(wl: Any, pipeline: Any, control: Any, facts: dict[str, Any]) -> None:
    """A challenger that takes other inputs must not displace the proven model."""
    other = wl.upload_model("challenger03", "./models/embedder.onnx", framework=Framework.ONNX)
    pipeline.clear()
    pipeline.add_shadow_deploy(control, [other])
    pipeline.deploy(deployment_config=config())
    result = pipeline.infer(pd.DataFrame({"tensor": [HOUSE]}))
    facts["failing challenger"] = [
        result["out.variable"][0],
        result["out_challenger03.embedding"][0],
    ]
    logged = pipeline.logs(limit=1)
    facts["failing challenger logged"] = [
        logged["out.variable"][0].tolist(),
        logged["out_challenger03.embedding"][0],
    ]


def key_split(pipeline: Any, control: Any, gold: Any, facts: dict[str, Any]) -> None:
    pipeline.clear()
    pipeline.add_key_split(control, "card_type", {"gold": gold})
    try:
        pipeline.deploy(deployment_config=config())
    except Exception as exc:  # noqa: BLE001  # the SDK raises nothing more precise
        facts["key split"] = str(exc)
        return
    facts["key split"] = {}
    for card in ("gold", "silver"):
        frame = pd.DataFrame({"tensor": [HOUSE], "card_type": [card]})
        facts["key split"][card] = pipeline.infer(frame)["out.variable"][0]


if __name__ == "__main__":
    main()
