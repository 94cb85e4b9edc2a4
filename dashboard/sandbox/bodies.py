"""Reads request bodies: size, JSON, and the fields a route needs, refused in the wire's form."""

from __future__ import annotations

import json
from typing import NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request

from dashboard.sandbox.context import Json
from dashboard.sandbox.errors import BadRequest

#: Largest JSON body of a platform call. A connection's details are a few kB in real life.
LARGEST_JSON_BYTES = 4 * 1024 * 1024


class Body(BaseModel):
    """A request body. Unknown keys are ignored, as the platform does."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())


Shape = TypeVar("Shape", bound=Body)


async def read_limited(request: Request, *, limit_bytes: int = LARGEST_JSON_BYTES) -> bytes:
    """Return the request's body.

    Raises
    ------
    BadRequest
        If it is longer than `limit_bytes`; what follows the limit is not kept.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit_bytes:
        raise _too_large(limit_bytes)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit_bytes:
            raise _too_large(limit_bytes)
        chunks.append(chunk)
    return b"".join(chunks)


def parse_json(text: bytes) -> Json:
    """Parse strict JSON: no NaN, no infinity, valid UTF-8.

    Raises
    ------
    BadRequest
        If it is anything else.
    """
    try:
        return json.loads(text.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        raise BadRequest("The body is not valid JSON") from exc


def check(shape: type[Shape], value: Json) -> Shape:
    """Return `value` as a `shape`.

    Raises
    ------
    BadRequest
        Naming the first field that does not fit. The value itself is not quoted: it may be secret.
    """
    try:
        return shape.model_validate(value)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "body"
        raise BadRequest(f"{field}: {first['msg']}") from None


async def read(request: Request, shape: type[Shape]) -> Shape:
    """Read, parse and check a JSON body; an empty body counts as `{}`."""
    text = await read_limited(request)
    return check(shape, parse_json(text) if text.strip() else {})


def storable(text: str, field: str) -> str:
    """Return `text` if it is valid Unicode.

    Raises
    ------
    BadRequest
        If it holds a lone surrogate, which JSON can spell but no database can keep.
    """
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise BadRequest(f"{field}: is not valid Unicode text") from exc
    return text


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _too_large(limit_bytes: int) -> BadRequest:
    return BadRequest(f"The body is larger than {limit_bytes // 1024:,} KiB")
