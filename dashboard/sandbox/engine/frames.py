"""Messages between the fleet and a worker: a 4-byte length, then that many bytes of JSON.

Length-prefixed, because a line-based reader would have to hold a limit on the text of a row. Long
lists of numbers in `rows` or `outputs` lie apart, as bytes (see `packing`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, BinaryIO

from dashboard.sandbox.engine import packing

if TYPE_CHECKING:
    import asyncio

#: A message is a JSON object whose shape depends on its `op`.
Message = dict[str, Any]  # Any: rows of user data pass through

HEADER_BYTES = 4
#: The parts of a message that are rows; it has one of them at the most.
_TABLES = ("rows", "outputs")
_LISTS = "lists"


def encode(message: Message) -> bytes:
    """Return `message` as one frame; values JSON does not know are sent as their text."""
    for name in _TABLES:
        if name in message:
            rows, lists = packing.pack(message[name])
            message = message | {name: rows} | ({_LISTS: lists} if lists else {})
    body = json.dumps(message, separators=(",", ":"), default=str).encode("ascii")
    return len(body).to_bytes(HEADER_BYTES, "big") + body


def read_body(stream: BinaryIO) -> bytes | None:
    """Return the next frame's body, or None when the other side has closed the pipe."""
    header = stream.read(HEADER_BYTES)
    if len(header) < HEADER_BYTES:
        return None
    length = int.from_bytes(header, "big")
    body = stream.read(length)
    return body if len(body) == length else None


def decode(body: bytes) -> Message:
    """Return the message of a frame's body."""
    message: Message = json.loads(body)
    lists = message.pop(_LISTS, ())
    for name in _TABLES:
        if name in message:
            packing.unpack(message[name], lists)
    return message


async def receive(stream: asyncio.StreamReader) -> Message:
    """Return the next message.

    Raises
    ------
    asyncio.IncompleteReadError
        If the worker ended before the message was complete.
    """
    header = await stream.readexactly(HEADER_BYTES)
    body = await stream.readexactly(int.from_bytes(header, "big"))
    return decode(body)
