"""Adds up what an Arrow stream unpacks to, from its messages, before anything is unpacked.

pyarrow does not tell: each packed buffer begins with its full length (8 bytes), and where the
buffers begin stands in the message's FlatBuffers table, of which this reads the few fields needed.
Layout: Arrow's `format/Message.fbs`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

import pyarrow as pa
from pyarrow import ipc

_MOST_MESSAGES: Final = 100_000
_MOST_BUFFERS: Final = 100_000
#: Places of fields in their tables.
_MESSAGE_KIND, _MESSAGE_HEADER = 1, 2
_BATCH_BUFFERS, _BATCH_COMPRESSION = 2, 3
_DICTIONARY_DATA = 1
_KIND_DICTIONARY, _KIND_BATCH = 2, 3
_BUFFER_BYTES: Final = 16


def unpacked_bytes(stream: pa.NativeFile) -> int:
    """Return the size in bytes of all buffers of a stream once unpacked.

    Raises
    ------
    ValueError
        If its messages are malformed.
    """
    return sum(message_sizes(stream))


def message_sizes(stream: pa.NativeFile) -> Iterator[int]:
    """Give the unpacked size in bytes of each message of a stream. Raises ValueError, as above."""
    messages = ipc.MessageReader.open_stream(stream)
    for _ in range(_MOST_MESSAGES):
        try:
            message = messages.read_next_message()
        except StopIteration:
            return
        body = message.body
        if body is None or body.size == 0:
            yield 0
            continue
        packed = _packed_starts(message.metadata.to_pybytes())
        yield body.size if packed is None else _unpacked(body, packed)
    raise ValueError("too many messages")


def _unpacked(body: pa.Buffer, starts: list[tuple[int, int]]) -> int:
    total = 0
    view = memoryview(body)
    for start, length in starts:
        if length < 8:
            continue  # an empty buffer has no length before it
        if start < 0 or start + length > len(view):
            raise ValueError("a buffer lies outside of its message")
        (full,) = struct.unpack_from("<q", view, start)
        total += length if full < 0 else full  # -1: this buffer was left unpacked
    return total


def _packed_starts(metadata: bytes) -> list[tuple[int, int]] | None:
    """Return place and length of each buffer, or None if the message is not packed."""
    try:
        return list(_buffers(metadata))
    except _NotPackedError:
        return None
    except struct.error:
        pass
    raise ValueError("malformed message")


class _NotPackedError(Exception):
    """The message's buffers are as they are."""


def _buffers(metadata: bytes) -> Iterator[tuple[int, int]]:
    (root,) = struct.unpack_from("<I", metadata, 0)
    kind_at = _field(metadata, root, _MESSAGE_KIND)
    header_at = _field(metadata, root, _MESSAGE_HEADER)
    if not kind_at or not header_at:
        raise _NotPackedError
    batch = _follow(metadata, header_at)
    if metadata[kind_at] == _KIND_DICTIONARY:
        data_at = _field(metadata, batch, _DICTIONARY_DATA)
        if not data_at:
            raise _NotPackedError
        batch = _follow(metadata, data_at)
    elif metadata[kind_at] != _KIND_BATCH:
        raise _NotPackedError
    buffers_at = _field(metadata, batch, _BATCH_BUFFERS)
    if not _field(metadata, batch, _BATCH_COMPRESSION) or not buffers_at:
        raise _NotPackedError
    vector = _follow(metadata, buffers_at)
    (count,) = struct.unpack_from("<I", metadata, vector)
    if count > _MOST_BUFFERS:
        raise ValueError("too many buffers")
    for place in range(count):
        yield struct.unpack_from("<qq", metadata, vector + 4 + place * _BUFFER_BYTES)


def _follow(metadata: bytes, at: int) -> int:
    return at + int(struct.unpack_from("<I", metadata, at)[0])


def _field(metadata: bytes, table: int, place: int) -> int:
    """Return where a table's field stands, or 0 if it is left out."""
    (to_vtable,) = struct.unpack_from("<i", metadata, table)
    vtable = table - to_vtable
    if vtable < 0:
        raise ValueError("malformed message")
    (vtable_bytes,) = struct.unpack_from("<H", metadata, vtable)
    if 4 + 2 * place >= vtable_bytes:
        return 0
    (offset,) = struct.unpack_from("<H", metadata, vtable + 4 + 2 * place)
    return table + offset if offset else 0
