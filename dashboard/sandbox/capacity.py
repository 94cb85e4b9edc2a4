"""The sandbox's virtual node: how much a replica needs, and what still fits.

Sizes are Kubernetes quantities. Nothing here measures the machine: the workshop's sizes fit any
laptop, and "insufficient cpu" can be shown on any.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from dashboard.sandbox.plans import MOST_REPLICAS, DeploymentPlan, json_object

_GIB = 2**30
_QUANTITY = re.compile(r"\s*([0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)\s*([A-Za-z]*)\s*")
_BYTES_OF_SUFFIX = {
    "": 1.0,
    "m": 1e-3,
    "k": 1e3,
    "K": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
    "Pi": 2.0**50,
}
_LARGEST_NUMBER = 1e18

#: What is lacking when the node holds as many replicas as it may.
PODS = "pods"
_GPU_NAMES = ("nvidia.com/gpu", "gpu.intel.com/i915")

#: Used for what a deployment configuration leaves out; small, so that several defaults fit.
DEFAULT_CPU = 0.5
DEFAULT_MEMORY_BYTES = 512 * 2**20


def parse_cpu(quantity: object) -> float | None:
    """Return CPUs: `0.25`, `"2"` or `"500m"`; None if it is no such quantity."""
    number, suffix = _split(quantity)
    if number is None or suffix not in {"", "m"}:
        return None
    return number / 1000 if suffix == "m" else number


def parse_memory_bytes(quantity: object) -> int | None:
    """Return bytes: `"4Gi"`, `"512M"`, `"1e9"` or a number; None if it is no such quantity."""
    number, suffix = _split(quantity)
    if number is None or suffix not in _BYTES_OF_SUFFIX:
        return None
    return round(number * _BYTES_OF_SUFFIX[suffix])


def _split(quantity: object) -> tuple[float | None, str]:
    if isinstance(quantity, bool) or not isinstance(quantity, int | float | str):
        return None, ""
    match = _QUANTITY.fullmatch(str(quantity))
    number = float(match[1]) if match else math.inf
    # More than any machine has is no quantity; a float could not even hold it.
    return (number, match[2]) if match and number < _LARGEST_NUMBER else (None, "")


@dataclass(frozen=True, slots=True)
class Need:
    """What one replica asks of the node.

    Parameters
    ----------
    memory_limit_bytes
        Over this the replica is killed; None when the configuration sets no limit.
    """

    cpu: float
    memory_bytes: int
    gpu: float = 0.0
    memory_limit_bytes: int | None = None
    gpu_name: str = _GPU_NAMES[0]

    @property
    def required_cpu(self) -> str:
        """CPUs as the SDK prints them: `1`, `0.25`, `64`."""
        return f"{self.cpu:g}"

    @property
    def required_memory(self) -> str:
        """Memory in the largest binary unit that keeps it short: `5Gi`, `512Mi`."""
        if self.memory_bytes >= _GIB:
            return f"{round(self.memory_bytes / _GIB, 2):g}Gi"
        return f"{round(self.memory_bytes / 2**20, 2):g}Mi"


def need_of(plan: DeploymentPlan) -> Need:
    """Return what one replica of `plan` needs: its engine and all its sidekicks."""
    images = json_object(json_object(plan.engine_config, "engineAux"), "images")
    containers = [json_object(plan.engine_config, "engine")]
    containers += [image for image in images.values() if isinstance(image, Mapping)]
    containers += [{} for step in plan.sidekick_steps if step.image_key not in images]
    limits = [_memory_limit_bytes(container) for container in containers]
    has_limit = any(limit is not None for limit in limits)
    gpus = {name: sum(_gpu(container, name) for container in containers) for name in _GPU_NAMES}
    return Need(
        cpu=sum(_cpu(container) for container in containers),
        memory_bytes=sum(_memory_bytes(container) for container in containers),
        gpu=sum(gpus.values()),
        gpu_name=max(_GPU_NAMES, key=lambda name: gpus[name]),
        memory_limit_bytes=(
            sum(DEFAULT_MEMORY_BYTES if limit is None else limit for limit in limits)
            if has_limit
            else None
        ),
    )


def _resources(container: Mapping[str, Any], kind: str) -> Mapping[str, Any]:  # Any: JSON
    return json_object(json_object(container, "resources"), kind)


def _cpu(container: Mapping[str, Any]) -> float:  # Any: JSON
    candidates = (
        _resources(container, "requests").get("cpu"),
        _resources(container, "limits").get("cpu"),
        container.get("cpu"),
    )
    parsed = (parse_cpu(candidate) for candidate in candidates)
    return next((cpu for cpu in parsed if cpu is not None), DEFAULT_CPU)


def _memory_bytes(container: Mapping[str, Any]) -> int:  # Any: JSON
    requested = parse_memory_bytes(_resources(container, "requests").get("memory"))
    if requested is not None:
        return requested
    limit = _memory_limit_bytes(container)
    return DEFAULT_MEMORY_BYTES if limit is None else limit


def _memory_limit_bytes(container: Mapping[str, Any]) -> int | None:  # Any: JSON
    return parse_memory_bytes(_resources(container, "limits").get("memory"))


def _gpu(container: Mapping[str, Any], name: str) -> float:  # Any: JSON
    requests = _resources(container, "requests") or _resources(container, "limits")
    return parse_cpu(requests.get(name)) or 0.0


def niceness_of(cpu: float) -> int:
    """Return how far a replica with this share of a CPU stands back behind others, 0 to 10.

    It is a weight and no limit: on an idle machine the smallest share is as fast as the largest.
    One step is a factor of about 1.25 in the scheduler's weights.
    """
    return 0 if cpu >= 1 else min(10, round(math.log(1 / max(cpu, 0.01), 1.25)))


class CapacitySettings(Protocol):
    """The part of the sandbox's settings that says how large the virtual node is."""

    @property
    def cpu(self) -> float:
        """CPUs."""

    @property
    def memory_gib(self) -> float:
        """Memory in GiB."""


class Capacity:
    """Who holds how much of the virtual node.

    While a deployment is being rolled over, its old and its new generation exist side by side. It
    is then charged for the larger of the two: a node that can run either can always change over.
    """

    def __init__(self, settings: CapacitySettings) -> None:
        self._settings = settings
        self._held: dict[int, dict[str, list[Need]]] = {}
        self._released = asyncio.Event()

    def try_take(self, deployment_id: int, generation: str, need: Need) -> tuple[str, ...]:
        """Take `need`, or return the names of what is lacking (`cpu`, `memory`, a GPU)."""
        generations = self._held.setdefault(deployment_id, {})
        needs = generations.setdefault(generation, [])
        needs.append(need)
        lacking = self._lacking(need)
        if lacking:
            self.release(deployment_id, generation, need, wake=False)
        return lacking

    def release(
        self, deployment_id: int, generation: str, need: Need, *, wake: bool = True
    ) -> None:
        """Give `need` back and let those who wait try again."""
        generations = self._held[deployment_id]
        generations[generation].remove(need)
        if not generations[generation]:
            del generations[generation]
        if not generations:
            del self._held[deployment_id]
        if wake:
            self.wake_waiting()

    def wake_waiting(self) -> None:
        """Let those who wait try again: something was given back, or the node was enlarged."""
        self._released.set()
        self._released = asyncio.Event()

    async def wait_for_release(self) -> None:
        """Return when something was given back."""
        await self._released.wait()

    def replicas(self) -> int:
        """Return how many replicas have a place; while one is rolled over, the larger number."""
        return sum(
            max(len(needs) for needs in generations.values()) for generations in self._held.values()
        )

    def used(self) -> tuple[float, int]:
        """Return CPUs and bytes held in all."""
        cpu, memory_bytes = 0.0, 0
        for generations in self._held.values():
            cpu += max(sum(need.cpu for need in needs) for needs in generations.values())
            memory_bytes += max(
                sum(need.memory_bytes for need in needs) for needs in generations.values()
            )
        return cpu, memory_bytes

    def _lacking(self, need: Need) -> tuple[str, ...]:
        cpu, memory_bytes = self.used()
        tolerance = 1e-9  # ten times 0.1 CPU must fit into 1
        lacking = []
        if self.replicas() > MOST_REPLICAS:
            lacking.append(PODS)
        if cpu > self._settings.cpu + tolerance:
            lacking.append("cpu")
        if memory_bytes > self._settings.memory_gib * _GIB:
            lacking.append("memory")
        if need.gpu > 0:
            lacking.append(need.gpu_name)
        return tuple(lacking)


def unschedulable_reason(lacking: tuple[str, ...]) -> str:
    """Return the scheduler's sentence for what is lacking."""
    shortages = ", ".join(
        "1 Too many pods" if resource == PODS else f"1 Insufficient {resource}"
        for resource in lacking
    )
    return (
        f"0/1 nodes are available: {shortages}. preemption: 0/1 nodes are available: "
        "1 No preemption victims found for incoming pod."
    )
