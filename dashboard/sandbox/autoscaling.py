"""How many replicas a deployment should have, from what its configuration says. Pure.

Replicas come one at a time, at once while the load is high, and go one at a time after the load
was low for the whole window: a short pause must not cost a replica that takes minutes to start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dashboard.sandbox.plans import MOST_REPLICAS, json_object

_DEFAULT_CPU_PERCENT = 50.0
_DEFAULT_DOWN_DEPTH = 1.0
_DEFAULT_WINDOW_S = 300.0
#: Kubernetes' own tolerance: a load this close to the target changes nothing.
_CPU_TOLERANCE = 0.1


@dataclass(frozen=True, slots=True)
class Load:
    """What a deployment has to do at one moment.

    Parameters
    ----------
    requests
        Requests that wait and requests that are being served.
    cpu_percent
        Processor time the replicas used since the moment before, on average per replica, in
        percent of what one of them asked for.
    ready
        Replicas that answer.
    """

    requests: int
    cpu_percent: float
    ready: int


@dataclass(frozen=True, slots=True)
class AutoscaleRule:
    """What `engine.autoscale` asks for, with the platform's defaults.

    Parameters
    ----------
    up_depth
        Requests per replica above which one is added; None to go by the processors.
    down_depth
        Requests per replica below which one is taken away.
    """

    minimum: int
    maximum: int
    up_depth: float | None
    down_depth: float
    cpu_percent: float
    window_s: float

    def is_high(self, load: Load) -> bool:
        """Say whether one more replica is needed now."""
        if self.up_depth is not None:
            return load.requests / load.ready > self.up_depth
        return load.cpu_percent > self.cpu_percent * (1 + _CPU_TOLERANCE)

    def is_low(self, load: Load) -> bool:
        """Say whether one replica fewer would do now."""
        if self.up_depth is not None:
            return load.requests / load.ready < self.down_depth
        return load.cpu_percent * load.ready <= self.cpu_percent * (load.ready - 1)


def autoscale_rule(engine_config: Mapping[str, Any]) -> AutoscaleRule | None:  # Any: JSON
    """Return the rule of a deployment configuration; None when it does not scale."""
    given = json_object(json_object(engine_config, "engine"), "autoscale")
    maximum = _number(given, "replica_max", 0.0)
    if maximum < 1 or given.get("type") == "none":
        return None
    # A depth overrules the processors, whatever `type` says: the SDK's builder puts `cpu` there
    # when the limits are set after the depth.
    by_depth = "scale_up_queue_depth" in given
    return AutoscaleRule(
        minimum=_replicas(_number(given, "replica_min", 0.0)),
        maximum=_replicas(maximum),
        up_depth=_number(given, "scale_up_queue_depth", 1.0) if by_depth else None,
        down_depth=_number(given, "scale_down_queue_depth", _DEFAULT_DOWN_DEPTH),
        cpu_percent=_number(given, "cpu_utilization", _DEFAULT_CPU_PERCENT),
        window_s=_number(given, "autoscaling_window", _DEFAULT_WINDOW_S),
    )


def _replicas(wanted: float) -> int:
    # None at all would have to start for the first request, which is refused meanwhile.
    return int(min(max(wanted, 1), MOST_REPLICAS))


def _number(given: Mapping[str, Any], key: str, default: float) -> float:  # Any: JSON
    value = given.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        return default
    return value


class Autoscaler:
    """Applies a rule over time."""

    def __init__(self, rule: AutoscaleRule) -> None:
        self.rule = rule
        self._low_since_s: float | None = None

    def wanted(self, load: Load, *, now_s: float, current: int) -> int:
        """Return how many replicas there should be from now on.

        Parameters
        ----------
        now_s
            A clock that never goes back, in s.
        current
            Replicas there are, whether they answer or not.
        """
        rule = self.rule
        if load.ready and rule.is_high(load):
            self._low_since_s = None
            # While one is starting, nobody knows yet whether it is enough.
            is_settled = load.ready >= current
            return _between(rule, current + 1 if is_settled else current)
        if load.ready and not rule.is_low(load):
            self._low_since_s = None
            return _between(rule, current)
        if self._low_since_s is None:
            self._low_since_s = now_s
        has_waited = now_s - self._low_since_s >= rule.window_s
        return _between(rule, current - 1 if has_waited else current)


def _between(rule: AutoscaleRule, count: int) -> int:
    return max(rule.minimum, min(count, rule.maximum))
