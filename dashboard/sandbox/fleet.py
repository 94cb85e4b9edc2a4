"""The deployments of the sandbox, as processes. Lives in the server's event loop.

Public: `Fleet`, and the plans it takes. Nothing here is stored: what should run is the store's
business, and is handed in again after a restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dashboard.sandbox.capacity import Capacity
from dashboard.sandbox.deployment import Deployment
from dashboard.sandbox.errors import EngineError
from dashboard.sandbox.gauges import Gauges
from dashboard.sandbox.log_batches import FAILED, answered, failed
from dashboard.sandbox.memory_watch import process_use
from dashboard.sandbox.plans import DeploymentPlan, StepPlan
from dashboard.sandbox.pod_logs import PodLogs
from dashboard.sandbox.surroundings import FleetLimits, Surroundings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dashboard.sandbox.logstore import LogStore
    from dashboard.sandbox.memory_watch import ProcessUse
    from dashboard.sandbox.rehearsals import Rehearsals
    from dashboard.sandbox.status_tree import Json
    from dashboard.sandbox.surroundings import FleetSettings

__all__ = ["DeploymentPlan", "Fleet", "FleetLimits", "Inference", "StepPlan"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Inference:
    """An answered and logged request.

    Parameters
    ----------
    outputs
        One mapping per input row, output column → value. A column that begins with a dot has its
        whole name after it, such as `.anomaly.too_low`; every other one belongs to `out`.
    output_types
        Output column → Arrow type name, such as `string` or `list<float32>`.
    time_ms
        Epoch ms, the same as in the log.
    metadata
        What all rows share: `last_model`, `pipeline_version`, `elapsed` (ns: reading, then one
        per step), `dropped`, `partition` (the engine's pod).
    """

    outputs: Sequence[Mapping[str, Any]]  # Any: model output
    output_types: Mapping[str, str]
    time_ms: int
    metadata: Mapping[str, Any]  # Any: the wire's metadata
    plan: DeploymentPlan

    @property
    def engine(self) -> str:
        """Name of the engine pod that answered."""
        return str(self.metadata["partition"])


@dataclass(frozen=True, slots=True)
class _Look:
    """What the processes used at a moment, in s of a clock that never goes back."""

    uses: Mapping[int, ProcessUse]
    at_s: float


class Fleet:
    """Deploys, watches and asks the engines.

    Parameters
    ----------
    config
        Read anew at each use.
    clock
        Epoch seconds, for what is logged.
    monotonic
        A clock in s that never goes back, for what takes time.
    """

    def __init__(
        self,
        *,
        logs: LogStore,
        config: FleetSettings,
        clock: Callable[[], float],
        limits: FleetLimits | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._logs = logs
        self._clock = clock
        self._limits = limits or FleetLimits()
        self.pod_logs = PodLogs(clock)
        self._surroundings = Surroundings(
            Capacity(config), config, self._limits, self.pod_logs, monotonic=monotonic
        )
        self._deployments: dict[int, Deployment] = {}
        #: Last status trees of what was undeployed, while they still answer.
        self._fading: dict[int, Json] = {}
        self._fadings: dict[int, asyncio.TimerHandle] = {}
        self._requests: set[asyncio.Task[Inference]] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self._watch: asyncio.Task[None] | None = None
        self._gauges = Gauges(logs, clock)

    @property
    def rehearsals(self) -> Rehearsals:
        """The troubles on order."""
        return self._surroundings.rehearsals

    @property
    def capacity(self) -> Capacity:
        """The virtual node."""
        return self._surroundings.capacity

    async def start(self) -> None:
        """Begin to watch the engines' memory and load."""
        self._gauges.begin()
        self._watch = asyncio.create_task(self._watch_engines())

    async def stop(self) -> None:
        """End every engine; on return no process is left."""
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
            self._watch = None
        await self.undeploy_all()
        self.forget()
        await asyncio.gather(*self._requests, return_exceptions=True)

    async def deploy(self, plan: DeploymentPlan) -> None:
        """Accept `plan` and return at once; `status` tells how it goes.

        A second plan for the same deployment id rolls over: the old replicas answer until all the
        new ones are ready.
        """
        self._forget_fading(plan.deployment_id)
        deployment = self._deployments.get(plan.deployment_id)
        if deployment is None:
            deployment = self._deployments[plan.deployment_id] = Deployment(self._surroundings)
        deployment.roll_out(plan)

    async def undeploy(self, deployment_id: int) -> None:
        """End a deployment; on return its processes are gone. Unknown ids are ignored."""
        deployment = self._deployments.pop(deployment_id, None)
        if deployment is not None:
            self._let_fade(deployment_id, deployment)
            leaving = asyncio.create_task(deployment.stop())
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)
            # A caller that goes away must not leave half of the processes behind.
            await asyncio.shield(leaving)

    async def undeploy_all(self) -> None:
        """End every deployment; on return those that were ending before are gone, too."""
        await asyncio.gather(*(self.undeploy(each) for each in list(self._deployments)))
        await asyncio.gather(*map(asyncio.shield, self._leaving))

    def status(self, deployment_id: int) -> Json | None:
        """Return the wire's status tree, or None when nothing is deployed under this id."""
        deployment = self._deployments.get(deployment_id)
        if deployment is None:
            return self._fading.get(deployment_id)
        return deployment.status()

    def forget(self) -> None:
        """Forget what is kept of deployments that are no more: logs, statuses, troubles."""
        self._forget_fading(*list(self._fadings))
        self.rehearsals.call_off_all()
        self.pod_logs.clear()

    def hurt(self, deployment_id: int, *, out_of_memory: bool) -> int:
        """End the processes of a deployment as if they had died, and return how many there were."""
        deployment = self._deployments.get(deployment_id)
        alive = [each for each, _ in deployment.replicas if each.is_alive] if deployment else []
        for replica in alive:
            replica.kill(out_of_memory=out_of_memory)
        return len(alive)

    def plan(self, deployment_id: int) -> DeploymentPlan | None:
        """Return the plan whose replicas answer requests now, or None."""
        deployment = self._deployments.get(deployment_id)
        return None if deployment is None else deployment.plan

    async def infer(
        self,
        deployment_id: int,
        rows: Sequence[Mapping[str, Any]],  # Any: user data
        *,
        input_types: Mapping[str, str] | None = None,
    ) -> Inference:
        """Run the pipeline's models on `rows` (column → value), one replica for all of them.

        The rows are in the log before this returns. Once accepted the request is carried out and
        logged, even if the caller is cancelled; one that fails goes into the log of failures.

        Parameters
        ----------
        input_types
            Arrow type names of the columns, as far as they are known.

        Raises
        ------
        EngineError
            400 when the rows do not fit the model, 404 when undeployed (meanwhile), 429 when the
            queue is full, 500 when no engine runs or the model failed, 504 when it hung.
        """
        deployment = self._deployments.get(deployment_id)
        if deployment is None:
            raise EngineError(404, "the pipeline is not deployed")
        request = asyncio.create_task(self._carry_out(deployment, rows, input_types or {}))
        self._requests.add(request)
        request.add_done_callback(self._forget_request)
        return await asyncio.shield(request)

    async def _carry_out(
        self,
        deployment: Deployment,
        rows: Sequence[Mapping[str, Any]],  # Any: user data
        input_types: Mapping[str, str],
    ) -> Inference:
        plan = deployment.plan
        try:
            prediction = await deployment.infer(rows)
        except EngineError as exc:
            if rows and plan is not None and exc.status in FAILED:
                now_ms = int(self._clock() * 1000)
                await self._logs.append(
                    failed(plan, rows, time_ms=now_ms, input_types=input_types, error=exc.error)
                )
            raise
        batch = answered(
            prediction, rows, time_ms=int(self._clock() * 1000), input_types=input_types
        )
        if rows:
            await self._logs.append(batch)
        return Inference(
            outputs=prediction.outputs,
            output_types=prediction.output_types,
            time_ms=batch.time_ms,
            metadata=batch.metadata,
            plan=prediction.plan,
        )

    def _forget_request(self, request: asyncio.Task[Inference]) -> None:
        self._requests.discard(request)
        # Fetched here, too: nobody else does when the caller has gone.
        if not request.cancelled():
            request.exception()

    def _let_fade(self, deployment_id: int, deployment: Deployment) -> None:
        """Keep the status answering for as long as the settings pretend the pods take to go."""
        shutdown_s = self._surroundings.settings.shutdown_s
        if shutdown_s > 0:
            self._fading[deployment_id] = deployment.status()
            loop = asyncio.get_running_loop()
            self._fadings[deployment_id] = loop.call_later(
                shutdown_s, self._forget_fading, deployment_id
            )

    def _forget_fading(self, *deployment_ids: int) -> None:
        for deployment_id in deployment_ids:
            self._fading.pop(deployment_id, None)
            if timer := self._fadings.pop(deployment_id, None):
                timer.cancel()

    async def _watch_engines(self) -> None:
        last = _Look({}, time.monotonic())
        is_failing = False
        while True:
            await asyncio.sleep(self._limits.watch_poll_s)
            try:
                last = await self._look_at_engines(last)
            except OSError as exc:
                log.warning("cannot read the engines' memory: %s", exc.strerror)
            except Exception:  # the loop must outlive it
                if not is_failing:  # said once, not every time it comes round
                    log.exception("the engines' memory and load cannot be watched")
                is_failing = True
            else:
                is_failing = False

    async def _look_at_engines(self, last: _Look) -> _Look:
        """Kill what is too large, and scale by the load since the last look."""
        uses = await process_use(self._pids())
        now_s = time.monotonic()
        self._kill_the_too_large(uses)
        self._gauges.note(self._deployments.values(), uses)
        # A process that is new to the list may have its number from one that ended.
        cpu_s = {
            pid: max(use.cpu_s - last.uses[pid].cpu_s, 0.0)
            for pid, use in uses.items()
            if pid in last.uses
        }
        for deployment in self._deployments.values():
            deployment.rescale(cpu_s, elapsed_s=now_s - last.at_s)
        return _Look(uses, now_s)

    def _pids(self) -> list[int]:
        return [
            replica.pid
            for deployment in self._deployments.values()
            for replica, _ in deployment.replicas
            if replica.is_alive
        ]

    def _kill_the_too_large(self, uses: Mapping[int, ProcessUse]) -> None:
        for deployment in self._deployments.values():
            for replica, limit_bytes in deployment.replicas:
                use = uses.get(replica.pid)
                if limit_bytes is not None and use and use.resident_bytes > limit_bytes:
                    replica.kill(out_of_memory=True)
