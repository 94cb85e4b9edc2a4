"""A model and its versions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import IO

from dashboard.domain.pipeline import Pipeline, PipelineVersion
from dashboard.domain.table import ColumnFacts

#: Image path by which the sandbox says that its own summarizer answers, not the uploaded weights.
EMBEDDED_IMAGE_PREFIX = "sandbox/embedded-extractive"

#: The platform's word for the kind of model that this dashboard is made for.
SUMMARIZER_FRAMEWORK = "hugging-face-summarization"
#: Its word for a model that it runs as it is.
ONNX_FRAMEWORK = "onnx"


class ModelStage(StrEnum):
    """How far the platform is with a version; the value is the word it is shown by."""

    READY = "Ready"
    CONVERTING = "Being converted"
    FAILED = "Failed"
    UNKNOWN = "Not known"


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One uploaded version of a model.

    Parameters
    ----------
    version
        The version's UUID.
    status
        The platform's own word, such as `ready` or `error`; empty if it was not given.
    framework
        The platform's word for its kind, such as `onnx`; empty if it was not given.
    error_summary
        Why the platform could not use it, in its own words; empty without a failure.
    image_path
        What runs it; `sandbox/embedded-extractive:<n>` means the sandbox's own summarizer.
    """

    version_id: int
    version: str
    model_name: str
    sha: str
    status: str = ""
    file_name: str = ""
    image_path: str = ""
    created_at: datetime | None = None
    framework: str = ""
    error_summary: str = ""

    @property
    def stage(self) -> ModelStage:
        """How far the platform is with it."""
        if not self.status:
            return ModelStage.UNKNOWN
        return _STAGES.get(self.status, ModelStage.CONVERTING)

    @property
    def is_summarizer(self) -> bool:
        """Whether it takes one text a row and gives a summary; so does one of unknown kind."""
        return self.is_embedded or self.framework in ("", SUMMARIZER_FRAMEWORK)

    @property
    def is_usable(self) -> bool:
        """Whether the platform has taken it in; one whose status was not told counts as taken."""
        return self.status in ("", "ready")

    @property
    def is_embedded(self) -> bool:
        """Whether the sandbox's own extractive engine answers for this version."""
        return self.image_path.startswith(EMBEDDED_IMAGE_PREFIX)


@dataclass(frozen=True, slots=True)
class Model:
    """A model with its versions, newest first."""

    model_id: int
    name: str
    workspace_id: int
    versions: tuple[ModelVersion, ...] = ()


_STAGES = {"ready": ModelStage.READY, "error": ModelStage.FAILED}


@dataclass(frozen=True, slots=True)
class ModelDetails:
    """What a version takes and gives. None where the platform does not tell.

    Parameters
    ----------
    runtime
        The platform's word for what runs it, such as `flight`; empty if it was not given.
    """

    inputs: tuple[ColumnFacts, ...] | None = None
    outputs: tuple[ColumnFacts, ...] | None = None
    runtime: str = ""


@dataclass(frozen=True, slots=True)
class NewModel:
    """A model to upload.

    Parameters
    ----------
    file_name
        Its ending tells the kind: `.onnx`, or a zip of a Hugging Face summarization model.
    content
        Can be sought; it is read from its beginning.
    columns
        Of an ONNX model: what its inputs are called in a table, in their order; empty for the
        names in the file.
    """

    workspace_id: int
    name: str
    file_name: str
    content: IO[bytes]
    columns: tuple[str, ...] = ()

    @property
    def is_onnx(self) -> bool:
        """Whether the platform runs it as it is."""
        return is_onnx_file(self.file_name)


@dataclass(frozen=True, slots=True)
class UploadProgress:
    """How far an upload is.

    Parameters
    ----------
    sent_bytes
        Of the file; the rest of the request is small.
    status
        The platform's word once it has the file, such as `pending_load_container`.
    """

    sent_bytes: int
    total_bytes: int
    status: str = ""

    @property
    def is_sent(self) -> bool:
        """Whether the platform has all of the file, or told a status, which says so too."""
        return bool(self.status) or self.sent_bytes >= self.total_bytes


def is_onnx_file(file_name: str) -> bool:
    """Whether a file holds an ONNX model, by its name."""
    return file_name.lower().endswith(".onnx")


def users_of(version: ModelVersion, pipelines: Iterable[Pipeline]) -> tuple[Pipeline, ...]:
    """Return the pipelines whose newest definition has a step of this version, by name."""
    found = [one for one in pipelines if _has_step(one.versions[:1], version)]
    return tuple(sorted(found, key=lambda one: (one.name.casefold(), one.pipeline_id)))


def once_users_of(version: ModelVersion, pipelines: Iterable[Pipeline]) -> tuple[Pipeline, ...]:
    """Return the pipelines that had a step of this version in an older definition only."""
    found = [
        one
        for one in pipelines
        if _has_step(one.versions[1:], version) and not _has_step(one.versions[:1], version)
    ]
    return tuple(sorted(found, key=lambda one: (one.name.casefold(), one.pipeline_id)))


def _has_step(versions: Iterable[PipelineVersion], version: ModelVersion) -> bool:
    return any(step.model_version == version.version for one in versions for step in one.steps)
