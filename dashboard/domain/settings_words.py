"""What is wrong with the settings of a deployment, and what differs between two, in plain words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from dashboard.domain.deployment_settings import (
    MEMORY_RULE,
    Acceleration,
    Architecture,
    Autoscaling,
    DeploymentSettings,
    Trigger,
    memory_bytes,
)

LEAST_CPUS: Final = 0.05
MOST_CPUS: Final = 256.0
MOST_GPUS: Final = 64
MOST_REPLICAS: Final = 64
_MOST_VARIABLES: Final = 50
_LONGEST_VALUE: Final = 32_768
_MOST_DEPTH: Final = 100_000
_LONGEST_WINDOW_S: Final = 86_400
#: Kubernetes' rules for a node's label and a variable's name.
_LABEL: Final = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_./]{0,253}(?:[:=][-A-Za-z0-9_.]{0,63})?")
_VARIABLE: Final = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]{0,252}")

ARCHITECTURE_WORDS: Final = {
    Architecture.X86: "x86",
    Architecture.ARM: "ARM",
    Architecture.POWER10: "Power10",
}
ACCELERATION_WORDS: Final = {
    Acceleration.NONE: "None",
    Acceleration.CUDA: "CUDA",
    Acceleration.JETSON: "Jetson",
    Acceleration.OPENVINO: "OpenVINO",
    Acceleration.QAIC: "QAIC",
    Acceleration.ROCM: "ROCm",
}
_SIZE_RULE: Final = "A whole number with Mi or Gi, such as 512Mi or 4Gi."


def problems(settings: DeploymentSettings) -> dict[str, str]:
    """Return what cannot be deployed, one sentence for each field; empty where all is well.

    The rules are those of the SDK's builder and of Kubernetes. Fields have the names of the
    attributes; those of autoscaling stand behind `autoscaling_`, those of variables behind
    `environment_`, with the variable's place.
    """
    found: dict[str, str] = {}
    found.update(_of_container(settings, "engine"))
    if settings.has_sidekick:
        found.update(_of_container(settings, "sidekick"))
    found.update(_of_replicas(settings))
    if settings.label and not _LABEL.fullmatch(settings.label):
        found["label"] = "A name and a value with a colon between them, such as gpu-type:a100."
    found.update(_of_environment(settings))
    return found


def _of_container(settings: DeploymentSettings, part: str) -> Iterator[tuple[str, str]]:
    if not LEAST_CPUS <= getattr(settings, f"{part}_cpus") <= MOST_CPUS:
        yield f"{part}_cpus", f"Between {LEAST_CPUS:g} and {MOST_CPUS:g} CPUs."
    size = getattr(settings, f"{part}_memory")
    if MEMORY_RULE.fullmatch(size) is None:
        yield f"{part}_memory", _SIZE_RULE
    elif memory_bytes(size) == 0:
        yield f"{part}_memory", "More than nothing, such as 512Mi."
    if not 0 <= getattr(settings, f"{part}_gpus") <= MOST_GPUS:
        yield f"{part}_gpus", f"Between 0 and {MOST_GPUS}."
    acceleration: Acceleration | None = getattr(settings, f"{part}_acceleration")
    architecture: Architecture | None = getattr(settings, f"{part}_architecture")
    if acceleration is not None and not acceleration.fits(architecture):
        fitting = Architecture.ARM if acceleration is Acceleration.JETSON else Architecture.X86
        yield (
            f"{part}_acceleration",
            f"{ACCELERATION_WORDS[acceleration]} exists with {ARCHITECTURE_WORDS[fitting]} "
            "processors only: choose them above, or another acceleration.",
        )


def _of_replicas(settings: DeploymentSettings) -> Iterator[tuple[str, str]]:
    scaling = settings.autoscaling
    if not 1 <= settings.replicas <= MOST_REPLICAS:
        yield "replicas", f"Between 1 and {MOST_REPLICAS} replicas."
    elif scaling is not None and settings.replicas > scaling.maximum:
        yield "replicas", f"Not more than autoscaling allows, which is {scaling.maximum}."
    if scaling is not None:
        yield from _of_scaling(scaling)


def _of_scaling(scaling: Autoscaling) -> Iterator[tuple[str, str]]:
    if not 1 <= scaling.maximum <= MOST_REPLICAS:
        yield "autoscaling_maximum", f"Between 1 and {MOST_REPLICAS} replicas."
    if not 0 <= scaling.minimum <= scaling.maximum:
        yield "autoscaling_minimum", f"Between 0 and the most replicas, {scaling.maximum}."
    if scaling.trigger is Trigger.CPU:
        if not 1 <= scaling.cpu_percent <= 100:
            yield "autoscaling_cpu_percent", "Between 1 and 100 percent."
        return
    if not 1 <= scaling.up_depth <= _MOST_DEPTH:
        yield "autoscaling_up_depth", f"Between 1 and {_MOST_DEPTH:,} requests."
    if not 0 <= scaling.down_depth <= scaling.up_depth:
        yield "autoscaling_down_depth", "Not more than the number above which a replica is added."
    if not 1 <= scaling.window_s <= _LONGEST_WINDOW_S:
        yield "autoscaling_window_s", "Between 1 second and a day."


def _of_environment(settings: DeploymentSettings) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for place, variable in enumerate(settings.environment):
        field = f"environment_{place}"
        if not _VARIABLE.fullmatch(variable.name):
            yield (
                field,
                "A name of letters, digits, dots, dashes and underscores, with no digit in front."
                if variable.name
                else "This value needs a name.",
            )
        elif variable.name in seen:
            yield field, "This name stands there twice."
        value = variable.value.reveal()
        if len(value) > _LONGEST_VALUE or "\0" in value:
            yield field, "The value is too long, or holds a character that cannot be sent."
        seen.add(variable.name)
    if len(settings.environment) > _MOST_VARIABLES:
        yield f"environment_{_MOST_VARIABLES}", f"Not more than {_MOST_VARIABLES} variables."


def differences(before: DeploymentSettings, after: DeploymentSettings) -> tuple[str, ...]:
    """Return what `after` changes, such as "2 replicas instead of 1"; nothing where it is the same.

    What is left to the model counts as x86 without acceleration where the other one names that:
    the platform writes it down so. Of variables the names alone are looked at, and whether `after`
    keeps the values of the version that `before` is of: whoever may type a value must not learn
    whether it is the one that runs.
    """
    return tuple(_changes(_named(before), _named(after)))


def _named(settings: DeploymentSettings) -> DeploymentSettings:
    return replace(
        settings,
        engine_architecture=settings.engine_architecture or Architecture.X86,
        engine_acceleration=settings.engine_acceleration or Acceleration.NONE,
        sidekick_architecture=settings.sidekick_architecture or Architecture.X86,
        sidekick_acceleration=settings.sidekick_acceleration or Acceleration.NONE,
    )


def _changes(before: DeploymentSettings, after: DeploymentSettings) -> Iterator[str]:
    if before.replicas != after.replicas:
        start = " to start with" if after.autoscaling is not None else ""
        yield f"{_count(after.replicas, 'replica')} instead of {before.replicas}{start}"
    if before.autoscaling != after.autoscaling:
        yield f"{scaling_words(after.autoscaling)} instead of {scaling_words(before.autoscaling)}"
    yield from _of_part(before, after, "engine")
    if before.has_sidekick and not after.has_sidekick:
        yield "no sidekick any more"
    else:
        yield from _of_part(before, after, "sidekick")
    if before.label != after.label:
        yield f"label {after.label or 'none'} instead of {before.label or 'none'}"
    yield from _of_variables(before, after)


def _of_part(before: DeploymentSettings, after: DeploymentSettings, part: str) -> Iterator[str]:
    def both(field: str) -> tuple[object, object]:
        return getattr(before, f"{part}_{field}"), getattr(after, f"{part}_{field}")

    old, new = both("cpus")
    if old != new:
        yield f"{new:g} CPU instead of {old:g} per {part}"
    old, new = both("memory")
    if memory_bytes(str(old)) != memory_bytes(str(new)):
        yield f"{new} of memory instead of {old} per {part}"
    old, new = both("gpus")
    if old != new:
        yield f"{new} GPU instead of {old} per {part}"
    old, new = both("architecture")
    if old != new:
        yield f"{_word(new)} instead of {_word(old)} processors for the {part}"
    old, new = both("acceleration")
    if old != new:
        yield f"acceleration {_word(new)} instead of {_word(old)} for the {part}"


def _word(value: object) -> str:
    if isinstance(value, Architecture):
        return ARCHITECTURE_WORDS[value]
    return ACCELERATION_WORDS[value].lower() if value is Acceleration.NONE else _accelerated(value)


def _accelerated(value: object) -> str:
    return ACCELERATION_WORDS[value] if isinstance(value, Acceleration) else str(value)


def _of_variables(before: DeploymentSettings, after: DeploymentSettings) -> Iterator[str]:
    old = {one.name: one.kept_from for one in before.environment}
    new = {one.name: one.kept_from for one in after.environment}
    added = [name for name in new if name not in old]
    removed = [name for name in old if name not in new]
    again = [name for name in new if name in old and not (new[name] == old[name] != "")]
    for names, told in ((added, "new"), (removed, "removed"), (again, "set anew")):
        if names:
            yield f"environment: {', '.join(names)} {told}"


def scaling_words(scaling: Autoscaling | None) -> str:
    """Return how many replicas there may be, in words."""
    if scaling is None:
        return "a fixed number of replicas"
    between = f"{scaling.minimum} to {_count(scaling.maximum, 'replica')}"
    if scaling.trigger is Trigger.CPU:
        return f"{between} at {scaling.cpu_percent} % CPU"
    return (
        f"{between} by the queue (up above {scaling.up_depth}, down below {scaling.down_depth}, "
        f"over {scaling.window_s} s)"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
