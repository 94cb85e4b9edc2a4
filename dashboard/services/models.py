"""Models of all workspaces, what a version takes and gives, and uploads with their progress."""

from __future__ import annotations

import io
import itertools
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import IO, Final, Protocol

from dashboard.domain.identity import Identity
from dashboard.domain.model import (
    Model,
    ModelDetails,
    ModelVersion,
    NewModel,
    UploadProgress,
    is_onnx_file,
)
from dashboard.errors import InvalidInput
from dashboard.services.catalog import MODELS, GatewayOf
from dashboard.services.jobs import Outcome
from dashboard.services.reads import Query, Reads

_LIST_FRESH_S: Final = 10.0
_DETAILS_FRESH_S: Final = 300.0
_LOG_FRESH_S: Final = 5.0
_LOG_LINES: Final = 200


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload that is under way.

    Parameters
    ----------
    progress
        None until the first byte is out.
    began_at
        By the service's clock, in s; `age_s` of `Models.under_way` is counted from it.
    """

    number: int
    owner: str
    workspace_id: int
    name: str
    file_name: str
    began_at: float
    progress: UploadProgress | None = None
    age_s: float = 0.0


class SendModel(Protocol):
    """Uploads, waits for the conversion's outcome and notes it: `Deployments.upload_model`."""

    def __call__(
        self, who: Identity, model: NewModel, *, on_progress: Callable[[UploadProgress], None]
    ) -> Outcome:
        """Return what is told of it."""
        ...


class Models:
    """The use cases. Thread-safe; `upload` blocks: run it as a job."""

    def __init__(
        self,
        gateway: GatewayOf,
        reads: Reads,
        *,
        send: SendModel,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gateway = gateway
        self._reads = reads
        self._send = send
        self._clock = clock
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._uploads: dict[int, Upload] = {}

    def all(self, who: Identity) -> Query[tuple[Model, ...]]:
        """Return the models of all workspaces, oldest first."""
        return Query((who.key, MODELS), lambda: self._gateway().list_all_models(who), _LIST_FRESH_S)

    def details(self, who: Identity, version: ModelVersion) -> Query[ModelDetails]:
        """Return what a version takes and gives; it never changes."""
        return Query(
            (who.key, "model_details", version.version_id),
            lambda: self._gateway().model_details(who, version),
            _DETAILS_FRESH_S,
        )

    def log(self, who: Identity, version: ModelVersion) -> Query[tuple[str, ...]]:
        """Return the newest lines of a version's upload log, oldest first."""
        return Query(
            (who.key, "model_log", version.version_id),
            lambda: tuple(self._gateway().model_log(who, version, limit=_LOG_LINES)),
            _LOG_FRESH_S,
        )

    def under_way(self, who: Identity) -> tuple[Upload, ...]:
        """Return this person's uploads that are not over, oldest first, in whatever session."""
        now = self._clock()
        with self._lock:
            return tuple(
                replace(one, age_s=now - one.began_at)
                for one in self._uploads.values()
                if one.owner == who.key
            )

    def upload(self, who: Identity, model: NewModel) -> Outcome:
        """Upload a model and wait until the platform has taken it in.

        Raises
        ------
        InvalidInput
            The name (field `name`) or the file (field `file`) cannot be used, by what is seen here
            or by what the platform says after the conversion.
        """
        check_file(model.file_name, model.content)
        number = next(self._numbers)
        begun = Upload(
            number, who.key, model.workspace_id, model.name, model.file_name, self._clock()
        )
        with self._lock:
            self._uploads[number] = begun
        try:
            return self._send(
                who, model, on_progress=lambda progress: self._note(who, number, progress)
            )
        finally:
            with self._lock:
                del self._uploads[number]

    def _note(self, who: Identity, number: int, progress: UploadProgress) -> None:
        with self._lock:
            before = self._uploads[number]
            self._uploads[number] = replace(before, progress=progress)
        status_before = before.progress.status if before.progress is not None else ""
        if progress.status != status_before:
            # The version is in the lists from now on.
            self._reads.invalidate(who.key, MODELS)


def check_file(file_name: str, content: IO[bytes]) -> None:
    """Look whether it can be a model, so that nothing large is sent in vain.

    Raises
    ------
    InvalidInput
        With the field `file`.
    """
    if is_onnx_file(file_name):
        _check_onnx(content)
    else:
        _check_zip(content)


def columns_in(text: str) -> tuple[str, ...]:
    """Return the columns of a typed list, parted by commas.

    Raises
    ------
    InvalidInput
        One is there twice; with the field `columns`.
    """
    columns = tuple(part.strip() for part in text.split(",") if part.strip())
    if len(set(columns)) < len(columns):
        raise InvalidInput("A column is there twice; each input has its own.", field="columns")
    return columns


def _check_onnx(content: IO[bytes]) -> None:
    size_bytes = content.seek(0, io.SEEK_END)
    content.seek(0)
    # Any bytes may be a message of ONNX; but a zip of one is a common slip.
    if size_bytes == 0:
        raise InvalidInput("This file is empty.", field="file")
    if zipfile.is_zipfile(content):
        raise InvalidInput(
            "This is a zip, not an ONNX model.",
            hint="Unpack it and choose the .onnx file itself.",
            field="file",
        )
    content.seek(0)


def _check_zip(content: IO[bytes]) -> None:
    content.seek(0)
    try:
        with zipfile.ZipFile(content) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as exc:
        raise InvalidInput(
            "This file is not a zip, or it is damaged.",
            hint="Pack the model's folder as a zip and choose that.",
            field="file",
        ) from exc
    finally:
        content.seek(0)
    if not any(name and not name.endswith("/") for name in names):
        raise InvalidInput("This zip holds no files.", field="file")
