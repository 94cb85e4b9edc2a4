"""The gateway through the unmodified SDK against the real sandbox, over real HTTP."""

from __future__ import annotations

import asyncio
import os
import threading
import time

import pytest

from dashboard.domain.connection import Description, DetailPart
from dashboard.domain.deployment_settings import DeploymentSettings
from dashboard.domain.model import ModelVersion
from dashboard.domain.pipeline import PipelineState
from dashboard.errors import (
    AuthenticationFailed,
    Conflict,
    DashboardError,
    InferenceFailed,
    InvalidInput,
    NotFound,
    PlatformUnreachable,
)
from dashboard.gateway.base import Account
from dashboard.gateway.wallaroo_sdk import WallarooGateway
from dashboard.masking import SecretDetails, SecretText
from tests.support.sandbox import running_sandbox
from tests.support.waiting import wait_until

ROOM = "workshop-workspace-summarization"
TEXT = " ".join(
    f"In year {year} the town's library lent {year * 7} books to readers from the valley, and "
    f"its bakery sold {year * 11} loaves of bread on market days."
    for year in range(1990, 2002)
)
ROW = {
    "inputs": TEXT,
    "return_text": True,
    "return_tensors": False,
    "clean_up_tokenization_spaces": False,
}
SMALL = DeploymentSettings()
START_LIMIT_S = 30.0


def describe(_kind, details):
    keys = details if isinstance(details, dict) else ()
    return Description(tuple(DetailPart(key, key, None, is_set=True) for key in keys))


def open_gateway(sandbox):
    gateway = WallarooGateway(base_url=sandbox.url, describe=describe)
    account = Account(sandbox.url, sandbox.username, SecretText(sandbox.password))
    return gateway, gateway.sign_in("local", account)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture(scope="module")
def opened(sandbox):
    gateway, who = open_gateway(sandbox)
    yield gateway, who
    gateway.close()


@pytest.fixture
def gateway(opened):
    return opened[0]


@pytest.fixture
def who(opened):
    return opened[1]


@pytest.fixture
def room(gateway, who):
    return next(room for room in gateway.list_workspaces(who) if room.name == ROOM)


@pytest.fixture
def pipeline(gateway, who, room):
    return gateway.get_pipeline(who, workspace_id=room.workspace_id, name="hf-summarizer")


@pytest.fixture
def version(gateway, who, room) -> ModelVersion:
    (model,) = gateway.list_models(who, room.workspace_id)
    newest: ModelVersion = model.versions[0]
    return newest


def wait_for(gateway, who, pipeline, state):
    wait_until(
        lambda: gateway.status(who, pipeline).state is state,
        within_s=START_LIMIT_S,
        what=f"{pipeline.name} is {state}",
    )
    return gateway.status(who, pipeline)


def infer(gateway, who, pipeline, rows):
    async def run():
        async with gateway.open_inference(who, pipeline) as session:
            return await session.infer(rows, timeout_s=20)

    return asyncio.run(run())


def test_a_wrong_password_is_refused(sandbox):
    gateway = WallarooGateway(base_url=sandbox.url, describe=describe)
    with pytest.raises(AuthenticationFailed):
        gateway.sign_in("x", Account(sandbox.url, sandbox.username, SecretText("not-it-9034")))
    gateway.close()


def test_the_demo_is_there(gateway, who, room, pipeline, version):
    assert pipeline.workspace_id == room.workspace_id
    assert pipeline.workspace_name == ROOM
    assert room.pipeline_ids == (pipeline.pipeline_id,)
    assert version.model_name == "hf-summarizer"
    assert version.status == "ready"
    assert version.is_embedded
    assert pipeline.versions[0].steps[0].model_version == version.version
    assert pipeline in gateway.list_pipelines(who)
    assert gateway.list_pipelines(who, workspace_id=room.workspace_id) == (pipeline,)


def test_a_connection_lives_its_life(gateway, who, room):
    name = "a <b>name</b> with spaces & é"
    details = SecretDetails({"url": "https://u:planted-0771@example.com/t.json", "n": [1, None]})
    made = gateway.create_connection(who, name=name, connection_type="HTTP", details=details)
    assert (made.name, made.type, made.workspace_names) == (name, "HTTP", ())
    assert [part.key for part in made.parts] == ["url", "n"]
    assert gateway.list_connections(who)[-1] == made
    with pytest.raises(Conflict) as caught:
        gateway.create_connection(who, name=name, connection_type="HTTP", details=details)
    assert caught.value.field == "name"

    linked = gateway.link_connection(who, name=name, workspace_id=room.workspace_id)
    assert linked.workspace_names == (ROOM,)
    again = gateway.link_connection(who, name=name, workspace_id=room.workspace_id)
    assert again == linked
    assert linked in gateway.list_connections(who, workspace_id=room.workspace_id)
    free = gateway.unlink_connection(who, name=name, workspace_id=room.workspace_id)
    assert free.workspace_names == ()
    assert free not in gateway.list_connections(who, workspace_id=room.workspace_id)

    _, stored = gateway.read_details(who, name)
    assert stored.reveal() == details.reveal()
    gateway.delete_connection(who, name)
    for missing in (gateway.get_connection, gateway.delete_connection):
        with pytest.raises(NotFound):
            missing(who, name)


def test_linking_to_no_workspace_is_not_found(gateway, who):
    name = "loose"
    details = SecretDetails({"url": "https://example.com"})
    gateway.create_connection(who, name=name, connection_type="HTTP", details=details)
    with pytest.raises(NotFound):
        gateway.link_connection(who, name=name, workspace_id=987_654)
    gateway.delete_connection(who, name)


def test_a_workspace_is_made_once(gateway, who):
    made = gateway.create_workspace(who, "a-new-room")
    assert made.name == "a-new-room"
    assert made in gateway.list_workspaces(who)
    with pytest.raises(Conflict) as taken:
        gateway.create_workspace(who, "a-new-room")
    assert taken.value.field == "name"
    with pytest.raises(InvalidInput) as wrong:
        gateway.create_workspace(who, "no spaces, please")
    assert wrong.value.field == "name"


def test_a_pipeline_is_made_of_a_model_version_with_one_version_only(
    gateway, who, room, version, pipeline
):
    made = gateway.create_pipeline(
        who, workspace_id=room.workspace_id, name="second-one", model_version=version
    )
    assert len(made.versions) == 1
    assert made.versions[0].steps[0].model_version == version.version
    assert gateway.deployment(who, made) is None
    assert gateway.status(who, made).state is PipelineState.NOT_DEPLOYED
    with pytest.raises(Conflict):
        gateway.create_pipeline(
            who, workspace_id=room.workspace_id, name=pipeline.name, model_version=version
        )
    with pytest.raises(InvalidInput):
        gateway.create_pipeline(
            who, workspace_id=room.workspace_id, name="Upper", model_version=version
        )
    with pytest.raises(InferenceFailed):
        infer(gateway, who, made, [ROW])


def test_nothing_is_found_under_another_name(gateway, who, room):
    with pytest.raises(NotFound):
        gateway.get_pipeline(who, workspace_id=room.workspace_id, name="nope")
    with pytest.raises(NotFound):
        gateway.list_models(who, 987_654)


def test_the_summarizers_story_from_deploy_to_undeploy(gateway, who, pipeline, version):
    made = gateway.deploy(who, pipeline, model_version=version, settings=SMALL)
    assert not made.already_running
    status = wait_for(gateway, who, pipeline, PipelineState.RUNNING)
    assert status.platform_word == "Running"
    assert status.running_versions == (made.version,)
    record = gateway.deployment(who, pipeline)
    assert record is not None
    assert record.deployed
    assert record.engine_config["engine"]["cpu"] == 0.25

    answer = infer(gateway, who, pipeline, [ROW])
    (row,) = answer.rows
    assert row["in.inputs"] == TEXT
    assert 0 < len(row["out.summary_text"]) < len(TEXT)
    assert row["anomaly.count"] == 0
    assert abs(row["time"] / 1000 - time.time()) < 60
    assert not any(key.startswith("metadata") for key in row)
    assert answer.metadata["pipeline_version"] == made.version
    timing = answer.timing
    assert timing.total_ms is not None
    assert timing.model_ms is not None
    assert timing.wait_ms is not None
    assert 0 < timing.model_ms <= timing.wait_ms

    newest = gateway.logs(who, pipeline, limit=5)[0]
    assert newest["time"] == row["time"]
    assert newest["out.summary_text"] == row["out.summary_text"]
    assert newest["metadata.pipeline_version"] == made.version
    assert isinstance(newest["metadata.elapsed"], list)

    with pytest.raises((InferenceFailed, InvalidInput)):
        infer(gateway, who, pipeline, [{"wrong": 1}])

    again = gateway.deploy(who, pipeline, model_version=version, settings=SMALL)
    assert again.already_running
    assert again.version == made.version

    began = time.monotonic()
    gateway.undeploy(who, pipeline)
    assert time.monotonic() - began < 5
    wait_for(gateway, who, pipeline, PipelineState.NOT_DEPLOYED)
    gateway.undeploy(who, pipeline)
    with pytest.raises(InferenceFailed):
        infer(gateway, who, pipeline, [ROW])


def test_many_threads_make_mixed_calls(gateway, who, room, pipeline):
    problems: list[DashboardError] = []

    def work():
        try:
            for _ in range(5):
                gateway.list_connections(who)
                gateway.status(who, pipeline)
                gateway.list_pipelines(who)
                gateway.list_models(who, room.workspace_id)
        except DashboardError as exc:
            problems.append(exc)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts descriptors as Linux does")
def test_calls_leave_no_descriptor_behind(gateway, who, pipeline):
    def all_kinds():
        gateway.list_connections(who)
        gateway.status(who, pipeline)
        gateway.list_pipelines(who)

    all_kinds()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(30):
        all_kinds()
    assert len(os.listdir("/proc/self/fd")) <= before + 2


def test_a_gateway_outlives_the_death_of_the_sandbox(tmp_path):
    with running_sandbox(tmp_path) as first:
        gateway, who = open_gateway(first)
        before = gateway.list_connections(who)
        first.process.kill()
        first.process.wait()
        with pytest.raises(PlatformUnreachable):
            gateway.list_connections(who)
    with running_sandbox(tmp_path) as second:
        gateway.rebase(second.url)
        assert gateway.list_connections(who) == before
        details = SecretDetails({"url": "https://example.com"})
        assert gateway.create_connection(who, name="after", connection_type="HTTP", details=details)
    gateway.close()
