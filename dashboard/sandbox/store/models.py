"""Models, their versions and configurations, and the uploaded files."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from pathlib import Path

from dashboard.sandbox.engine import weights
from dashboard.sandbox.store.database import Database, Row

#: The states of a version, in the order it goes through them.
UPLOADING = "uploading"
PENDING = "pending_load_container"
ATTEMPTING = "attempting_load_container"
PENDING_NATIVE = "pending_load_native"
ATTEMPTING_NATIVE = "attempting_load_native"
READY = "ready"
ERROR = "error"

_CONFIG_JSON = (
    "tensor_fields",
    "dynamic_batching_config",
    "continuous_batching_config",
    "openai",
)

#: What belongs to a version, and the version itself: children first.
_OF_A_VERSION = (
    ("model_configs", "model_version_id"),
    ("upload_logs", "model_version_id"),
    ("model_tags", "model_id"),
    ("model_versions", "id"),
)


class Models:
    """Models by workspace; a version is one uploaded file. Newest first everywhere."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder

    def add_version(self, workspace_id: int, name: str, *, owner_id: str, version: Row) -> Row:
        """Add a version, and its model if there is none of this name in the workspace.

        Parameters
        ----------
        version
            `sha, file_name, size_bytes, status, image_path, visibility, framework, conversion`
            (the last a JSON object); what is left out is empty.

        Returns
        -------
        Row
            The version with its `id` and `model_pk`.
        """
        now = self._database.now()
        with self._database.transaction():
            model = self.find(workspace_id, name)
            if model is None:
                model_pk = self._database.insert(
                    "models",
                    {
                        "name": name,
                        "owner_id": owner_id,
                        "workspace_id": workspace_id,
                        "created_at": now,
                        "updated_at": now,
                    },
                )
            else:
                model_pk = model["id"]
                self._database.run("UPDATE models SET updated_at = ? WHERE id = ?", (now, model_pk))
            values = {
                "model_pk": model_pk,
                "version": str(uuid.uuid4()),
                "file_name": None,
                "size_bytes": 0,
                "error_summary": None,
                "image_path": None,
                "visibility": "private",
                "owner_id": owner_id,
                "created_at": now,
                "updated_at": now,
            } | version
            values["conversion"] = json.dumps(version.get("conversion") or {})
            version_id = self._database.insert("model_versions", values)
            found = self.version(version_id)
        assert found is not None  # noqa: S101  # written just now
        return found

    def add_config(self, version_id: int, config: Row) -> Row:
        """Add a configuration to a version; the newest one counts."""
        values: Row = {"runtime": "flight"} | config
        for name in _CONFIG_JSON:
            if values.get(name) is not None:
                values[name] = json.dumps(values[name])
        values |= {"model_version_id": version_id, "created_at": self._database.now()}
        found = self.config(self._database.insert("model_configs", values))
        assert found is not None  # noqa: S101  # written just now
        return found

    def set_status(
        self,
        version_id: int,
        status: str,
        *,
        error_summary: str | None = None,
        image_path: str | None = None,
    ) -> None:
        """Move a version to another state."""
        self._database.run(
            "UPDATE model_versions SET status = ?, error_summary = ?, "
            "image_path = coalesce(?, image_path), updated_at = ? WHERE id = ?",
            (status, error_summary, image_path, self._database.now(), version_id),
        )

    def set_visibility(self, version_id: int, visibility: str) -> None:
        """Make a version private or public."""
        self._database.run(
            "UPDATE model_versions SET visibility = ?, updated_at = ? WHERE id = ?",
            (visibility, self._database.now(), version_id),
        )

    def log(self, version_id: int, line: str) -> None:
        """Add a line to what a person can read about the upload."""
        # The form of a container's log, which the SDK takes apart: time, stream, "F", text.
        stamped = f"{self._database.now()} stdout F {line}"
        self._database.insert("upload_logs", {"model_version_id": version_id, "line": stamped})

    def upload_log(self, version_id: int, lines: int) -> list[str]:
        """Return the last `lines` lines, oldest first."""
        rows = self._database.all(
            "SELECT line FROM upload_logs WHERE model_version_id = ? ORDER BY number DESC LIMIT ?",
            (version_id, lines),
        )
        return [row["line"] for row in reversed(rows)]

    def get(self, model_id: int) -> Row | None:
        """Return one model."""
        return self._database.one("SELECT * FROM models WHERE id = ?", (model_id,))

    def find(self, workspace_id: int, name: str) -> Row | None:
        """Return the model of this name in this workspace."""
        sql = "SELECT * FROM models WHERE workspace_id = ? AND name = ?"
        return self._database.one(sql, (workspace_id, name))

    def any_named(self, name: str) -> bool:
        """Say whether a model of this name exists in any workspace."""
        return self._database.one("SELECT 1 FROM models WHERE name = ?", (name,)) is not None

    def of_workspaces(self, workspace_ids: list[int]) -> list[Row]:
        """Return the models of these workspaces, the one changed last first."""
        sql = (
            "SELECT * FROM models WHERE workspace_id IN (SELECT value FROM json_each(?)) "
            "ORDER BY updated_at DESC, id DESC"
        )
        return self._database.all(sql, (json.dumps(workspace_ids),))

    def version(self, version_id: int) -> Row | None:
        """Return one version."""
        sql = "SELECT * FROM model_versions WHERE id = ?"
        return _with_conversion(self._database.one(sql, (version_id,)))

    def version_by_uuid(self, version: str) -> Row | None:
        """Return the version of this UUID."""
        sql = "SELECT * FROM model_versions WHERE version = ?"
        return _with_conversion(self._database.one(sql, (version,)))

    def versions_of(self, model_ids: list[int]) -> dict[int, list[Row]]:
        """Return the versions of these models, newest first, by model id."""
        sql = (
            "SELECT * FROM model_versions WHERE model_pk IN (SELECT value FROM json_each(?)) "
            "ORDER BY id DESC"
        )
        found: dict[int, list[Row]] = {}
        for row in self._database.all(sql, (json.dumps(model_ids),)):
            row["conversion"] = json.loads(row["conversion"])
            found.setdefault(row["model_pk"], []).append(row)
        return found

    def unfinished(self) -> list[Row]:
        """Return the versions whose conversion had not ended."""
        rows = self._database.all(
            "SELECT * FROM model_versions WHERE status NOT IN (?, ?)", (READY, ERROR)
        )
        return [row | {"conversion": json.loads(row["conversion"])} for row in rows]

    def config(self, config_id: int) -> Row | None:
        """Return one configuration."""
        sql = "SELECT * FROM model_configs WHERE id = ?"
        return _with_lists(self._database.one(sql, (config_id,)))

    def config_of(self, version_id: int) -> Row | None:
        """Return the newest configuration of a version."""
        sql = "SELECT * FROM model_configs WHERE model_version_id = ? ORDER BY id DESC LIMIT 1"
        return _with_lists(self._database.one(sql, (version_id,)))

    def configs_of(self, version_ids: list[int]) -> dict[int, Row]:
        """Return the newest configuration of each of these versions, by version id."""
        sql = (
            "SELECT * FROM model_configs "
            "WHERE model_version_id IN (SELECT value FROM json_each(?)) ORDER BY id"
        )
        found: dict[int, Row] = {}
        for row in self._database.all(sql, (json.dumps(version_ids),)):
            found[row["model_version_id"]] = _with_lists(row) or row
        return found

    def deployed(self, version_ids: list[int]) -> list[int]:
        """Return those of these versions that run in a deployment, or are to."""
        sql = (
            "SELECT DISTINCT model_version_id FROM model_configs "
            "JOIN deployment_model_configs AS links ON links.model_config_id = model_configs.id "
            "JOIN deployments ON deployments.id = links.deployment_id "
            "WHERE deployed AND model_version_id IN (SELECT value FROM json_each(?))"
        )
        rows = self._database.all(sql, (json.dumps(version_ids),))
        return [row["model_version_id"] for row in rows]

    def delete_versions(self, version_ids: list[int]) -> None:
        """Delete versions with all that belongs to them; their models stay."""
        chosen = json.dumps(version_ids)
        with self._database.transaction():
            # What a stopped deployment remembers of them.
            self._database.run(
                "DELETE FROM deployment_model_configs WHERE model_config_id IN (SELECT id FROM "
                "model_configs WHERE model_version_id IN (SELECT value FROM json_each(?)))",
                (chosen,),
            )
            for table, column in _OF_A_VERSION:
                sql = f"DELETE FROM {table} WHERE {column} IN (SELECT value FROM json_each(?))"  # noqa: S608  # names are ours
                self._database.run(sql, (chosen,))
        for version_id in version_ids:
            artefact = self._folder / str(version_id)
            artefact.unlink(missing_ok=True)
            shutil.rmtree(weights.folder_of(artefact), ignore_errors=True)

    def delete(self, model_id: int) -> None:
        """Delete a model with all its versions."""
        with self._database.transaction():
            versions = self.versions_of([model_id]).get(model_id, [])
            self.delete_versions([version["id"] for version in versions])
            self._database.run("DELETE FROM models WHERE id = ?", (model_id,))

    def draft_path(self) -> Path:
        """Return a fresh path for a file that is still arriving."""
        return self._folder / f"{uuid.uuid4()}.part"

    def keep(self, draft: Path, version_id: int) -> None:
        """Make an arrived file the file of a version: all of it, or none after a crash."""
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(self._folder / str(version_id))

    def artefact(self, version_id: int) -> Path | None:
        """Return the file of a version; None if it has none (the seeded one)."""
        path = self._folder / str(version_id)
        return path if path.exists() else None

    def sweep_drafts(self) -> None:
        """Delete what a crash left of uploads that never were acknowledged."""
        for draft in self._folder.glob("*.part"):
            if draft.is_dir():  # weights that were being laid out
                shutil.rmtree(draft)
            else:
                draft.unlink(missing_ok=True)


def _with_conversion(row: Row | None) -> Row | None:
    return None if row is None else row | {"conversion": json.loads(row["conversion"])}


def _with_lists(row: Row | None) -> Row | None:
    if row is None:
        return None
    parsed = {name: json.loads(row[name]) for name in _CONFIG_JSON if row[name] is not None}
    return row | parsed
