"""Runs over the real gateway, the real SDK and the real sandbox."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from dashboard.domain.connection import Description
from dashboard.domain.deployment_settings import DeploymentSettings
from dashboard.domain.identity import Identity
from dashboard.domain.model import ModelVersion
from dashboard.domain.pipeline import Pipeline, PipelineState
from dashboard.domain.run import Run
from dashboard.domain.table import Passport
from dashboard.domain.workspace import Workspace
from dashboard.gateway.base import Account
from dashboard.gateway.wallaroo_sdk import WallarooGateway
from dashboard.masking import SecretText
from dashboard.services.runs import RunService, RunSettings
from dashboard.services.tables import TableStore
from dashboard.store.database import open_store, open_vault
from tests.support.sandbox import RunningSandbox
from tests.support.waiting import wait_until

ROOM = "workshop-workspace-summarization"
START_LIMIT_S = 30.0


@dataclass(frozen=True)
class Platform:
    """A signed-in gateway and the workshop's pipeline."""

    gateway: WallarooGateway
    who: Identity
    room: Workspace
    pipeline: Pipeline
    version: ModelVersion

    def deploy(self, replicas: int) -> Pipeline:
        """Deploy the pipeline with so many replicas, wait until it runs, and return it."""
        settings = DeploymentSettings(
            replicas=replicas, sidekick_cpus=0.25, sidekick_memory="512Mi"
        )
        self.gateway.deploy(self.who, self.pipeline, model_version=self.version, settings=settings)
        wait_until(
            lambda: self.gateway.status(self.who, self.pipeline).state is PipelineState.RUNNING,
            within_s=START_LIMIT_S,
            what="the pipeline runs",
        )
        return self.gateway.get_pipeline(
            self.who, workspace_id=self.room.workspace_id, name=self.pipeline.name
        )


@contextlib.contextmanager
def opened_platform(sandbox: RunningSandbox, url: str = "") -> Iterator[Platform]:
    """Sign in at the sandbox, or at `url` before it."""
    url = url or sandbox.url
    gateway = WallarooGateway(base_url=url, describe=lambda _kind, _details: Description(()))
    try:
        account = Account(url, sandbox.username, SecretText(sandbox.password))
        who = gateway.sign_in("local", account)
        room = next(room for room in gateway.list_workspaces(who) if room.name == ROOM)
        pipeline = gateway.get_pipeline(who, workspace_id=room.workspace_id, name="hf-summarizer")
        (model,) = gateway.list_models(who, room.workspace_id)
        yield Platform(gateway, who, room, pipeline, model.versions[0])
    finally:
        gateway.close()


@dataclass(frozen=True)
class Desk:
    """Runs on files of their own, over a platform."""

    platform: Platform
    tables: TableStore
    runs: RunService

    def submit(self, texts: Sequence[str], pipeline: Pipeline, *, replicas: int) -> Run:
        """Keep the texts as a table and run it."""
        platform = self.platform
        saved = save_texts(self.tables, platform.who, platform.room.workspace_id, texts)
        return self.runs.submit(
            platform.who,
            table_id=saved.table_id,
            pipeline=pipeline,
            model_version=platform.version,
            workspace=platform.room,
            replicas=replicas,
        )

    def ended(self, run: Run, *, within_s: float = 60) -> Run:
        """Wait for the end of a run and return it."""
        who = self.platform.who
        wait_until(
            lambda: self.runs.run(who, run.run_id).state.is_over,
            within_s=within_s,
            what="the run is over",
        )
        return self.runs.run(who, run.run_id)


def save_texts(
    tables: TableStore, who: Identity, workspace_id: int, texts: Sequence[str]
) -> Passport:
    """Keep texts as a fetched table with one column, `inputs`."""
    draft = Passport(
        "", "press", workspace_id, 0, (), 1, "f" * 64, datetime.now(UTC), 1.0, "JSON records"
    )
    return tables.save(who, draft, pa.table({"inputs": pa.array(texts, pa.string())}))


@contextlib.contextmanager
def opened_desk(
    platform: Platform, folder: Path, *, settings: RunSettings | None = None, url: str = ""
) -> Iterator[Desk]:
    """Open a run store in `folder` (or at `url`) and carry runs until the end of the block."""
    store = open_store(url, data_dir=folder, vault=open_vault(url, data_dir=folder))
    tables = TableStore(store, may_see=lambda _who, _room: True)
    runs = RunService(
        store,
        tables,
        gateway=lambda: platform.gateway,
        identity_of=lambda _run: platform.who,
        settings=settings,
    )
    try:
        yield Desk(platform, tables, runs)
    finally:
        runs.close()
        store.close()
