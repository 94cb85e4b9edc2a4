"""Workspaces, who is in them, and which one is a person's default."""

from __future__ import annotations

import sqlite3

from dashboard.sandbox.store.database import Database, Row

OWNER = "OWNER"
COLLABORATOR = "COLLABORATOR"


#: What is in a person's workspaces; each lists `workspace_id, item`.
_CONTENTS = {
    "models": (
        "SELECT m.workspace_id, m.id AS item FROM models m "
        "JOIN workspace_users u ON u.workspace_id = m.workspace_id WHERE u.user_id = ? "
        "ORDER BY m.updated_at DESC, m.id DESC"
    ),
    "pipelines": (
        "SELECT p.workspace_id, p.id AS item FROM pipelines p "
        "JOIN workspace_users u ON u.workspace_id = p.workspace_id WHERE u.user_id = ? "
        "ORDER BY p.id DESC"
    ),
    "users": (
        "SELECT all_of.workspace_id, all_of.user_id AS item FROM workspace_users all_of "
        "JOIN workspace_users u ON u.workspace_id = all_of.workspace_id WHERE u.user_id = ? "
        "ORDER BY all_of.rowid"
    ),
}


class NameTaken(Exception):
    """Something of this name exists already."""


class LastOwner(Exception):
    """The workspace would be left without an owner."""


class Workspaces:
    """Groups of models, pipelines and people. Names are unique on the instance."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, *, owner_id: str) -> int:
        """Create a workspace owned by a person and return its id. Raises NameTaken."""
        with self._database.transaction():
            try:
                workspace_id = self._database.insert(
                    "workspaces",
                    {"name": name, "created_at": self._database.now(), "created_by": owner_id},
                )
            except sqlite3.IntegrityError as exc:
                raise NameTaken(name) from exc
            self.add_member(workspace_id, owner_id, OWNER)
        return workspace_id

    def get(self, workspace_id: int) -> Row | None:
        """Return one workspace."""
        return self._database.one("SELECT * FROM workspaces WHERE id = ?", (workspace_id,))

    def by_name(self, name: str) -> Row | None:
        """Return the workspace of this name."""
        return self._database.one("SELECT * FROM workspaces WHERE name = ?", (name,))

    def of_user(self, user_id: str) -> list[Row]:
        """Return the workspaces this person is in, oldest first."""
        return self._database.all(
            "SELECT w.* FROM workspaces w JOIN workspace_users u ON u.workspace_id = w.id "
            "WHERE u.user_id = ? ORDER BY w.id",
            (user_id,),
        )

    def is_member(self, workspace_id: int, user_id: str) -> bool:
        """Say whether this person is in this workspace."""
        sql = "SELECT 1 FROM workspace_users WHERE workspace_id = ? AND user_id = ?"
        return self._database.one(sql, (workspace_id, user_id)) is not None

    def members(self, workspace_id: int) -> list[Row]:
        """Return who is in it (`user_id`, `user_type`), in the order they came."""
        return self._database.all(
            "SELECT user_id, user_type FROM workspace_users WHERE workspace_id = ? ORDER BY rowid",
            (workspace_id,),
        )

    def role_of(self, workspace_id: int, user_id: str) -> str | None:
        """Return what a person is in a workspace; None if they are not in it."""
        row = self._database.one(
            "SELECT user_type FROM workspace_users WHERE workspace_id = ? AND user_id = ?",
            (workspace_id, user_id),
        )
        return None if row is None else str(row["user_type"])

    def ids(self) -> list[int]:
        """Return the id of every workspace of the instance."""
        return [row["id"] for row in self._database.all("SELECT id FROM workspaces ORDER BY id")]

    def add_member(self, workspace_id: int, user_id: str, user_type: str) -> None:
        """Put a person in, or change what they are there. Raises LastOwner."""
        with self._database.transaction():
            if user_type != OWNER:
                self._keep_owner(workspace_id, user_id)
            self._database.run(
                "INSERT INTO workspace_users VALUES (?, ?, ?) "
                "ON CONFLICT (workspace_id, user_id) DO UPDATE SET user_type = excluded.user_type",
                (workspace_id, user_id, user_type),
            )

    def remove_member(self, workspace_id: int, user_id: str) -> int:
        """Take a person out and return how many were (0 or 1). Raises LastOwner."""
        with self._database.transaction():
            self._keep_owner(workspace_id, user_id)
            self._database.run(
                "DELETE FROM user_default_workspaces WHERE workspace_id = ? AND user_id = ?",
                (workspace_id, user_id),
            )
            return self._database.run(
                "DELETE FROM workspace_users WHERE workspace_id = ? AND user_id = ?",
                (workspace_id, user_id),
            )

    def _keep_owner(self, workspace_id: int, user_id: str) -> None:
        """Refuse if this person is the only owner."""
        owners = [row["user_id"] for row in self.members(workspace_id) if row["user_type"] == OWNER]
        if owners == [user_id]:
            raise LastOwner(user_id)

    def default_of(self, user_id: str) -> int | None:
        """Return the id of this person's default workspace."""
        row = self._database.one(
            "SELECT workspace_id FROM user_default_workspaces WHERE user_id = ?", (user_id,)
        )
        return None if row is None else int(row["workspace_id"])

    def set_default(self, user_id: str, workspace_id: int) -> None:
        """Make this the person's default workspace."""
        self._database.run(
            "INSERT OR REPLACE INTO user_default_workspaces VALUES (?, ?)", (user_id, workspace_id)
        )

    def contents(self, user_id: str) -> dict[int, dict[str, list[int] | list[Row]]]:
        """Return the model ids, pipeline ids (newest first) and members of a person's workspaces.

        Keyed by workspace id; one query per kind, however many workspaces there are.
        """
        found: dict[int, dict[str, list[int] | list[Row]]] = {}
        for kind, sql in _CONTENTS.items():
            for row in self._database.all(sql, (user_id,)):
                found.setdefault(row["workspace_id"], {}).setdefault(kind, []).append(row["item"])
        return found
