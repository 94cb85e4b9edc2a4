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
    """One process of a deployment: an engine (replica), its load balancer or a sidekick.

    Parameters
    ----------
    version
        UUID of the pipeline version an engine runs; empty where it does not tell.
    restarts
        How often it was started again, where the platform tells.
    """

    name: str
    status: str
    reason: str = ""
    details: tuple[str, ...] = ()
    required_cpu: str = ""
    required_memory: str = ""
    version: str = ""
    restarts: int | None = None

    @property
    def is_running(self) -> bool:
        """Whether it works."""
        return self.status == "Running"


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
    """A pipeline with its versions, newest first. Times are in UTC.

    Parameters
    ----------
    deployment
        Its last deployment as it was when the list was read; with the number 0 where there never
        was one, None where the list does not tell.
    """

    pipeline_id: int
    name: str
    workspace_id: int
    workspace_name: str
    created_at: datetime
    updated_at: datetime
    versions: tuple[PipelineVersion, ...] = ()
    deployment: Deployment | None = field(default=None, compare=False)


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
    engine_config: Mapping[str, Any] = field(default_factory=dict, repr=False)
