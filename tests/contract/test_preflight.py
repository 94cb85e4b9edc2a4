"""Preflight over the real gateway, the real SDK and the real sandbox: red, then green."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dashboard.connectors.outbound import AllowList, Limits, Outbound
from dashboard.domain.check import CheckKind
from dashboard.domain.preflight import Mark, PreflightView, Step, Way
from dashboard.masking import Secret
from dashboard.services.activity import ActivityLog
from dashboard.services.checks import Checks
from dashboard.services.connection_tests import ConnectionTests
from dashboard.services.failures import unexpected
from dashboard.services.preflight import Subject, preflight_of
from dashboard.services.reads import Reads
from dashboard.services.watch import DeploymentWatch
from dashboard.store.database import open_store, open_vault
from dashboard.strings import WORKSHOP_SAMPLE_PATH
from tests.contract.running import Platform, opened_platform
from tests.support.sandbox import running_sandbox


@pytest.fixture(scope="module")
def platform(tmp_path_factory) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("preflight") / "sandbox"
    with running_sandbox(folder) as sandbox, opened_platform(sandbox) as opened:
        details = Secret({"url": sandbox.url + WORKSHOP_SAMPLE_PATH})
        opened.gateway.create_connection(
            opened.who, name="press-releases", connection_type="HTTP", details=details
        )
        opened.gateway.link_connection(
            opened.who, name="press-releases", workspace_id=opened.room.workspace_id
        )
        yield opened


class Desk:
    """The services of a dashboard, as far as a preflight needs them."""

    def __init__(self, platform: Platform, folder: Path, pool: ThreadPoolExecutor) -> None:
        gateway = platform.gateway
        self.platform = platform
        self.store = open_store("", data_dir=folder, vault=open_vault("", data_dir=folder))
        reads = Reads(pool, on_unexpected=unexpected)
        self.checks, activity = Checks(self.store, reads), ActivityLog(self.store, reads)
        allow = AllowList.parse(["127.0.0.1"])
        limits = Limits(total_s=10, most_bytes=10_000_000)

        def outbound() -> Outbound:
            return Outbound(allow=allow, limits=limits, spool_dir=folder)

        tests = ConnectionTests(
            lambda: gateway,
            pool=pool,
            outbound=outbound,
            checks=self.checks,
            activity=activity,
            on_unexpected=unexpected,
        )
        self.preflight = preflight_of(
            lambda: gateway,
            store=self.store,
            tests=tests,
            checks=self.checks,
            activity=activity,
            watch=DeploymentWatch(pool, gateway.status, on_unexpected=unexpected),
            outbound=outbound,
        )
        linked = gateway.list_connections(platform.who, workspace_id=platform.room.workspace_id)
        self.connection = next(one for one in linked if one.name == "press-releases")
        self.subject = Subject(
            platform.room.workspace_id, self.connection.connection_id, platform.pipeline.pipeline_id
        )

    def walk(self, *, go_on: bool = False) -> PreflightView:
        self.preflight.run(self.platform.who, self.subject, session="s", go_on=go_on)
        view = self.preflight.view(self.platform.who, self.subject)
        assert view is not None
        return view


@pytest.fixture
def desk(platform: Platform, tmp_path) -> Iterator[Desk]:
    with ThreadPoolExecutor(4) as pool:
        made = Desk(platform, tmp_path, pool)
        yield made
        made.preflight.close()
        made.store.close()


def test_it_is_red_before_the_deploy_and_goes_on_to_green_behind_it(platform, desk):
    view = desk.walk()
    assert [one.mark for one in view.steps] == [
        *[Mark.DONE] * 3,
        Mark.FAILED,
        *[Mark.NOT_TRIED] * 2,
    ]
    assert view.failed is not None
    assert (view.failed.step, view.failed.way) == (Step.RUNNING, Way.DEPLOY)
    assert view.can_go_on
    # The test counts as one of the connection.
    health = desk.checks.newest(platform.who, desk.connection.connection_id).load()
    assert [one.kind for one in health] == [CheckKind.TEST]
    assert health[0].passed

    platform.deploy(1)
    view = desk.walk(go_on=True)
    assert view.is_green, view
    assert all(one.elapsed_ms is not None for one in view.steps)
    assert len(desk.checks.newest(platform.who, desk.connection.connection_id).load()) == 1
    # The platform's log has the row twice: once to warm the model, once to time it.
    rows = platform.gateway.logs(platform.who, platform.pipeline, limit=10)
    assert len(rows) == 2
    assert len({row["in.inputs"] for row in rows}) == 1
    platform.gateway.undeploy(platform.who, platform.pipeline)
