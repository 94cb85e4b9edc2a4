"""A model and its versions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

#: Image path by which the sandbox says that its own summarizer answers, not the uploaded weights.
EMBEDDED_IMAGE_PREFIX = "sandbox/embedded-extractive"

#: The platform's word for the kind of model that this dashboard is made for.
SUMMARIZER_FRAMEWORK = "hugging-face-summarization"


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
