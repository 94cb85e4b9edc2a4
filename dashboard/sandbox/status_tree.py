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
    """Where a replica stands; `LOADING` is an engine that is up and waits for its sidekicks."""

    UNSCHEDULABLE = "unschedulable"
    STARTING = "starting"
    LOADING = "loading"
    WAITING_FOR_IMAGE = "waiting for image"
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
    restarts
        How often its process was started again.
    """

    plan: DeploymentPlan
    pods: PodNames
    phase: Phase
    need: Need
    reason: str | None = None
    details: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    restarts: int = 0


def status_tree(
    replicas: Sequence[ReplicaView],
    *,
    lb_name: str,
    lb_ip: str,
    is_scaling: bool,
    enough: int,
) -> Json:
    """Return the tree as `status/get_deployment` answers it.

    Parameters
    ----------
    replicas
        All replicas there are: of the old generation first while one is being replaced.
    is_scaling
        True while a new generation is not ready yet, so that "Running" would be too early.
    enough
        How many replicas must answer for it to be running. An autoscaled deployment works with
        its minimum; one more that is starting, or finds no room, does not stop it.
    """
    status = _top_status(replicas, is_scaling=is_scaling, enough=enough)
    is_growing = status == "Starting" or (status == "Running" and not _all_ready(replicas))
    return {
        "status": status,
        "details": ["Scaling"] if is_growing else [],
        "engines": [_engine(view) for view in replicas],
        "engine_lbs": [
            {"ip": lb_ip, "name": lb_name, "status": "Running", "reason": None, "details": []}
        ],
        "sidekicks": [pod for view in replicas for pod in _sidekicks(view)],
    }


def _all_ready(replicas: Iterable[ReplicaView]) -> bool:
    return all(view.phase is Phase.READY for view in replicas)


def early_form(tree: Json) -> Json:
    """Return `tree` as the platform's early versions answered it.

    They knew no sidekicks, had null for "no details", and no engines at all before the first one
    answered.
    """
    engines = [
        {**pod, "details": pod["details"] or None}
        for pod in tree["engines"]
        if tree["status"] != "Starting" or pod["status"] == "Running"
    ]
    return {
        "status": tree["status"],
        "details": None,
        "engines": engines,
        "engine_lbs": tree["engine_lbs"],
    }


def _top_status(replicas: Sequence[ReplicaView], *, is_scaling: bool, enough: int) -> str:
    ready = sum(view.phase is Phase.READY for view in replicas)
    is_enough = ready >= enough and not is_scaling
    if any(view.phase in {Phase.FAILED, Phase.WAITING_FOR_IMAGE} for view in replicas):
        return "Error"
    if any(view.phase is Phase.UNSCHEDULABLE for view in replicas) and not is_enough:
        return "Error"
    return "Running" if is_enough else "Starting"


def _engine(view: ReplicaView) -> Json:
    plan = view.plan
    is_up = view.phase is Phase.LOADING and bool(plan.sidekick_steps)
    pod = _pod(view, view.pods.engine, view.pods.engine_ip, container="engine", is_up=is_up)
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
    elif not plan.sidekick_steps:
        pod |= _trouble(view)
    return pod


def _trouble(view: ReplicaView) -> Json:
    """Return what is different about the pod that is in the way."""
    words = {"reason": view.reason, "details": list(view.details)}
    if view.phase is Phase.FAILED:
        return {"status": "Failed", **words}
    # Kubernetes calls a pod without its image pending.
    return words if view.phase is Phase.WAITING_FOR_IMAGE else {}


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
        pods.append(pod | _trouble(view))
    return pods


def _pod(view: ReplicaView, name: str, ip: str, *, container: str, is_up: bool = False) -> Json:
    # Not of the wire, and so only there when there is something to count.
    restarts: Json = {"restarts": view.restarts} if view.restarts else {}
    if is_up or view.phase is Phase.READY:
        up: Json = {"ip": ip, "name": name, "status": "Running", "reason": None, "details": []}
        return {**up, **restarts}
    unready = [f"containers with unready status: [{container}]"] * 2
    is_placed = view.phase is not Phase.UNSCHEDULABLE
    return {
        "ip": None,
        "name": name,
        "status": "Pending",
        "reason": None,
        "details": unready if is_placed else [],
        **restarts,
    }
