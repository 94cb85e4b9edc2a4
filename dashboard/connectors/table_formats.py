"""Recognises by content, never by name, what table a file holds, and reads it.

What comes out is safe to show and to store: unique column names, valid text, nested values as JSON
text, sizes within bounds. pyarrow is imported when the first file is read.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from dashboard.connectors.causes import FetchCause, fetch_failure, in_words, not_a_table
from dashboard.errors import FetchFailed

if TYPE_CHECKING:
    import pyarrow as pa

_log = logging.getLogger(__name__)

MOST_DECODED_BYTES: Final = 100 * 2**20
_BYTE_ORDER_MARKS: Final = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_PACKED: Final = (b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"Rar!")

#: What json, csv and pyarrow raise on content that is not theirs, or not sane.
_PARSER_ERRORS: Final = (
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


@dataclass(frozen=True, slots=True)
class RecognisedTable:
    """A table and the format it came in."""

    table: pa.Table = field(repr=False)
    format: TableFormat


def read_table(
    content: bytes,
    *,
    format: TableFormat | None = None,  # noqa: A002 - the detail's own name
    most_bytes: int = MOST_DECODED_BYTES,
) -> RecognisedTable:
    """Read a file's content as a table.

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
    """
    if not content.strip(b" \t\r\n\x00"):
        raise not_a_table("The file is empty.", "Check that the link leads to the right file.")
    kind = format or _family(content)
    failure: FetchFailed | None = None
    try:
        table, kind = _read(content, kind, forced=format is not None, most_bytes=most_bytes)
    except _PARSER_ERRORS as error:
        _log.info("a file could not be read as %s: %s", kind.words, type(error).__name__)
        failure = not_a_table(
            f"The file could not be read as {kind.words}.", "Choose another format."
        )
    # Outside of the `except`: what the parsers say quotes the content.
    if failure is not None:
        raise failure
    if table.nbytes > most_bytes:
        raise fetch_failure(FetchCause.TOO_BIG, detail=in_words(most_bytes))
    return RecognisedTable(table, kind)


def _read(
    content: bytes, kind: TableFormat, *, forced: bool, most_bytes: int
) -> tuple[pa.Table, TableFormat]:
    # Imported here, because they need pyarrow, which takes longer than the first page may.
    if kind in (TableFormat.PARQUET, TableFormat.ARROW):
        from dashboard.connectors.formats import arrow

        read = arrow.read_parquet if kind is TableFormat.PARQUET else arrow.read_arrow
        return read(content, most_bytes), kind
    if kind is TableFormat.CSV:
        from dashboard.connectors.formats import delimited

        return delimited.read_csv(decoded_text(content), forced=forced), kind
    from dashboard.connectors.formats import json_text

    shape, table = json_text.read_json(decoded_text(content), shape=kind.value if forced else None)
    return table, TableFormat(shape)


def _family(content: bytes) -> TableFormat:
    """Return the format the content looks like; all of JSON counts as records at first."""
    if content.startswith(b"PAR1"):
        return TableFormat.PARQUET
    if content.startswith((b"ARROW1\x00\x00", b"\xff\xff\xff\xff")):
        return TableFormat.ARROW
    if content.startswith(_PACKED):
        raise not_a_table(
            "The file is packed or a spreadsheet, which is not read.",
            "Use the link of an unpacked file: JSON, CSV, Parquet or Arrow.",
        )
    start = decoded_text(content).lstrip()[:1]
    if start == "<":
        raise not_a_table(
            "The link leads to a web page, not to a file with a table.",
            "Use the link that downloads the file itself, often called Raw or Download.",
        )
    return TableFormat.JSON_RECORDS if start in ("{", "[") else TableFormat.CSV


def decoded_text(content: bytes) -> str:
    """Return the text of `content`, which is UTF-8, or UTF-16 with a byte order mark."""
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS if content.startswith(mark)), "utf-8")
    text = None
    with contextlib.suppress(UnicodeDecodeError):
        text = content.decode(encoding)
    if text is None:
        raise not_a_table("The file's text is not in UTF-8.", "Save it as UTF-8, then try again.")
    return text
