"""The idle guard of a real dashboard that no browser looks at, over real engines."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dashboard.domain.activity import Act, Activity, ActivityFilter
from dashboard.domain.idle import Guard
from dashboard.domain.pipeline import PipelineState
from dashboard.domain.run import RunState
from dashboard.domain.table import FLAG_DEFAULTS
from dashboard.services.guard_stop import SIGNED
from dashboard.settings import Settings
from dashboard.store.activity_records import ActivityRecords
from dashboard.store.database import Store, default_url, open_store, open_vault
from dashboard.store.guard_records import GuardRecords
from dashboard.store.run_records import RunRecords
from tests.contract.running import Platform, opened_platform
from tests.support import hasty_dashboard as hasty
from tests.support.launcher import RunningDashboard, running_dashboard
from tests.support.platform import signed_in
from tests.support.sandbox import RunningSandbox, running_sandbox
from tests.support.waiting import wait_until

START_S = 60.0


@contextmanager
def dashboard_over(
    sandbox: RunningSandbox, folder: Path, *, minute_s: float, minutes: int = 1, do: str = ""
) -> Iterator[RunningDashboard]:
    with running_dashboard(
        folder / "data",
        module="tests.support.hasty_dashboard",
        env=_env(minute_s, minutes, do),
        url=sandbox.url,
        username=sandbox.username,
        password=sandbox.password,
    ) as running:
        yield running


def _env(minute_s: float, minutes: int, do: str) -> dict[str, str]:
    return {hasty.MINUTE_S: str(minute_s), hasty.MINUTES: str(minutes), hasty.DO: do}


@contextmanager
def opened(folder: Path, sandbox: RunningSandbox | None) -> Iterator[Store]:
    """Open the store of the dashboard beside it."""
    data = folder / "data"
    settings = Settings(data_dir=data, url=sandbox.url) if sandbox else Settings(data_dir=data)
    place = settings.platform_dir
    url = default_url(place)
    store = open_store(url, data_dir=place, vault=open_vault(url, data_dir=place))
    yield store
    store.close()


def guard_of(store: Store) -> Guard | None:
    return next(iter(GuardRecords(store).all()), None)


def until_ready(store: Store) -> Guard:
    def is_ready() -> bool:
        guard = guard_of(store)
        return guard is not None and guard.ready_at is not None

    wait_until(is_ready, within_s=START_S, what="the guard counts")
    guard = guard_of(store)
    assert guard is not None
    return guard


def until_stopped(platform: Platform, *, within_s: float) -> float:
    """Wait until the pipeline is not deployed any more; return when that was."""
    wait_until(
        lambda: (
            platform.gateway.status(platform.who, platform.pipeline).state
            is PipelineState.NOT_DEPLOYED
        ),
        within_s=within_s,
        what="the pipeline is undeployed",
    )
    return time.time()


def entries(store: Store) -> list[Activity]:
    """What the activity log tells of the stops; the deploy before them is there too."""
    wanted = ActivityFilter(acts=(Act.STOPPED_IDLE, Act.UNDEPLOYED))
    return list(ActivityRecords(store).page(wanted, offset=0, limit=10)[0])


@pytest.mark.slow
def test_it_undeploys_on_time_with_no_browser_open(tmp_path: Path):
    with (
        running_sandbox(tmp_path / "sandbox") as sandbox,
        opened_platform(sandbox) as platform,
        dashboard_over(sandbox, tmp_path, minute_s=1, minutes=5, do="deploy"),
        opened(tmp_path, sandbox) as store,
    ):
        guard = until_ready(store)
        stopped_at = until_stopped(platform, within_s=20)
        assert guard.ready_at is not None
        assert 5 <= stopped_at - guard.ready_at.timestamp() < 12
        wait_until(lambda: entries(store), within_s=5, what="it is in the activity log")
        (entry,) = entries(store)
        assert (entry.act, entry.who, entry.pipeline) == (
            Act.STOPPED_IDLE,
            SIGNED,
            platform.pipeline.name,
        )
        assert guard_of(store) is None


@pytest.mark.slow
def test_it_does_not_undeploy_with_a_run_in_flight(tmp_path: Path):
    # 40 rows of 0.2 s each: eight times as long as the guard waits.
    with (
        running_sandbox(tmp_path / "sandbox", flags=["--wait-ms", "200"]) as sandbox,
        opened_platform(sandbox) as platform,
        dashboard_over(sandbox, tmp_path, minute_s=1, minutes=1, do="deploy and run"),
        opened(tmp_path, sandbox) as store,
    ):
        until_stopped_after_deploy(platform)
        (run,) = RunRecords(store).recent([platform.room.workspace_id], 5)
        assert (run.state, run.rows_done, run.rows_failed) == (RunState.DONE, len(hasty.TEXTS), 0)
        assert run.started_at is not None
        assert run.finished_at is not None
        assert (run.finished_at - run.started_at).total_seconds() > 5


async def ask(platform: Platform) -> None:
    opening = platform.gateway.open_inference(platform.who, platform.pipeline)
    async with opening as session:
        await session.infer([{"inputs": hasty.TEXTS[0], **FLAG_DEFAULTS}], timeout_s=20)


@pytest.mark.slow
def test_an_inference_of_another_program_begins_the_count_anew(tmp_path: Path):
    with (
        running_sandbox(tmp_path / "sandbox") as sandbox,
        opened_platform(sandbox) as platform,
        dashboard_over(sandbox, tmp_path, minute_s=1, minutes=6, do="deploy"),
        opened(tmp_path, sandbox) as store,
    ):
        guard = until_ready(store)
        assert guard.ready_at is not None
        half_way = guard.ready_at.timestamp() + 3
        wait_until(lambda: time.time() >= half_way, within_s=10, what="half of its time is over")
        before = time.time()
        asyncio.run(ask(platform))
        answered_at = time.time()
        stopped_at = until_stopped(platform, within_s=30)
        assert before + 5.5 <= stopped_at < answered_at + 12


def until_stopped_after_deploy(platform: Platform) -> None:
    wait_until(
        lambda: (
            platform.gateway.status(platform.who, platform.pipeline).state
            is not PipelineState.NOT_DEPLOYED
        ),
        within_s=START_S,
        what="the pipeline is deployed",
    )
    until_stopped(platform, within_s=60)


@pytest.mark.slow
def test_it_survives_a_kill_and_gives_notice_before_it_stops(tmp_path: Path):
    with (
        running_sandbox(tmp_path / "sandbox") as sandbox,
        opened_platform(sandbox) as platform,
    ):
        with dashboard_over(sandbox, tmp_path, minute_s=60, minutes=10, do="deploy") as running:
            with opened(tmp_path, sandbox) as store:
                until_ready(store)
            running.process.send_signal(signal.SIGKILL)
            running.process.wait()
        status = platform.gateway.status(platform.who, platform.pipeline)
        assert status.state is PipelineState.RUNNING
        begun_at = time.time()
        # Its ten minutes are one second now, and long over; the notice is of half a second more.
        with (
            dashboard_over(sandbox, tmp_path, minute_s=0.4),
            opened(tmp_path, sandbox) as store,
        ):
            assert until_stopped(platform, within_s=START_S) - begun_at > 2
            wait_until(lambda: entries(store), within_s=5, what="it is in the activity log")
            assert [one.act for one in entries(store)] == [Act.STOPPED_IDLE]


@pytest.mark.slow
def test_in_the_sandbox_what_is_deployed_again_after_a_kill_is_stopped_too(tmp_path: Path):
    module = "tests.support.hasty_dashboard"
    folder = tmp_path / "data"
    env = _env(60, 10, "deploy")
    with running_dashboard(folder, module=module, env=env) as running:
        wait_until(
            lambda: list(folder.rglob("runs.sqlite3")), within_s=START_S, what="there is a store"
        )
        with opened(tmp_path, None) as store:
            before = until_ready(store)
        running.process.send_signal(signal.SIGKILL)
        running.process.wait()
    with (
        running_dashboard(folder, module=module, env=_env(0.4, 1, "")),
        opened(tmp_path, None) as store,
    ):
        wait_until(lambda: entries(store), within_s=START_S, what="the guard has stopped it")
        assert [(one.act, one.who) for one in entries(store)] == [(Act.STOPPED_IDLE, SIGNED)]
        assert guard_of(store) is None
        with signed_in(folder) as platform:
            query = "{ deployment { deployed pipeline { id } } }"
            told = platform.post("/v1/graphql", json={"query": query}).json()["data"]
        assert told["deployment"] == [{"deployed": False, "pipeline": {"id": before.pipeline_id}}]


@pytest.mark.slow
def test_an_ordinary_stop_says_what_it_leaves_running(tmp_path: Path):
    with running_sandbox(tmp_path / "sandbox") as sandbox:
        with (
            dashboard_over(sandbox, tmp_path, minute_s=60, minutes=45, do="deploy") as running,
            opened(tmp_path, sandbox) as store,
        ):
            until_ready(store)
        told = "".join(running.output)
        assert "These pipelines go on running" in told
        assert "hf-summarizer (workshop-workspace-summarization): the idle guard stops it" in told
        assert "after 45 min without a request" in told
