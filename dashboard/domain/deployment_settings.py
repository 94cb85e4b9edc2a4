"""What a deployment asks for, and how the platform writes it down."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from dashboard.masking import Secret, SecretText

#: What a person may type; the platform takes other units too.
MEMORY_RULE = re.compile(r"(?:0|[1-9][0-9]{0,5})(Mi|Gi)")

_QUANTITY: Final = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?)([A-Za-z]*)")
_DECIMAL: Final = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BINARY: Final = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_BYTES: Final = _DECIMAL | _BINARY
_MOST_VARIABLES_READ: Final = 1_000
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


_GPU_NAMES: Final = {
    Acceleration.OPENVINO: "gpu.intel.com/i915",
    Acceleration.QAIC: "qualcomm.com/qaic",
    Acceleration.ROCM: "amd.com/gpu",
}
_GPU_NAME: Final = "nvidia.com/gpu"


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
    """One variable of the sidekick's environment. Its value is secret: it may be a token."""

    name: str
    value: SecretText

    def __eq__(self, other: object) -> bool:
        """Compare names and values; nothing of a value is given away but whether it is the same."""
        if not isinstance(other, Variable):
            return NotImplemented
        return self.name == other.name and self.value.reveal() == other.value.reveal()

    def __hash__(self) -> int:
        """Take the name alone."""
        return hash(self.name)


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
    number, unit = _quantity(size)
    factor = _BYTES.get(unit)
    if factor is None:
        raise ValueError(f"{unit!r} is no unit of memory")
    return round(number * factor)


def _cpus(asked: object) -> float:
    number, unit = _quantity(str(asked))
    if unit not in ("", "m"):
        raise ValueError(f"{unit!r} is no unit of CPUs")
    return number / 1000 if unit == "m" else number


def _quantity(text: str) -> tuple[float, str]:
    match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        raise ValueError("this is not a number with a unit")
    return float(match[1]), match[2]


# -- as the platform keeps it


def settings_of(engine_config: Mapping[str, Any]) -> DeploymentSettings | None:
    """Read a stored deployment configuration back; None where it does not tell.

    Parameters
    ----------
    engine_config
        The JSON the platform keeps (WIRE: deployment configuration). What is said of a sidekick is
        that of the first image.
    """
    try:
        engine = engine_config["engine"]
        images = _object(_object(engine_config.get("engineAux")).get("images"))
        sidekick = _object(next(iter(images.values()), None))
        memory = str(_asked(engine)["memory"])
        sidekick_memory = str(_asked(sidekick).get("memory", "0Mi"))
        memory_bytes(memory), memory_bytes(sidekick_memory)  # whether they can be read
        autoscaling = _autoscaling(_object(engine.get("autoscale")))
        at_least = 1 if autoscaling is None else max(1, autoscaling.minimum)
        return DeploymentSettings(
            engine_cpus=_cpus(_asked(engine)["cpu"]),
            engine_memory=memory,
            sidekick_cpus=_cpus(_asked(sidekick).get("cpu", 0)),
            sidekick_memory=sidekick_memory,
            replicas=int(engine.get("replicas") or at_least),
            engine_gpus=_gpus(engine),
            sidekick_gpus=_gpus(sidekick),
            autoscaling=autoscaling,
            engine_architecture=_architecture(engine.get("arch")),
            engine_acceleration=_acceleration(engine.get("accel")),
            sidekick_architecture=_architecture(sidekick.get("arch")),
            sidekick_acceleration=_acceleration(sidekick.get("accel")),
            label=str(engine.get("node_selector") or ""),
            environment=tuple(_variables(sidekick.get("env"))),
        )
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        return None


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _asked(container: Mapping[str, Any]) -> Mapping[str, Any]:
    resources = _object(container.get("resources"))
    return _object(resources.get("requests")) or _object(resources.get("limits"))


def _gpus(container: Mapping[str, Any]) -> int:
    asked = _asked(container)
    return sum(int(asked.get(name) or 0) for name in (_GPU_NAME, *_GPU_NAMES.values()))


def _architecture(told: object) -> Architecture | None:
    return Architecture(str(told).lower()) if told else None


def _acceleration(told: object) -> Acceleration | None:
    if isinstance(told, Mapping):  # one with settings of its own, under its name
        told = next(iter(told), None)
    return Acceleration(str(told).lower()) if told else None


def _autoscaling(given: Mapping[str, Any]) -> Autoscaling | None:
    maximum = int(given.get("replica_max") or 0)
    if maximum < 1 or given.get("type") == "none":
        return None
    usual = Autoscaling()

    def number(name: str, default: int) -> int:
        value = given.get(name)
        if value is None:
            return default
        if not math.isfinite(value):
            raise ValueError(f"{name} is no number")
        return int(value)

    # A depth overrules the CPUs, whatever the type says.
    by_queue = given.get("scale_up_queue_depth") is not None
    return Autoscaling(
        minimum=number("replica_min", 0),
        maximum=maximum,
        trigger=Trigger.QUEUE if by_queue else Trigger.CPU,
        cpu_percent=number("cpu_utilization", usual.cpu_percent),
        up_depth=number("scale_up_queue_depth", usual.up_depth),
        down_depth=number("scale_down_queue_depth", usual.down_depth),
        window_s=number("autoscaling_window", usual.window_s),
    )


def _variables(told: object) -> Iterator[Variable]:
    entries = told if isinstance(told, list) else []
    if len(entries) > _MOST_VARIABLES_READ:  # each is kept out of logs, which has its price
        raise ValueError("an environment of that many variables is not read")
    for entry in entries:
        if isinstance(entry, Mapping) and isinstance(entry.get("name"), str):
            yield Variable(entry["name"], Secret(str(entry.get("value", ""))))


def engine_config(
    settings: DeploymentSettings, image: str, *, value_of: Callable[[Variable], str]
) -> dict[str, Any]:
    """Return what the SDK's builder makes of the settings, as JSON.

    Parameters
    ----------
    image
        The sidekick's key: the model's name, a dash, and the number of its version.
    value_of
        Gives what stands for a variable's value, such as a mask.
    """
    engine: dict[str, Any] = {"replicas": settings.replicas}
    if settings.autoscaling is not None:
        engine["autoscale"] = _autoscale_json(settings.autoscaling)
    engine["cpu"] = settings.engine_cpus
    engine |= _container(
        (settings.engine_cpus, settings.engine_memory, settings.engine_gpus),
        settings.engine_architecture,
        settings.engine_acceleration,
    )
    if settings.engine_gpus:
        engine["gpu"] = settings.engine_gpus
    if settings.label:
        engine["node_selector"] = settings.label
    images: dict[str, Any] = {}
    if settings.has_sidekick:
        images[image] = _container(
            (settings.sidekick_cpus, settings.sidekick_memory, settings.sidekick_gpus),
            settings.sidekick_architecture,
            settings.sidekick_acceleration,
        )
        if settings.environment:
            images[image]["env"] = [
                {"name": one.name, "value": value_of(one)} for one in settings.environment
            ]
        if settings.label:
            images[image]["node_selector"] = settings.label
    return {"engine": engine, "enginelb": {}, "engineAux": {"images": images}}


def _container(
    sizes: tuple[float, str, int],
    architecture: Architecture | None,
    acceleration: Acceleration | None,
) -> dict[str, Any]:
    cpus, memory, gpus = sizes
    asked: dict[str, Any] = {"cpu": cpus, "memory": memory}
    if gpus:
        asked[_GPU_NAMES.get(acceleration or Acceleration.NONE, _GPU_NAME)] = gpus
    made: dict[str, Any] = {"resources": {"limits": asked, "requests": dict(asked)}}
    if architecture is not None:
        made["arch"] = architecture.value
    if acceleration is not None:
        made["accel"] = acceleration.value
    return made


def _autoscale_json(scaling: Autoscaling) -> dict[str, Any]:
    made: dict[str, Any] = {
        "replica_min": scaling.minimum,
        "replica_max": scaling.maximum,
        "type": scaling.trigger.value,
    }
    if scaling.trigger is Trigger.CPU:
        return made | {"cpu_utilization": scaling.cpu_percent}
    return made | {
        "scale_up_queue_depth": scaling.up_depth,
        "scale_down_queue_depth": scaling.down_depth,
        "autoscaling_window": scaling.window_s,
    }
