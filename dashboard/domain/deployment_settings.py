"""What a deployment asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dashboard.masking import SecretText

#: What a person may type; the platform takes other units too.
MEMORY_RULE = re.compile(r"(?:0|[1-9][0-9]{0,5})(Mi|Gi)")

_QUANTITY: Final = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?)([A-Za-z]*)")
_DECIMAL: Final = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BINARY: Final = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_BYTES: Final = _DECIMAL | _BINARY
#: Kinds of models that run in the engine itself; all others get a sidekick.
_NATIVE_FRAMEWORKS: Final = frozenset({"onnx", "tensorflow"})


class Architecture(StrEnum):
    """The processors that the platform knows."""

    X86 = "x86"
    ARM = "arm"
    POWER10 = "power10"


class Acceleration(StrEnum):
    """The accelerators that the platform knows."""

    NONE = "none"
    CUDA = "cuda"
    JETSON = "jetson"
    OPENVINO = "openvino"
    QAIC = "qaic"
    ROCM = "rocm"

    def fits(self, architecture: Architecture | None) -> bool:
        """Whether it exists beside these processors; None are the model's own, usually x86."""
        if self in (Acceleration.NONE, Acceleration.CUDA):
            return True
        if self is Acceleration.JETSON:
            return architecture is Architecture.ARM
        return architecture in (None, Architecture.X86)


class Trigger(StrEnum):
    """What makes a pipeline grow and shrink."""

    CPU = "cpu"
    QUEUE = "queue"


@dataclass(frozen=True, slots=True)
class Autoscaling:
    """How many copies there may be, and what decides. The defaults are the platform's.

    Parameters
    ----------
    cpu_percent
        Average use of the CPUs that is aimed at; counts with the trigger `CPU`.
    up_depth, down_depth
        Requests per copy above which one is added, and below which one goes; with `QUEUE`.
    window_s
        Seconds over which the queue is looked at.
    """

    minimum: int = 1
    maximum: int = 3
    trigger: Trigger = Trigger.CPU
    cpu_percent: int = 50
    up_depth: int = 5
    down_depth: int = 1
    window_s: int = 300


@dataclass(frozen=True, slots=True, eq=False)
class Variable:
    """One variable of the sidekick's environment. Its value is secret: it may be a token.

    It equals nothing but itself: whoever types a value must not learn whether it is a stored one.

    Parameters
    ----------
    kept_from
        UUID of the pipeline version that was deployed with this very value; empty for one that was
        typed.
    """

    name: str
    value: SecretText
    kept_from: str = ""


@dataclass(frozen=True, slots=True)
class DeploymentSettings:
    """What a deployment asks for. The defaults are the workshop's.

    Parameters
    ----------
    engine_cpus, sidekick_cpus
        Whole or fractional CPUs, per replica. A sidekick without CPUs is none: the model runs in
        the engine itself.
    engine_memory, sidekick_memory
        Kubernetes sizes such as `1Gi` or `512Mi`, per replica.
    replicas
        Copies working side by side, at least 1; with autoscaling, those it starts with.
    autoscaling
        None for a fixed number of replicas.
    engine_architecture, engine_acceleration, sidekick_architecture, sidekick_acceleration
        None for what the model was uploaded for.
    label
        Name of the machines it is to run on; empty for any.
    environment
        Variables of the sidekick.
    """

    engine_cpus: float = 0.25
    engine_memory: str = "1Gi"
    sidekick_cpus: float = 1.0
    sidekick_memory: str = "4Gi"
    replicas: int = 1
    engine_gpus: int = 0
    sidekick_gpus: int = 0
    autoscaling: Autoscaling | None = None
    engine_architecture: Architecture | None = None
    engine_acceleration: Acceleration | None = None
    sidekick_architecture: Architecture | None = None
    sidekick_acceleration: Acceleration | None = None
    label: str = ""
    environment: tuple[Variable, ...] = ()

    @property
    def has_sidekick(self) -> bool:
        """Whether the model gets a process of its own beside the engine."""
        return self.sidekick_cpus > 0

    @property
    def fewest_replicas(self) -> int:
        """Copies there are at least; the platform starts one even where none are enough."""
        return self.replicas if self.autoscaling is None else max(1, self.autoscaling.minimum)

    @property
    def most_replicas(self) -> int:
        """Copies there are at most."""
        return self.replicas if self.autoscaling is None else self.autoscaling.maximum

    @property
    def total_cpus(self) -> float:
        """CPUs of all replicas together, as it starts."""
        return self.replicas * self.replica_cpus

    @property
    def total_memory_bytes(self) -> int:
        """Bytes of memory of all replicas together, as it starts."""
        return self.replicas * self.replica_memory_bytes

    @property
    def replica_cpus(self) -> float:
        """CPUs of one replica."""
        return self.engine_cpus + self.sidekick_cpus

    @property
    def replica_memory_bytes(self) -> int:
        """Bytes of memory of one replica."""
        return memory_bytes(self.engine_memory) + memory_bytes(self.sidekick_memory)

    @property
    def total_gpus(self) -> int:
        """GPUs of all replicas together, as it starts."""
        return self.replicas * (self.engine_gpus + self.sidekick_gpus)


def needs_sidekick(framework: str) -> bool:
    """Whether a model of this kind (the platform's word; empty if unknown) gets a sidekick."""
    return framework.lower() not in _NATIVE_FRAMEWORKS


def memory_bytes(size: str) -> int:
    """Bytes of a Kubernetes size such as `4Gi`, `512Mi` or `1.5G`.

    Raises
    ------
    ValueError
        If it is no such size.
    """
    number, unit = quantity(size)
    factor = _BYTES.get(unit)
    if factor is None:
        raise ValueError(f"{unit!r} is no unit of memory")
    return round(number * factor)


def quantity(text: str) -> tuple[float, str]:
    """Split a size such as `1.5Gi` into its number and its unit. Raises ValueError."""
    match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        raise ValueError("this is not a number with a unit")
    return float(match[1]), match[2]
