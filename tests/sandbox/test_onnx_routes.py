"""ONNX models on the wire with real engines: slow ones, crashing ones, ones that cannot load."""

from __future__ import annotations

import itertools
import json
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox import onnx_models
from tests.sandbox.archives import upload, version_id
from tests.sandbox.conftest import Platform, open_platform
from tests.support.waiting import wait_until

ONNX = {"framework": "onnx", "arch": "x86", "accel": "none"}
_numbers = itertools.count(1)

Step = dict[str, Any]  # Any: JSON


@pytest.fixture(scope="module")
def platform(tmp_path_factory) -> Iterator[Platform]:
    with open_platform(tmp_path_factory.mktemp("onnx"), "empty") as opened:
        opened.post("workspaces/create", {"workspace_name": "ws"})
        yield opened


def stub(platform: Platform, content: bytes) -> Step:
    """Upload a model and return how a pipeline's definition names it."""
    answer = upload(
        platform,
        content,
        call="upload",
        name=f"m-{next(_numbers)}",
        conversion=ONNX,
        input_schema=None,
        output_schema=None,
    )
    body = {"model_version_id": version_id(answer)}
    found = platform.post("models/get_version_by_id", body).json()["model_version"]
    info = found["model_version"]["file_info"]
    return {
        "name": found["model_version"]["name"],
        "version": info["version"],
        "sha": info["sha"],
    }


class Deployed:
    """A deployed pipeline."""

    def __init__(self, platform: Platform, *steps: Step) -> None:
        self._platform = platform
        self.name = f"p-{next(_numbers)}"
        definition = {"id": self.name, "steps": list(steps)}
        body = {"pipeline_id": self.name, "workspace_id": 1, "definition": definition}
        version = platform.post("pipelines/create", body).json()["pipeline_variant_pk_id"]
        deploy = {"deploy_id": self.name, "pipeline_version_pk_id": version}
        answer = platform.post("pipelines/deploy", deploy)
        assert answer.status_code == 200, answer.json()
        self.number = answer.json()["id"]

    @property
    def tree(self) -> dict[str, Any]:  # Any: JSON
        body = {"name": f"{self.name}-{self.number}"}
        return dict(self._platform.post("status/get_deployment", body).json())

    def wait_for(self, status: str) -> None:
        wait_until(lambda: self.tree["status"] == status, within_s=30, what=status)

    def infer(self, *rows: object, query: str = "?dataset[]=*&dataset.separator=.") -> Any:
        path = f"/v1/api/pipelines/infer/{self.name}-{self.number}/{self.name}{query}"
        return self._platform.http.post(path, json=list(rows), headers=self._platform.headers())

    def pid(self) -> int:
        fleet = self._platform.sandbox.fleet
        ((replica, _),) = fleet._deployments[self.number].replicas
        return replica.pid

    def undeploy(self) -> None:
        self._platform.post("pipelines/undeploy", {"deployment_id": self.number})


def models(*stubs: Step) -> Step:
    return {"ModelInference": {"models": list(stubs)}}


ROW = {"tensor": [1, 2, 3, 4]}


def test_a_crash_under_a_model_ends_in_a_new_engine_that_answers(platform):
    deployed = Deployed(platform, models(stub(platform, onnx_models.linear())))
    deployed.wait_for("Running")
    before = deployed.pid()
    os.kill(before, signal.SIGSEGV)
    answer = deployed.infer(ROW)
    assert (answer.status_code, answer.json()[0]["out.variable"]) == (200, [20.0])
    assert deployed.pid() != before
    deployed.undeploy()


def test_a_crash_in_the_middle_of_a_long_inference_is_made_good(platform):
    deployed = Deployed(platform, models(stub(platform, onnx_models.slow())))
    deployed.wait_for("Running")
    answers = []
    asking = threading.Thread(target=lambda: answers.append(deployed.infer({"tensor": [1.0]})))
    asking.start()
    wait_until(
        lambda: platform.sandbox.fleet._deployments[deployed.number]._dispatcher.in_flight == 1,
        within_s=20,
        what="the model runs",
    )
    os.kill(deployed.pid(), signal.SIGSEGV)
    asking.join(60)
    (answer,) = answers
    assert (answer.status_code, answer.json()[0]["out.y"]) == (200, [1.0])
    deployed.undeploy()


def test_a_model_that_fails_while_it_runs_fails_its_request_alone(platform):
    deployed = Deployed(platform, models(stub(platform, onnx_models.exploding())))
    deployed.wait_for("Running")
    answer = deployed.infer({"tensor": [1, 2]})
    assert answer.status_code == 500
    assert answer.json()["error"] == "the model failed with Fail"
    assert deployed.tree["status"] == "Running"
    deployed.undeploy()


def test_a_model_that_cannot_load_says_why_in_the_status(platform):
    deployed = Deployed(platform, models(stub(platform, onnx_models.custom_operator())))
    deployed.wait_for("Error")
    (engine,) = deployed.tree["engines"]
    assert engine["status"] == "Failed"
    assert "failed to load" in engine["reason"]
    assert "example.com" in engine["reason"]
    assert deployed.infer(ROW).status_code == 500
    deployed.undeploy()


def test_all_rows_of_a_request_go_to_one_model_of_a_split_however_many(platform):
    one = stub(platform, onnx_models.linear(factor=1.0))
    two = stub(platform, onnx_models.linear(factor=2.0))
    weights = [{"model": one, "weight": 1}, {"model": two, "weight": 1}]
    deployed = Deployed(platform, {"RandomSplit": {"hash_key": None, "weights": weights}})
    deployed.wait_for("Running")
    seen = set()
    for _ in range(12):
        records = deployed.infer(*[ROW] * 600).json()
        assert len({tuple(record["out._model_split"]) for record in records}) == 1
        seen.add(records[0]["out._model_split"][0])
        assert one["name"] in records[0]["metadata.last_model"] or (
            two["name"] in records[0]["metadata.last_model"]
        )
    assert len(seen) == 2
    deployed.undeploy()


def test_raw_records_are_nested_with_shadow_and_anomalies_in_groups_of_their_own(platform):
    one = stub(platform, onnx_models.linear(factor=1.0))
    two = stub(platform, onnx_models.linear(factor=2.0))
    too_high = {
        "Alias": [
            {
                "BinaryExpr": {
                    "left": {
                        "Agg": {"Min": {"input": {"Column": "in.n"}, "propagate_nans": False}}
                    },
                    "op": "Gt",
                    "right": {"Literal": {"Int64": 1}},
                }
            },
            "too_high",
        ]
    }

    deployed = Deployed(
        platform,
        models(one, two),
        {"AuditResults": {"from": 1, "to": None}},
        {"MultiOut": {}},
        {"Check": {"tree": [json.dumps(too_high)]}},
    )
    deployed.wait_for("Running")
    (record,) = deployed.infer(ROW | {"n": 2}, query="").json()
    assert record["out"] == {"variable": [10.0]}
    assert record[f"out_{two['name']}"] == {"variable": [20.0]}
    assert record["anomaly"] == {"count": 1, "too_high": True}
    assert len(record["metadata"]["elapsed"]) == 2
    assert one["name"] in record["metadata"]["last_model"]
    deployed.undeploy()


def test_a_validation_that_cannot_be_evaluated_is_an_error_of_the_engine(platform):
    tree = ['{"Alias": [{"Column": "out.other"}, "v"]}']
    deployed = Deployed(
        platform, models(stub(platform, onnx_models.linear())), {"Check": {"tree": tree}}
    )
    deployed.wait_for("Running")
    answer = deployed.infer(ROW)
    assert answer.status_code == 500
    assert "validation v cannot be evaluated" in answer.json()["error"]
    deployed.undeploy()


def test_an_expression_with_code_inside_is_not_deployed(platform):
    tree = ['{"Alias": [{"AnonymousFunction": {"function": [128, 4, 78, 46]}}, "v"]}']
    one = stub(platform, onnx_models.linear())
    definition = {"steps": [models(one), {"Check": {"tree": tree}}]}
    body = {"pipeline_id": "trap", "workspace_id": 1, "definition": definition}
    version = platform.post("pipelines/create", body).json()["pipeline_variant_pk_id"]
    deploy = {"deploy_id": "trap", "pipeline_version_pk_id": version}
    answer = platform.post("pipelines/deploy", deploy)
    assert answer.status_code == 400
    assert "does not evaluate: AnonymousFunction" in answer.json()["msg"]


def test_the_model_that_is_in_a_chain_twice_is_loaded_once(platform):
    one = stub(platform, onnx_models.linear(factor=3.0, width=1))
    deployed = Deployed(platform, models(one), models(one))
    deployed.wait_for("Running")
    (record,) = deployed.infer({"tensor": [1]}).json()
    assert record["out.variable"] == [9.0]
    assert len(record["metadata.elapsed"]) == 3
    deployed.undeploy()
