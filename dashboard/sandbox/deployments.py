"""From stored deployments to the plans the engines work by."""

from __future__ import annotations

import logging

from dashboard.sandbox import pipeline_steps
from dashboard.sandbox.context import Sandbox
from dashboard.sandbox.plans import DeploymentPlan, StepPlan
from dashboard.sandbox.store import Row, Store

log = logging.getLogger(__name__)


def plan_of(store: Store, deployment_id: int) -> DeploymentPlan | None:
    """Return the plan of a stored deployment; None if there is none."""
    deployment = store.pipelines.deployment(deployment_id)
    if deployment is None:
        return None
    pipeline = store.pipelines.get(deployment["pipeline_pk"])
    versions = store.pipelines.deployed_versions(deployment_id)
    version = store.pipelines.version(versions[0]["pipeline_version_id"]) if versions else None
    if pipeline is None or version is None:
        return None
    configs = store.pipelines.deployed_configs(deployment_id)
    steps = [_step(store, row["model_config_id"]) for row in configs]
    stages = pipeline_steps.read(version["definition"]).stages
    return DeploymentPlan(
        deployment_id=deployment_id,
        deploy_id=deployment["deploy_id"],
        workspace_id=pipeline["workspace_id"],
        pipeline_name=pipeline["name"],
        pipeline_version=version["version"],
        steps=tuple(steps),
        engine_config=deployment["engine_config"],
        stages=tuple(stages),
    )


def _step(store: Store, config_id: int) -> StepPlan:
    config = store.models.config(config_id)
    assert config is not None  # noqa: S101  # a foreign key of the row that names it
    version = store.models.version(config["model_version_id"])
    assert version is not None  # noqa: S101  # likewise
    model = store.models.get(version["model_pk"])
    assert model is not None  # noqa: S101  # likewise
    return step_plan(store, model, version, config)


def step_plan(store: Store, model: Row, version: Row, config: Row) -> StepPlan:
    """Return one model version as a step of a plan."""
    return StepPlan(
        model_name=model["name"],
        model_version_id=version["id"],
        model_version=version["version"],
        sha=version["sha"],
        framework=version["framework"],
        runtime=config["runtime"],
        artefact=store.models.artefact(version["id"]),
        input_schema=config["input_schema"],
        output_schema=config["output_schema"],
        tensor_fields=config["tensor_fields"],
        batch_config=config["batch_config"],
    )


async def resume(sandbox: Sandbox) -> None:
    """Deploy again what was deployed when the sandbox last ended."""
    for deployment in sandbox.store.pipelines.deployments(running_only=True):
        try:
            plan = plan_of(sandbox.store, deployment["id"])
            if plan is not None:
                await sandbox.fleet.deploy(plan)
        except Exception:  # the others are deployed all the same
            log.exception("deployment %d could not be deployed again", deployment["id"])
