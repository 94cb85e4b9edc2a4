"""What the pods of deployments said, and which pods there were: kept in memory, within limits.

A pod's log outlives the pod, as the platform's does; it does not outlive the sandbox. Written in
the event loop, read from any thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dashboard.sandbox.plans import DeploymentPlan, StepPlan

#: Pods whose log is kept, and how much of each: the newest.
_MOST_PODS = 200
_MOST_BYTES = 64 * 1024
_LONGEST_LINE = 4096


@dataclass(slots=True)
class PodLog:
    """One sidekick pod and its lines.

    Parameters
    ----------
    started_s
        Epoch seconds.
    is_current
        False once its replica was taken away.
    """

    pod: str
    plan: DeploymentPlan
    step: StepPlan
    started_s: float
    is_current: bool = True
    _lines: deque[tuple[float, str]] = field(default_factory=deque)
    _size: int = 0

    def add(self, time_s: float, line: str) -> None:
        """Keep a line; the oldest ones make room for it."""
        line = line[:_LONGEST_LINE]
        self._lines.append((time_s, line))
        self._size += len(line)
        while self._size > _MOST_BYTES:
            _, oldest = self._lines.popleft()
            self._size -= len(oldest)

    def newest_first(self, *, start_s: float | None, end_s: float | None, limit: int) -> list[str]:
        """Return up to `limit` lines of a span of time (epoch seconds), each with its time."""
        chosen: list[str] = []
        for time_s, line in reversed(list(self._lines)):
            if len(chosen) >= limit or (start_s is not None and time_s < start_s):
                break
            if end_s is None or time_s <= end_s:
                chosen.append(f"{_rfc3339(time_s)} {line}")
        return chosen


class PodLogs:
    """The logs of all sidekick pods, by the pod's name; the oldest pods are forgotten."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._pods: dict[str, PodLog] = {}

    def open(self, pod: str, plan: DeploymentPlan, step: StepPlan) -> None:
        """Begin the log of a new pod."""
        self._pods[pod] = PodLog(pod, plan, step, self._clock())
        for name in list(self._pods)[:-_MOST_PODS]:
            # A pod that still runs is never forgotten: there are fewer of them than places.
            if not self._pods[name].is_current:
                del self._pods[name]

    def close(self, pod: str) -> None:
        """Note that a pod is gone."""
        if pod in self._pods:
            self._pods[pod].is_current = False

    def say(self, pods: tuple[str, ...], line: str) -> None:
        """Add a line to the logs of some pods."""
        for pod in pods:
            if pod in self._pods:
                self._pods[pod].add(self._clock(), line)

    def of_pipeline(self, workspace_id: int, pipeline_name: str) -> list[PodLog]:
        """Return the pods of a pipeline, the one started last first."""
        mine = [
            log
            for log in list(self._pods.values())
            if (log.plan.workspace_id, log.plan.pipeline_name) == (workspace_id, pipeline_name)
        ]
        return sorted(mine, key=lambda log: log.started_s, reverse=True)

    def clear(self) -> None:
        """Forget everything but the pods that run."""
        self._pods = {name: log for name, log in self._pods.items() if log.is_current}


def _rfc3339(time_s: float) -> str:
    moment = datetime.fromtimestamp(time_s, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
