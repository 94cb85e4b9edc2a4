"""A deploy that was asked for here: who, when, with what, and how long it took."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dashboard.domain.deployment_settings import DeploymentSettings


@dataclass(frozen=True, slots=True)
class Deployer:
    """Who deployed something from here. `who` is the address; empty for the local person."""

    who_id: str
    who: str


@dataclass(frozen=True, slots=True)
class DeployRecord:
    """One deploy. Times are in UTC.

    Parameters
    ----------
    version
        UUID of the pipeline version that the deploy made.
    settings
        None where they cannot be read any more.
    ready_after_s
        Seconds until it answered; None while it has not.
    ended_at
        When it was undeployed from here or replaced by a later one from here; None until then.
    """

    deploy_id: int
    pipeline_id: int
    pipeline_name: str
    workspace_id: int
    workspace_name: str
    version: str
    model_name: str
    model_version: str
    who_id: str
    who: str
    at: datetime
    settings: DeploymentSettings | None
    ready_after_s: float | None = None
    ended_at: datetime | None = None
