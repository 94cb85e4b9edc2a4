"""Recognises by content, never by name, what table a file holds, and reads it.

What comes out is safe to show and to store: unique column names, valid text, nested values as JSON
text, sizes within bounds. pyarrow is imported when the first file is read.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from dashboard.connectors.causes import not_a_table, unpacks_to_more
from dashboard.connectors.formats.content import Content, InMemory, pieces_of
from dashboard.connectors.formats.pieces import TableSink, read_all
from dashboard.connectors.formats.utf8 import text_head, utf8_of
from dashboard.errors import FetchFailed

if TYPE_CHECKING:
    import pyarrow as pa

_log = logging.getLogger(__name__)

MOST_DECODED_BYTES: Final = 100 * 2**20
_HEAD_CHARACTERS: Final = 64 * 1024
_SOMETHING: Final = re.compile(rb"[^ \t\r\n\x00]")
_PACKED: Final = (b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"Rar!")

#: What json, csv and pyarrow raise on content that is not theirs, or not sane.
PARSER_ERRORS: Final = (
    ValueError,
    TypeError,
    ArithmeticError,
    LookupError,
    OSError,
    RuntimeError,
    MemoryError,
)


class TableFormat(StrEnum):
    """Formats a table may come in; the values are what details store under `format`."""

    JSON_RECORDS = "json"
    JSON_COLUMNS = "json-columns"
    JSON_LINES = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"

    @property
    def words(self) -> str:
        """The format as people call it."""
        return _WORDS[self]

    @classmethod
    def named(cls, text: object) -> TableFormat | None:
        """Return the format that `text` names in any case, or None."""
        try:
            return cls(text.strip().lower()) if isinstance(text, str) else None
        except ValueError:
            return None


_WORDS: Final = {
    TableFormat.JSON_RECORDS: "JSON records",
    TableFormat.JSON_COLUMNS: "JSON columns",
    TableFormat.JSON_LINES: "JSON lines",
    TableFormat.CSV: "CSV",
    TableFormat.PARQUET: "Parquet",
    TableFormat.ARROW: "Arrow",
}


def read_into(
    sink: TableSink,
    content: Content | bytes,
    *,
    format: TableFormat | None = None,  # noqa: A002 - the detail's own name
    most_bytes: int = MOST_DECODED_BYTES,
) -> TableFormat:
    """Read a file's content as a table, piece by piece, and return the format it is in.

    Parameters
    ----------
    format
        Read it as this; recognise it when None.
    most_bytes
        Bound of the table in memory.

    Raises
    ------
    FetchFailed
        `not_a_table` with what is wrong, or `too_big`. The message quotes no content.
    DashboardError
        What the sink raises comes through.
    """
    if isinstance(content, bytes):
        content = InMemory(content)
    if not any(_SOMETHING.search(piece) for piece in pieces_of(content)):
        raise not_a_table("The file is empty.", "Check that the link leads to the right file.")
    kind = format or family(content.read(0, 4 * _HEAD_CHARACTERS))
    failure: FetchFailed | None = None
    try:
        kind = _read(_Bounded(sink, most_bytes), content, kind, forced=format is not None)
    except PARSER_ERRORS as error:
        _log.info("a file could not be read as %s: %s", kind.words, type(error).__name__)
        failure = not_a_table(
            f"The file could not be read as {kind.words}.", "Choose another format."
        )
    # Outside of the `except`: what the parsers say quotes the content.
    if failure is not None:
        raise failure
    return kind


@dataclass(slots=True)
class _Bounded:
    """A sink that takes no more than so many bytes."""

    sink: TableSink
    most_bytes: int
    size_bytes: int = 0

    def begin(self) -> None:
        self.size_bytes = 0
        self.sink.begin()

    def add(self, piece: pa.Table) -> None:
        self.size_bytes += piece.nbytes
        if self.size_bytes > self.most_bytes:
            raise unpacks_to_more(self.most_bytes)
        self.sink.add(piece)


def _read(sink: _Bounded, content: Content, kind: TableFormat, *, forced: bool) -> TableFormat:
    # Imported here, because they need pyarrow, which takes longer than the first page may.
    if kind in (TableFormat.PARQUET, TableFormat.ARROW):
        from dashboard.connectors.formats import arrow

        pieces = arrow.parquet_pieces if kind is TableFormat.PARQUET else arrow.arrow_pieces
        read_all(lambda _plan: pieces(content, sink.most_bytes), sink)
        return kind
    text = utf8_of(content)
    if kind is TableFormat.CSV:
        from dashboard.connectors.formats import delimited

        read_all(delimited.reader(text, forced=forced), sink)
        return kind
    from dashboard.connectors.formats import json_text

    shape, read = json_text.reader(text, shape=kind.value if forced else None)
    read_all(read, sink)
    return TableFormat(shape)


def family(head: bytes | bytearray) -> TableFormat:
    """Return the format a file begins like; all of JSON counts as records at first.

    Raises
    ------
    FetchFailed
        `not_a_table` if it begins as no table does.
    """
    if head.startswith(b"PAR1"):
        return TableFormat.PARQUET
    if head.startswith((b"ARROW1\x00\x00", b"\xff\xff\xff\xff")):
        return TableFormat.ARROW
    if head.startswith(_PACKED):
        raise not_a_table(
            "The file is packed or a spreadsheet, which is not read.",
            "Use the link of an unpacked file: JSON, CSV, Parquet or Arrow.",
        )
    start = text_head(head, _HEAD_CHARACTERS).lstrip()[:1]
    if start == "<":
        raise not_a_table(
            "The link leads to a web page, not to a file with a table.",
            "Use the link that downloads the file itself, often called Raw or Download.",
        )
    return TableFormat.JSON_RECORDS if start in ("{", "[") else TableFormat.CSV
