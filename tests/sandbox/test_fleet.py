"""The fleet with real worker processes."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from dashboard.sandbox import deployments
from dashboard.sandbox.context import Sandbox
from dashboard.sandbox.errors import EngineError
from dashboard.sandbox.fleet import DeploymentPlan, Fleet, FleetLimits, StepPlan
from dashboard.sandbox.logstore import LogStore
from dashboard.sandbox.memory_watch import process_use
from dashboard.sandbox.replica import Replica
from dashboard.sandbox.status_tree import Json
from dashboard.vault import Vault

pytestmark = pytest.mark.anyio

ROW = {
    "inputs": "Ann opened a shop in Rome. It sells maps of old towns. People come from afar.",
    "return_text": True,
    "return_tensors": False,
    "clean_up_tokenization_spaces": False,
}
FAST = FleetLimits(infer_timeout_s=5.0, queue_wait_s=10.0, backoff_s=(0.02, 0.1), watch_poll_s=0.05)


@dataclass
class Settings:
    wait_ms: float = 0.0
    startup_s: float = 0.0
    cpu: float = 8.0
    memory_gib: float = 32.0
    shutdown_s: float = 0.0
    early_status: bool = False


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def settings():
    return Settings()


@pytest.fixture
def logs(tmp_path):
    made = LogStore(tmp_path / "logs.db", Vault(b"k" * 32))
    yield made
    made.close()


@pytest.fixture
async def fleet(settings, logs):
    made = Fleet(logs=logs, config=settings, clock=time.time, limits=FAST)
    await made.start()
    yield made
    await made.stop()


STEP = StepPlan(
    model_name="hf-summarizer",
    model_version_id=5,
    model_version="8b7a1615-0000-4000-8000-000000000001",
    sha="ee71",
    framework="hugging-face-summarization",
    runtime="flight",
)


def plan(
    deployment_id: int = 1,
    *,
    step: StepPlan = STEP,
    version: str = "e57078b2-0000-4000-8000-000000000001",
    engine_config: Json | None = None,
) -> DeploymentPlan:
    return DeploymentPlan(
        deployment_id=deployment_id,
        deploy_id="hf-summarizer",
        workspace_id=1,
        pipeline_name="hf-summarizer",
        pipeline_version=version,
        steps=(step,),
        engine_config=engine_config or {},
    )


def sized(cpu: float, memory: str = "1Gi", *, replicas: int = 1) -> Json:
    resources = {"cpu": cpu, "memory": memory}
    part = {"resources": {"limits": resources, "requests": resources}}
    return {
        "engine": {**part, "replicas": replicas},
        "engineAux": {"images": {"hf-summarizer-5": part}},
    }


async def until(condition: Callable[[], bool], *, within_s: float = 30.0) -> None:
    deadline_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline_s, "waited too long"
        await asyncio.sleep(0.005)


def status(fleet: Fleet, deployment_id: int = 1) -> Json:
    tree = fleet.status(deployment_id)
    assert tree is not None
    return tree


async def running(fleet: Fleet, deployment_id: int = 1) -> Json:
    await until(lambda: status(fleet, deployment_id)["status"] == "Running")
    return status(fleet, deployment_id)


def pids(fleet: Fleet) -> list[int]:
    return [
        replica.pid
        for deployment in fleet._deployments.values()
        for replica, _ in deployment.replicas
    ]


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def test_a_deployment_goes_from_starting_to_running(fleet):
    await fleet.deploy(plan())
    starting = status(fleet)
    assert starting["status"] == "Starting"
    assert starting["details"] == ["Scaling"]
    engine = starting["engines"][0]
    assert (engine["ip"], engine["status"]) == (None, "Pending")
    assert engine["details"] == ["containers with unready status: [engine]"] * 2
    assert engine["pipeline_statuses"] is None
    assert engine["model_statuses"] is None
    tree = await running(fleet)
    assert tree["details"] == []
    assert tree["engines"][0]["name"] == engine["name"], "the pod keeps its name"


async def test_the_running_tree_has_the_shape_of_the_wire(fleet):
    await fleet.deploy(plan())
    tree = await running(fleet)
    engine, balancer, sidekick = tree["engines"][0], tree["engine_lbs"][0], tree["sidekicks"][0]
    assert list(tree) == ["status", "details", "engines", "engine_lbs", "sidekicks"]
    assert engine["pipeline_statuses"] == {
        "pipelines": [
            {
                "id": "hf-summarizer",
                "status": "Running",
                "version": "e57078b2-0000-4000-8000-000000000001",
            }
        ]
    }
    assert engine["model_statuses"]["models"] == [
        {
            "model_version_id": 5,
            "name": "hf-summarizer",
            "sha": "ee71",
            "status": "Running",
            "version": "8b7a1615-0000-4000-8000-000000000001",
        }
    ]
    assert engine["name"].startswith("engine-")
    assert engine["ip"].startswith("10.")
    assert balancer["name"].startswith("engine-lb-")
    assert sidekick["name"].startswith("engine-sidekick-hf-summarizer-5-")
    assert sidekick["statuses"] == "\n"


async def test_each_replica_is_a_process_in_a_session_of_its_own(fleet):
    await fleet.deploy(plan(engine_config=sized(0.5, replicas=2)))
    tree = await running(fleet)
    assert len(tree["engines"]) == len(tree["sidekicks"]) == 2
    sessions = {os.getsid(pid) for pid in pids(fleet)}
    assert sessions == set(pids(fleet))
    assert os.getsid(0) not in sessions


async def test_a_worker_gets_no_secret_of_the_servers_environment(fleet, monkeypatch):
    monkeypatch.setenv("WALLAROO_SANDBOX_KEY", "planted-secret")
    await fleet.deploy(plan())
    await running(fleet)
    if sys.platform != "linux":
        pytest.skip("another process's environment can only be read on Linux")
    assert b"planted-secret" not in Path(f"/proc/{pids(fleet)[0]}/environ").read_bytes()


async def test_an_inference_answers_with_output_and_elapsed(fleet):
    await fleet.deploy(plan())
    await running(fleet)
    prediction = await fleet.infer(1, [ROW])
    assert prediction.outputs[0]["summary_text"]
    elapsed_ns = prediction.metadata["elapsed"]
    assert len(elapsed_ns) == 2
    assert all(each > 0 for each in elapsed_ns)
    assert prediction.engine == status(fleet)["engines"][0]["name"]


async def test_undeploy_ends_the_processes_and_the_status_at_once(fleet):
    await fleet.deploy(plan(engine_config=sized(0.5, replicas=2)))
    await running(fleet)
    ended = pids(fleet)
    undeploying = asyncio.create_task(fleet.undeploy(1))
    await asyncio.sleep(0)
    assert fleet.status(1) is None
    await asyncio.wait_for(undeploying, 20)
    assert all(is_gone(pid) for pid in ended)
    with pytest.raises(EngineError) as caught:
        await fleet.infer(1, [ROW])
    assert caught.value.status == 404


async def test_undeploy_ends_a_worker_that_does_not_react(fleet):
    await fleet.deploy(plan())
    await running(fleet)
    (pid,) = pids(fleet)
    os.kill(pid, signal.SIGSTOP)
    await asyncio.wait_for(fleet.undeploy(1), 20)
    assert is_gone(pid)


async def test_undeploy_in_the_middle_of_the_start_leaves_nothing(fleet, settings):
    settings.startup_s = 60.0
    await fleet.deploy(plan())
    await until(lambda: bool(pids(fleet)))
    ended = pids(fleet)
    await fleet.undeploy(1)
    assert all(is_gone(pid) for pid in ended)


async def test_undeploy_in_the_moment_of_a_death_leaves_nothing(fleet):
    for number in range(24):
        await fleet.deploy(plan())
        await running(fleet)
        (pid,) = pids(fleet)
        os.kill(pid, signal.SIGKILL)
        for _ in range(number):
            await asyncio.sleep(0.0001)
        async with asyncio.timeout(20):
            await fleet.undeploy(1)
        assert is_gone(pid)


async def test_ending_a_replica_can_be_given_up_as_its_process_falls_silent():
    replica = await Replica.spawn(plan(), engine="engine-1", say=lambda _: None)
    stopping = asyncio.create_task(replica.stop(grace_s=1))
    # A cancel that is lost here leaves a replica that nobody ends any more.
    replica._stderr_reader.add_done_callback(lambda _: stopping.cancel())
    with pytest.raises(asyncio.CancelledError):
        await stopping
    await replica.stop(grace_s=1)
    assert is_gone(replica.pid)


async def test_undeploy_while_a_hung_start_is_being_ended_leaves_nothing(settings, logs):
    limits = FleetLimits(load_timeout_s=0.2, stop_grace_s=0.5)
    fleet = Fleet(logs=logs, config=settings, clock=time.time, limits=limits)
    await fleet.deploy(plan())
    await until(lambda: bool(pids(fleet)))
    (pid,) = pids(fleet)
    os.kill(pid, signal.SIGSTOP)
    await until(lambda: not pids(fleet))
    await fleet.undeploy(1)
    assert is_gone(pid)


async def test_undeploy_in_a_start_that_fails_does_not_wait_for_the_next(
    logs, settings, monkeypatch
):
    begun, failing = asyncio.Event(), asyncio.Event()

    async def spawn(*_args, **_options):
        begun.set()
        await failing.wait()
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(Replica, "spawn", spawn)
    limits = FleetLimits(backoff_s=(600.0,))
    fleet = Fleet(logs=logs, config=settings, clock=time.time, limits=limits)
    await fleet.deploy(plan())
    await begun.wait()
    undeploying = asyncio.create_task(fleet.undeploy(1))
    await asyncio.sleep(0.01)
    failing.set()
    async with asyncio.timeout(20):
        await undeploying
    assert fleet.capacity.used() == (0.0, 0)


async def test_stop_waits_for_an_undeploy_whose_caller_has_gone(settings, logs):
    fleet = Fleet(logs=logs, config=settings, clock=time.time)
    await fleet.deploy(plan())
    await running(fleet)
    (pid,) = pids(fleet)
    os.kill(pid, signal.SIGSTOP)
    undeploying = asyncio.create_task(fleet.undeploy(1))
    await until(lambda: fleet.status(1) is None)
    undeploying.cancel()
    await fleet.stop()
    assert is_gone(pid)
    assert fleet.capacity.used() == (0.0, 0)


async def test_a_worker_that_only_closed_its_pipe_is_replaced(fleet):
    await fleet.deploy(plan())
    await running(fleet)
    ((replica, _),) = fleet._deployments[1].replicas
    # What it would look like if the worker closed its end.
    assert replica._process.stdout is not None
    replica._process.stdout.feed_eof()
    assert (await fleet.infer(1, [ROW])).outputs
    assert is_gone(replica.pid)


async def test_a_replica_that_was_replaced_is_watched_until_its_last_request_is_done(
    fleet, settings
):
    settings.wait_ms = 60_000
    await fleet.deploy(plan())
    await running(fleet)
    (old,) = pids(fleet)
    request = asyncio.create_task(fleet.infer(1, [ROW]))
    await until(lambda: fleet._deployments[1]._dispatcher.in_flight == 1)
    settings.wait_ms = 0
    await fleet.deploy(plan(version="new-version"))
    await running(fleet)
    assert old in pids(fleet)
    os.kill(old, signal.SIGKILL)
    assert (await asyncio.wait_for(request, 20)).plan.pipeline_version == "new-version"
    await until(lambda: old not in pids(fleet))


async def test_undeploy_answers_the_requests_in_flight(fleet, settings):
    settings.wait_ms = 30_000
    await fleet.deploy(plan())
    await running(fleet)
    requests = [asyncio.create_task(fleet.infer(1, [ROW])) for _ in range(3)]
    await asyncio.sleep(0.05)
    await fleet.undeploy(1)
    answers = await asyncio.wait_for(asyncio.gather(*requests, return_exceptions=True), 20)
    assert [getattr(answer, "status", 200) for answer in answers] == [404] * 3


async def test_the_start_up_wait_delays_running(fleet, settings):
    settings.startup_s = 0.5
    started_s = time.monotonic()
    await fleet.deploy(plan())
    await running(fleet)
    assert time.monotonic() - started_s >= 0.5


async def test_a_slow_start_shows_the_engine_before_its_sidekick(fleet, settings):
    settings.startup_s = 0.5
    await fleet.deploy(plan())
    seen: list[tuple[str, str]] = []
    while status(fleet)["status"] == "Starting":
        tree = status(fleet)
        pods = (tree["engines"][0]["status"], tree["sidekicks"][0]["status"])
        if pods not in seen:
            seen.append(pods)
        await asyncio.sleep(0.01)
    assert seen == [("Pending", "Pending"), ("Running", "Pending")]


async def test_a_starting_deployment_refuses_requests_but_never_with_503(fleet, settings):
    settings.startup_s = 60.0
    await fleet.deploy(plan())
    with pytest.raises(EngineError, match="still starting") as caught:
        await fleet.infer(1, [ROW])
    assert caught.value.status == 500


async def test_a_killed_worker_is_reported_and_replaced(fleet):
    await fleet.deploy(plan())
    name = (await running(fleet))["engines"][0]["name"]
    (pid,) = pids(fleet)
    os.kill(pid, signal.SIGKILL)
    await until(lambda: status(fleet)["status"] != "Running")
    tree = await running(fleet)
    assert pids(fleet) != [pid]
    assert tree["engines"][0]["name"] == name
    assert (await fleet.infer(1, [ROW])).outputs


async def test_a_failed_sidekick_shows_reason_and_exit_code(fleet):
    await fleet.deploy(plan())
    await running(fleet)
    os.kill(pids(fleet)[0], signal.SIGKILL)
    await until(lambda: status(fleet)["status"] == "Error")
    sidekick = status(fleet)["sidekicks"][0]
    assert sidekick["status"] == "Failed"
    assert sidekick["reason"] == "Error"
    assert sidekick["details"] == ["container terminated: Error, exit code 137"]
    await running(fleet)


async def test_a_kill_under_load_loses_no_request(fleet):
    await fleet.deploy(plan(engine_config=sized(0.5, replicas=2)))
    await running(fleet)
    requests = [asyncio.create_task(fleet.infer(1, [ROW])) for _ in range(200)]
    await until(lambda: sum(request.done() for request in requests) > 20)
    os.kill(pids(fleet)[0], signal.SIGKILL)
    answers = await asyncio.wait_for(asyncio.gather(*requests), 60)
    assert len(answers) == 200
    assert all(answer.outputs[0]["summary_text"] for answer in answers)


async def test_a_request_survives_the_death_of_the_only_worker(fleet, settings):
    settings.wait_ms = 300
    await fleet.deploy(plan())
    await running(fleet)
    request = asyncio.create_task(fleet.infer(1, [ROW]))
    await asyncio.sleep(0.1)
    os.kill(pids(fleet)[0], signal.SIGKILL)
    assert (await asyncio.wait_for(request, 30)).outputs


async def test_a_request_that_ends_two_workers_is_a_500_and_is_not_tried_again(fleet, settings):
    settings.wait_ms = 60_000
    await fleet.deploy(plan())
    await running(fleet)
    request = asyncio.create_task(fleet.infer(1, [ROW]))
    for _ in range(2):
        await running(fleet)
        await asyncio.sleep(0.05)
        os.kill(pids(fleet)[0], signal.SIGKILL)
        await until(lambda: status(fleet)["status"] != "Running")
    with pytest.raises(EngineError, match="ended over this request") as caught:
        await asyncio.wait_for(request, 30)
    assert caught.value.status == 500


async def test_requests_spread_over_the_replicas(fleet, settings):
    settings.wait_ms = 20
    await fleet.deploy(plan(engine_config=sized(0.5, replicas=2)))
    await running(fleet)
    answers = await asyncio.gather(*(fleet.infer(1, [ROW]) for _ in range(10)))
    engines = [answer.engine for answer in answers]
    assert sorted(engines.count(engine) for engine in set(engines)) == [5, 5]


async def test_a_hung_worker_is_a_504_and_is_replaced(settings, logs):
    limits = FleetLimits(infer_timeout_s=1.0, backoff_s=(0.02,))
    fleet = Fleet(logs=logs, config=settings, clock=time.time, limits=limits)
    await fleet.deploy(plan())
    await running(fleet)
    (pid,) = pids(fleet)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(EngineError, match="did not answer") as caught:
        await asyncio.wait_for(fleet.infer(1, [ROW]), 30)
    assert caught.value.status == 504
    await until(lambda: pids(fleet) not in ([], [pid]))
    await running(fleet)
    assert (await fleet.infer(1, [ROW])).outputs
    await fleet.stop()


async def test_a_full_queue_is_a_429(settings, logs):
    settings.wait_ms = 200
    limits = FleetLimits(queue_limit=2)
    fleet = Fleet(logs=logs, config=settings, clock=time.time, limits=limits)
    await fleet.deploy(plan())
    await running(fleet)
    answers = await asyncio.gather(
        *(fleet.infer(1, [ROW]) for _ in range(5)), return_exceptions=True
    )
    assert [getattr(answer, "status", 200) for answer in answers] == [200, 200, 200, 429, 429]
    await fleet.stop()


async def test_a_caller_that_goes_away_does_not_cost_the_worker(fleet, settings, logs):
    settings.wait_ms = 100
    await fleet.deploy(plan())
    await running(fleet)
    before = pids(fleet)
    for _ in range(3):
        request = asyncio.create_task(fleet.infer(1, [ROW]))
        await asyncio.sleep(0.01)
        request.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await request
    assert (await fleet.infer(1, [ROW])).outputs
    assert pids(fleet) == before
    # What the model did is in the log, whoever has gone.
    assert logs.row_count(plan().topic) == 4


async def test_a_wrong_row_fails_the_request_and_not_the_worker(fleet):
    await fleet.deploy(plan())
    await running(fleet)
    before = pids(fleet)
    rows = [ROW] * 300 + [ROW | {"inputs": 7}]
    with pytest.raises(EngineError, match=r"'inputs'.*expected string.*in row 300") as caught:
        await fleet.infer(1, rows)
    assert caught.value.status == 400
    assert pids(fleet) == before


async def test_a_redeploy_rolls_over_without_a_gap(fleet, settings):
    await fleet.deploy(plan())
    old_name = (await running(fleet))["engines"][0]["name"]
    settings.startup_s = 0.3
    await fleet.deploy(plan(version="new-version"))
    tree = status(fleet)
    assert tree["status"] == "Starting"
    assert [engine["status"] for engine in tree["engines"]] == ["Running", "Pending"]
    seen = set()
    while status(fleet)["status"] != "Running":
        prediction = await fleet.infer(1, [ROW])
        seen.add(prediction.plan.pipeline_version)
    assert seen == {"e57078b2-0000-4000-8000-000000000001"}
    after = await fleet.infer(1, [ROW])
    assert after.plan.pipeline_version == "new-version"
    tree = status(fleet)
    assert len(tree["engines"]) == 1
    assert tree["engines"][0]["name"] != old_name
    await until(lambda: len(pids(fleet)) == 1)


async def test_a_redeploy_that_cannot_load_leaves_the_old_one_answering(fleet, tmp_path):
    await fleet.deploy(plan())
    await running(fleet)
    await fleet.deploy(plan(step=replace(STEP, artefact=tmp_path / "missing.zip")))
    await until(lambda: status(fleet)["status"] == "Error")
    assert (await fleet.infer(1, [ROW])).outputs
    await fleet.deploy(plan(version="third"))
    await running(fleet)
    assert (await fleet.infer(1, [ROW])).plan.pipeline_version == "third"


async def test_a_redeploy_that_does_not_fit_leaves_the_old_one_answering(fleet):
    await fleet.deploy(plan(engine_config=sized(0.5)))
    await running(fleet)
    await fleet.deploy(plan(version="too-large", engine_config=sized(32.0)))
    await until(lambda: status(fleet)["status"] == "Error")
    assert [engine["status"] for engine in status(fleet)["engines"]] == ["Running", "Pending"]
    assert (await fleet.infer(1, [ROW])).outputs
    # Room for either is enough to change over.
    await fleet.deploy(plan(version="fits", engine_config=sized(3.0)))
    await running(fleet)
    await fleet.deploy(plan(version="fits-again", engine_config=sized(3.0)))
    await running(fleet)
    assert (await fleet.infer(1, [ROW])).plan.pipeline_version == "fits-again"


async def test_a_model_that_cannot_load_is_an_error_and_may_recover(fleet, tmp_path):
    artefact = tmp_path / "model.zip"
    empty_sha = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    await fleet.deploy(plan(step=replace(STEP, artefact=artefact, sha=empty_sha)))
    await until(lambda: status(fleet)["sidekicks"][0]["reason"] == "CrashLoopBackOff")
    tree = status(fleet)
    assert tree["status"] == "Error"
    assert tree["sidekicks"][0]["status"] == "Failed"
    assert "cannot be read: No such file" in tree["sidekicks"][0]["details"][0]
    assert str(tmp_path) not in str(tree)
    artefact.touch()
    await running(fleet)


async def test_a_file_that_was_changed_is_not_loaded(fleet, tmp_path):
    artefact = tmp_path / "model.zip"
    artefact.write_bytes(b"not what was uploaded")
    await fleet.deploy(plan(step=replace(STEP, artefact=artefact, sha="0" * 64)))
    await until(lambda: status(fleet)["status"] == "Error")
    assert "does not match its sha256" in str(status(fleet)["sidekicks"][0])


async def test_an_unknown_framework_says_so(fleet):
    await fleet.deploy(plan(step=replace(STEP, framework="sklearn")))
    await until(lambda: status(fleet)["status"] == "Error")
    assert "no runtime for the framework 'sklearn'" in str(status(fleet)["sidekicks"][0])
    with pytest.raises(EngineError, match=r"no engine is running|still starting") as caught:
        await fleet.infer(1, [ROW])
    assert caught.value.status == 500


async def test_too_large_a_deployment_is_the_insufficient_cpu_tree(fleet):
    await fleet.deploy(plan(engine_config=sized(32.0)))
    await until(lambda: status(fleet)["status"] == "Error")
    tree = status(fleet)
    engine = tree["engines"][0]
    assert tree["details"] == []
    assert engine["status"] == "Pending"
    assert engine["reason"].startswith("0/1 nodes are available: 1 Insufficient cpu. preemption:")
    assert engine["required_cpu"] == "64"
    assert "required_memory" not in engine
    assert pids(fleet) == []


async def test_insufficient_memory_names_the_memory(fleet):
    await fleet.deploy(plan(engine_config=sized(0.1, "20Gi")))
    await until(lambda: status(fleet)["status"] == "Error")
    engine = status(fleet)["engines"][0]
    assert "1 Insufficient memory" in engine["reason"]
    assert engine["required_memory"] == "40Gi"


async def test_it_starts_by_itself_when_there_is_room(fleet):
    await fleet.deploy(plan(1, engine_config=sized(3.0)))
    await running(fleet, 1)
    await fleet.deploy(plan(2, engine_config=sized(3.0)))
    await until(lambda: status(fleet, 2)["status"] == "Error")
    await fleet.undeploy(1)
    await running(fleet, 2)


async def test_over_the_memory_limit_is_oomkilled_and_then_a_crash_loop(fleet):
    await fleet.deploy(plan(engine_config=sized(0.1, "1Mi")))
    await until(lambda: status(fleet)["sidekicks"][0]["reason"] == "OOMKilled")
    assert "exit code 137" in status(fleet)["sidekicks"][0]["details"][0]
    await until(lambda: status(fleet)["sidekicks"][0]["reason"] == "CrashLoopBackOff")
    assert "last: OOMKilled" in status(fleet)["sidekicks"][0]["details"]
    assert status(fleet)["status"] == "Error"


_SERVER = """
import asyncio, sys, time
from pathlib import Path
from types import SimpleNamespace
from dashboard.sandbox.fleet import DeploymentPlan, Fleet, StepPlan
from dashboard.sandbox.logstore import LogStore
from dashboard.sandbox.memory_watch import process_use
from dashboard.vault import Vault

async def serve():
    settings = SimpleNamespace(wait_ms=60_000.0, startup_s=0.0, cpu=8.0, memory_gib=32.0)
    settings.shutdown_s, settings.early_status = 0.0, False
    logs = LogStore(Path(sys.argv[1]), Vault(b"k" * 32))
    fleet = Fleet(logs=logs, config=settings, clock=time.time)
    step = StepPlan("m", 1, "v", "s", "hugging-face-summarization", "flight")
    config = {"engine": {"replicas": 2}}
    await fleet.deploy(DeploymentPlan(1, "p", 1, "p", "v", (step,), config))
    while fleet.status(1)["status"] != "Running":
        await asyncio.sleep(0.01)
    row = {"inputs": "Ann sails.", "return_text": True, "return_tensors": False}
    row["clean_up_tokenization_spaces"] = False
    task = asyncio.create_task(fleet.infer(1, [row]))
    await asyncio.sleep(0)
    print(*(replica.pid for replica, _ in fleet._deployments[1].replicas), flush=True)
    await task

asyncio.run(serve())
"""


def has_ended(pid: int) -> bool:
    """Tell whether a process that is not our child has ended, reaped by its new parent or not."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return is_gone(pid)


async def test_the_engines_end_with_the_server_however_it_died(tmp_path):
    server = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _SERVER,
        str(tmp_path / "logs.db"),
        cwd=Path(__file__).resolve().parents[2],
        stdout=asyncio.subprocess.PIPE,
    )
    assert server.stdout is not None
    engines = [int(pid) for pid in (await server.stdout.readline()).split()]
    assert len(engines) == 2
    server.kill()
    await server.wait()
    await until(lambda: all(has_ended(pid) for pid in engines))


async def test_ten_thousand_rows_do_not_hold_the_loop(fleet):
    await fleet.deploy(plan())
    await running(fleet)
    longest_s = 0.0

    async def heartbeat() -> None:
        nonlocal longest_s
        while True:
            before_s = time.monotonic()
            await asyncio.sleep(0.001)
            longest_s = max(longest_s, time.monotonic() - before_s)

    pulse = asyncio.create_task(heartbeat())
    began_s = time.monotonic()
    prediction = await fleet.infer(1, [ROW] * 10_000)
    whole_s = time.monotonic() - began_s
    pulse.cancel()
    assert len(prediction.outputs) == 10_000
    assert longest_s < max(0.5, whole_s / 5), "others were kept waiting"


@pytest.mark.skipif(sys.platform != "linux", reason="descriptors are counted in /proc")
async def test_twenty_deploys_and_kills_leave_nothing_behind(fleet):
    async def cycle(number: int) -> list[int]:
        await fleet.deploy(plan(engine_config=sized(0.5, replicas=2)))
        await running(fleet)
        started = pids(fleet)
        if number % 3 == 0:
            os.kill(started[number % 2], signal.SIGKILL)
            await until(lambda: status(fleet)["status"] != "Running")
            await fleet.infer(1, [ROW])
        started += pids(fleet)
        await fleet.undeploy(1)
        return started

    await cycle(0)
    gc.collect()
    descriptors = set(os.listdir("/proc/self/fd"))
    tasks = len(asyncio.all_tasks())
    ended = [pid for number in range(20) for pid in await cycle(number)]
    gc.collect()
    assert all(is_gone(pid) for pid in ended)
    assert len(asyncio.all_tasks()) == tasks
    assert len(os.listdir("/proc/self/fd")) == len(descriptors)
    assert fleet._surroundings.capacity.used() == (0.0, 0)


async def test_whatever_goes_wrong_the_engines_are_watched_further(fleet, monkeypatch, caplog):
    looks: list[int] = []

    async def odd(pids):
        looks.append(1)
        if len(looks) < 4:
            raise ZeroDivisionError
        return await process_use(pids)

    monkeypatch.setattr("dashboard.sandbox.fleet.process_use", odd)
    await until(lambda: len(looks) >= 6)
    told = [one for one in caplog.records if "cannot be watched" in one.message]
    assert len(told) == 1
    assert told[0].exc_info is not None


async def test_a_deployment_that_cannot_be_resumed_holds_up_no_other(monkeypatch, caplog):
    resumed: list[DeploymentPlan] = []

    def plan_or_fail(_store, deployment_id):
        if deployment_id == 1:
            raise ZeroDivisionError
        return plan(deployment_id)

    async def deploy(one):
        resumed.append(one)

    monkeypatch.setattr(deployments, "plan_of", plan_or_fail)
    stored = SimpleNamespace(deployments=lambda **_which: [{"id": 1}, {"id": 2}])
    sandbox = SimpleNamespace(
        store=SimpleNamespace(pipelines=stored), fleet=SimpleNamespace(deploy=deploy)
    )
    await deployments.resume(cast("Sandbox", sandbox))  # it has the little that is asked
    assert [one.deployment_id for one in resumed] == [2]
    assert "deployment 1 could not be deployed again" in caplog.text
