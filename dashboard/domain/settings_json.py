"""How the platform writes down what a deployment asks for: read, and made."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from dashboard.domain.deployment_settings import (
    Acceleration,
    Architecture,
    Autoscaling,
    DeploymentSettings,
    Trigger,
    Variable,
    memory_bytes,
    quantity,
)
from dashboard.masking import Secret

_MOST_VARIABLES_READ: Final = 1_000
_GPU_NAMES: Final = {
    Acceleration.OPENVINO: "gpu.intel.com/i915",
    Acceleration.QAIC: "qualcomm.com/qaic",
    Acceleration.ROCM: "amd.com/gpu",
}
_GPU_NAME: Final = "nvidia.com/gpu"


def settings_of(
    engine_config: Mapping[str, Any], *, version: str = ""
) -> DeploymentSettings | None:
    """Read a stored deployment configuration back; None where it does not tell.

    Parameters
    ----------
    engine_config
        The JSON the platform keeps (WIRE: deployment configuration). What is said of a sidekick is
        that of the first image.
    version
        UUID of the pipeline version that was deployed with it, if that is known.
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
            environment=tuple(_variables(sidekick.get("env"), version)),
        )
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        return None


def _cpus(asked: object) -> float:
    number, unit = quantity(str(asked))
    if unit not in ("", "m"):
        raise ValueError(f"{unit!r} is no unit of CPUs")
    return number / 1000 if unit == "m" else number


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


def _variables(told: object, version: str) -> Iterator[Variable]:
    entries = told if isinstance(told, list) else []
    if len(entries) > _MOST_VARIABLES_READ:  # each is kept out of logs, which has its price
        raise ValueError("an environment of that many variables is not read")
    for entry in entries:
        if isinstance(entry, Mapping) and isinstance(entry.get("name"), str):
            yield Variable(entry["name"], Secret(str(entry.get("value", ""))), version)


def without_values(config: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a stored configuration with the names of its variables, and none of their values."""
    if isinstance(config, list):
        return [without_values(one) for one in config]
    if not isinstance(config, Mapping):
        return config
    return {
        key: [{"name": name} for name in variable_names(one)]
        if key == "env"
        else without_values(one)
        for key, one in config.items()
    }


def variable_values(config: Any) -> Iterator[Any]:  # noqa: ANN401 - any JSON value
    """Yield the values of all variables in a stored configuration: what no text may show."""
    if isinstance(config, list):
        for one in config:
            yield from variable_values(one)
    elif isinstance(config, Mapping):
        for key, one in config.items():
            if key == "env" and isinstance(one, list):
                yield from (entry.get("value") for entry in one if isinstance(entry, Mapping))
            else:
                yield from variable_values(one)


def variable_names(told: object) -> list[str]:
    """Return the names of a stored environment, in its order."""
    entries = told if isinstance(told, list) else []
    names = (one.get("name") for one in entries if isinstance(one, Mapping))
    return [name for name in names if isinstance(name, str)]


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
