"""Everything the sandbox remembers: one object with a part per kind of thing."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from dashboard.sandbox.store.connections import Connections
from dashboard.sandbox.store.database import Clock, Database, Row, StoreError
from dashboard.sandbox.store.models import Models
from dashboard.sandbox.store.orchestrations import Orchestrations
from dashboard.sandbox.store.pipelines import Pipelines
from dashboard.sandbox.store.sessions import Sessions
from dashboard.sandbox.store.tables import MIGRATIONS, RESET_ORDER
from dashboard.sandbox.store.tags import Tags
from dashboard.sandbox.store.tasks import Tasks
from dashboard.sandbox.store.users import Users
from dashboard.sandbox.store.workspaces import Workspaces
from dashboard.vault import Vault

DATABASE_NAME = "sandbox.db"
_PIPELINE_TOPIC = re.compile(r"workspace-(\d+)-pipeline-(.+?)-inference(?:-failures)?")
_MODEL_TOPIC = re.compile(r"model-(.+?)-inference(?:-failures)?")


class Store:
    """The sandbox's state in `data_dir`: a database, and model files beside it.

    Safe to use from any thread. Rows are dicts with the columns of `tables.py`.
    """

    def __init__(self, data_dir: Path, vault: Vault, *, clock: Clock) -> None:
        self._models_dir = data_dir / "models"
        self._models_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.database = Database(data_dir / DATABASE_NAME, migrations=MIGRATIONS, clock=clock)
        self.users = Users(self.database)
        self.sessions = Sessions(self.database)
        self.workspaces = Workspaces(self.database)
        self.connections = Connections(self.database, vault)
        self.models = Models(self.database, self._models_dir)
        self.pipelines = Pipelines(self.database, vault)
        self.tags = Tags(self.database)
        self.orchestrations = Orchestrations(self.database, data_dir / "orchestrations")
        self.tasks = Tasks(self.database, vault)

    def meta(self, name: str) -> bytes | None:
        """Return a remembered value of the instance itself."""
        row = self.database.one("SELECT value FROM meta WHERE name = ?", (name,))
        return None if row is None else bytes(row["value"])

    def set_meta(self, name: str, value: bytes) -> None:
        """Remember a value of the instance itself."""
        self.database.run("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def topic_exists(self, topic: str) -> bool:
        """Say whether an inference log of this name belongs to a pipeline or a model."""
        if found := _PIPELINE_TOPIC.fullmatch(topic):
            return self.pipelines.find(int(found[1]), found[2]) is not None
        if found := _MODEL_TOPIC.fullmatch(topic):
            return self.models.any_named(found[1])
        return False

    def clear(self) -> None:
        """Forget everything but the users; numbers start from 1 again."""
        with self.database.transaction():
            for table in RESET_ORDER:
                self.database.run(f"DELETE FROM {table}")  # noqa: S608  # names are ours
                self.database.run("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
        shutil.rmtree(self._models_dir, ignore_errors=True)
        self._models_dir.mkdir(mode=0o700, exist_ok=True)
        self.orchestrations.clear()

    def close(self) -> None:
        """Close the files."""
        self.database.close()


__all__ = ["DATABASE_NAME", "Row", "Store", "StoreError"]
