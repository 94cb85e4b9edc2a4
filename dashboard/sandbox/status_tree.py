"""The wire's status tree of a deployment, built from snapshots of its replicas. Pure."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from dashboard.sandbox.capacity import unschedulable_reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dashboard.sandbox.capacity import Need
    from dashboard.sandbox.plans import DeploymentPlan, StepPlan

#: Kubernetes' alphabet for generated names: no vowels, nothing to confuse.
_NAME_LETTERS = "bcdfghjklmnpqrstvwxz2456789"

#: JSON objects of the wire.
Json = dict[str, Any]  # Any: JSON


class Phase(StrEnum):
    """Where a replica stands."""

    UNSCHEDULABLE = "unschedulable"
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"


def name_hash(length: int) -> str:
    """Return a random part of a pod's name."""
    return "".join(secrets.choice(_NAME_LETTERS) for _ in range(length))


@dataclass(frozen=True, slots=True)
class PodNames:
    """The names and addresses of one replica's pods; they stay over restarts of its containers."""

    engine: str
    engine_ip: str
    sidekicks: tuple[tuple[str, str], ...]  # name and address, one pair per sidekick step

    @classmethod
    def create(cls, plan: DeploymentPlan, generation: str) -> PodNames:
        """Invent the names of a new replica of `plan`."""
        sidekicks = tuple(
            (f"engine-sidekick-{step.image_key}-{generation}-{name_hash(5)}", random_ip())
            for step in plan.sidekick_steps
        )
        return cls(f"engine-{generation}-{name_hash(5)}", random_ip(), sidekicks)


def random_ip() -> str:
    """Return an address of the cluster's private range."""
    return f"10.{secrets.randbelow(256)}.{secrets.randbelow(256)}.{1 + secrets.randbelow(254)}"


@dataclass(frozen=True, slots=True)
class ReplicaView:
    """A snapshot of one replica.

    Parameters
    ----------
    reason
        Kubernetes' word for a failure (`OOMKilled`, `CrashLoopBackOff`, `Error`) or the loader's
        sentence; None otherwise.
    details
        More lines for a failure, such as the exit code.
    lacking
        What the node lacks, when unschedulable.
    """

    plan: DeploymentPlan
    pods: PodNames
    phase: Phase
    need: Need
    reason: str | None = None
    details: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()


def status_tree(
    replicas: Sequence[ReplicaView], *, lb_name: str, lb_ip: str, is_scaling: bool
) -> Json:
    """Return the tree as `status/get_deployment` answers it.

    Parameters
    ----------
    replicas
        All replicas there are: of the old generation first while one is being replaced.
    is_scaling
        True while a new generation is not ready yet, so that "Running" would be too early.
    """
    status = _top_status(replicas, is_scaling=is_scaling)
    return {
        "status": status,
        "details": ["Scaling"] if status == "Starting" else [],
        "engines": [_engine(view) for view in replicas],
        "engine_lbs": [
            {"ip": lb_ip, "name": lb_name, "status": "Running", "reason": None, "details": []}
        ],
        "sidekicks": [pod for view in replicas for pod in _sidekicks(view)],
    }


def _all_ready(replicas: Iterable[ReplicaView]) -> bool:
    return all(view.phase is Phase.READY for view in replicas)


def _top_status(replicas: Sequence[ReplicaView], *, is_scaling: bool) -> str:
    if any(view.phase in {Phase.UNSCHEDULABLE, Phase.FAILED} for view in replicas):
        return "Error"
    return "Running" if _all_ready(replicas) and not is_scaling else "Starting"


def _engine(view: ReplicaView) -> Json:
    plan = view.plan
    pod = _pod(view, view.pods.engine, view.pods.engine_ip, container="engine")
    if view.phase is Phase.READY:
        pod["pipeline_statuses"] = {
            "pipelines": [
                {"id": plan.pipeline_name, "status": "Running", "version": plan.pipeline_version}
            ]
        }
        pod["model_statuses"] = {"models": [_model_status(step) for step in plan.steps]}
        return pod
    pod |= {"pipeline_statuses": None, "model_statuses": None}
    if view.phase is Phase.UNSCHEDULABLE:
        pod["reason"] = unschedulable_reason(view.lacking)
        # The SDK words its message by the first of the two it finds.
        if "cpu" in view.lacking:
            pod["required_cpu"] = view.need.required_cpu
        if "memory" in view.lacking:
            pod["required_memory"] = view.need.required_memory
    elif view.phase is Phase.FAILED and not plan.sidekick_steps:
        pod |= {"status": "Failed", "reason": view.reason, "details": list(view.details)}
    return pod


def _model_status(step: StepPlan) -> Json:
    return {
        "model_version_id": step.model_version_id,
        "name": step.model_name,
        "sha": step.sha,
        "status": "Running",
        "version": step.model_version,
    }


def _sidekicks(view: ReplicaView) -> list[Json]:
    pods = []
    for name, ip in view.pods.sidekicks:
        pod = _pod(view, name, ip, container="engine-sidekick")
        pod["statuses"] = "\n" if view.phase is Phase.READY else None
        if view.phase is Phase.FAILED:
            pod |= {"status": "Failed", "reason": view.reason, "details": list(view.details)}
        pods.append(pod)
    return pods


def _pod(view: ReplicaView, name: str, ip: str, *, container: str) -> Json:
    if view.phase is Phase.READY:
        return {"ip": ip, "name": name, "status": "Running", "reason": None, "details": []}
    unready = [f"containers with unready status: [{container}]"] * 2
    is_placed = view.phase is not Phase.UNSCHEDULABLE
    return {
        "ip": None,
        "name": name,
        "status": "Pending",
        "reason": None,
        "details": unready if is_placed else [],
    }
