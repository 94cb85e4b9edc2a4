"""Fetched tables: stored once and sealed, read page by page by all who may see them.

The rows of a table are visible to the members of the workspace it was fetched for.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from dashboard.domain.identity import Identity
from dashboard.domain.reading import word_count
from dashboard.domain.table import TEXT_COLUMN, ColumnFacts, Passport
from dashboard.errors import AccessDenied, DashboardError, NotFound
from dashboard.store.blocks import BlockSpot, BlockWriter, read_block
from dashboard.store.table_records import TableRecords
from dashboard.vault import VaultError

if TYPE_CHECKING:
    from dashboard.store.database import Store

#: Says whether a person is a member of a workspace, by the platform's own answer to that person.
MaySee = Callable[[Identity, int], bool]

_CACHE_BYTES = 16_000_000


class TableStore:
    """Keeps fetched tables. Thread-safe.

    Parameters
    ----------
    may_see
        Asked at every call with the caller and the table's workspace; it is expected to be quick.
    """

    def __init__(self, store: Store, *, may_see: MaySee) -> None:
        self._vault = store.vault
        self._records = TableRecords(store)
        self._folder = store.data_dir / "tables"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self.may_see = may_see
        self._blocks = _BlockCache(_CACHE_BYTES)

    @contextlib.contextmanager
    def draft(self, who: Identity, workspace_id: int) -> Iterator[TableDraft]:
        """Give a table to fill, piece by piece. Unless it is kept, nothing of it stays.

        Raises
        ------
        AccessDenied
            The caller is not a member of the workspace.
        DashboardError
            The disk is full or may not be written to.
        """
        self._check(who, workspace_id)
        table_id = secrets.token_hex(16)
        with _told():
            writer = BlockWriter(self._path(table_id), self._vault, table_id=table_id)
        draft = TableDraft(table_id, writer, self._records)
        try:
            yield draft
        finally:
            writer.abandon()
            if not draft.is_kept:
                self._path(table_id).unlink(missing_ok=True)

    def save(self, who: Identity, draft: Passport, table: pa.Table) -> Passport:
        """Keep a whole table and return its passport; raises what `draft` does."""
        with self.draft(who, draft.workspace_id) as keeping:
            keeping.begin()
            keeping.add(table)
            return keeping.keep(draft)

    def recent(
        self, who: Identity, *, connection_name: str, workspace_id: int, limit: int = 5
    ) -> tuple[Passport, ...]:
        """Return the tables of a connection fetched last for a workspace, the newest first.

        Raises
        ------
        AccessDenied
            The caller is not a member of the workspace.
        """
        self._check(who, workspace_id)
        return self._records.newest(
            connection_name=connection_name, workspace_id=workspace_id, limit=limit
        )

    def before(self, who: Identity, passport: Passport) -> Passport | None:
        """Return the passport of the last fetch before this one, same connection and workspace.

        Raises
        ------
        AccessDenied
            The caller is not a member of the workspace.
        """
        self._check(who, passport.workspace_id)
        earlier = self._records.newest(
            connection_name=passport.connection_name,
            workspace_id=passport.workspace_id,
            before=passport.fetched_at,
            limit=1,
        )
        return earlier[0] if earlier else None

    def passport(self, who: Identity, table_id: str) -> Passport:
        """Return what is known of a table.

        Raises
        ------
        NotFound
            There is no such table (any more).
        AccessDenied
            The caller is not a member of its workspace.
        """
        passport = self._records.passport(table_id)
        if passport is None:
            raise NotFound("This table is no longer stored.", hint="Fetch it again.")
        self._check(who, passport.workspace_id)
        return passport

    def page(self, who: Identity, table_id: str, *, offset: int = 0, limit: int = 100) -> pa.Table:
        """Return up to `limit` rows from row `offset` on, with all columns.

        Raises
        ------
        NotFound, AccessDenied
            As `passport`.
        """
        passport = self.passport(who, table_id)
        first = min(max(offset, 0), passport.rows)
        return self.stored_rows(table_id, first, min(first + max(limit, 0), passport.rows))

    def page_rows(
        self, who: Identity, table_id: str, *, offset: int = 0, limit: int = 100
    ) -> list[dict[str, Any]]:
        """Return the same page as one mapping per row, as Python values."""
        rows: list[dict[str, Any]] = self.page(
            who, table_id, offset=offset, limit=limit
        ).to_pylist()
        return rows

    def delete(self, who: Identity, table_id: str) -> None:
        """Delete a table's rows and passport at once.

        Raises
        ------
        NotFound, AccessDenied
            As `passport`.
        Conflict
            A run still shows it.
        """
        self.passport(who, table_id)
        self.drop(table_id)

    def sweep(self, *, older_than_s: float = 3600.0) -> None:
        """Delete files that no record names: what a crash left between file and record."""
        known = self._records.ids()
        limit = time.time() - older_than_s
        for path in self._folder.iterdir():
            if path.stem not in known and path.stat().st_mtime < limit:
                path.unlink(missing_ok=True)

    # What follows asks nobody: it is for services that have checked the caller themselves.

    def drop(self, table_id: str) -> None:
        """Delete a table's rows and passport, if they are there.

        Raises
        ------
        Conflict
            A run still shows it.
        """
        self._records.delete(table_id)
        self._blocks.forget(table_id)
        self._path(table_id).unlink(missing_ok=True)

    def spots(self, table_id: str) -> tuple[BlockSpot, ...]:
        """Where the blocks of a table lie; an empty table has one, without rows."""
        return self._records.spots(table_id)

    def block(self, table_id: str, spot: BlockSpot, *, keep: bool = True) -> pa.Table:
        """Return the rows of one block; `keep` it at hand if others will ask for it soon.

        Raises
        ------
        DashboardError
            The file is gone, damaged or sealed with another key.
        """
        found = self._blocks.get(table_id, spot.number)
        if found is not None:
            return found
        try:
            block = read_block(self._path(table_id), self._vault, spot, table_id=table_id)
        except (OSError, VaultError, pa.ArrowException) as exc:
            raise DashboardError(
                "The stored rows of this table could not be read.",
                title="The table cannot be read",
                hint="Fetch it again.",
            ) from exc
        if keep:
            self._blocks.put(table_id, spot.number, block)
        return block

    def stored_rows(self, table_id: str, first: int, end: int) -> pa.Table:
        """Return rows `first` to before `end`, with the table's columns even if there are none.

        Raises
        ------
        NotFound
            The table was deleted.
        """
        spots = self.spots(table_id)
        if not spots:
            raise NotFound("This table is no longer stored.", hint="Fetch it again.")
        pieces = []
        for spot in spots:
            if spot.first_row < end and first < spot.end_row:
                start = max(first - spot.first_row, 0)
                stop = min(end, spot.end_row) - spot.first_row
                pieces.append(self.block(table_id, spot).slice(start, max(stop - start, 0)))
        return pa.concat_tables(pieces) if pieces else self.block(table_id, spots[0]).slice(0, 0)

    def _path(self, table_id: str) -> Path:
        return self._folder / f"{table_id}.sealed"

    def _check(self, who: Identity, workspace_id: int) -> None:
        if not self.may_see(who, workspace_id):
            raise AccessDenied(
                "This table belongs to a workspace you are not a member of.",
                hint="Ask a member of the workspace to invite you.",
            )


class TableDraft:
    """A table on its way to the disk: takes pieces, and becomes one of the store when it is kept.

    All methods raise DashboardError when the disk is full or may not be written to.
    """

    def __init__(self, table_id: str, writer: BlockWriter, records: TableRecords) -> None:
        self.is_kept = False
        self._table_id = table_id
        self._writer = writer
        self._records = records
        self._schema = pa.schema([])
        self._rows = 0
        self._longest_text = ""

    def begin(self) -> None:
        """Begin anew, without the rows added so far."""
        self._rows, self._longest_text = 0, ""
        with _told():
            self._writer.begin()

    def add(self, piece: pa.Table) -> None:
        """Add further rows; they are of the same columns as those before."""
        table = _without_dictionaries(piece)
        self._schema = table.schema
        self._rows += table.num_rows
        self._longest_text = _longest_text(table, self._longest_text)
        with _told():
            self._writer.add(table)

    def keep(self, draft: Passport) -> Passport:
        """Put the table into the store and return its passport.

        Parameters
        ----------
        draft
            What is known of the fetch. Its id, number of rows and columns are filled in here, and
            the words of its longest text.
        """
        has_texts = TEXT_COLUMN in self._schema.names
        passport = replace(
            draft,
            table_id=self._table_id,
            rows=self._rows,
            columns=tuple(ColumnFacts(field.name, str(field.type)) for field in self._schema),
            longest_text_words=word_count(self._longest_text) if has_texts else None,
        )
        with _told():
            spots = self._writer.finish()
        self._records.insert(passport, spots)
        self.is_kept = True
        return passport


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Say in plain words that the disk does not take it."""
    try:
        yield
    except OSError as exc:
        raise DashboardError(
            "The table could not be stored.",
            title="The table was not kept",
            hint="Check that the dashboard's disk is not full, then fetch it again.",
        ) from exc


class _BlockCache:
    """The blocks read last, shared by all sessions. Whoever asks has been let in before."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._blocks: OrderedDict[tuple[str, int], pa.Table] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, table_id: str, number: int) -> pa.Table | None:
        with self._lock:
            block = self._blocks.get((table_id, number))
            if block is not None:
                self._blocks.move_to_end((table_id, number))
            return block

    def put(self, table_id: str, number: int, block: pa.Table) -> None:
        with self._lock:
            if (table_id, number) in self._blocks or block.nbytes > self._most_bytes:
                return
            self._blocks[table_id, number] = block
            self._bytes += block.nbytes
            while self._bytes > self._most_bytes:
                _oldest, dropped = self._blocks.popitem(last=False)
                self._bytes -= dropped.nbytes

    def forget(self, table_id: str) -> None:
        with self._lock:
            for key in [key for key in self._blocks if key[0] == table_id]:
                self._bytes -= self._blocks.pop(key).nbytes


def _longest_text(table: pa.Table, longest: str) -> str:
    """Return the longest text, by characters, of the model's input column and `longest`."""
    if table.column_names.count(TEXT_COLUMN) != 1:
        return longest
    column = table.column(TEXT_COLUMN)
    if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
        return longest
    lengths = pc.utf8_length(column)
    most = pc.max(lengths).as_py()
    if most is None or most <= len(longest):
        return longest
    text: str = column[pc.index(lengths, most).as_py()].as_py()
    return text


def _without_dictionaries(table: pa.Table) -> pa.Table:
    # Every block would carry its column's whole dictionary.
    for number, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            plain = table.column(number).cast(field.type.value_type)
            table = table.set_column(number, field.name, plain)
    return table
