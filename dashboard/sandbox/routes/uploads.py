"""The upload of models: one multipart request, then a conversion in the background."""

from __future__ import annotations

import asyncio
import base64
import binascii
import errno
import re
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Annotated, Literal

from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from dashboard.sandbox.bodies import Body, check, parse_json
from dashboard.sandbox.context import Json, Sandbox, sandbox_of, user_of
from dashboard.sandbox.conversion import (
    ARCHIVED_FRAMEWORKS,
    NATIVE_FRAMEWORKS,
    ONNX,
    BadArchive,
    convert,
    inspect,
)
from dashboard.sandbox.errors import BadRequest, WireError, json_answer
from dashboard.sandbox.routes.access import member_workspace
from dashboard.sandbox.routes.calls import Id
from dashboard.sandbox.routes.entry import API, Entry, Support
from dashboard.sandbox.routes.parts import copy_file, limit_body
from dashboard.sandbox.store import Row
from dashboard.sandbox.store.models import PENDING, PENDING_NATIVE

LARGEST_UPLOAD_BYTES = 4 * 1024**3
_CHUNK_BYTES = 1024 * 1024
_MOST_DIGITS = 19
_NAME = re.compile(r"[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?")
_NATIVE_RUNTIMES = {"onnx": "onnx", "tensorflow": "tensorflow"}


class Conversion(Body):
    """What kind of model it is and what it is to run on."""

    framework: Annotated[str, Field(min_length=1, max_length=100)]
    arch: str = "x86"
    accel: Json = "none"
    python_version: str | None = None
    requirements: list[str] = Field(default_factory=list)
    framework_config: dict[str, Json] | None = None


class Metadata(Body):
    """The first part of an upload."""

    name: Annotated[str, Field(min_length=1, max_length=63)]
    workspace_id: Id
    visibility: Literal["private", "public"] = "private"
    conversion: Conversion
    input_schema: str | None = None
    output_schema: str | None = None
    image_path: str | None = None


async def upload(request: Request) -> Response:
    """Take a model that an engine runs as it is."""
    return await _take(request, 200)


async def upload_and_convert(request: Request) -> Response:
    """Take a model that must be converted first."""
    return await _take(request, 202)


async def upload_stream(request: Request) -> Response:
    """Take an ONNX model whose bytes are the body; the query says what they are."""
    limit_body(request, LARGEST_UPLOAD_BYTES)
    query = request.query_params
    number = query.get("workspace_id", "")
    is_number = number.isascii() and number.isdecimal() and len(number) <= _MOST_DIGITS
    named = {
        "name": query.get("name", ""),
        "visibility": query.get("visibility", "private"),
        "workspace_id": int(number) if is_number else number,
        "conversion": {"framework": ONNX},
    }
    metadata = _checked(check(Metadata, named))
    # As the parser of forms does: a small file stays in memory, a large one is on disk.
    with SpooledTemporaryFile(max_size=_CHUNK_BYTES) as spooled:
        file = UploadFile(spooled, filename=query.get("filename"))  # type: ignore[arg-type]  # as the parser does
        async for chunk in request.stream():
            await run_in_threadpool(spooled.write, chunk)
        spooled.seek(0)
        return await _answer(request, metadata, file, 200)


async def _take(request: Request, status: int) -> Response:
    limit_body(request, LARGEST_UPLOAD_BYTES)
    try:
        form = await request.form(max_files=1, max_fields=4, max_part_size=_CHUNK_BYTES)
    except HTTPException as exc:
        raise BadRequest(f"body: {exc.detail}") from exc
    try:
        metadata, file = await _metadata(form.get("metadata")), form.get("file")
        if not isinstance(file, UploadFile):
            raise _without_file(metadata)
        return await _answer(request, metadata, file, status)
    finally:
        await form.close()


async def _answer(request: Request, metadata: Metadata, file: UploadFile, status: int) -> Response:
    sandbox = sandbox_of(request)
    await run_in_threadpool(member_workspace, request, metadata.workspace_id)
    owner_id = user_of(request).user_id
    version = await run_in_threadpool(_keep, sandbox, metadata, file, owner_id)
    if version["framework"] in NATIVE_FRAMEWORKS:
        # The SDK does not wait for these, and deploys the model at once.
        await run_in_threadpool(convert, sandbox.store, version)
    else:
        start_conversion(sandbox, version)
    returning = {"id": version["model_pk"], "models": [{"id": version["id"]}]}
    return json_answer({"insert_models": {"returning": [returning]}}, status)


def _without_file(metadata: Metadata) -> WireError:
    if metadata.image_path:
        return WireError(501, "The sandbox does not run images of containers")
    return BadRequest("file: the upload has no file")


def start_conversion(sandbox: Sandbox, version: Row) -> None:
    """Convert a version in the background."""
    task = asyncio.create_task(asyncio.to_thread(convert, sandbox.store, version))
    sandbox.background.add(task)
    task.add_done_callback(sandbox.background.discard)


async def _metadata(part: UploadFile | str | None) -> Metadata:
    if part is None:
        raise BadRequest("metadata: the upload has no metadata")
    text = part.encode(errors="surrogateescape") if isinstance(part, str) else await part.read()
    return _checked(check(Metadata, parse_json(text)))


def _checked(metadata: Metadata) -> Metadata:
    if not _NAME.fullmatch(metadata.name):
        raise BadRequest("name: must be letters, digits and dashes, with no dash at either end")
    for field in ("input_schema", "output_schema"):
        _check_base64(field, getattr(metadata, field))
    return metadata


def _check_base64(field: str, text: str | None) -> None:
    try:
        base64.b64decode(text or "", validate=True)
    except (binascii.Error, ValueError) as exc:
        raise BadRequest(f"{field}: is not base64") from exc


def _keep(sandbox: Sandbox, metadata: Metadata, file: UploadFile, owner_id: str) -> Row:
    """Store the file and its version. The version exists only once its file is complete."""
    models = sandbox.store.models
    draft = models.draft_path()
    framework = metadata.conversion.framework
    try:
        size_bytes, sha = copy_file(file, draft)
        if framework in ARCHIVED_FRAMEWORKS:
            inspect(draft)
        with sandbox.store.database.transaction():
            version = models.add_version(
                metadata.workspace_id,
                metadata.name,
                owner_id=owner_id,
                version={
                    "sha": sha,
                    "size_bytes": size_bytes,
                    "file_name": Path(file.filename or "model").name[:255],
                    "status": PENDING_NATIVE if framework in NATIVE_FRAMEWORKS else PENDING,
                    "visibility": metadata.visibility,
                    "framework": framework,
                    "conversion": metadata.conversion.model_dump(),
                },
            )
            models.add_config(
                version["id"],
                {
                    "runtime": _NATIVE_RUNTIMES.get(framework, "flight"),
                    "input_schema": metadata.input_schema,
                    "output_schema": metadata.output_schema,
                },
            )
            models.log(version["id"], f"Received {size_bytes:,} bytes.")
            models.keep(draft, version["id"])
    except BadArchive as exc:
        raise BadRequest(f"file: {exc}") from exc
    except OSError as exc:
        if exc.errno == errno.ENOSPC:
            raise WireError(507, "Insufficient Storage") from exc
        raise
    finally:
        draft.unlink(missing_ok=True)
    return version


ROUTES: tuple[Entry, ...] = (
    Entry(
        "POST",
        f"{API}/models/upload",
        upload,
        "upload_model, register_model_image",
        Support.PARTLY,
        "ONNX runs. TensorFlow ends in the status error, and an image of a container is a 501.",
    ),
    Entry(
        "POST",
        f"{API}/models/upload_and_convert",
        upload_and_convert,
        "upload_model, generate_upload_model_api_command",
        Support.PARTLY,
        "ONNX and Hugging Face summarization run. Every other framework ends in the status error: "
        "no pickle is opened and no code of a model is run.",
    ),
    Entry(
        "POST",
        f"{API}/models/upload_stream",
        upload_stream,
        support=Support.PARTLY,
        note="Every file is taken for an ONNX model: the call cannot say what it is.",
    ),
)
