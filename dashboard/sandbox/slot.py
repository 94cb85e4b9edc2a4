"""One replica's place in a deployment: its pods stay while processes come and go."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from dashboard.sandbox.capacity import niceness_of
from dashboard.sandbox.processes import to_its_end
from dashboard.sandbox.rehearsals import Trouble
from dashboard.sandbox.replica import ModelLoadError, Replica
from dashboard.sandbox.status_tree import Phase, PodNames, ReplicaView

if TYPE_CHECKING:
    from dashboard.sandbox.capacity import Need
    from dashboard.sandbox.plans import DeploymentPlan
    from dashboard.sandbox.surroundings import SetEvents, Surroundings


#: How much of a start belongs to the engine; the rest is its sidekicks'.
_ENGINE_SHARE = 0.3


class Slot:
    """Keeps one replica running, with back-off, from `start` to `stop`."""

    def __init__(
        self,
        plan: DeploymentPlan,
        *,
        need: Need,
        generation: str,
        surroundings: Surroundings,
        events: SetEvents,
    ) -> None:
        self.pods = PodNames.create(plan, generation)
        self.phase = Phase.STARTING
        self.reason: str | None = None
        self.replica: Replica | None = None
        self._plan = plan
        self._need = need
        self._generation = generation
        self._around = surroundings
        self._limits = surroundings.limits
        self._events = events
        self._details: tuple[str, ...] = ()
        self._lacking: tuple[str, ...] = ()
        self._failures = 0
        self._restarts = 0
        self._has_served = False
        self._supervisor: asyncio.Task[None] | None = None
        self._is_ending = False

    @property
    def ready_replica(self) -> Replica | None:
        """The replica, if it answers."""
        return self.replica if self.phase is Phase.READY else None

    @property
    def is_recovering(self) -> bool:
        """True while it answered before and may be back soon: waiting is worth it."""
        return self._has_served and self._failures < self._limits.hopeless_after

    def view(self) -> ReplicaView:
        """Return a snapshot."""
        return ReplicaView(
            plan=self._plan,
            pods=self.pods,
            phase=self.phase,
            need=self._need,
            reason=self.reason,
            details=self._details,
            lacking=self._lacking,
            restarts=self._restarts,
        )

    def start(self) -> None:
        """Begin; returns at once."""
        for (pod, _), step in zip(self.pods.sidekicks, self._plan.sidekick_steps, strict=True):
            self._around.pod_logs.open(pod, self._plan, step)
        self._supervisor = asyncio.create_task(self._supervise())

    def cancel(self) -> None:
        """Begin to end."""
        # A second time would interrupt the cleaning up of the first.
        if self._supervisor is not None and not self._is_ending:
            self._supervisor.cancel()
        self._is_ending = True

    async def wait_for_end(self) -> None:
        """Return after `cancel` when the process is gone and its capacity is free."""
        if self._supervisor is not None:
            await asyncio.gather(self._supervisor, return_exceptions=True)
        for pod, _ in self.pods.sidekicks:
            self._around.pod_logs.close(pod)

    async def _supervise(self) -> None:
        await self._take_capacity()
        try:
            while not self._is_ending:
                await self._wait_out_rehearsals()
                await self._run_once()
                await asyncio.sleep(self._limits.pause_s(self._failures))
                self._restarts += 1
        finally:
            self._around.capacity.release(self._plan.deployment_id, self._generation, self._need)

    async def _take_capacity(self) -> None:
        capacity = self._around.capacity
        while lacking := capacity.try_take(self._plan.deployment_id, self._generation, self._need):
            self.phase, self._lacking = Phase.UNSCHEDULABLE, lacking
            self._events.on_change()
            await capacity.wait_for_release()
        self.phase, self._lacking = Phase.STARTING, ()

    async def _wait_out_rehearsals(self) -> None:
        """Stay where an ordered trouble keeps a start: before its container, or its image."""
        rehearsals = self._around.rehearsals
        if held := rehearsals.take(self._plan, Trouble.HOLD):
            self.phase, self.reason, self._details = Phase.STARTING, None, ()
            self._events.on_change()
            await held.ended.wait()
        pulls = 0
        while failing := rehearsals.take(self._plan, Trouble.IMAGE_PULL):
            pulls += 1
            image = f"sandbox/{self._plan.steps[-1].image_key}" if self._plan.steps else "sandbox"
            self.phase = Phase.WAITING_FOR_IMAGE
            self.reason = "ErrImagePull" if pulls == 1 else "ImagePullBackOff"
            self._details = (f'Back-off pulling image "{image}": not found',)
            self._say(f"{self.reason}: {self._details[0]}")
            self._events.on_change()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._limits.pause_s(pulls)):
                    await failing.ended.wait()

    async def _run_once(self) -> None:
        """Start one process, see it through to its end, leave the slot failed."""
        self.phase, self.reason, self._details = Phase.STARTING, None, ()
        try:
            replica = await self._spawn()
        except OSError as exc:
            self._note_failure(f"cannot start the engine: {exc.strerror}", ())
            return
        self.replica = replica
        started_at_s = asyncio.get_running_loop().time()
        failure: str | None = None
        try:
            failure = await self._load_and_serve(replica)
        finally:
            self.replica = None
            self._events.on_gone(replica)
            # Given up half-way it would leave behind a process that does not react.
            await to_its_end(replica.stop(grace_s=self._limits.stop_grace_s))
        if asyncio.get_running_loop().time() - started_at_s > self._limits.stable_s:
            self._failures = 0
        self._note_failure(failure or replica.end_reason, replica.end_details)

    async def _spawn(self) -> Replica:
        # asyncio loses the pipes of a process whose start is cancelled half-way: let it finish.
        spawning = asyncio.ensure_future(
            Replica.spawn(self._plan, engine=self.pods.engine, say=self._say)
        )
        try:
            return await asyncio.shield(spawning)
        except asyncio.CancelledError:
            # An error in its place would be taken for one more failed start.
            with contextlib.suppress(OSError):
                await (await spawning).stop(grace_s=self._limits.stop_grace_s)
            raise

    async def _load_and_serve(self, replica: Replica) -> str | None:
        """Return the loader's reason when the models cannot be loaded, None after a run."""
        await self._pretend_to_start(replica, share=_ENGINE_SHARE)
        self.phase = Phase.LOADING
        timeout_s = self._plan.load_timeout_s or self._limits.load_timeout_s
        crashes = self._around.rehearsals.take(self._plan, Trouble.CRASH) is not None
        try:
            async with asyncio.timeout(timeout_s):
                await replica.load(niceness=niceness_of(self._need.cpu), crashes=crashes)
        except ModelLoadError as exc:
            return replica.end_reason if replica.is_out_of_memory else str(exc)
        except TimeoutError:
            return f"the models did not load within {timeout_s:g} s"
        await self._pretend_to_start(replica, share=1 - _ENGINE_SHARE)
        if replica.is_alive:
            self.phase, self._has_served = Phase.READY, True
            self._say("ready")
            self._events.on_ready(replica)
            await replica.wait()
        return None

    async def _pretend_to_start(self, replica: Replica, *, share: float) -> None:
        """Let a share of the settings' start-up time pass, unless the process ends before."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(self._around.settings.startup_s, 0.0) * share):
                await replica.wait()

    def _note_failure(self, reason: str, details: tuple[str, ...]) -> None:
        self._failures += 1
        self.phase = Phase.FAILED
        self._say(": ".join((reason, *details)))
        if self._failures >= self._limits.crash_loop_after:
            pause_s = self._limits.pause_s(self._failures)
            back_off = f"back-off {pause_s:g}s restarting failed container"
            self.reason, self._details = "CrashLoopBackOff", (f"last: {reason}", *details, back_off)
        else:
            self.reason, self._details = reason, details
        self._events.on_change()

    def _say(self, line: str) -> None:
        self._around.pod_logs.say(tuple(pod for pod, _ in self.pods.sidekicks), line)
