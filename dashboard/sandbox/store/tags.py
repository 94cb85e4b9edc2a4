"""Tags on model versions and pipelines."""

from __future__ import annotations

from dashboard.sandbox.store.database import Database, Row


class Tags:
    """Labels, and what they are stuck on."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, tag: str) -> Row:
        """Create a tag."""
        return {"id": self._database.insert("tags", {"tag": tag}), "tag": tag}

    def get(self, tag_id: int) -> Row | None:
        """Return one tag."""
        return self._database.one("SELECT * FROM tags WHERE id = ?", (tag_id,))

    def listing(self) -> list[Row]:
        """Return every tag, oldest first."""
        return self._database.all("SELECT * FROM tags ORDER BY id")

    def on_model(self, version_id: int, tag_id: int) -> Row:
        """Stick a tag on a model version."""
        self._database.run("INSERT OR IGNORE INTO model_tags VALUES (?, ?)", (version_id, tag_id))
        return {"model_id": version_id, "tag_id": tag_id}

    def on_pipeline(self, pipeline_id: int, tag_id: int) -> Row:
        """Stick a tag on a pipeline."""
        self._database.run(
            "INSERT OR IGNORE INTO pipeline_tags (pipeline_pk_id, tag_pk_id) VALUES (?, ?)",
            (pipeline_id, tag_id),
        )
        return {"pipeline_pk_id": pipeline_id, "tag_pk_id": tag_id}

    def of_model(self, version_id: int) -> list[Row]:
        """Return the tags of a model version."""
        return self._database.all(
            "SELECT * FROM model_tags WHERE model_id = ? ORDER BY tag_id", (version_id,)
        )

    def of_pipeline(self, pipeline_id: int) -> list[Row]:
        """Return the tags of a pipeline."""
        return self._database.all(
            "SELECT * FROM pipeline_tags WHERE pipeline_pk_id = ? ORDER BY id", (pipeline_id,)
        )

    def models_of(self, tag_id: int) -> list[Row]:
        """Return what model versions a tag is on."""
        return self._database.all("SELECT * FROM model_tags WHERE tag_id = ?", (tag_id,))

    def pipelines_of(self, tag_id: int) -> list[Row]:
        """Return what pipelines a tag is on."""
        return self._database.all("SELECT * FROM pipeline_tags WHERE tag_pk_id = ?", (tag_id,))

    def off_model(self, version_id: int, tag_id: int) -> None:
        """Take a tag off a model version."""
        self._database.run(
            "DELETE FROM model_tags WHERE model_id = ? AND tag_id = ?", (version_id, tag_id)
        )

    def off_pipeline(self, pipeline_id: int, tag_id: int) -> None:
        """Take a tag off a pipeline."""
        self._database.run(
            "DELETE FROM pipeline_tags WHERE pipeline_pk_id = ? AND tag_pk_id = ?",
            (pipeline_id, tag_id),
        )
