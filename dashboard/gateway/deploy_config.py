"""The deployment configuration: made by the SDK's own builder, and compared with what is stored."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from dashboard.domain.deployment_settings import (
    Acceleration,
    Architecture,
    DeploymentSettings,
    Trigger,
)
from dashboard.domain.settings_json import variable_names
from dashboard.gateway.clients import Sdk, SdkObject

#: What a configuration says of an engine or a sidekick; a platform may add more of its own.
_COMPARED: Final = ("cpu", "replicas", "node_selector", "image", "python")
#: What the SDK writes down where neither the person nor the model says.
_USUAL_MODEL: Final = (Architecture.X86.value, Acceleration.NONE.value)

#: Gives what a model was uploaded for: architecture and acceleration, None where it does not say.
UploadedFor = Callable[[], tuple[str | None, str | None]]


def built(sdk: Sdk, model: SdkObject, settings: DeploymentSettings) -> SdkObject:
    """Build the configuration. A new one for each deploy: the SDK writes into what it built."""
    builder = sdk.DeploymentConfigBuilder()
    builder.replica_count(settings.replicas)
    _autoscale(builder, settings)
    builder.cpus(settings.engine_cpus).memory(settings.engine_memory)
    if settings.engine_gpus:
        builder.gpus(settings.engine_gpus)
    # After the GPUs: the acceleration decides under which name they are asked for.
    if settings.engine_architecture is not None:
        builder.arch(sdk.Architecture(settings.engine_architecture.value))
    if settings.engine_acceleration is not None:
        builder.accel(sdk.Acceleration(settings.engine_acceleration.value))
    if settings.has_sidekick:
        _sidekick(sdk, builder, model, settings)
    if settings.label:
        builder.deployment_label(settings.label)
    return builder.build()


def _autoscale(builder: SdkObject, settings: DeploymentSettings) -> None:
    scaling = settings.autoscaling
    if scaling is None:
        return
    # The limits first: they would set the trigger back to the CPUs.
    builder.replica_autoscale_min_max(maximum=scaling.maximum, minimum=scaling.minimum)
    if scaling.trigger is Trigger.CPU:
        builder.autoscale_cpu_utilization(scaling.cpu_percent)
        return
    builder.scale_up_queue_depth(scaling.up_depth)
    builder.scale_down_queue_depth(scaling.down_depth)
    builder.autoscaling_window(scaling.window_s)


def _sidekick(sdk: Sdk, builder: SdkObject, model: SdkObject, settings: DeploymentSettings) -> None:
    builder.sidekick_cpus(model, settings.sidekick_cpus)
    builder.sidekick_memory(model, settings.sidekick_memory)
    if settings.sidekick_gpus:
        builder.sidekick_gpus(model, settings.sidekick_gpus)
    if settings.sidekick_architecture is not None:
        builder.sidekick_arch(model, sdk.Architecture(settings.sidekick_architecture.value))
    if settings.sidekick_acceleration is not None:
        builder.sidekick_accel(model, sdk.Acceleration(settings.sidekick_acceleration.value))
    if settings.environment:
        values = {one.name: one.value.reveal() for one in settings.environment}
        builder.sidekick_env(model, values)


def asks_the_same(stored: Mapping[str, Any], wanted: SdkObject, uploaded_for: UploadedFor) -> bool:
    """Whether a stored configuration asks for what `wanted`, newly built, asks for.

    Of variables the names alone are compared: a right guess of a value must not show.

    Parameters
    ----------
    uploaded_for
        Asked only if it matters: the SDK takes the model's word where `wanted` has none.
    """
    plain = json.loads(json.dumps(wanted))
    if _compared(stored, _USUAL_MODEL) == _compared(plain, _USUAL_MODEL):
        return True
    model = uploaded_for()
    return _compared(stored, model) == _compared(plain, model)


def _compared(config: Mapping[str, Any], model: tuple[str | None, str | None]) -> dict[str, Any]:
    """Return the parts of a configuration that make a difference, each in its one form."""
    engine = _object(config.get("engine"))
    images = _object(_object(config.get("engineAux")).get("images"))
    scaling = _object(engine.get("autoscale"))
    own = bool(engine.get("arch") or engine.get("accel"))
    return {
        "engine": {"replicas": 1}
        | _container(engine, _USUAL_MODEL if own else model)
        | {"autoscale": dict(scaling) if scaling.get("type") != "none" else {}},
        "lb": _object(_object(config.get("enginelb")).get("resources")),
        "images": {key: _container(_object(image), model) for key, image in images.items()},
    }


def _container(
    container: Mapping[str, Any], usual: tuple[str | None, str | None]
) -> dict[str, Any]:
    told: dict[str, Any] = {key: container[key] for key in _COMPARED if container.get(key)}
    told["env"] = sorted(variable_names(container.get("env")))
    resources = _object(container.get("resources"))
    for kind in ("limits", "requests"):
        asked = _object(resources.get(kind))
        # A GPU goes by the name of its maker, which follows from the acceleration.
        sizes = {key: asked.get(key) for key in ("cpu", "memory")}
        gpus = sum(value for key, value in asked.items() if key not in sizes and _is_number(value))
        told[kind] = sizes | {"gpus": gpus}
    for key, told_by_model, last in zip(("arch", "accel"), usual, _USUAL_MODEL, strict=True):
        told[key] = container.get(key) or told_by_model or last
    return told


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
