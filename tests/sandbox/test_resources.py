"""What one machine can do for the sizes of a deployment: priority, memory, time to load."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from dashboard.sandbox.capacity import niceness_of
from dashboard.sandbox.errors import EngineError
from dashboard.sandbox.fleet import Fleet, FleetLimits
from dashboard.sandbox.logstore import LogStore
from dashboard.sandbox.memory_watch import ProcessUse, parse_ps, process_use
from dashboard.vault import Vault
from tests.sandbox.test_fleet import ROW, Settings, pids, plan, running, sized, status, until

FAST = FleetLimits(backoff_s=(0.02, 0.1), watch_poll_s=0.01)


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
async def fleet(tmp_path):
    logs = LogStore(tmp_path / "logs.db", Vault(b"k" * 32))
    made = Fleet(logs=logs, config=Settings(), clock=time.time, limits=FAST)
    await made.start()
    yield made
    await made.stop()
    logs.close()


@pytest.mark.parametrize(
    ("cpu", "niceness"), [(4.0, 0), (1.25, 0), (1.0, 0), (0.5, 3), (0.25, 6), (0.01, 10), (0.0, 10)]
)
def test_a_small_share_stands_back_and_a_whole_cpu_does_not(cpu, niceness):
    assert niceness_of(cpu) == niceness


@pytest.mark.anyio
async def test_a_replica_has_the_priority_of_its_share(fleet):
    await fleet.deploy(plan(1, engine_config=sized(0.5)))
    await fleet.deploy(plan(2, engine_config=sized(0.125)))
    await running(fleet, 1)
    await running(fleet, 2)
    whole, quarter = pids(fleet)
    assert os.getpriority(os.PRIO_PROCESS, whole) == os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, quarter) == 6
    group = Path(f"/proc/{quarter}/autogroup")
    if group.exists():
        assert group.read_text().split()[-1] == "6"


@pytest.mark.anyio
async def test_a_model_that_grows_over_its_limit_is_killed_over_the_request(fleet):
    await fleet.deploy(plan(engine_config=sized(0.5, "20Mi")))
    await running(fleet)
    assert (await fleet.infer(1, [ROW])).outputs, "it fits with a small request"
    large = ROW | {"inputs": "A sentence of some words. " * 1_000_000}
    with pytest.raises(EngineError, match="OOMKilled") as caught:
        await fleet.infer(1, [large])
    assert caught.value.status == 500
    await until(lambda: status(fleet)["sidekicks"][0].get("restarts", 0) >= 1)
    await running(fleet)
    assert (await fleet.infer(1, [ROW])).outputs


@pytest.mark.anyio
async def test_the_time_to_load_is_the_configurations(fleet, tmp_path):
    config = {"engine": {"python": {"load_timeout_millis": 1}}}
    await fleet.deploy(plan(engine_config=config))
    await until(lambda: status(fleet)["status"] == "Error")
    assert "did not load within 0.001 s" in str(status(fleet)["sidekicks"][0])


@pytest.mark.anyio
async def test_memory_and_processor_time_are_read_from_the_system():
    (use,) = (await process_use([os.getpid(), 2**22 + 1])).values()
    assert use.resident_bytes > 10 * 2**20
    assert use.cpu_s > 0.1
    assert await process_use([]) == {}


@pytest.mark.anyio
@pytest.mark.skipif(sys.platform != "linux", reason="compares ps with /proc")
async def test_ps_says_the_same_where_there_is_no_proc(monkeypatch):
    mine = [os.getpid()]
    (exact,) = (await process_use(mine)).values()
    monkeypatch.setattr("dashboard.sandbox.memory_watch._HAS_PROC", False)
    (listed,) = (await process_use(mine)).values()
    assert abs(listed.resident_bytes - exact.resident_bytes) < 20 * 2**20
    assert abs(listed.cpu_s - exact.cpu_s) < 3


def test_the_times_of_ps_are_read_in_all_their_forms():
    text = " 7 1024 00:01:02\n8 1 0:00.25\n9 2 1-01:00:00\nnonsense\n"
    assert parse_ps(text) == {
        7: ProcessUse(2**20, 62.0),
        8: ProcessUse(1024, 0.25),
        9: ProcessUse(2048, 90_000.0),
    }
