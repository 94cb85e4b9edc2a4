"""Models through the SDK: reading them in one request, and uploading a summarizer."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Any

from dashboard.domain.model import Model, ModelVersion
from dashboard.errors import InvalidInput, NotFound, TimedOut
from dashboard.gateway import translate
from dashboard.gateway.clients import SdkObject, Session
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


def upload_summarizer(
    session: Session, workspace_id: int, name: str, file_name: str, content: IO[bytes]
) -> int:
    """Upload a Hugging Face summarization zip and return its version's id, not yet converted."""
    session.client.set_current_workspace(session.workspace(workspace_id))
    with tempfile.TemporaryDirectory(prefix="dashboard-upload-") as folder:
        path = Path(folder) / _plain_file_name(file_name)
        with path.open("wb") as file:
            shutil.copyfileobj(content, file, 1 << 20)
        made = session.client.upload_model(
            name,
            path,
            framework=session.sdk.Framework.HUGGING_FACE_SUMMARIZATION,
            input_schema=_input_schema(session.sdk.arrow),
            output_schema=session.sdk.arrow.schema([("summary_text", session.sdk.arrow.string())]),
            convert_wait=False,
        )
    return int(made.id())


def wait_for_conversion(
    version_id: int,
    read: Callable[[int], Mapping[str, Any]],
    *,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> ModelVersion:
    """Wait until the platform says ready or error; the SDK's own wait reports neither.

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
