"""Measures the engines for the metrics: their memory and their number, now and then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboard.sandbox.metrics import MEMORY, REPLICAS, Count, Kind, plan_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dashboard.sandbox.deployment import Deployment
    from dashboard.sandbox.logstore import LogStore
    from dashboard.sandbox.memory_watch import ProcessUse

#: As often as a monitoring system looks.
_EVERY_S: Final = 15.0

#: What tells one gauge from another: metric, workspace, labels.
_Key = tuple[str, int, tuple[tuple[str, str], ...]]


class Gauges:
    """Writes what the engines use: at once when one comes or goes, else every few seconds."""

    def __init__(self, logs: LogStore, clock: Callable[[], float]) -> None:
        self._logs = logs
        self._clock = clock
        self._known: frozenset[_Key] = frozenset()
        self._due_s = 0.0

    def begin(self) -> None:
        """Say that nothing runs yet, whatever ran when the sandbox ended."""
        self._logs.begin_measuring(time_s=int(self._clock()))

    def note(self, deployments: Iterable[Deployment], uses: Mapping[int, ProcessUse]) -> None:
        """Write the values of now, if it is time to."""
        values: dict[_Key, float] = {}
        for deployment in deployments:
            values |= _values(deployment, uses)
        now_s = self._clock()
        if values.keys() == self._known and now_s < self._due_s:
            return
        counts = [Count(*key, value, Kind.GAUGE) for key, value in values.items()]
        counts += [Count(*key, None, Kind.GAUGE) for key in self._known - values.keys()]
        self._known, self._due_s = frozenset(values), now_s + _EVERY_S
        if counts:
            self._logs.measure(counts, time_s=int(now_s))


def _values(deployment: Deployment, uses: Mapping[int, ProcessUse]) -> dict[_Key, float]:
    plan = deployment.plan
    if plan is None:
        return {}
    labels = plan_labels(plan)
    values: dict[_Key, float] = {
        (MEMORY, plan.workspace_id, (*labels, ("container", "engine"), ("pod", replica.engine))):
            float(uses[replica.pid].resident_bytes)
        for replica, _ in deployment.replicas
        if replica.pid in uses
    }  # fmt: skip
    key = (REPLICAS, plan.workspace_id, (*labels, ("deployment", "engine")))
    return values | {key: float(len(values))}
