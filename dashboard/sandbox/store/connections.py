"""Connections: instance-wide, unique by name, details sealed at rest."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections import defaultdict

from dashboard.sandbox.store.database import Database, Row
from dashboard.sandbox.store.workspaces import NameTaken
from dashboard.vault import Vault


class AlreadyLinked(Exception):
    """The connection is in that workspace already."""


class Connections:
    """Data connections in the order they were made.

    Rows carry `id, name, type, created_at, details` where `details` is JSON *text*: it is only
    ever passed on, and parsing ten thousand of them would make the list slow.
    """

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def add(self, name: str, connection_type: str, details: str) -> Row:
        """Create a connection; `details` is JSON text. Raises NameTaken."""
        connection_id = str(uuid.uuid4())
        row: Row = {
            "id": connection_id,
            "name": name,
            "type": connection_type,
            "details": self._vault.seal(details.encode(), bound_to=_bound_to(connection_id)),
            "created_at": self._database.now(),
        }
        try:
            self._database.insert("connections", row)
        except sqlite3.IntegrityError as exc:
            raise NameTaken(name) from exc
        return row | {"details": details}

    def by_name(self, name: str) -> Row | None:
        """Return one connection by its exact name."""
        return self._opened(self._database.one("SELECT * FROM connections WHERE name = ?", (name,)))

    def by_id(self, connection_id: str) -> Row | None:
        """Return one connection by its id."""
        return self._opened(
            self._database.one("SELECT * FROM connections WHERE id = ?", (connection_id,))
        )

    def listing(self, workspace_id: int | None = None) -> list[Row]:
        """Return all, oldest first, or those of a workspace in the order they were linked."""
        if workspace_id is None:
            rows = self._database.all("SELECT * FROM connections ORDER BY number")
        else:
            rows = self._database.all(
                "SELECT c.* FROM connections c JOIN connection_links l ON l.connection_id = c.id "
                "WHERE l.workspace_id = ? ORDER BY l.number",
                (workspace_id,),
            )
        for row in rows:
            row["details"] = self._open(row)
        return rows

    def delete(self, name: str) -> bool:
        """Delete a connection and its links; False if there was none of this name."""
        return self._database.run("DELETE FROM connections WHERE name = ?", (name,)) > 0

    def link(self, connection_id: str, workspace_id: int) -> str:
        """Put a connection into a workspace and return the id of the link. Raises AlreadyLinked."""
        link_id = str(uuid.uuid4())
        values = {"id": link_id, "connection_id": connection_id, "workspace_id": workspace_id}
        try:
            self._database.insert("connection_links", values)
        except sqlite3.IntegrityError as exc:
            raise AlreadyLinked(connection_id) from exc
        return link_id

    def unlink(self, connection_id: str, workspace_id: int) -> bool:
        """Take a connection out of a workspace; False if it was not in it."""
        sql = "DELETE FROM connection_links WHERE connection_id = ? AND workspace_id = ?"
        return self._database.run(sql, (connection_id, workspace_id)) > 0

    def workspace_names(self, connection_id: str | None = None) -> dict[str, list[str]]:
        """Return the names of the workspaces each connection (or just one) is linked to."""
        rows = self._database.all(
            "SELECT l.connection_id, w.name FROM connection_links l "
            "JOIN workspaces w ON w.id = l.workspace_id "
            "WHERE ?1 IS NULL OR l.connection_id = ?1 ORDER BY l.number",
            (connection_id,),
        )
        found: dict[str, list[str]] = defaultdict(list)
        for row in rows:
            found[row["connection_id"]].append(row["name"])
        return found

    def move_urls(self, old_prefix: str, new_prefix: str) -> None:
        """Replace the beginning of every `url` or `host` that starts with `old_prefix`.

        The sandbox's own samples live under its port; when the port changes, so must they.
        """
        with self._database.transaction():
            for row in self.listing():
                details = json.loads(row["details"])
                if not isinstance(details, dict):
                    continue
                moved = {
                    key: new_prefix + value.removeprefix(old_prefix)
                    if key in ("url", "host")
                    and isinstance(value, str)
                    and value.startswith(old_prefix)
                    else value
                    for key, value in details.items()
                }
                if moved != details:
                    self._replace_details(row["id"], json.dumps(moved))

    def _replace_details(self, connection_id: str, details: str) -> None:
        sealed = self._vault.seal(details.encode(), bound_to=_bound_to(connection_id))
        self._database.run(
            "UPDATE connections SET details = ? WHERE id = ?", (sealed, connection_id)
        )

    def _opened(self, row: Row | None) -> Row | None:
        return None if row is None else row | {"details": self._open(row)}

    def _open(self, row: Row) -> str:
        return self._vault.open(row["details"], bound_to=_bound_to(row["id"])).decode()


def _bound_to(connection_id: str) -> str:
    return f"connection:{connection_id}"
