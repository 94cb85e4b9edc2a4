"""Everything that can happen to deployments, in an order thrown by dice: nothing hangs or stays."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace

import pytest

from dashboard.sandbox.errors import EngineError
from dashboard.sandbox.fleet import DeploymentPlan, Fleet, FleetLimits, Inference
from dashboard.sandbox.logstore import LogStore
from dashboard.sandbox.rehearsals import Trouble
from dashboard.sandbox.status_tree import Json
from dashboard.vault import Vault
from tests.sandbox.test_fleet import ROW, STEP, Settings, is_gone, pids, plan, sized

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="descriptors are counted in /proc"),
]

#: How many things happen, and how long each may take: far more than it needs.
STEPS = 120
LONGEST_S = 60.0
IDS = (1, 2)
HASTY = FleetLimits(
    infer_timeout_s=0.6,
    queue_limit=8,
    queue_wait_s=1.0,
    backoff_s=(0.02, 0.1),
    stop_grace_s=0.3,
    watch_poll_s=0.02,
)


@pytest.fixture
def anyio_backend():
    return "asyncio"


@dataclass
class World:
    """A fleet, the dice, and what is under way."""

    fleet: Fleet
    settings: Settings
    dice: random.Random
    engines: set[int] = field(default_factory=set)
    under_way: set[asyncio.Task[object]] = field(default_factory=set)
    said: list[str] = field(default_factory=list)

    def start(self, work: Awaitable[object]) -> asyncio.Task[object]:
        task: asyncio.Task[object] = asyncio.ensure_future(work)
        self.under_way.add(task)
        return task

    # --- what can happen ---------------------------------------------------------------------

    async def deploy(self) -> None:
        await self.fleet.deploy(self._any_plan())

    async def undeploy(self) -> None:
        await self.fleet.undeploy(self.dice.choice(IDS))

    async def undeploy_and_go_away(self) -> None:
        leaving = self.start(self.fleet.undeploy(self.dice.choice(IDS)))
        await asyncio.sleep(0)
        if self.dice.random() < 0.5:
            leaving.cancel()

    async def ask(self) -> None:
        for _ in range(self.dice.randrange(1, 6)):
            request = self.start(self.fleet.infer(self.dice.choice(IDS), [ROW]))
            if self.dice.random() < 0.2:
                asyncio.get_running_loop().call_later(self.dice.uniform(0, 0.1), request.cancel)

    async def kill(self) -> None:
        self._signal(signal.SIGKILL)

    async def hang(self) -> None:
        self._signal(signal.SIGSTOP)

    async def hang_in_the_start_and_leave(self) -> None:
        hasty = {"engine": {"python": {"load_timeout_millis": 500}}}
        await self.fleet.deploy(plan(IDS[0], engine_config=hasty))
        before = set(pids(self.fleet))
        await asyncio.sleep(0.02)
        for pid in set(pids(self.fleet)) - before:
            self.send(pid, signal.SIGSTOP)
        self.check()
        await asyncio.sleep(self.dice.uniform(0.3, 1.0))
        await self.fleet.undeploy(IDS[0])

    async def run_out_of_memory(self) -> None:
        self.fleet.hurt(self.dice.choice(IDS), out_of_memory=True)

    async def resize_node(self) -> None:
        self.settings.cpu = self.dice.choice((1.0, 4.0, 8.0))
        self.fleet.capacity.wake_waiting()

    async def close_a_pipe(self) -> None:
        for deployment in self.fleet._deployments.values():
            for replica, _ in deployment.replicas[:1]:
                if stdout := replica._process.stdout:
                    stdout.feed_eof()

    async def change_pace(self) -> None:
        self.settings.startup_s = self.dice.choice((0.0, 0.0, 0.1))
        self.settings.wait_ms = self.dice.choice((0.0, 0.0, 30.0, 300.0))
        self.settings.shutdown_s = self.dice.choice((0.0, 0.05))

    async def rehearse(self) -> None:
        trouble = self.dice.choice(list(Trouble))
        name = plan().pipeline_name
        self.fleet.rehearsals.order(1, name, trouble, times=2, for_s=self.dice.uniform(0, 0.3))

    async def begin_anew(self) -> None:
        await self.fleet.undeploy_all()
        self.fleet.forget()

    async def let_time_pass(self) -> None:
        await asyncio.sleep(self.dice.choice((0.0, 0.001, 0.01, 0.1, 0.4)))

    # --- how ---------------------------------------------------------------------------------

    def _any_plan(self) -> DeploymentPlan:
        config = sized(self.dice.choice((0.25, 1.0)), replicas=self.dice.randrange(1, 4))
        if self.dice.random() < 0.4:
            config["engine"]["autoscale"] = {
                "type": "cpu",
                "replica_min": 1,
                "replica_max": 3,
                "scale_up_queue_depth": 1,
                "autoscaling_window": self.dice.choice((0, 0.1)),
            }
        step = replace(STEP, framework="sklearn") if self.dice.random() < 0.15 else STEP
        return plan(self.dice.choice(IDS), step=step, engine_config=config)

    def _signal(self, number: signal.Signals) -> None:
        alive = [pid for pid in pids(self.fleet) if not is_gone(pid)]
        if alive:
            self.send(self.dice.choice(alive), number)

    @staticmethod
    def send(pid: int, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):  # it has ended just now
            os.kill(pid, number)

    def check(self) -> None:
        self.engines.update(pids(self.fleet))
        for each in IDS:
            check_tree(self.fleet.status(each))
        cpu, memory_bytes = self.fleet.capacity.used()
        assert cpu >= 0
        assert memory_bytes >= 0


def check_tree(tree: Json | None) -> None:
    """What the status says of a deployment must fit what it says of its pods."""
    if tree is None:
        return
    pods = [pod["status"] for pod in tree["engines"] + tree["sidekicks"]]
    assert tree["engines"], tree
    assert len(tree["engines"]) == len(tree["sidekicks"]), tree
    assert tree["status"] in {"Running", "Starting", "Error"}, tree
    if set(pods) == {"Running"}:
        assert tree["status"] in {"Running", "Starting"}, tree
    if tree["status"] == "Running":
        assert "Running" in pods, tree


HAPPENINGS: tuple[tuple[Callable[[World], Awaitable[None]], int], ...] = (
    (World.deploy, 6),
    (World.undeploy, 2),
    (World.undeploy_and_go_away, 1),
    (World.ask, 6),
    (World.kill, 3),
    (World.hang, 3),
    (World.hang_in_the_start_and_leave, 1),
    (World.close_a_pipe, 1),
    (World.run_out_of_memory, 1),
    (World.resize_node, 1),
    (World.change_pace, 2),
    (World.rehearse, 1),
    (World.begin_anew, 1),
    (World.let_time_pass, 8),
)


@contextlib.asynccontextmanager
async def nothing_stays() -> AsyncIterator[None]:
    """Fail if the block leaves tasks or descriptors behind."""
    gc.collect()
    tasks, descriptors = asyncio.all_tasks(), len(os.listdir("/proc/self/fd"))
    yield
    deadline_s = time.monotonic() + LONGEST_S
    while left := asyncio.all_tasks() - tasks:
        assert time.monotonic() < deadline_s, f"still there: {left}"
        await asyncio.sleep(0.01)
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= descriptors


async def live(world: World, steps: int) -> None:
    happenings, weights = zip(*HAPPENINGS, strict=True)
    for _ in range(steps):
        (happening,) = world.dice.choices(happenings, weights)
        world.said.append(happening.__name__)
        async with asyncio.timeout(LONGEST_S):
            await happening(world)
        world.check()


async def calm_down(world: World) -> None:
    """Take every trouble away; what can run must then answer before long."""
    world.settings.cpu, world.settings.startup_s, world.settings.wait_ms = 64.0, 0.0, 0.0
    world.fleet.capacity.wake_waiting()
    for pid in pids(world.fleet):
        world.send(pid, signal.SIGCONT)
    world.fleet.rehearsals.call_off_all()
    for each in IDS:
        serving = world.fleet.plan(each)
        if serving is not None and serving.steps == (STEP,):
            async with asyncio.timeout(LONGEST_S):
                while not isinstance(await outcome(world.fleet.infer(each, [ROW])), Inference):
                    await asyncio.sleep(0.02)


async def outcome(request: Awaitable[Inference]) -> Inference | EngineError:
    try:
        return await request
    except EngineError as exc:
        return exc


def is_answer(came: object) -> bool:
    """Say whether a request was answered, refused in the engine's own words, or given up."""
    if isinstance(came, EngineError):
        return came.status in {404, 429, 500, 504}
    return came is None or isinstance(came, Inference | asyncio.CancelledError)


async def test_whatever_happens_in_whatever_order_nothing_hangs_and_nothing_stays(tmp_path):
    seed = int(os.environ.get("SEED", time.time_ns() % 1_000_000))
    print(f"seed {seed}")  # noqa: T201  # shown when it fails
    logs = LogStore(tmp_path / "logs.db", Vault(b"k" * 32))
    settings = Settings()
    fleet = Fleet(logs=logs, config=settings, clock=time.time, limits=HASTY)
    world = World(fleet, settings, random.Random(seed))  # noqa: S311  # moments, not secrets
    try:
        async with nothing_stays():
            await fleet.start()
            await live(world, STEPS)
            await calm_down(world)
            async with asyncio.timeout(LONGEST_S):
                await fleet.stop()
            assert fleet.capacity.used() == (0.0, 0)
            assert all(is_gone(pid) for pid in world.engines)
            async with asyncio.timeout(LONGEST_S):
                outcomes = await asyncio.gather(*world.under_way, return_exceptions=True)
            assert [one for one in outcomes if not is_answer(one)] == []
    finally:
        logs.close()
