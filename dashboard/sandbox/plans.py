"""What is to be deployed: the pipeline's steps, and the SDK's engine configuration as it came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

#: Frameworks an engine runs by itself; every other one gets a sidekick container.
_NATIVE_FRAMEWORKS = frozenset({"onnx", "tensorflow"})


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One model version in a pipeline.

    Parameters
    ----------
    model_version
        The version's name, a UUID.
    sha
        Hex sha256 of the artefact.
    artefact
        The model's file, or None for a model that comes with the sandbox.
    input_schema, output_schema
        Base64 of the Arrow IPC schema message as uploaded, or None.
    """

    model_name: str
    model_version_id: int
    model_version: str
    sha: str
    framework: str
    runtime: str
    artefact: Path | None = None
    input_schema: str | None = None
    output_schema: str | None = None
    tensor_fields: list[str] | None = None

    @property
    def in_sidekick(self) -> bool:
        """True when the model runs in a container of its own."""
        return self.framework not in _NATIVE_FRAMEWORKS

    @property
    def image_key(self) -> str:
        """Key of this model under `engineAux.images`."""
        return f"{self.model_name}-{self.model_version_id}"


@dataclass(frozen=True, slots=True)
class DeploymentPlan:
    """One pipeline version to run under a deployment id.

    Parameters
    ----------
    pipeline_version
        The version's name, a UUID.
    engine_config
        As built by the SDK's `DeploymentConfigBuilder`; every part of it may be missing.
    """

    deployment_id: int
    deploy_id: str
    workspace_id: int
    pipeline_name: str
    pipeline_version: str
    steps: tuple[StepPlan, ...]
    engine_config: Mapping[str, Any]  # Any: JSON of the caller

    @property
    def sidekick_steps(self) -> tuple[StepPlan, ...]:
        """The steps that run in a sidekick container."""
        return tuple(step for step in self.steps if step.in_sidekick)

    @property
    def topic(self) -> str:
        """Name of the pipeline's inference log."""
        return f"workspace-{self.workspace_id}-pipeline-{self.pipeline_name}-inference"

    @property
    def topics(self) -> tuple[str, ...]:
        """Every log an inference belongs to: the pipeline's, and one per model."""
        models = sorted({step.model_name for step in self.steps})
        return (self.topic, *(model_topic(self.workspace_id, name) for name in models))

    @property
    def replica_count(self) -> int:
        """How many replicas to start with, at least 1."""
        engine = json_object(self.engine_config, "engine")
        autoscale = json_object(engine, "autoscale")
        wanted = autoscale.get("replica_min") if autoscale else engine.get("replicas")
        if not isinstance(wanted, int):
            wanted = engine.get("replicas")
        return max(1, wanted) if isinstance(wanted, int) else 1

    @property
    def environment(self) -> dict[str, str]:
        """The `sidekick_env` of the plan's models, merged."""
        images = json_object(json_object(self.engine_config, "engineAux"), "images")
        variables: dict[str, str] = {}
        for image in images.values():
            entries = image.get("env") if isinstance(image, Mapping) else None
            for entry in entries if isinstance(entries, list) else []:
                if isinstance(entry, Mapping) and isinstance(entry.get("name"), str):
                    variables[entry["name"]] = str(entry.get("value", ""))
        return {name: value for name, value in variables.items() if _is_settable(name, value)}


def _is_settable(name: str, value: str) -> bool:
    return bool(name) and "=" not in name and "\0" not in name + value


def model_topic(workspace_id: int, model_name: str) -> str:
    """Return the name of a model's log; model names are only unique inside a workspace."""
    return f"workspace-{workspace_id}-model-{model_name}-inference"


def json_object(parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:  # Any: JSON
    """Return the JSON object under `key`, or an empty one."""
    value = parent.get(key)
    return value if isinstance(value, Mapping) else {}
