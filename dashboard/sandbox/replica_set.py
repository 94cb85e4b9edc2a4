"""All replicas of one generation of a deployment: kept running, with back-off, until stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from dashboard.sandbox.capacity import Capacity, CapacitySettings, Need, need_of
from dashboard.sandbox.replica import ModelLoadError, Replica
from dashboard.sandbox.status_tree import Phase, PodNames, ReplicaView, name_hash

if TYPE_CHECKING:
    from collections.abc import Callable

    from dashboard.sandbox.plans import DeploymentPlan

log = logging.getLogger(__name__)


class FleetSettings(CapacitySettings, Protocol):
    """The part of the sandbox's settings the fleet reads; it may change while it runs."""

    @property
    def wait_ms(self) -> float:
        """Wait added to each inference, in ms."""

    @property
    def startup_s(self) -> float:
        """Wait added to each start of a replica, in s."""


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
    memory_poll_s: float = 0.5


@dataclass(eq=False, slots=True)
class _Slot:
    """One replica's place: its pods stay while processes come and go."""

    pods: PodNames
    phase: Phase = Phase.STARTING
    reason: str | None = None
    details: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    failures: int = 0
    has_served: bool = False
    replica: Replica | None = None
    supervisor: asyncio.Task[None] | None = None


@dataclass(frozen=True, slots=True)
class SetEvents:
    """What a replica set reports to its deployment."""

    on_ready: Callable[[Replica], None]
    on_gone: Callable[[Replica], None]
    on_change: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all replica sets of a fleet share."""

    capacity: Capacity
    settings: FleetSettings
    limits: FleetLimits = field(default_factory=FleetLimits)


class ReplicaSet:
    """The replicas of one plan. Starts them at once; `stop` ends and frees everything."""

    def __init__(self, plan: DeploymentPlan, surroundings: Surroundings, events: SetEvents) -> None:
        self.plan = plan
        self.need: Need = need_of(plan)
        self._capacity = surroundings.capacity
        self._settings = surroundings.settings
        self._limits = surroundings.limits
        self._events = events
        self._generation = name_hash(10)
        self._slots: list[_Slot] = []
        self._stopping: asyncio.Task[None] | None = None

    def scale_to(self, count: int) -> None:
        """Add replicas until there are `count`; never removes any."""
        while len(self._slots) < count:
            slot = _Slot(PodNames.create(self.plan, self._generation))
            self._slots.append(slot)
            slot.supervisor = asyncio.create_task(self._supervise(slot))

    @property
    def all_ready(self) -> bool:
        """True when every replica answers."""
        return all(slot.phase is Phase.READY for slot in self._slots)

    @property
    def ready_replicas(self) -> list[Replica]:
        """The replicas that answer."""
        return [
            slot.replica
            for slot in self._slots
            if slot.phase is Phase.READY and slot.replica is not None
        ]

    @property
    def replicas(self) -> list[Replica]:
        """Every replica that has a process."""
        return [slot.replica for slot in self._slots if slot.replica is not None]

    @property
    def is_recovering(self) -> bool:
        """True while a replica that answered before may be back soon: waiting is worth it."""
        return any(
            slot.has_served and slot.failures < self._limits.hopeless_after for slot in self._slots
        )

    @property
    def failure_reason(self) -> str | None:
        """The reason of a replica that is down, or None."""
        return next((slot.reason for slot in self._slots if slot.reason), None)

    def views(self) -> list[ReplicaView]:
        """Return a snapshot per replica."""
        return [
            ReplicaView(
                plan=self.plan,
                pods=slot.pods,
                phase=slot.phase,
                need=self.need,
                reason=slot.reason,
                details=slot.details,
                lacking=slot.lacking,
            )
            for slot in self._slots
        ]

    async def stop(self) -> None:
        """End all replicas; on return their processes are gone and their capacity is free."""
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop_all())
        # Cancelling twice would interrupt the cleaning up of the first time.
        await asyncio.shield(self._stopping)

    async def _stop_all(self) -> None:
        tasks = [slot.supervisor for slot in self._slots if slot.supervisor is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _supervise(self, slot: _Slot) -> None:
        await self._take_capacity(slot)
        try:
            while True:
                await self._run_once(slot)
                pause_s = self._limits.backoff_s[
                    min(slot.failures, len(self._limits.backoff_s)) - 1
                ]
                await asyncio.sleep(pause_s)
        finally:
            self._capacity.release(self.plan.deployment_id, self._generation, self.need)

    async def _take_capacity(self, slot: _Slot) -> None:
        while lacking := self._capacity.try_take(
            self.plan.deployment_id, self._generation, self.need
        ):
            slot.phase, slot.lacking = Phase.UNSCHEDULABLE, lacking
            self._events.on_change()
            await self._capacity.wait_for_release()
        slot.lacking = ()

    async def _run_once(self, slot: _Slot) -> None:
        """Start one process, see it through to its end, leave the slot failed."""
        slot.phase, slot.reason, slot.details = Phase.STARTING, None, ()
        try:
            replica = await self._spawn(slot)
        except OSError as exc:
            self._note_failure(slot, f"cannot start the engine: {exc.strerror}", ())
            return
        slot.replica = replica
        started_at_s = asyncio.get_running_loop().time()
        failure: str | None = None
        try:
            failure = await self._load_and_serve(slot, replica)
        finally:
            slot.replica = None
            self._events.on_gone(replica)
            await replica.stop(grace_s=self._limits.stop_grace_s)
        if asyncio.get_running_loop().time() - started_at_s > self._limits.stable_s:
            slot.failures = 0
        if replica.stderr_tail:
            log.info("engine %s ended, it said: %s", replica.engine, replica.stderr_tail)
        self._note_failure(slot, failure or replica.end_reason, replica.end_details)

    async def _spawn(self, slot: _Slot) -> Replica:
        # asyncio loses the pipes of a process whose start is cancelled half-way: let it finish.
        spawning = asyncio.ensure_future(Replica.spawn(self.plan, engine=slot.pods.engine))
        try:
            return await asyncio.shield(spawning)
        except asyncio.CancelledError:
            await (await spawning).stop(grace_s=self._limits.stop_grace_s)
            raise

    async def _load_and_serve(self, slot: _Slot, replica: Replica) -> str | None:
        """Return the loader's reason when the models cannot be loaded, None after a run."""
        try:
            async with asyncio.timeout(self._limits.load_timeout_s):
                await replica.load()
        except ModelLoadError as exc:
            return replica.end_reason if replica.is_out_of_memory else str(exc)
        except TimeoutError:
            return f"the models did not load within {self._limits.load_timeout_s:g} s"
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(self._settings.startup_s, 0.0)):
                await replica.wait()
        if replica.is_alive:
            slot.phase, slot.has_served = Phase.READY, True
            self._events.on_ready(replica)
            await replica.wait()
        return None

    def _note_failure(self, slot: _Slot, reason: str, details: tuple[str, ...]) -> None:
        slot.failures += 1
        slot.phase = Phase.FAILED
        if slot.failures >= self._limits.crash_loop_after:
            slot.reason, slot.details = "CrashLoopBackOff", (f"last: {reason}", *details)
        else:
            slot.reason, slot.details = reason, details
        self._events.on_change()
