"""What is to be deployed: the pipeline's steps, and the SDK's engine configuration as it came."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from dashboard.sandbox.engine.stages import Stage

#: Frameworks an engine runs by itself; every other one gets a sidekick container.
_NATIVE_FRAMEWORKS = frozenset({"onnx", "tensorflow"})

#: Each replica is a process of this machine, whatever the virtual node would hold.
MOST_REPLICAS = 64


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
    batch_config: str | None = None

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
    stages
        What becomes of a request; empty when it goes through the models one after the other.
    """

    deployment_id: int
    deploy_id: str
    workspace_id: int
    pipeline_name: str
    pipeline_version: str
    steps: tuple[StepPlan, ...]
    engine_config: Mapping[str, Any]  # Any: JSON of the caller
    stages: tuple[Stage, ...] = ()

    @property
    def sidekick_steps(self) -> tuple[StepPlan, ...]:
        """The steps that run in a sidekick container."""
        return tuple(step for step in self.steps if step.in_sidekick)

    @property
    def threads(self) -> int:
        """How many threads an inference of a native model may use: its engine's processors."""
        cpu = json_object(self.engine_config, "engine").get("cpu")
        wanted = cpu if isinstance(cpu, int | float) and cpu == cpu else 1  # noqa: PLR0124  NaN
        return int(max(1, min(wanted, os.cpu_count() or 1)))

    @property
    def topic(self) -> str:
        """Name of the pipeline's inference log."""
        return f"workspace-{self.workspace_id}-pipeline-{self.pipeline_name}-inference"

    @property
    def topics(self) -> tuple[str, ...]:
        """Every log an inference may belong to: the pipeline's, and one per model."""
        return self.topics_of(self.steps)

    def topics_of(self, steps: Iterable[StepPlan]) -> tuple[str, ...]:
        """Return the logs of an inference that these models took part in."""
        models = sorted({step.model_name for step in steps})
        return (self.topic, *(model_topic(self.workspace_id, name) for name in models))

    @property
    def replica_count(self) -> int:
        """How many replicas to start with, from 1 to `MOST_REPLICAS`."""
        engine = json_object(self.engine_config, "engine")
        autoscale = json_object(engine, "autoscale")
        wanted = _count(autoscale.get("replica_min"))
        return min(max(1, wanted, _count(engine.get("replicas"))), MOST_REPLICAS)

    @property
    def load_timeout_s(self) -> float | None:
        """How long the models may take to load, if the configuration says so (a "load timeout")."""
        python = json_object(json_object(self.engine_config, "engine"), "python")
        timeout_ms = _count(python.get("load_timeout_millis"))
        return timeout_ms / 1000 if timeout_ms else None

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


def most_replicas(engine_config: Mapping[str, Any]) -> int:  # Any: JSON
    """Return how many replicas a deployment configuration asks for at the most."""
    engine = json_object(engine_config, "engine")
    maximum = json_object(engine, "autoscale").get("replica_max")
    return max(_count(engine.get("replicas")), _count(maximum))


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _is_settable(name: str, value: str) -> bool:
    return bool(name) and "=" not in name and "\0" not in name + value


def model_topic(workspace_id: int, model_name: str) -> str:
    """Return the name of a model's log; model names are only unique inside a workspace."""
    return f"workspace-{workspace_id}-model-{model_name}-inference"


def json_object(parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:  # Any: JSON
    """Return the JSON object under `key`, or an empty one."""
    value = parent.get(key)
    return value if isinstance(value, Mapping) else {}
