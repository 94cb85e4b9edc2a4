"""The dashboard is killed again and again in the middle of a run, on each kind of database."""

from __future__ import annotations

import random
import secrets
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dashboard.domain.run import RowState, Run, RunState
from dashboard.services.tables import TableStore
from dashboard.settings import Settings
from dashboard.store.database import Store, default_url, open_store, open_vault
from dashboard.store.run_records import Claim, RunRecords
from tests.contract.running import Platform, opened_platform, save_texts
from tests.support.launcher import RunningDashboard, running_dashboard
from tests.support.proxy import Proxy, running_proxy
from tests.support.sandbox import RunningSandbox, running_sandbox
from tests.support.waiting import wait_until

ROWS, IN_FLIGHT = 500, 2
WAIT_MS = 10
TEXTS = [f"Shop {number} sold {number * 7} loaves on market day." for number in range(ROWS)]


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    if request.param == "sqlite":
        return ""
    url: str = request.getfixturevalue("postgres_url")
    return url


@contextmanager
def opened_store(url: str, folder: Path) -> Iterator[Store]:
    url = url or default_url(folder)
    store = open_store(url, data_dir=folder, vault=open_vault(url, data_dir=folder))
    yield store
    store.close()


def queue_run(store: Store, platform: Platform) -> Run:
    """Leave a run as a dashboard does that died right after it was asked for it."""
    pipeline = platform.deploy(IN_FLIGHT)
    room, who, version = platform.room, platform.who, platform.version
    tables = TableStore(store, may_see=lambda _who, _room: True)
    run = Run(
        run_id=secrets.token_hex(16),
        table_id=save_texts(tables, who, room.workspace_id, TEXTS).table_id,
        workspace_id=room.workspace_id,
        workspace_name=room.name,
        connection_name="press",
        pipeline_name=pipeline.name,
        pipeline_version=pipeline.versions[0].version,
        model_name=version.model_name,
        model_version=version.version,
        model_sha=version.sha,
        engine=version.image_path,
        owner_id=who.user_id,
        owner_email=who.email,
        fingerprint="f" * 64,
        created_at=datetime.now(UTC),
        rows_total=ROWS,
        replicas=IN_FLIGHT,
    )
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    RunRecords(store).insert(run, Claim("somebody who died", long_ago))
    return run


def kill_in_the_middle(running: RunningDashboard, proxy: Proxy, moment: int, delay_s: float) -> int:
    """Kill the dashboard some time after so many rows were sent; return how many were by then."""
    wait_until(
        lambda: len(proxy.inferences) >= moment,
        within_s=60,
        what=f"{moment} rows are sent (now {len(proxy.inferences)})",
    )
    time.sleep(delay_s)  # any moment: while a row is sent, answered or written
    running.process.send_signal(signal.SIGKILL)
    running.process.wait()
    return len(proxy.inferences)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("database_url", "kills"), [("sqlite", 5), ("postgresql", 2)], indirect=["database_url"]
)
def test_a_dashboard_killed_again_and_again_answers_every_row_exactly_once(
    tmp_path: Path, database_url: str, kills: int
):
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails, to repeat it
    chance = random.Random(seed)  # noqa: S311 - no secret
    moments = sorted(chance.sample(range(20, ROWS - 20), kills))
    flags = ["--wait-ms", str(WAIT_MS)]
    with (
        running_sandbox(tmp_path / "sandbox", flags=flags) as sandbox,
        running_proxy(sandbox.url) as proxy,
        opened_platform(sandbox, proxy.url) as platform,
    ):
        folder = Settings(data_dir=tmp_path / "data", url=proxy.url).platform_dir
        with opened_store(database_url, folder) as store:
            run = queue_run(store, platform)
            lives = [0]
            for moment in moments:
                with dashboard_over(sandbox, proxy, tmp_path, database_url) as running:
                    delay_s = chance.uniform(0, 2 * WAIT_MS / 1000)
                    lives.append(kill_in_the_middle(running, proxy, moment, delay_s))
            with dashboard_over(sandbox, proxy, tmp_path, database_url):
                ended = until_over(store, run)
            check_result(store, ended, proxy)
        check_requests(proxy.texts(), [*lives, len(proxy.texts())])


@contextmanager
def dashboard_over(
    sandbox: RunningSandbox, proxy: Proxy, folder: Path, database_url: str
) -> Iterator[RunningDashboard]:
    with running_dashboard(
        folder / "data",
        url=proxy.url,
        username=sandbox.username,
        password=sandbox.password,
        database_url=database_url,
    ) as running:
        yield running


def until_over(store: Store, run: Run) -> Run:
    def now() -> Run:
        found = RunRecords(store).run(run.run_id)
        assert found is not None
        return found

    wait_until(lambda: now().state.is_over, within_s=60, what="the run is over")
    return now()


def check_result(store: Store, ended: Run, proxy: Proxy) -> None:
    assert (ended.state, ended.rows_done, ended.rows_failed) == (RunState.DONE, ROWS, 0)
    results = RunRecords(store).rows(ended.run_id, 0, ROWS)
    answered = {each.text: each.summary for each in proxy.inferences if each.summary}
    assert sorted(results) == list(range(ROWS))
    for index, result in results.items():
        assert (result.state, result.summary) == (RowState.DONE, answered[TEXTS[index]])


def check_requests(sent: list[str], lives: list[int]) -> None:
    """Check that no life sent more of the lives before it again than were in flight at the kill."""
    assert set(sent) == set(TEXTS)
    for number in range(1, len(lives)):
        before, in_life = sent[: lives[number - 1]], sent[lives[number - 1] : lives[number]]
        assert len(in_life) == len(set(in_life))
        again = set(in_life) & set(before)
        assert len(again) <= IN_FLIGHT, (number, again)
    assert len(sent) - ROWS <= IN_FLIGHT * (len(lives) - 2)
