"""A model and its versions in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Final

from components import presenting
from components.badges import Look, badge
from components.text import count, duration, plain, size, told_when
from dashboard.domain.model import Model, ModelStage, ModelVersion, UploadProgress

MODEL_LOOKS: Final = {
    ModelStage.READY: Look("check_circle", "green", "✓"),
    ModelStage.CONVERTING: Look("progress_activity", "blue", "…"),
    ModelStage.FAILED: Look("cancel", "red", "✕"),
    ModelStage.UNKNOWN: Look("help", "gray", "?"),
}


def stage_badge(stage: ModelStage) -> str:
    """Markdown of how far the platform is with a version."""
    return badge(MODEL_LOOKS[stage], stage.value)


def stage_of(model: Model) -> ModelStage | None:
    """Return the stage of the newest version; None of a model without any."""
    return model.versions[0].stage if model.versions else None


def when(version: ModelVersion, *, now: datetime, zone: tzinfo) -> str:
    """Return when a version was uploaded, such as `3 h ago` or `12 Nov`."""
    if version.created_at is None:
        return "at an unknown time"
    return told_when(version.created_at, now=now, zone=zone)


def one_line(model: Model, room: str, users: int, *, now: datetime, zone: tzinfo) -> str:
    """Return what a line of the list says below the name; plain text."""
    parts = [room, count(len(model.versions), "version")]
    if model.versions:
        parts.append(f"newest {when(model.versions[0], now=now, zone=zone)}")
    parts.append(f"used by {count(users, 'pipeline')}" if users else "used by no pipeline")
    return " · ".join(part for part in parts if part)


def version_label(
    version: ModelVersion, versions: Sequence[ModelVersion], *, now: datetime, zone: tzinfo
) -> str:
    """Return the words by which a version is chosen, such as `Version 1a2b3c4d, 12 Nov, failed`."""
    number = len(versions) - list(versions).index(version)
    name = plain(presenting.version(version.version, number))
    return f"Version {name}, {when(version, now=now, zone=zone)}, {version.stage.value.lower()}"


def upload_words(progress: UploadProgress | None, age_s: float) -> str:
    """Return how far an upload is, in one sentence; plain text."""
    since = f" {duration(age_s)} so far." if age_s >= 1 else ""
    if progress is None:
        return f"Waiting for its turn.{since}"
    if progress.status:
        return f"The platform has the file and is converting it.{since}"
    sent, total = size(progress.sent_bytes), size(progress.total_bytes)
    if progress.is_sent:
        return f"{total} sent. Waiting for the platform to check the file.{since}"
    return f"{sent} of {total} sent.{since}"
