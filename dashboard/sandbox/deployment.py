"""One deployment: the generation that answers, the one that will replace it, and its requests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from dashboard.sandbox.autoscaling import Load
from dashboard.sandbox.dispatcher import Dispatcher
from dashboard.sandbox.errors import EngineError
from dashboard.sandbox.replica import Prediction, Replica, ReplicaGoneError
from dashboard.sandbox.replica_set import ReplicaSet
from dashboard.sandbox.status_tree import Json, early_form, name_hash, random_ip, status_tree
from dashboard.sandbox.surroundings import SetEvents

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dashboard.sandbox.plans import DeploymentPlan
    from dashboard.sandbox.surroundings import Surroundings

#: A request goes to a second replica when the first one died over it, never to a third: it may be
#: the request that kills them.
_ATTEMPTS = 2


class Deployment:
    """What runs under one deployment id."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        limits = surroundings.limits
        self._dispatcher = Dispatcher(
            queue_limit=limits.queue_limit, queue_wait_s=limits.queue_wait_s
        )
        self._serving: ReplicaSet | None = None
        self._incoming: ReplicaSet | None = None
        self._leaving: dict[ReplicaSet, asyncio.Task[None]] = {}
        self._is_stopped = False
        self._lb_name = f"engine-lb-{name_hash(10)}-{name_hash(5)}"
        self._lb_ip = random_ip()

    @property
    def plan(self) -> DeploymentPlan | None:
        """The plan that answers requests now."""
        return self._serving.plan if self._serving else None

    @property
    def replicas(self) -> list[tuple[Replica, int | None]]:
        """Every replica that has a process, with its memory limit in bytes."""
        return [
            (replica, replica_set.need.memory_limit_bytes)
            for replica_set in (self._serving, self._incoming, *self._leaving)
            if replica_set is not None
            for replica in replica_set.replicas
        ]

    def roll_out(self, plan: DeploymentPlan) -> None:
        """Start `plan`; what ran before answers until all the new replicas are ready."""
        replica_set = ReplicaSet(
            plan,
            self._surroundings,
            SetEvents(
                on_ready=lambda replica: self._on_ready(replica_set, replica),
                on_gone=self._dispatcher.dismiss,
                on_change=self._on_change,
            ),
        )
        if self._serving is None or not self._serving.ready_replicas:
            # Nothing answers now: there is nothing to keep.
            self._retire(self._serving)
            self._retire(self._incoming)
            self._serving, self._incoming = replica_set, None
        else:
            self._retire(self._incoming)
            self._incoming = replica_set
        replica_set.start()

    def rescale(self, cpu_s: Mapping[int, float], *, elapsed_s: float) -> None:
        """Add or take away a replica if the configuration asks for that.

        Parameters
        ----------
        cpu_s
            Processor time by process id, in s, used in the last `elapsed_s` seconds.
        """
        serving = self._serving
        if serving is None or self._incoming is not None:
            return
        ready = serving.ready_replicas
        used_s = sum(cpu_s.get(replica.pid, 0.0) for replica in ready)
        share_s = max(serving.need.cpu, 0.01) * elapsed_s * max(len(ready), 1)
        load = Load(
            requests=self._dispatcher.queue_depth + self._dispatcher.in_flight,
            cpu_percent=100 * used_s / share_s if share_s else 0.0,
            ready=len(ready),
        )
        serving.rescale(load, self._see_off)

    def status(self) -> Json:
        """Return the wire's status tree."""
        views = [
            view
            for replica_set in (self._serving, self._incoming)
            if replica_set is not None
            for view in replica_set.views()
        ]
        tree = status_tree(
            views,
            lb_name=self._lb_name,
            lb_ip=self._lb_ip,
            is_scaling=self._incoming is not None,
            enough=self._serving.enough if self._serving else 0,
        )
        return early_form(tree) if self._surroundings.settings.early_status else tree

    async def infer(self, rows: Sequence[Mapping[str, Any]]) -> Prediction:  # Any: user data
        """Answer one request.

        Raises
        ------
        EngineError
            Always in the engine's form: see `Fleet.infer`.
        """
        for _ in range(_ATTEMPTS):
            self._refuse_if_hopeless()
            replica = await self._dispatcher.acquire()
            try:
                return await replica.predict(
                    rows,
                    wait_ms=self._surroundings.settings.wait_ms,
                    timeout_s=self._surroundings.limits.infer_timeout_s,
                )
            except ReplicaGoneError:
                last = replica
            finally:
                self._dispatcher.release(replica)
        if self._is_stopped:
            raise EngineError(404, "the pipeline was undeployed")
        await last.wait()
        raise EngineError(500, f"the engine ended over this request ({last.end_reason})")

    async def stop(self) -> None:
        """End everything; on return no process of this deployment is left."""
        self._is_stopped = True
        self._dispatcher.refuse_waiting(404, "the pipeline was undeployed")
        farewells = list(self._leaving.values())
        sets = {self._serving, self._incoming, *self._leaving}
        await asyncio.gather(*(each.stop() for each in sets if each is not None))
        await asyncio.gather(*farewells)

    def _refuse_if_hopeless(self) -> None:
        if self._is_stopped:
            raise EngineError(404, "the pipeline was undeployed")
        serving = self._serving
        if serving is None or serving.ready_replicas or serving.is_recovering:
            return
        if serving.failure_reason:
            raise EngineError(500, f"no engine is running: {serving.failure_reason}")
        raise EngineError(500, "the pipeline is still starting: no engine is ready yet")

    def _on_ready(self, replica_set: ReplicaSet, replica: Replica) -> None:
        if replica_set is self._serving:
            self._dispatcher.admit(replica)
        elif replica_set is self._incoming and replica_set.all_ready:
            self._promote(replica_set)

    def _on_change(self) -> None:
        try:
            self._refuse_if_hopeless()
        except EngineError as exc:
            self._dispatcher.refuse_waiting(exc.status, exc.error)

    def _promote(self, replica_set: ReplicaSet) -> None:
        old, self._serving, self._incoming = self._serving, replica_set, None
        for replica in replica_set.ready_replicas:
            self._dispatcher.admit(replica)
        self._retire(old)

    def _retire(self, replica_set: ReplicaSet | None) -> None:
        if replica_set is None:
            return
        # At once, and not when its farewell begins: the status says already that it is replaced.
        for replica in replica_set.ready_replicas:
            self._dispatcher.dismiss(replica)
        self._leaving[replica_set] = asyncio.create_task(self._bid_farewell(replica_set))

    async def _bid_farewell(self, replica_set: ReplicaSet) -> None:
        """Let the requests in flight end, then end the replicas."""
        await asyncio.gather(*(self._see_off(each) for each in replica_set.ready_replicas))
        await replica_set.stop()
        self._leaving.pop(replica_set, None)

    async def _see_off(self, replica: Replica) -> None:
        """Give `replica` no further requests, and return when it serves none."""
        self._dispatcher.dismiss(replica)
        await self._dispatcher.wait_until_idle(replica)
