"""Looks at the first rows of a file while the rest of it still comes in.

They are there to be looked at and decide nothing: what the table is, its whole content says. Where
a format shows its first rows only at its end, as Parquet does, there are none before that.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from dashboard.connectors.formats.content import InMemory
from dashboard.connectors.formats.utf8 import whole_characters
from dashboard.connectors.table_formats import PARSER_ERRORS, TableFormat, family
from dashboard.domain.table import TEXT_COLUMN, FirstRows
from dashboard.errors import FetchFailed

if TYPE_CHECKING:
    import pyarrow as pa

_log = logging.getLogger(__name__)

MOST_ROWS: Final = 20
_MOST_COLUMNS: Final = 40
_CELL_CHARACTERS: Final = 400
#: Rows that begin later than this are not waited for.
_HEAD_BYTES: Final = 2_000_000
_UNPACKED_BYTES: Final = 16_000_000
#: The head is looked at again when it has grown by this share.
_GROWTH: Final = 1 / 32


class Taster:
    """Takes in a file as it comes and shows its first rows, more and more of them.

    Parameters
    ----------
    kind
        The format it is read as, or None to recognise it.
    show
        Called with the rows so far each time there are more.
    """

    def __init__(self, kind: TableFormat | None, show: Callable[[FirstRows], None]) -> None:
        self._kind = kind
        self._show = show
        self._head = bytearray()
        self._tried_bytes = 0
        self._shown = 0
        self._is_done = False

    def take(self, part: bytes) -> None:
        """Take the next bytes. Never raises: what is wrong with the file, its reading will say."""
        if self._is_done:
            return
        self._head += part[: _HEAD_BYTES - len(self._head)]
        if len(self._head) < self._tried_bytes * (1 + _GROWTH):
            return
        self._tried_bytes = len(self._head)
        table = self._rows()
        if table is not None and table.num_rows > self._shown:
            self._shown = table.num_rows
            self._show(first_rows_of(table))
        if self._shown >= MOST_ROWS or len(self._head) >= _HEAD_BYTES:
            self._end()

    def _rows(self) -> pa.Table | None:
        try:
            return _read(bytes(self._head), self._kind)
        except (FetchFailed, *PARSER_ERRORS) as error:
            _log.debug("no first rows: %s", type(error).__name__)
        return None

    def _end(self) -> None:
        self._is_done = True
        self._head.clear()


def first_rows_of(table: pa.Table) -> FirstRows:
    """Return what is shown of a table's first piece."""
    names = sorted(table.column_names, key=lambda name: name != TEXT_COLUMN)[:_MOST_COLUMNS]
    columns = [table.column(name).slice(0, MOST_ROWS).to_pylist() for name in names]
    rows = zip(*columns, strict=True)
    return FirstRows(tuple(names), tuple(tuple(map(_cut, row)) for row in rows))


def _cut(value: Any) -> Any:  # noqa: ANN401 - any value a table can hold
    return value[:_CELL_CHARACTERS] if isinstance(value, str) else value


def _read(head: bytes, kind: TableFormat | None) -> pa.Table | None:
    # Imported here, because they need pyarrow, which takes longer than the first page may.
    from dashboard.connectors.formats import arrow, delimited, json_text

    if not head.strip():
        return None
    found = kind or family(head)
    if found is TableFormat.PARQUET:
        return None
    if found is TableFormat.ARROW:
        return arrow.first_rows(InMemory(head), MOST_ROWS, _UNPACKED_BYTES)
    text = whole_characters(head)
    if found is TableFormat.CSV:
        return delimited.first_rows(text, MOST_ROWS, forced=kind is not None)
    return json_text.first_rows(text, MOST_ROWS, shape=None if kind is None else kind.value)
