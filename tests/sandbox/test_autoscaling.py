"""Autoscaling: the rule of the SDK's own configurations, and replicas that come and go by it."""

from __future__ import annotations

import asyncio
import contextlib
import time
import warnings
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.sandbox.autoscaling import Autoscaler, AutoscaleRule, Load, autoscale_rule
from dashboard.sandbox.capacity import need_of
from dashboard.sandbox.errors import EngineError
from dashboard.sandbox.fleet import Fleet, FleetLimits, Inference
from dashboard.sandbox.logstore import LogStore
from dashboard.sandbox.plans import MOST_REPLICAS, DeploymentPlan
from dashboard.sandbox.status_tree import Json
from dashboard.vault import Vault
from tests.sandbox.test_fleet import ROW, Settings, is_gone, pids, plan, running, status, until

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # deprecations of what the SDK imports
    from wallaroo.deployment_config import DeploymentConfigBuilder

BY_DEPTH = AutoscaleRule(
    minimum=1, maximum=3, up_depth=5.0, down_depth=1.0, cpu_percent=50.0, window_s=300.0
)
BY_CPU = AutoscaleRule(
    minimum=1, maximum=3, up_depth=None, down_depth=1.0, cpu_percent=50.0, window_s=300.0
)


def requests(count: int, *, ready: int = 1) -> Load:
    return Load(requests=count, cpu_percent=0.0, ready=ready)


def cpu(percent: float, *, ready: int = 1) -> Load:
    return Load(requests=0, cpu_percent=percent, ready=ready)


def built(*steps: Callable[[DeploymentConfigBuilder], object]) -> Json:
    builder = DeploymentConfigBuilder()
    for step in steps:
        step(builder)
    return dict(builder.build())


def test_every_setting_of_the_sdks_builder_is_read():
    config = built(
        lambda b: b.replica_autoscale_min_max(maximum=5, minimum=2),
        lambda b: b.scale_up_queue_depth(4),
        lambda b: b.scale_down_queue_depth(2),
        lambda b: b.autoscaling_window(60),
        lambda b: b.autoscale_cpu_utilization(75),
    )
    assert autoscale_rule(config) == AutoscaleRule(
        minimum=2, maximum=5, up_depth=4, down_depth=2, cpu_percent=75, window_s=60
    )


def test_what_is_left_out_is_as_the_platform_has_it():
    by_depth = built(
        lambda b: b.replica_autoscale_min_max(maximum=5),
        lambda b: b.scale_up_queue_depth(4),
    )
    assert autoscale_rule(by_depth) == AutoscaleRule(1, 5, 4, 1, 50.0, 300.0)
    by_cpu = autoscale_rule(built(lambda b: b.replica_autoscale_min_max(maximum=5, minimum=1)))
    assert by_cpu == AutoscaleRule(1, 5, None, 1, 50.0, 300.0)


def test_a_queue_depth_counts_though_the_builder_calls_it_cpu_afterwards():
    config = built(
        lambda b: b.scale_up_queue_depth(4),
        lambda b: b.replica_autoscale_min_max(maximum=5, minimum=1),
    )
    assert config["engine"]["autoscale"]["type"] == "cpu"
    rule = autoscale_rule(config)
    assert rule is not None
    assert rule.up_depth == 4


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"engine": {"autoscale": None}},
        {"engine": {"autoscale": {"cpu_utilization": 75}}},
        {"engine": {"autoscale": {"replica_max": "5"}}},
        {"engine": {"autoscale": {"type": "none", "replica_max": 5}}},
        {"engine": {"replicas": 2}, "engineAux": {"autoscale": {"type": "none"}}},
    ],
)
def test_without_limits_there_is_no_autoscaling(config):
    assert autoscale_rule(config) is None


KEYS = (
    "engine autoscale replicas replica_min replica_max resources cpu limits requests memory "
    "engineAux images hf-summarizer-5 env python load_timeout_millis scale_up_queue_depth"
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS.split()),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["engine", "engineAux"]), JSON))
def test_no_configuration_breaks_a_plan(config):
    made = plan(engine_config=config)
    assert 1 <= made.replica_count <= MOST_REPLICAS
    assert need_of(made).cpu >= 0
    assert made.load_timeout_s is None or made.load_timeout_s != 0
    assert isinstance(made.environment, dict)
    rule = autoscale_rule(config)
    assert rule is None or 1 <= rule.minimum <= MOST_REPLICAS


def test_replicas_come_at_once_and_one_at_a_time():
    scaler = Autoscaler(BY_DEPTH)
    assert scaler.wanted(requests(5), now_s=0, current=1) == 1, "five is not above five"
    assert scaler.wanted(requests(6), now_s=1, current=1) == 2
    assert scaler.wanted(requests(60), now_s=2, current=2) == 2, "the second is still starting"
    assert scaler.wanted(requests(60, ready=2), now_s=3, current=2) == 3
    assert scaler.wanted(requests(600, ready=3), now_s=4, current=3) == 3, "the maximum"


def test_replicas_go_one_at_a_time_after_a_whole_quiet_window():
    scaler = Autoscaler(BY_DEPTH)
    assert scaler.wanted(requests(0, ready=3), now_s=0, current=3) == 3
    assert scaler.wanted(requests(0, ready=3), now_s=299, current=3) == 3
    assert scaler.wanted(requests(0, ready=3), now_s=300, current=3) == 2
    assert scaler.wanted(requests(0, ready=2), now_s=301, current=2) == 1
    assert scaler.wanted(requests(0, ready=1), now_s=302, current=1) == 1, "the minimum"


def test_a_busy_moment_begins_the_window_anew():
    scaler = Autoscaler(BY_DEPTH)
    assert scaler.wanted(requests(0, ready=2), now_s=0, current=2) == 2
    assert scaler.wanted(requests(2, ready=2), now_s=299, current=2) == 2
    assert scaler.wanted(requests(0, ready=2), now_s=300, current=2) == 2
    assert scaler.wanted(requests(0, ready=2), now_s=599, current=2) == 2
    assert scaler.wanted(requests(0, ready=2), now_s=600, current=2) == 1


def test_one_that_found_no_room_is_given_up_after_the_window():
    scaler = Autoscaler(BY_DEPTH)
    assert scaler.wanted(requests(9), now_s=0, current=2) == 2
    assert scaler.wanted(requests(0), now_s=1, current=2) == 2
    assert scaler.wanted(requests(0), now_s=301, current=2) == 1


def test_by_processor_the_target_has_a_tolerance():
    scaler = Autoscaler(BY_CPU)
    assert scaler.wanted(cpu(54), now_s=0, current=1) == 1
    assert scaler.wanted(cpu(56), now_s=0, current=1) == 2
    assert scaler.wanted(cpu(26, ready=2), now_s=1, current=2) == 2, "one would be over the target"
    assert scaler.wanted(cpu(24, ready=2), now_s=2, current=2) == 2
    assert scaler.wanted(cpu(24, ready=2), now_s=302, current=2) == 1


class Clock:
    """Seconds that pass only when a test says so."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def settings():
    return Settings()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def fleet(tmp_path, settings, clock):
    logs = LogStore(tmp_path / "logs.db", Vault(b"k" * 32))
    made = Fleet(
        logs=logs,
        config=settings,
        clock=time.time,
        limits=FleetLimits(watch_poll_s=0.02, backoff_s=(0.02,)),
        monotonic=clock,
    )
    await made.start()
    yield made
    await made.stop()
    logs.close()


def scaled(*, cpus: float = 0.5, window_s: int = 60) -> DeploymentPlan:
    config = built(
        lambda b: b.cpus(cpus),
        lambda b: b.replica_autoscale_min_max(maximum=3, minimum=1),
        lambda b: b.scale_up_queue_depth(2),
        lambda b: b.autoscaling_window(window_s),
    )
    return plan(engine_config=config)


def ask(fleet: Fleet, count: int) -> list[asyncio.Task[Inference]]:
    return [asyncio.create_task(fleet.infer(1, [ROW])) for _ in range(count)]


@contextlib.asynccontextmanager
async def kept_busy(fleet: Fleet, at_once: int) -> AsyncIterator[set[str]]:
    """Ask without a pause until the block or the deployment ends; gives the engines that answer."""
    engines: set[str] = set()
    is_over = False

    async def ask_on() -> None:
        while not is_over and fleet.plan(1):
            try:
                engines.add((await fleet.infer(1, [ROW])).engine)
            except EngineError as exc:
                assert exc.status == 404  # noqa: PT017  # undeployed meanwhile

    asking = [asyncio.create_task(ask_on()) for _ in range(at_once)]
    try:
        yield engines
    finally:
        is_over = True
        await asyncio.gather(*asking)


async def quiet_noticed(fleet: Fleet) -> None:
    """Return when the window of low load has begun."""
    serving = fleet._deployments[1]._serving
    assert serving is not None
    scaler = serving._autoscaler
    assert scaler is not None
    await until(lambda: scaler._low_since_s is not None)


@pytest.mark.anyio
async def test_a_long_queue_brings_replicas_and_a_quiet_window_takes_them_away(
    fleet, settings, clock
):
    await fleet.deploy(scaled())
    assert len((await running(fleet))["engines"]) == 1
    settings.wait_ms = 100
    seen = set()
    async with kept_busy(fleet, 20) as engines:
        while len(engines) < 3:  # the new ones take their share
            seen.add(status(fleet)["status"])
            await asyncio.sleep(0.01)
    assert seen == {"Running"}, "it answers all the while"
    three = pids(fleet)
    assert len(three) == 3
    await quiet_noticed(fleet)
    clock.now_s += 59
    await asyncio.sleep(0.1)
    assert len(status(fleet)["engines"]) == 3
    clock.now_s += 2
    await until(lambda: len(status(fleet)["engines"]) == 1)
    await until(lambda: sum(is_gone(pid) for pid in three) == 2)
    await until(lambda: fleet.capacity.replicas() == 1)
    assert (await fleet.infer(1, [ROW])).outputs


@pytest.mark.anyio
async def test_a_replica_that_has_to_go_answers_what_it_was_asked(fleet, settings, clock):
    await fleet.deploy(scaled())
    await running(fleet)
    settings.wait_ms = 50
    async with kept_busy(fleet, 20):
        await until(lambda: len(pids(fleet)) == 3)
    await until(lambda: status(fleet)["details"] == [])
    settings.wait_ms = 1000
    (last,) = ask(fleet, 1)
    await asyncio.sleep(0.1)
    # One request for three replicas is less than one each: it counts as low.
    await quiet_noticed(fleet)
    clock.now_s += 1000
    await until(lambda: len(status(fleet)["engines"]) == 1)
    assert (await last).outputs


@pytest.mark.anyio
async def test_one_more_that_finds_no_room_does_not_stop_the_others(fleet, settings, clock):
    settings.cpu = 1.5
    await fleet.deploy(scaled(cpus=0.5))  # and 0.5 for the sidekick: one fits
    await running(fleet)
    settings.wait_ms = 50
    asked = ask(fleet, 20)
    await until(lambda: bool(status(fleet)["engines"][-1]["reason"]))
    tree = status(fleet)
    assert len(tree["engines"]) == 2
    assert tree["status"] == "Running"
    assert tree["details"] == ["Scaling"]
    assert "Insufficient cpu" in tree["engines"][1]["reason"]
    await asyncio.gather(*asked)
    await quiet_noticed(fleet)
    clock.now_s += 1000
    await until(lambda: len(status(fleet)["engines"]) == 1)
    assert status(fleet)["engines"][0]["status"] == "Running"


@pytest.mark.anyio
async def test_an_undeploy_while_it_scales_leaves_nothing(fleet, settings, clock):
    await fleet.deploy(scaled())
    await running(fleet)
    settings.wait_ms = 100
    async with kept_busy(fleet, 20):
        await until(lambda: len(pids(fleet)) == 3)
        clock.now_s += 1000
        started = pids(fleet)
        await asyncio.wait_for(fleet.undeploy(1), 20)
    assert all(is_gone(pid) for pid in started)
    assert fleet.capacity.used() == (0.0, 0)


@pytest.mark.anyio
async def test_busy_processors_bring_a_replica(fleet):
    config = built(
        lambda b: b.cpus(0.1),
        lambda b: b.replica_autoscale_min_max(maximum=2, minimum=1),
        lambda b: b.autoscale_cpu_utilization(10),
    )
    await fleet.deploy(plan(engine_config=config))
    await running(fleet)
    asked = ask(fleet, 1)
    while len(status(fleet)["engines"]) == 1:
        await asyncio.gather(*asked)
        asked = [asyncio.create_task(fleet.infer(1, [ROW] * 500))]
    await asyncio.gather(*asked)
    assert (await running(fleet))["engines"][1]["status"] == "Running"
