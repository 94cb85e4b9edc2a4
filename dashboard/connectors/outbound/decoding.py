"""Undoes gzip and deflate piece by piece, so that a small file cannot become a huge one."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Final

_GZIP: Final = 16 + zlib.MAX_WBITS
_GZIP_MAGIC: Final = b"\x1f\x8b"
_PIECE_BYTES: Final = 256 * 1024
KNOWN_ENCODINGS: Final = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})


class DamagedContent(Exception):
    """The content is not what its Content-Encoding says, or it breaks off."""


def decoded(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Yield the content in pieces of at most 256 KiB each.

    Parameters
    ----------
    encoding
        One of `KNOWN_ENCODINGS`, lower case.

    Raises
    ------
    DamagedContent
        If it cannot be decoded.
    """
    if encoding in ("", "identity"):
        return iter(pieces)
    return _inflated(pieces, is_gzip=encoding != "deflate")


def _inflated(pieces: Iterable[bytes], *, is_gzip: bool) -> Iterator[bytes]:
    decoder = zlib.decompressobj(_GZIP) if is_gzip else None
    for piece in pieces:
        waiting = piece
        while waiting:
            if decoder is None:
                decoder = _deflate_decoder(waiting)
            elif decoder.eof:
                if not is_gzip or not waiting.startswith(_GZIP_MAGIC[: len(waiting)]):
                    return  # what follows is padding
                decoder = zlib.decompressobj(_GZIP)  # a further member of the same file
            yield _step(decoder, waiting)
            waiting = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
    if decoder is not None and not decoder.eof:
        # zlib may hold output back although all input is in.
        while tail := _step(decoder, b""):
            yield tail
        if not decoder.eof:
            raise DamagedContent("the compressed content breaks off")


def _step(decoder: zlib._Decompress, waiting: bytes) -> bytes:
    try:
        return decoder.decompress(waiting, _PIECE_BYTES)
    except zlib.error:
        pass
    raise DamagedContent("the compressed content is damaged")


def _deflate_decoder(start: bytes) -> zlib._Decompress:
    """Choose by the first byte: "deflate" means zlib's format, but many servers send it bare."""
    has_zlib_header = start[0] & 0x0F == zlib.DEFLATED and start[0] >> 4 <= 7
    return zlib.decompressobj(zlib.MAX_WBITS if has_zlib_header else -zlib.MAX_WBITS)
