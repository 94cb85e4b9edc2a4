"""Orchestrations: uploaded archives of programs that tasks run."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path
from typing import Final

from dashboard.sandbox.store.database import Database, Row

#: The states of an orchestration, in the order it goes through them.
PENDING_PACKAGING: Final = "pending_packaging"
PACKAGING: Final = "packaging"
READY: Final = "ready"
ERROR: Final = "error"


class Orchestrations:
    """Orchestrations by workspace, oldest first; each has a folder of its own."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder

    def add(self, values: Row, draft: Path) -> Row:
        """Add an orchestration and take over its file.

        Parameters
        ----------
        values
            `name, file_name, file_size, sha, owner_id, workspace_id, task_id`.
        draft
            The archive, checked; it is moved.
        """
        now = self._database.now()
        row: Row = {
            "id": str(uuid.uuid4()),
            "status": PENDING_PACKAGING,
            "created_at": now,
            "updated_at": now,
        } | values
        folder = self.folder(row["id"])
        folder.mkdir(mode=0o700, parents=True)
        os.replace(draft, folder / "archive.zip")
        self._database.insert("orchestrations", row)
        return row

    def get(self, orchestration_id: str) -> Row | None:
        """Return one orchestration."""
        return self._database.one("SELECT * FROM orchestrations WHERE id = ?", (orchestration_id,))

    def of_workspaces(self, workspace_ids: list[int]) -> list[Row]:
        """Return the orchestrations of some workspaces, oldest first."""
        marks = ", ".join("?" * len(workspace_ids))
        return self._database.all(
            f"SELECT * FROM orchestrations WHERE workspace_id IN ({marks}) "  # noqa: S608  # marks
            "ORDER BY number",
            workspace_ids,
        )

    def unfinished(self) -> list[Row]:
        """Return those whose packaging did not come to an end."""
        return self._database.all(
            "SELECT * FROM orchestrations WHERE status IN (?, ?) ORDER BY number",
            (PENDING_PACKAGING, PACKAGING),
        )

    def set_status(self, orchestration_id: str, status: str) -> None:
        """Move an orchestration to another state."""
        self._database.run(
            "UPDATE orchestrations SET status = ?, updated_at = ? WHERE id = ?",
            (status, self._database.now(), orchestration_id),
        )

    def delete(self, orchestration_id: str) -> None:
        """Forget an orchestration and delete its folder."""
        self._database.run("DELETE FROM orchestrations WHERE id = ?", (orchestration_id,))
        shutil.rmtree(self.folder(orchestration_id), ignore_errors=True)

    def draft_path(self) -> Path:
        """Return where an upload may be written before it is checked."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._folder / f"{uuid.uuid4()}.part"

    def sweep(self) -> None:
        """Delete the files that belong to no orchestration: of uploads and deletions cut short."""
        for path in self._folder.glob("*"):
            if path.is_file():
                path.unlink(missing_ok=True)
            elif self.get(path.name) is None:
                shutil.rmtree(path, ignore_errors=True)

    def folder(self, orchestration_id: str) -> Path:
        """Return the folder of an orchestration."""
        return self._folder / orchestration_id

    def archive(self, orchestration_id: str) -> Path:
        """Return the uploaded file."""
        return self.folder(orchestration_id) / "archive.zip"

    def clear(self) -> None:
        """Delete every file."""
        shutil.rmtree(self._folder, ignore_errors=True)
