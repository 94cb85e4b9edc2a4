"""A pipeline, what it takes to run, and what the platform says of its deployment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

#: The platform's rule for pipeline names (lower case, unlike workspaces and models).
PIPELINE_NAME_RULE = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
MEMORY_RULE = re.compile(r"(?:0|[1-9][0-9]{0,5})(Mi|Gi)")
_BYTES = {"Mi": 2**20, "Gi": 2**30}


class PipelineState(StrEnum):
    """What a deployment is doing, in the product's words (LOOK: states)."""

    NOT_DEPLOYED = "Not deployed"
    STARTING = "Starting"
    RUNNING = "Running"
    DEGRADED = "Degraded"
    ERROR = "Error"
    STOPPING = "Stopping"

    @property
    def is_moving(self) -> bool:
        """Whether it is expected to change by itself soon."""
        return self in (PipelineState.STARTING, PipelineState.STOPPING, PipelineState.ERROR)

    @property
    def uses_resources(self) -> bool:
        """Whether it holds CPU and memory of the platform."""
        return self is not PipelineState.NOT_DEPLOYED


@dataclass(frozen=True, slots=True)
class Pod:
    """One process of a deployment: an engine (replica), its load balancer or a sidekick."""

    name: str
    status: str
    reason: str = ""
    details: tuple[str, ...] = ()
    required_cpu: str = ""
    required_memory: str = ""


@dataclass(frozen=True, slots=True)
class DeploymentStatus:
    """The platform's answer about a deployment, with the product's reading of it.

    Parameters
    ----------
    state
        Our word; `Error` may recover until ten minutes after the deploy.
    platform_word
        The platform's own top word (`Starting`, `Running`, `Error`), empty if not deployed.
    running_versions
        UUIDs of the pipeline versions the engines report.
    """

    state: PipelineState
    platform_word: str = ""
    details: tuple[str, ...] = ()
    engines: tuple[Pod, ...] = ()
    load_balancers: tuple[Pod, ...] = ()
    sidekicks: tuple[Pod, ...] = ()
    running_versions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PipelineStep:
    """One model of a pipeline's definition."""

    model_name: str
    model_version: str
    sha: str = ""


@dataclass(frozen=True, slots=True)
class PipelineVersion:
    """One saved definition of a pipeline. `created_at` is in UTC."""

    version_id: int
    version: str
    created_at: datetime
    steps: tuple[PipelineStep, ...] = ()


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline with its versions, newest first. Times are in UTC."""

    pipeline_id: int
    name: str
    workspace_id: int
    workspace_name: str
    created_at: datetime
    updated_at: datetime
    versions: tuple[PipelineVersion, ...] = ()


@dataclass(frozen=True, slots=True)
class DeploymentSettings:
    """What a deployment asks for. The defaults are the workshop's.

    Parameters
    ----------
    engine_cpus, sidekick_cpus
        Whole or fractional CPUs, per replica.
    engine_memory, sidekick_memory
        Kubernetes sizes such as `1Gi` or `512Mi`, per replica.
    replicas
        Copies working side by side, at least 1.
    """

    engine_cpus: float = 0.25
    engine_memory: str = "1Gi"
    sidekick_cpus: float = 1.0
    sidekick_memory: str = "4Gi"
    replicas: int = 1

    @property
    def total_cpus(self) -> float:
        """CPUs of all replicas together."""
        return self.replicas * (self.engine_cpus + self.sidekick_cpus)

    @property
    def total_memory_bytes(self) -> int:
        """Bytes of memory of all replicas together."""
        return self.replicas * (
            memory_bytes(self.engine_memory) + memory_bytes(self.sidekick_memory)
        )


@dataclass(frozen=True, slots=True)
class Deployment:
    """The platform's record of a pipeline's (last) deployment.

    Parameters
    ----------
    deployment_id
        Kept by the platform over later deploys of the same pipeline.
    engine_config
        The stored deployment configuration, as JSON.
    """

    deployment_id: int
    deployed: bool
    engine_config: Mapping[str, Any] = field(default_factory=dict)


def memory_bytes(size: str) -> int:
    """Bytes of a size such as `4Gi` or `512Mi`.

    Raises
    ------
    ValueError
        If it is not a whole number with the unit Mi or Gi.
    """
    match = MEMORY_RULE.fullmatch(size.strip())
    if match is None:
        raise ValueError(f"{size!r} is not a size such as 512Mi or 4Gi")
    unit = match.group(1)
    return int(size.strip().removesuffix(unit)) * _BYTES[unit]


def settings_of(engine_config: Mapping[str, Any]) -> DeploymentSettings | None:
    """Read a stored deployment configuration back; None where it does not tell.

    Parameters
    ----------
    engine_config
        The JSON the platform keeps (WIRE: deployment configuration). Sidekick sizes are those of
        the first image.
    """
    try:
        engine = engine_config["engine"]
        asked = engine["resources"]["requests"]
        images = list(engine_config.get("engineAux", {}).get("images", {}).values())
        sidekick = images[0].get("resources", {}).get("requests", {}) if images else {}
        settings = DeploymentSettings(
            engine_cpus=float(asked["cpu"]),
            engine_memory=str(asked["memory"]),
            sidekick_cpus=float(sidekick.get("cpu", 0)),
            sidekick_memory=str(sidekick.get("memory", "0Mi")),
            replicas=int(engine.get("replicas") or 1),
        )
        memory_bytes(settings.engine_memory)
        memory_bytes(settings.sidekick_memory)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return settings
