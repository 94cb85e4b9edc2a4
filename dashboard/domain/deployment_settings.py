"""What a deployment asks for: sizes, replicas, and how to read them back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MEMORY_RULE = re.compile(r"(?:0|[1-9][0-9]{0,5})(Mi|Gi)")
_BYTES = {"Mi": 2**20, "Gi": 2**30}


@dataclass(frozen=True, slots=True)
class DeploymentSettings:
    """What a deployment asks for. The defaults are the workshop's.

    Parameters
    ----------
    engine_cpus, sidekick_cpus
        Whole or fractional CPUs, per replica.
    engine_memory, sidekick_memory
        Kubernetes sizes such as `1Gi` or `512Mi`, per replica.
    replicas
        Copies working side by side, at least 1.
    """

    engine_cpus: float = 0.25
    engine_memory: str = "1Gi"
    sidekick_cpus: float = 1.0
    sidekick_memory: str = "4Gi"
    replicas: int = 1

    @property
    def total_cpus(self) -> float:
        """CPUs of all replicas together."""
        return self.replicas * (self.engine_cpus + self.sidekick_cpus)

    @property
    def total_memory_bytes(self) -> int:
        """Bytes of memory of all replicas together."""
        return self.replicas * (
            memory_bytes(self.engine_memory) + memory_bytes(self.sidekick_memory)
        )


def memory_bytes(size: str) -> int:
    """Bytes of a size such as `4Gi` or `512Mi`.

    Raises
    ------
    ValueError
        If it is not a whole number with the unit Mi or Gi.
    """
    match = MEMORY_RULE.fullmatch(size.strip())
    if match is None:
        raise ValueError(f"{size!r} is not a size such as 512Mi or 4Gi")
    unit = match.group(1)
    return int(size.strip().removesuffix(unit)) * _BYTES[unit]


def settings_of(engine_config: Mapping[str, Any]) -> DeploymentSettings | None:
    """Read a stored deployment configuration back; None where it does not tell.

    Parameters
    ----------
    engine_config
        The JSON the platform keeps (WIRE: deployment configuration). Sidekick sizes are those of
        the first image.
    """
    try:
        engine = engine_config["engine"]
        asked = engine["resources"]["requests"]
        images = list(engine_config.get("engineAux", {}).get("images", {}).values())
        sidekick = images[0].get("resources", {}).get("requests", {}) if images else {}
        settings = DeploymentSettings(
            engine_cpus=float(asked["cpu"]),
            engine_memory=str(asked["memory"]),
            sidekick_cpus=float(sidekick.get("cpu", 0)),
            sidekick_memory=str(sidekick.get("memory", "0Mi")),
            replicas=int(engine.get("replicas") or 1),
        )
        memory_bytes(settings.engine_memory)
        memory_bytes(settings.sidekick_memory)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return settings
