"""A platform that lays traps, a gateway before it, and ann, who is signed in."""

from __future__ import annotations

import pytest

from dashboard.gateway.wallaroo_sdk import WallarooGateway
from tests.contract.scripted import (
    ENGINE_ANSWER,
    GRAPHQL,
    INFER,
    deployment,
    describe,
    graphql,
    scripted_platform,
)


@pytest.fixture
def platform():
    with scripted_platform() as running:
        yield running


@pytest.fixture
def gateway(platform):
    made = WallarooGateway(base_url=platform.url, describe=describe, call_timeout_s=2)
    yield made
    made.close()


@pytest.fixture
def ann(platform, gateway):
    return gateway.sign_in("ann", platform.account())


@pytest.fixture
def deployed(platform):
    record = deployment(deployed=True)
    platform.scripts[GRAPHQL] = graphql(DashboardDeployment={"pipeline_by_pk": record})
    platform.scripts[INFER] = (200, ENGINE_ANSWER)
    return platform
