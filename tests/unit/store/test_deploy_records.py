from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from dashboard.domain.deploy_record import Deployer, DeployRecord
from dashboard.domain.deployment_settings import Autoscaling, DeploymentSettings, Variable
from dashboard.masking import SecretText
from dashboard.store.database import Store, open_store, open_vault
from dashboard.store.deploy_records import DeployRecords
from dashboard.store.schema import DEPLOYS
from tests.support.stored import everything_stored

NOW = datetime(2026, 11, 22, 13, 0, 0, 123456, tzinfo=UTC)
PLANTED = "hf_planted-token-3f8a"
SETTINGS = DeploymentSettings(
    replicas=2,
    autoscaling=Autoscaling(1, 4),
    label="gpu:a100",
    environment=(Variable("HF_TOKEN", SecretText(PLANTED)),),
)
DEPLOY = DeployRecord(
    deploy_id=0,
    pipeline_id=7,
    pipeline_name="hf-summarizer \ud800\x00<b>",
    workspace_id=1,
    workspace_name="room",
    version="v-1",
    model_name="m",
    model_version="u-1",
    who_id="ann",
    who="ann@example.com",
    at=NOW,
    settings=SETTINGS,
)


@pytest.fixture
def store(tmp_path: Path, database_url: str) -> Iterator[Store]:
    vault = open_vault(database_url, data_dir=tmp_path)
    store = open_store(database_url, data_dir=tmp_path, vault=vault)
    yield store
    store.close()


@pytest.fixture
def records(store):
    return DeployRecords(store)


def test_a_deploy_is_read_back_with_its_settings(records):
    records.insert(DEPLOY)
    last = records.last(7, who_id="ann")
    assert last.settings is not None
    (token,) = last.settings.environment
    assert (token.name, token.value.reveal(), token.kept_from) == ("HF_TOKEN", PLANTED, "v-1")
    assert replace(last.settings, environment=()) == replace(SETTINGS, environment=())
    assert (last.at, last.version) == (NOW, "v-1")
    assert records.last(7, who_id="bob") is None
    assert records.last(8, who_id="ann") is None


def test_the_environment_is_stored_sealed(records, store):
    records.insert(DEPLOY)
    assert PLANTED.encode() not in everything_stored(store)
    assert b"HF_TOKEN" not in everything_stored(store)


def test_a_later_deploy_ends_the_one_before_whoever_made_it(records):
    records.insert(DEPLOY)
    later = NOW + timedelta(minutes=1)
    records.insert(replace(DEPLOY, who_id="bob", version="v-2", at=later))
    assert records.not_ended(who_id="ann") == ()
    (bobs,) = records.not_ended(who_id="bob")
    assert bobs.version == "v-2"
    assert records.last(7, who_id="ann").ended_at == later
    assert records.version(7) == "v-2"
    assert not records.end(7, later, version="v-1")
    assert records.end(7, later, version="v-2")
    assert not records.end(7, later, version="v-2")
    assert records.version(7) == ""
    assert records.not_ended(who_id="bob") == ()


def test_how_long_starts_took_is_told_newest_first(records):
    for seconds in (1.0, 2.0, None, 3.0):
        deploy_id = records.insert(DEPLOY)
        if seconds is not None:
            records.ready(deploy_id, seconds)
    assert records.starts_s(7, most=2) == (3.0, 2.0)
    assert records.starts_s(8, most=2) == ()


def test_who_deployed_a_version_is_told_of_that_very_pipeline(records):
    records.insert(DEPLOY)
    records.insert(replace(DEPLOY, who_id="bob", who="", version="v-2"))
    assert records.deployer(7, DEPLOY.pipeline_name, "v-1") == Deployer("ann", "ann@example.com")
    assert records.deployer(7, DEPLOY.pipeline_name, "v-2") == Deployer("bob", "")
    assert records.deployer(7, DEPLOY.pipeline_name, "v-3") is None
    assert records.deployer(7, "another", "v-1") is None
    assert records.deployer(8, DEPLOY.pipeline_name, "v-1") is None


def test_settings_that_cannot_be_read_leave_the_rest(records, store):
    records.insert(DEPLOY)
    with store.write() as connection:
        connection.execute(update(DEPLOYS).values(settings_sealed=b"altered by somebody" * 4))
    last = records.last(7, who_id="ann")
    assert (last.settings, last.version) == (None, "v-1")


def test_old_deploys_go_when_they_are_over(records):
    records.insert(DEPLOY)
    records.insert(replace(DEPLOY, pipeline_id=8))
    records.end(7, NOW, version="v-1")
    assert records.drop(before=NOW + timedelta(days=1)) == 1
    assert records.last(8, who_id="ann") is not None
