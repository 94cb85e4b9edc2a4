"""What is known of a pipeline's settings and of the models that can be deployed."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard import live, runtime
from dashboard.domain.deployment_settings import DeploymentSettings
from dashboard.domain.model import Model, ModelVersion
from dashboard.domain.pipeline import Pipeline
from dashboard.domain.settings_json import settings_of


def stored_settings(pipeline: Pipeline) -> DeploymentSettings | None:
    """What the running deployment was asked to take, if the platform has told."""
    current = runtime.current()
    known = live.read(current.catalog.deployment(current.identity(), pipeline), wait=False)
    if known.value is None:
        return None
    version = pipeline.versions[0].version if pipeline.versions else ""
    return settings_of(known.value.engine_config, version=version)


def model_version_of(pipeline: Pipeline) -> ModelVersion | None:
    """Return the model version of the pipeline's newest definition, if it is known."""
    steps = pipeline.versions[0].steps if pipeline.versions else ()
    wanted = {step.model_version for step in steps}
    versions = usable(models_of(pipeline.workspace_id))
    return next((one for one in versions if one.version in wanted), None)


def models_of(workspace_id: int) -> Sequence[Model]:
    """Return the models of a workspace, as far as they are known."""
    current = runtime.current()
    return live.read(current.catalog.models(current.identity(), workspace_id)).value or ()


def usable(models: Sequence[Model]) -> list[ModelVersion]:
    """Return the versions that can be deployed."""
    return [version for model in models for version in model.versions if version.is_usable]
