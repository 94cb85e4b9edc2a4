"""From stored deployments to the plans the engines work by."""

from __future__ import annotations

import logging

from dashboard.sandbox.context import Sandbox
from dashboard.sandbox.plans import DeploymentPlan, StepPlan
from dashboard.sandbox.store import Row, Store

log = logging.getLogger(__name__)


def model_stubs(definition: object) -> list[dict[str, object]]:
    """Return the models (`name, version, sha`) of a pipeline definition, in the order of its steps.

    Definitions are the clients' own JSON: whatever does not have the wire's form is passed over.
    """
    steps = definition.get("steps") if isinstance(definition, dict) else None
    found: list[dict[str, object]] = []
    for step in steps if isinstance(steps, list) else []:
        inference = step.get("ModelInference") if isinstance(step, dict) else None
        models = inference.get("models") if isinstance(inference, dict) else None
        listed = models if isinstance(models, list) else []
        found += [each for each in listed if isinstance(each, dict)]
    return found


def unsupported_step(definition: object) -> str | None:
    """Return the kind of the first step the engines cannot run, or None.

    Every step must be one model. Shadow models, splits and checks would otherwise be passed over,
    and the pipeline would answer something else than the platform's.
    """
    steps = definition.get("steps") if isinstance(definition, dict) else None
    for step in steps if isinstance(steps, list) else []:
        if len(model_stubs({"steps": [step]})) != 1:
            kind = next(iter(step), "empty") if isinstance(step, dict) else "unknown"
            return "shadow deployment" if kind == "ModelInference" else str(kind)[:100]
    return None


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
    return DeploymentPlan(
        deployment_id=deployment_id,
        deploy_id=deployment["deploy_id"],
        workspace_id=pipeline["workspace_id"],
        pipeline_name=pipeline["name"],
        pipeline_version=version["version"],
        steps=tuple(steps),
        engine_config=deployment["engine_config"],
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
    )


async def resume(sandbox: Sandbox) -> None:
    """Deploy again what was deployed when the sandbox last ended."""
    for deployment in sandbox.store.pipelines.deployments(running_only=True):
        plan = plan_of(sandbox.store, deployment["id"])
        if plan is not None:
            await sandbox.fleet.deploy(plan)
