"""All replicas of one generation of a deployment: as many as wanted, until stopped."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dashboard.sandbox.autoscaling import Autoscaler, Load, autoscale_rule
from dashboard.sandbox.capacity import Need, need_of
from dashboard.sandbox.slot import Slot
from dashboard.sandbox.status_tree import Phase, name_hash

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from dashboard.sandbox.plans import DeploymentPlan
    from dashboard.sandbox.replica import Replica
    from dashboard.sandbox.status_tree import ReplicaView
    from dashboard.sandbox.surroundings import SetEvents, Surroundings

#: Which replica goes first when one is to go: one that is of no use yet.
_FIRST_TO_GO = (
    Phase.UNSCHEDULABLE,
    Phase.WAITING_FOR_IMAGE,
    Phase.STARTING,
    Phase.LOADING,
    Phase.FAILED,
    Phase.READY,
)


class ReplicaSet:
    """The replicas of one plan; `stop` ends and frees everything."""

    def __init__(self, plan: DeploymentPlan, surroundings: Surroundings, events: SetEvents) -> None:
        self.plan = plan
        self.need: Need = need_of(plan)
        self._around = surroundings
        self._events = events
        self._generation = name_hash(10)
        self._slots: list[Slot] = []
        self._departing: dict[Slot, asyncio.Task[None]] = {}
        self._stopping: asyncio.Task[None] | None = None
        rule = autoscale_rule(plan.engine_config)
        self._autoscaler = None if rule is None else Autoscaler(rule)

    @property
    def size(self) -> int:
        """How many replicas there are, whether they answer or not."""
        return len(self._slots)

    @property
    def enough(self) -> int:
        """How many replicas must answer for the deployment to be running."""
        return self.size if self._autoscaler is None else self._autoscaler.rule.minimum

    def start(self) -> None:
        """Begin with as many replicas as the configuration asks for."""
        for _ in range(self.plan.replica_count):
            self._add()

    def rescale(self, load: Load, dismiss: Callable[[Replica], Awaitable[None]]) -> None:
        """Add or take away a replica if the configuration asks for that under this load.

        Parameters
        ----------
        dismiss
            Gives a replica no further requests, and returns when it serves none.
        """
        if self._autoscaler is None or self._stopping is not None:
            return
        now_s = self._around.monotonic()
        wanted = self._autoscaler.wanted(load, now_s=now_s, current=self.size)
        if wanted > self.size:
            self._add()
        elif wanted < self.size:
            # The newest of those that are of the least use.
            slot = min(reversed(self._slots), key=lambda each: _FIRST_TO_GO.index(each.phase))
            self._slots.remove(slot)
            self._departing[slot] = asyncio.create_task(self._let_go(slot, dismiss))

    @property
    def all_ready(self) -> bool:
        """True when every replica answers."""
        return all(slot.phase is Phase.READY for slot in self._slots)

    @property
    def ready_replicas(self) -> list[Replica]:
        """The replicas that answer."""
        return [slot.ready_replica for slot in self._slots if slot.ready_replica is not None]

    @property
    def replicas(self) -> list[Replica]:
        """Every replica that has a process."""
        slots = (*self._slots, *self._departing)
        return [slot.replica for slot in slots if slot.replica is not None]

    @property
    def is_recovering(self) -> bool:
        """True while a replica that answered before may be back soon: waiting is worth it."""
        return any(slot.is_recovering for slot in self._slots)

    @property
    def failure_reason(self) -> str | None:
        """The reason of a replica that is down, or None."""
        return next((slot.reason for slot in self._slots if slot.reason), None)

    def views(self) -> list[ReplicaView]:
        """Return a snapshot per replica."""
        return [slot.view() for slot in self._slots]

    async def stop(self) -> None:
        """End all replicas; on return their processes are gone and their capacity is free."""
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop_all())
        # Cancelling twice would interrupt the cleaning up of the first time.
        await asyncio.shield(self._stopping)

    async def _stop_all(self) -> None:
        farewells = list(self._departing.values())
        for slot in (*self._slots, *self._departing):
            slot.cancel()
        await asyncio.gather(*(slot.wait_for_end() for slot in self._slots), *farewells)

    async def _let_go(self, slot: Slot, dismiss: Callable[[Replica], Awaitable[None]]) -> None:
        if slot.replica is not None:
            await dismiss(slot.replica)
        slot.cancel()
        await slot.wait_for_end()
        self._departing.pop(slot, None)

    def _add(self) -> None:
        slot = Slot(
            self.plan,
            need=self.need,
            generation=self._generation,
            surroundings=self._around,
            events=self._events,
        )
        self._slots.append(slot)
        slot.start()
