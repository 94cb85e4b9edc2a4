"""Looks into an ONNX file without loading it: is it one, and does it hold all of itself.

A file is a protobuf message. Only the parts that can hold tensors are followed, so a large model
is checked as quickly as a small one, and nothing of it is interpreted.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT_BYTES = 10
_EXTERNAL = 1


class _Kind(StrEnum):
    MODEL = "model"
    GRAPH = "graph"
    FUNCTION = "function"
    NODE = "node"
    ATTRIBUTE = "attribute"
    TENSOR = "tensor"
    SPARSE = "sparse"


#: Which fields of a message hold which messages, by their numbers in the ONNX schema.
_CHILDREN: Mapping[_Kind, Mapping[int, _Kind]] = {
    _Kind.MODEL: {7: _Kind.GRAPH, 25: _Kind.FUNCTION},
    _Kind.GRAPH: {1: _Kind.NODE, 5: _Kind.TENSOR, 15: _Kind.SPARSE},
    _Kind.FUNCTION: {7: _Kind.NODE, 11: _Kind.ATTRIBUTE},
    _Kind.NODE: {5: _Kind.ATTRIBUTE},
    _Kind.ATTRIBUTE: {
        5: _Kind.TENSOR,
        6: _Kind.GRAPH,
        10: _Kind.TENSOR,
        11: _Kind.GRAPH,
        22: _Kind.SPARSE,
        23: _Kind.SPARSE,
    },
    _Kind.SPARSE: {1: _Kind.TENSOR, 2: _Kind.TENSOR},
    _Kind.TENSOR: {},
}
_IR_VERSION, _GRAPH, _OPERATORS, _OUTPUT = 1, 7, 8, 12
_TENSOR_FILES, _TENSOR_PLACE = 13, 14


class BadOnnxError(Exception):
    """The file is no usable ONNX model; the text says why, without quoting its content."""


def check(path: Path) -> None:
    """Check that a file is an ONNX model that holds all of its weights.

    Raises
    ------
    BadOnnxError
        If it is no ONNX model, or names files beside itself.
    OSError
        If it cannot be read.
    """
    if path.stat().st_size == 0:
        raise BadOnnxError("the file is empty")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        try:
            _check_message(content)
        except (IndexError, UnicodeDecodeError) as exc:
            raise BadOnnxError(
                "the file is not an ONNX model: its protobuf ends too early"
            ) from exc


def _check_message(content: mmap.mmap) -> None:
    numbers: set[int] = set()
    outputs = 0
    # A stack of our own: models nest as deep as they like.
    waiting = [(_Kind.MODEL, 0, len(content))]
    while waiting:
        kind, start, end = waiting.pop()
        children = _CHILDREN[kind]
        for number, wire_type, value, size in _fields(content, start, end):
            if kind is _Kind.MODEL:
                numbers.add(number)
            outputs += kind is _Kind.GRAPH and number == _OUTPUT
            if kind is _Kind.TENSOR and _is_outside(number, wire_type, value):
                raise BadOnnxError("the model keeps weights in other files, which are not uploaded")
            if number in children:
                if wire_type != _BYTES:
                    raise _broken()
                waiting.append((children[number], value, value + size))
    if not {_IR_VERSION, _GRAPH, _OPERATORS} <= numbers or not outputs:
        raise BadOnnxError("the file is not an ONNX model: it has no graph with outputs")


def _is_outside(number: int, wire_type: int, value: int) -> bool:
    return number == _TENSOR_FILES or (
        number == _TENSOR_PLACE and wire_type == _VARINT and value == _EXTERNAL
    )


def _fields(content: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield number, wire type, and value (or place and size of bytes) of a message's fields."""
    place = start
    while place < end:
        tag, place = _varint(content, place, end)
        number, wire_type = tag >> 3, tag & 7
        value, size = place, 0
        if wire_type == _VARINT:
            value, place = _varint(content, place, end)
        elif wire_type == _BYTES:
            size, place = _varint(content, place, end)
            value, place = place, place + size
        elif wire_type in (_FIXED32, _FIXED64):
            place += 4 if wire_type == _FIXED32 else 8
        else:
            raise _broken()
        if place > end or number == 0:
            raise _broken()
        yield number, wire_type, value, size


def _varint(content: mmap.mmap, place: int, end: int) -> tuple[int, int]:
    value = 0
    for shift in range(_LONGEST_VARINT_BYTES):
        if place >= end:
            raise _broken()
        byte = content[place]
        place += 1
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return value, place
    raise _broken()


def _broken() -> BadOnnxError:
    return BadOnnxError("the file is not an ONNX model: its protobuf cannot be parsed")
