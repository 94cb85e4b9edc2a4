"""What all replicas of a fleet share: the virtual node, the settings, the limits, the troubles."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from dashboard.sandbox.capacity import Capacity, CapacitySettings
from dashboard.sandbox.pod_logs import PodLogs
from dashboard.sandbox.rehearsals import Rehearsals

if TYPE_CHECKING:
    from collections.abc import Callable

    from dashboard.sandbox.replica import Replica


class FleetSettings(CapacitySettings, Protocol):
    """The part of the sandbox's settings the fleet reads; it may change while it runs."""

    @property
    def wait_ms(self) -> float:
        """Wait added to each inference, in ms."""

    @property
    def startup_s(self) -> float:
        """Wait added to each start of a replica, in s."""

    @property
    def shutdown_s(self) -> float:
        """How long a status still answers after an undeploy, in s."""

    @property
    def early_status(self) -> bool:
        """Whether status trees have the form of the platform's early versions."""


@dataclass(frozen=True, slots=True)
class FleetLimits:
    """Times and sizes of the fleet.

    Parameters
    ----------
    infer_timeout_s
        A worker that is silent for longer over (a piece of) a request is ended.
    queue_limit
        Requests that may wait for a replica, per deployment; more are answered 429.
    queue_wait_s
        How long one may wait; longer is answered 504.
    backoff_s
        Pauses before the 1st, 2nd, ... restart; the last one repeats.
    stable_s
        After this time of running, the next failure counts as the first again.
    crash_loop_after
        From this failure in a row on the reason is `CrashLoopBackOff`.
    hopeless_after
        From this failure in a row on requests are refused instead of kept waiting.
    watch_poll_s
        How often memory and load are looked at.
    """

    infer_timeout_s: float = 60.0
    load_timeout_s: float = 300.0
    queue_limit: int = 1000
    queue_wait_s: float = 60.0
    backoff_s: tuple[float, ...] = (0.1, 1.0, 2.0, 4.0, 8.0, 15.0)
    stable_s: float = 30.0
    crash_loop_after: int = 2
    hopeless_after: int = 4
    stop_grace_s: float = 0.8
    watch_poll_s: float = 0.5

    def pause_s(self, failures: int) -> float:
        """Return the pause after the 1st, 2nd, ... failure in a row."""
        return self.backoff_s[min(max(failures, 1), len(self.backoff_s)) - 1]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all replica sets of a fleet share.

    Parameters
    ----------
    monotonic
        A clock in s that never goes back.
    """

    capacity: Capacity
    settings: FleetSettings
    limits: FleetLimits
    pod_logs: PodLogs
    rehearsals: Rehearsals = field(default_factory=Rehearsals)
    monotonic: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class SetEvents:
    """What replicas report to their deployment."""

    on_ready: Callable[[Replica], None]
    on_gone: Callable[[Replica], None]
    on_change: Callable[[], None]
