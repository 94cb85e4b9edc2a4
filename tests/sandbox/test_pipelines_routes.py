"""Pipelines and their deployments, with the engines' part recorded instead of run."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dashboard.sandbox.deployments import resume
from dashboard.sandbox.plans import DeploymentPlan


class RecordedFleet:
    """Stands where the engines are: notes what it was told."""

    def __init__(self) -> None:
        self.plans: dict[int, DeploymentPlan] = {}

    async def start(self) -> None:
        """Nothing to start."""

    async def stop(self) -> None:
        """Nothing to stop."""

    async def deploy(self, plan) -> None:
        """Note a plan."""
        self.plans[plan.deployment_id] = plan

    async def undeploy(self, deployment_id) -> None:
        """Forget a plan."""
        self.plans.pop(deployment_id, None)

    def status(self, deployment_id):
        """Return a word for what is noted."""
        return {"status": "Running"} if deployment_id in self.plans else None


@pytest.fixture
def platform(demo):
    demo.sandbox.fleet = RecordedFleet()
    return demo


def workspace_id(platform) -> int:
    found = platform.post("workspaces/list").json()["workspaces"]
    return next(int(each["id"]) for each in found if each["name"].endswith("summarization"))


def pipeline(platform) -> dict[str, Any]:  # Any: JSON
    body = {"pipeline_name": "hf-summarizer", "workspace_id": workspace_id(platform)}
    return dict(platform.post("pipelines/get_pipeline_by_name", body).json()["pipeline"])


def deploy(platform, **changes):
    newest = pipeline(platform)["pipeline_versions"][0]
    body = {
        "deploy_id": "hf-summarizer",
        "pipeline_version_pk_id": newest["id"],
        "engine_config": {"engine": {"cpu": 0.25}},
    }
    return platform.post("pipelines/deploy", body | changes)


def test_create_makes_a_pipeline_and_then_versions_of_it(platform):
    body = {"pipeline_id": "p-1", "workspace_id": workspace_id(platform), "definition": {}}
    first = platform.post("pipelines/create", body).json()
    second = platform.post("pipelines/create", body | {"definition": {"steps": []}}).json()
    assert first["pipeline_pk_id"] == second["pipeline_pk_id"]
    assert second["pipeline_variant_pk_id"] > first["pipeline_variant_pk_id"]
    version = {"version": second["pipeline_variant_version"]}
    assert platform.post("pipelines/get_version", version).json() == {
        "pipeline_id": "p-1",
        "version": second["pipeline_variant_version"],
        "definition": {"steps": []},
    }


@pytest.mark.parametrize("name", ["Upper", "-a", "a-", "a_b", "a b", "", "a" * 64, "ä"])
def test_a_bad_name_is_a_400_that_names_the_field(platform, name):
    body = {"pipeline_id": name, "workspace_id": workspace_id(platform), "definition": {}}
    answer = platform.post("pipelines/create", body)
    assert answer.status_code == 400
    assert answer.json()["msg"].startswith("pipeline_id:")


def test_the_list_carries_what_the_sdk_would_ask_for_next(platform):
    (item,) = platform.post("pipelines/list_pipelines").json()["pipelines"]
    found = item["pipeline"]
    assert found["pipeline_id"] == found["name"] == "hf-summarizer"
    assert found["workspace"]["name"] == "workshop-workspace-summarization"
    assert found["pipeline_tags"] == []
    (version,) = found["pipeline_versions"]
    assert version["definition"]["steps"][0]["ModelInference"]["models"][0]["sha"][:4] == "ee71"
    assert (
        item["plateau_topic"]
        == f"workspace-{item['workspace']['id']}-pipeline-hf-summarizer-inference"
    )
    assert platform.sandbox.store.topic_exists(item["plateau_topic"])


def test_versions_are_newest_first(platform):
    body = {"pipeline_id": "hf-summarizer", "workspace_id": workspace_id(platform)}
    newest = platform.post("pipelines/create", body).json()["pipeline_variant_pk_id"]
    assert pipeline(platform)["pipeline_versions"][0]["id"] == newest


def test_deploy_hands_the_engines_a_plan(platform):
    number = deploy(platform).json()["id"]
    plan = platform.sandbox.fleet.plans[number]
    assert (plan.deploy_id, plan.pipeline_name) == ("hf-summarizer", "hf-summarizer")
    assert plan.engine_config == {"engine": {"cpu": 0.25}}
    (step,) = plan.steps
    assert (step.model_name, step.framework) == ("hf-summarizer", "hugging-face-summarization")
    assert step.artefact is None
    assert step.input_schema


def test_a_redeploy_keeps_the_deployments_id(platform):
    first = deploy(platform).json()["id"]
    again = deploy(platform, engine_config={"engine": {"cpu": 2}}).json()["id"]
    assert again == first
    assert platform.sandbox.fleet.plans[first].engine_config == {"engine": {"cpu": 2}}


def test_undeploy_stops_it_and_keeps_its_row(platform):
    number = deploy(platform).json()["id"]
    name = {"name": f"hf-summarizer-{number}"}
    assert platform.post("status/get_deployment", name).json() == {"status": "Running"}
    assert platform.post("pipelines/undeploy", {"deployment_id": number}).json() == {}
    assert platform.post("status/get_deployment", name).status_code == 404
    row = platform.sandbox.store.pipelines.deployment(number)
    assert row["deployed"] == 0
    assert row["engine_config"] == {"engine": {"cpu": 0.25}}


@pytest.mark.parametrize("name", ["", "x", "x-1", "hf-summarizer-9", "hf-summarizer-¹", "-" * 99])
def test_the_status_of_nothing_is_a_404(platform, name):
    deploy(platform)
    assert platform.post("status/get_deployment", {"name": name}).status_code == 404


def test_what_cannot_be_deployed_is_refused(platform):
    empty_body = {"pipeline_id": "p-1", "workspace_id": workspace_id(platform)}
    no_steps = platform.post("pipelines/create", empty_body).json()["pipeline_variant_pk_id"]
    unknown_model = platform.post(
        "pipelines/create",
        empty_body
        | {"definition": {"steps": [{"ModelInference": {"models": [{"version": "x"}]}}]}},
    ).json()["pipeline_variant_pk_id"]
    assert deploy(platform, pipeline_version_pk_id=99).status_code == 404
    assert deploy(platform, pipeline_version_pk_id=no_steps).status_code == 400
    assert deploy(platform, pipeline_version_pk_id=unknown_model).status_code == 400
    assert deploy(platform, deploy_id="No Good").status_code == 400
    assert platform.post("pipelines/undeploy", {"deployment_id": 99}).status_code == 404


@pytest.mark.parametrize(
    "definition",
    [
        {"steps": 5},
        {"steps": [5]},
        {"steps": [{"ModelInference": 5}]},
        {"steps": [{"ModelInference": {"models": 5}}]},
        {"steps": [{"ModelInference": {"models": [5]}}]},
    ],
)
def test_a_definition_of_another_form_has_no_steps(platform, definition):
    body = {"pipeline_id": "p", "workspace_id": workspace_id(platform), "definition": definition}
    version = platform.post("pipelines/create", body).json()["pipeline_variant_pk_id"]
    assert deploy(platform, pipeline_version_pk_id=version).status_code == 400


def test_a_step_that_the_engines_cannot_run_is_refused_by_name(platform):
    (good,) = pipeline(platform)["pipeline_versions"][0]["definition"]["steps"]
    models = good["ModelInference"]["models"]
    weighted = [{"model": models[0], "weight": 1}]
    for bad, reason in [
        ({"Average": {}}, "the sandbox does not imitate this step: Average"),
        ({"ColumnsSelect": {"columns": [0]}}, "does not imitate this step: ColumnsSelect"),
        ({"RowsToModels": {"rows_to_models": []}}, "does not imitate this step: RowsToModels"),
        ({"Check": {"tree": ["{}"]}}, "a validation has no name"),
        ({"Check": {"tree": "{}"}}, "Check is not a list of expressions"),
        ({"Check": {"tree": [5]}}, "Check is not a list of expressions"),
        ({"RandomSplit": {"weights": []}}, "RandomSplit has no model with a weight"),
        ({"RandomSplit": {"weights": [weighted[0] | {"weight": -1}]}}, "is not a number from 0"),
        ({"RandomSplit": {"weights": [{"model": 5, "weight": 1}]}}, "without its version"),
        ({"MetaValueSplit": {"split_key": "k", "control": models[0]}}, "no key or no routes"),
        ({"ModelInference": {"models": []}}, "ModelInference has no model"),
        ({"ModelInference": {"models": [5]}}, "without its version"),
        ({"Nth": {"index": 1}}, "Nth selects from 1 outputs by an index from 0"),
        ({}, "a step is not an object of one key"),
        (5, "a step is not an object of one key"),
    ]:
        body = {"pipeline_id": "p", "workspace_id": workspace_id(platform)}
        body["definition"] = {"steps": [good, bad]}
        version = platform.post("pipelines/create", body).json()["pipeline_variant_pk_id"]
        answer = deploy(platform, pipeline_version_pk_id=version)
        assert answer.status_code == 400
        assert answer.json()["msg"].startswith("definition.steps: "), bad
        assert answer.json()["msg"].endswith(reason)
    assert platform.sandbox.fleet.plans == {}


def test_a_model_that_is_not_ready_cannot_be_deployed(platform):
    platform.sandbox.store.models.set_status(1, "error", error_summary="broken")
    answer = deploy(platform)
    assert answer.status_code == 400
    assert "is error" in answer.json()["msg"]


def test_a_stranger_neither_deploys_nor_undeploys(platform):
    number = deploy(platform).json()["id"]
    platform.invite("ann@example.com")
    ann = {"as_user": "ann@example.com"}
    body = {"deploy_id": "x", "pipeline_version_pk_id": 1}
    assert platform.post("pipelines/deploy", body, **ann).status_code == 404
    assert platform.post("pipelines/undeploy", {"deployment_id": number}, **ann).status_code == 404
    name = {"name": f"hf-summarizer-{number}"}
    assert platform.post("status/get_deployment", name, **ann).status_code == 404
    assert platform.post("plateau/get_topic_name", {"pipeline_pk_id": 1}, **ann).status_code == 404
    assert platform.post("pipelines/list_pipelines", **ann).json() == {"pipelines": []}
    assert number in platform.sandbox.fleet.plans


def test_the_external_url_is_where_inferences_go(platform):
    body = {"pipeline_name": "hf-summarizer", "workspace_id": workspace_id(platform)}
    path = "admin/get_pipeline_external_url"
    assert platform.post(path, body).status_code == 404
    number = deploy(platform).json()["id"]
    origin = platform.sandbox.config.origin
    expected = f"{origin}/v1/api/pipelines/infer/hf-summarizer-{number}/hf-summarizer"
    assert platform.post(path, body).json() == {"url": expected}


def test_what_was_deployed_is_deployed_again(platform):
    number = deploy(platform).json()["id"]
    plan = platform.sandbox.fleet.plans.pop(number)
    asyncio.run(resume(platform.sandbox))
    assert platform.sandbox.fleet.plans == {number: plan}
    platform.post("pipelines/undeploy", {"deployment_id": number})
    asyncio.run(resume(platform.sandbox))
    assert platform.sandbox.fleet.plans == {}


def test_what_cannot_be_read_any_more_is_left_out_when_the_rest_is_deployed_again(platform):
    deploy(platform)
    platform.sandbox.fleet.plans.clear()
    database = platform.sandbox.store.database
    database.run("UPDATE pipeline_versions SET definition = ?", ('{"steps": [{"Average": {}}]}',))
    asyncio.run(resume(platform.sandbox))
    assert platform.sandbox.fleet.plans == {}


def test_the_engine_configuration_lies_sealed_on_the_disk(platform):
    env = [{"name": "TOKEN", "value": "planted-secret-5518"}]
    deploy(platform, engine_config={"engineAux": {"images": {"m-1": {"env": env}}}})
    folder = platform.sandbox.config.data_dir
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in files if b"planted-secret-5518" in path.read_bytes()]
