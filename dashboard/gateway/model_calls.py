"""Models through the SDK: reading them in one request, and uploading one."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import IO, Any

from dashboard.domain.model import Model, ModelDetails, ModelVersion, NewModel, UploadProgress
from dashboard.errors import InvalidInput, NotFound, TimedOut
from dashboard.gateway import translate
from dashboard.gateway.clients import SdkObject, Session
from dashboard.gateway.model_inputs import columns_named, columns_of
from dashboard.gateway.sdk_errors import clean

_FIELDS = """
  id model_id model_version sha status error_summary file_name image_path created_at
  framework: conversion(path: "framework")
"""

# The SDK needs one request per model, and another per version for its status.
_MODELS = f"""
query DashboardModels($id: bigint!) {{
  workspace_by_pk(id: $id) {{ id models {{ id name models {{ {_FIELDS} }} }} }}
}}"""
_ALL_MODELS = f"""
query DashboardAllModels {{ workspace {{ id models {{ id name models {{ {_FIELDS} }} }} }} }}"""
_CONFIG = """
query DashboardModelConfig($id: bigint!) {
  model_config_by_pk(id: $id) { id runtime input_schema output_schema }
}"""
_VERSION_PATH = "/v1/api/models/get_version_by_id"
_LOG_PATH = "/v1/api/models/get_upload_logs"
#: Versions that do not know the call, and uploads that have written nothing.
_NO_LOG = (400, 404, 405, 501)
_VERSION = f"query DashboardModelVersion($id: bigint!) {{ model_by_pk(id: $id) {{ {_FIELDS} }} }}"

_CONVERSION_LIMIT_S = 30 * 60.0
_POLL_S = 1.0


def list_models(session: Session, workspace_id: int) -> tuple[Model, ...]:
    """All models of a workspace with their versions, oldest model first."""
    room = session.query(_MODELS, id=workspace_id)["workspace_by_pk"]
    if room is None:
        raise NotFound("There is no such workspace.")
    models = [translate.model(fields, workspace_id) for fields in room["models"]]
    return tuple(sorted(models, key=lambda model: model.model_id))


def list_all(session: Session) -> tuple[Model, ...]:
    """All models of all workspaces the account is shown, oldest first."""
    rooms = session.query(_ALL_MODELS)["workspace"]
    models = [
        translate.model(fields, int(room["id"])) for room in rooms for fields in room["models"]
    ]
    return tuple(sorted(models, key=lambda model: model.model_id))


def details(session: Session, version: ModelVersion) -> ModelDetails:
    """Read what a version takes and gives, in one request, or two where it tells in two places."""
    wanted = {"model_version_id": version.version_id}
    answer = session.client.httpx_client.post(_VERSION_PATH, json=wanted)
    answer.raise_for_status()
    config = (answer.json().get("model_version") or {}).get("config") or {}
    if config.get("id") is not None and not {"input_schema", "output_schema"} <= config.keys():
        more = session.query(_CONFIG, id=int(config["id"]))["model_config_by_pk"] or {}
        config = {**config, **more}
    arrow = session.sdk.arrow
    # A native model has no schema, but may have been told its columns.
    inputs = columns_of(arrow, config.get("input_schema"))
    return ModelDetails(
        inputs=inputs or columns_named(config.get("tensor_fields")) or None,
        outputs=columns_of(arrow, config.get("output_schema")) or None,
        runtime=str(config.get("runtime") or ""),
    )


def upload_log(session: Session, version: ModelVersion, limit: int) -> tuple[str, ...]:
    """Return up to `limit` of the newest lines, oldest first."""
    wanted = {"model_version_id": version.version_id, "lines": limit}
    answer = session.client.httpx_client.post(_LOG_PATH, json=wanted)
    if answer.status_code in _NO_LOG:
        return ()
    answer.raise_for_status()
    told = answer.json()
    lines = told.get("logs") if isinstance(told, dict) else None
    return tuple(str(line) for line in lines[-limit:]) if isinstance(lines, list) else ()


def upload(session: Session, model: NewModel, file: OutgoingFile) -> int:
    """Upload a model by the kind of its file; return its version's id, not yet taken in."""
    session.client.set_current_workspace(session.workspace(model.workspace_id))
    sdk = session.sdk
    if model.is_onnx:
        made = session.client.upload_model(
            model.name, file, framework=sdk.Framework.ONNX, convert_wait=False
        )
        if model.columns:
            made.configure(tensor_fields=list(model.columns))
    else:
        made = session.client.upload_model(
            model.name,
            file,
            framework=sdk.Framework.HUGGING_FACE_SUMMARIZATION,
            input_schema=_input_schema(sdk.arrow),
            output_schema=sdk.arrow.schema([("summary_text", sdk.arrow.string())]),
            convert_wait=False,
        )
    return int(made.id())


class OutgoingFile:
    """What the SDK takes for a path: it asks for a name and opens it.

    The content goes out as it lies in memory, and how much of it is out is told.
    """

    def __init__(
        self, file_name: str, content: IO[bytes], told: Callable[[UploadProgress], None]
    ) -> None:
        self.name = _plain_file_name(file_name)
        self._content = content
        self._told = told
        self.total_bytes = content.seek(0, io.SEEK_END)

    @contextlib.contextmanager
    def open(self, _mode: str) -> Iterator[OutgoingFile]:
        """Begin at the beginning."""
        self.seek(0)
        yield self

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As of a file."""
        return self._content.seek(offset, whence)

    def tell(self) -> int:
        """As of a file."""
        return self._content.tell()

    def read(self, size: int = -1) -> bytes:
        """As of a file; tells how much has been read."""
        piece = self._content.read(size)
        self._told(UploadProgress(self._content.tell(), self.total_bytes))
        return piece


def wait_for_conversion(
    version_id: int,
    read: Callable[[int], Mapping[str, Any]],
    *,
    on_status: Callable[[str], None] = lambda _status: None,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> ModelVersion:
    """Wait until the platform says ready or error; the SDK's own wait reports neither.

    Parameters
    ----------
    on_status
        Called with each status that was read.

    Raises
    ------
    InvalidInput
        The platform could not use the file; the message holds its reason.
    TimedOut
        Nothing was decided for 30 min.
    """
    deadline = clock() + _CONVERSION_LIMIT_S
    while clock() < deadline:
        fields = read(version_id)
        on_status(str(fields["status"] or ""))
        if fields["status"] == "ready":
            return translate.model_version(fields)
        if fields["status"] == "error":
            reason = clean(str(fields.get("error_summary") or "it gave no reason."))
            raise InvalidInput(f"The platform could not use the file: {reason}", field="file")
        pause(_POLL_S)
    raise TimedOut("The platform did not finish preparing the model within 30 minutes.")


def version_fields(session: Session, version_id: int) -> dict[str, Any]:
    """Read the GraphQL row of a model version."""
    fields = session.query(_VERSION, id=version_id)["model_by_pk"]
    if fields is None:
        raise NotFound("The model version is gone.")
    return dict(fields)


def handle(session: Session, version: ModelVersion) -> SdkObject:
    """Make the SDK's handle of a model version, without a request."""
    data = {
        "id": version.version_id,
        "model_id": version.model_name,
        "model_version": version.version,
        "sha": version.sha,
    }
    return session.sdk.ModelVersion(session.client, data)


def _input_schema(arrow: SdkObject) -> SdkObject:
    flags = ("return_text", "return_tensors", "clean_up_tokenization_spaces")
    return arrow.schema([("inputs", arrow.string()), *((flag, arrow.bool_()) for flag in flags)])


def _plain_file_name(file_name: str) -> str:
    """Return the last part of a browser's file name, which may be any text."""
    last = PurePosixPath(PureWindowsPath(file_name).name).name.replace("\0", "")
    return last[-100:] if last.strip(". ") else "model.zip"
