"""What routes share that take a file: a limit on the whole body, and the copy to disk."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.types import Message

from dashboard.sandbox.errors import BadRequest

_CHUNK_BYTES: Final = 1024 * 1024


def limit_body(request: Request, limit_bytes: int) -> None:
    """Refuse a body that is too large, by what it says of itself or as it arrives."""
    size_text = f"{limit_bytes >> 30} GiB" if limit_bytes >> 30 else f"{limit_bytes >> 20} MiB"
    too_large = BadRequest(f"file: is larger than {size_text}")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit_bytes:
        raise too_large
    receive = request._receive  # the form parser takes no limit for files
    size = 0

    async def counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit_bytes:
            raise too_large
        return message

    request._receive = counted  # as above


def copy_file(file: UploadFile, target: Path) -> tuple[int, str]:
    """Write an upload to `target` and return its size and the hex sha256 of its bytes."""
    digest = hashlib.sha256()
    size_bytes = 0
    with target.open("xb") as written:
        while chunk := file.file.read(_CHUNK_BYTES):
            digest.update(chunk)
            size_bytes += written.write(chunk)
    return size_bytes, digest.hexdigest()
