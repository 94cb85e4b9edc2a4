"""Pipelines, their versions, and the one deployment each of them may have."""

from __future__ import annotations

import json
import uuid

from dashboard.sandbox.store.database import Database, Row
from dashboard.vault import Vault


class Pipelines:
    """Pipelines by workspace, newest version first. Definitions are parsed JSON in rows."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def add_version(
        self, workspace_id: int, name: str, *, owner_id: str, definition: object
    ) -> Row:
        """Add a version, and its pipeline if there is none of this name in the workspace.

        Returns
        -------
        Row
            The version: `id, pipeline_pk, version` (UUID), `definition, created_at, updated_at`.
        """
        now = self._database.now()
        with self._database.transaction():
            pipeline = self.find(workspace_id, name)
            if pipeline is None:
                pipeline_pk = self._database.insert(
                    "pipelines",
                    {
                        "name": name,
                        "owner_id": owner_id,
                        "workspace_id": workspace_id,
                        "visibility": "private",
                        "created_at": now,
                        "updated_at": now,
                    },
                )
            else:
                pipeline_pk = pipeline["id"]
                self._database.run(
                    "UPDATE pipelines SET updated_at = ? WHERE id = ?", (now, pipeline_pk)
                )
            values: Row = {
                "pipeline_pk": pipeline_pk,
                "version": str(uuid.uuid4()),
                "definition": json.dumps(definition),
                "created_at": now,
                "updated_at": now,
            }
            values["id"] = self._database.insert("pipeline_versions", values)
        return values | {"definition": definition}

    def set_visibility(self, pipeline_id: int, visibility: str) -> None:
        """Make a pipeline private or public."""
        self._database.run(
            "UPDATE pipelines SET visibility = ?, updated_at = ? WHERE id = ?",
            (visibility, self._database.now(), pipeline_id),
        )

    def get(self, pipeline_id: int) -> Row | None:
        """Return one pipeline."""
        return self._database.one("SELECT * FROM pipelines WHERE id = ?", (pipeline_id,))

    def find(self, workspace_id: int, name: str) -> Row | None:
        """Return the pipeline of this name in this workspace."""
        sql = "SELECT * FROM pipelines WHERE workspace_id = ? AND name = ?"
        return self._database.one(sql, (workspace_id, name))

    def of_workspaces(self, workspace_ids: list[int]) -> list[Row]:
        """Return the pipelines of these workspaces, newest first."""
        sql = (
            "SELECT * FROM pipelines WHERE workspace_id IN (SELECT value FROM json_each(?)) "
            "ORDER BY id DESC"
        )
        return self._database.all(sql, (json.dumps(workspace_ids),))

    def version(self, version_id: int) -> Row | None:
        """Return one version."""
        sql = "SELECT * FROM pipeline_versions WHERE id = ?"
        return _parsed(self._database.one(sql, (version_id,)))

    def version_by_uuid(self, version: str) -> Row | None:
        """Return the version of this UUID."""
        sql = "SELECT * FROM pipeline_versions WHERE version = ?"
        return _parsed(self._database.one(sql, (version,)))

    def versions_of(self, pipeline_ids: list[int]) -> dict[int, list[Row]]:
        """Return the versions of these pipelines, newest first, by pipeline id."""
        sql = (
            "SELECT * FROM pipeline_versions "
            "WHERE pipeline_pk IN (SELECT value FROM json_each(?)) ORDER BY id DESC"
        )
        found: dict[int, list[Row]] = {}
        for row in self._database.all(sql, (json.dumps(pipeline_ids),)):
            found.setdefault(row["pipeline_pk"], []).append(_parsed(row) or row)
        return found

    def save_deployment(
        self, version: Row, *, deploy_id: str, engine_config: object, config_ids: list[int]
    ) -> int:
        """Note that this version is to run, and return the id of the pipeline's deployment.

        A pipeline keeps the id of its first deployment for ever. The engine configuration is
        sealed: it may carry environment variables of the engines, and those may be secret.
        """
        now = self._database.now()
        with self._database.transaction():
            row = self._database.one(
                "SELECT id FROM deployments WHERE pipeline_pk = ?", (version["pipeline_pk"],)
            )
            if row is None:
                deployment_id = self._database.insert(
                    "deployments",
                    {
                        "pipeline_pk": version["pipeline_pk"],
                        "deploy_id": deploy_id,
                        "deployed": 1,
                        "engine_config": b"",
                        "created_at": now,
                        "updated_at": now,
                    },
                )
            else:
                deployment_id = row["id"]
            sealed = self._vault.seal(
                json.dumps(engine_config).encode(), bound_to=_bound_to(deployment_id)
            )
            self._database.run(
                "UPDATE deployments SET deploy_id = ?, deployed = 1, engine_config = ?, "
                "updated_at = ? WHERE id = ?",
                (deploy_id, sealed, now, deployment_id),
            )
            self._note_version(deployment_id, version["id"], config_ids, now)
        return int(deployment_id)

    def _note_version(
        self, deployment_id: int, version_id: int, config_ids: list[int], now: str
    ) -> None:
        # As on an instance, a deployment knows only what runs now.
        for table in ("deployment_versions", "deployment_model_configs"):
            sql = f"DELETE FROM {table} WHERE deployment_id = ?"  # noqa: S608  # names are ours
            self._database.run(sql, (deployment_id,))
        self._database.insert(
            "deployment_versions",
            {
                "deployment_id": deployment_id,
                "pipeline_version_id": version_id,
                "created_at": now,
                "updated_at": now,
            },
        )
        for config_id in config_ids:
            self._database.insert(
                "deployment_model_configs",
                {
                    "deployment_id": deployment_id,
                    "pipeline_version_id": version_id,
                    "model_config_id": config_id,
                },
            )

    def stop_deployment(self, deployment_id: int) -> None:
        """Note that a deployment is to stop. Its row stays: the SDK's tables read it."""
        self._database.run(
            "UPDATE deployments SET deployed = 0, updated_at = ? WHERE id = ?",
            (self._database.now(), deployment_id),
        )

    def delete(self, pipeline_id: int) -> None:
        """Delete a pipeline with its versions, its deployment and its tags."""
        with self._database.transaction():
            self._delete_versions(
                "SELECT id FROM pipeline_versions WHERE pipeline_pk = ?", pipeline_id
            )
            for sql in (
                "DELETE FROM deployments WHERE pipeline_pk = ?",
                "DELETE FROM pipeline_tags WHERE pipeline_pk_id = ?",
                "DELETE FROM pipelines WHERE id = ?",
            ):
                self._database.run(sql, (pipeline_id,))

    def delete_versions(self, version_ids: list[int]) -> None:
        """Delete versions, and what a stopped deployment remembers of them."""
        with self._database.transaction():
            self._delete_versions("SELECT value FROM json_each(?)", json.dumps(version_ids))

    def _delete_versions(self, chosen: str, parameter: object) -> None:
        for table, column in (
            ("deployment_versions", "pipeline_version_id"),
            ("deployment_model_configs", "pipeline_version_id"),
            ("pipeline_versions", "id"),
        ):
            sql = f"DELETE FROM {table} WHERE {column} IN ({chosen})"  # noqa: S608  # names are ours
            self._database.run(sql, (parameter,))

    def deployment(self, deployment_id: int) -> Row | None:
        """Return one deployment."""
        return self._opened(
            self._database.one("SELECT * FROM deployments WHERE id = ?", (deployment_id,))
        )

    def deployment_of(self, pipeline_id: int) -> Row | None:
        """Return the deployment of a pipeline; None if it never was deployed."""
        return self._opened(
            self._database.one("SELECT * FROM deployments WHERE pipeline_pk = ?", (pipeline_id,))
        )

    def deployments(self, *, running_only: bool = False) -> list[Row]:
        """Return the deployments, oldest first."""
        rows = self._database.all(
            "SELECT * FROM deployments WHERE deployed >= ? ORDER BY id", (int(running_only),)
        )
        return [self._opened(row) or row for row in rows]

    def deployed_versions(self, deployment_id: int) -> list[Row]:
        """Return what was deployed (`pipeline_version_id`, times), the current one first."""
        return self._database.all(
            "SELECT * FROM deployment_versions WHERE deployment_id = ? ORDER BY number DESC",
            (deployment_id,),
        )

    def deployments_of_version(self, version_id: int) -> list[Row]:
        """Return the deployments a version took part in, newest first."""
        return self._database.all(
            "SELECT * FROM deployment_versions WHERE pipeline_version_id = ? ORDER BY number DESC",
            (version_id,),
        )

    def deployed_configs(self, deployment_id: int) -> list[Row]:
        """Return the model configurations of what is deployed, in the order of the steps."""
        return self._database.all(
            "SELECT * FROM deployment_model_configs WHERE deployment_id = ? ORDER BY id",
            (deployment_id,),
        )

    def configs_of_version(self, version_id: int) -> list[Row]:
        """Return the model configurations a pipeline version is deployed with."""
        return self._database.all(
            "SELECT * FROM deployment_model_configs WHERE pipeline_version_id = ? ORDER BY id",
            (version_id,),
        )

    def _opened(self, row: Row | None) -> Row | None:
        if row is None:
            return None
        text = self._vault.open(row["engine_config"], bound_to=_bound_to(row["id"]))
        return row | {"engine_config": json.loads(text)}


def _bound_to(deployment_id: int) -> str:
    return f"deployment:{deployment_id}"


def _parsed(row: Row | None) -> Row | None:
    return None if row is None else row | {"definition": json.loads(row["definition"])}
