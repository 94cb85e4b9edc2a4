"""What the database keeps of fetched tables: passports, and where their blocks lie."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from dashboard.domain.table import ColumnFacts, Passport
from dashboard.errors import Conflict
from dashboard.store.blocks import BlockSpot
from dashboard.store.schema import FETCHED_TABLES, TABLE_BLOCKS

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import RowMapping

    from dashboard.store.database import Store

_CLEAR = tuple(
    column.name for column in FETCHED_TABLES.columns if not column.name.endswith("_sealed")
)


class TableRecords:
    """Reads and writes the records of fetched tables. Checks nobody's access."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def insert(self, passport: Passport, spots: Sequence[BlockSpot]) -> None:
        """Keep a table's passport and the places of its blocks."""
        names = json.dumps([[column.name, column.type] for column in passport.columns])
        sealed = self._store.seal_text(names, bound_to=_binding(passport.table_id))
        values = {name: getattr(passport, name) for name in _CLEAR}
        places = [
            {
                "table_id": passport.table_id,
                "block_number": spot.number,
                **{name: value for name, value in asdict(spot).items() if name != "number"},
            }
            for spot in spots
        ]
        with self._store.write() as connection:
            connection.execute(insert(FETCHED_TABLES), {**values, "columns_sealed": sealed})
            if places:
                connection.execute(insert(TABLE_BLOCKS), places)

    def passport(self, table_id: str) -> Passport | None:
        """Return a table's passport, or None if there is no such table."""
        found = select(FETCHED_TABLES).where(FETCHED_TABLES.c.table_id == table_id)
        with self._store.read() as connection:
            record = connection.execute(found).mappings().one_or_none()
        return None if record is None else self._passport(record)

    def newest(
        self,
        *,
        connection_name: str,
        workspace_id: int,
        limit: int,
        before: datetime | None = None,
    ) -> tuple[Passport, ...]:
        """Return the newest passports of a connection's tables in a workspace, newest first.

        Parameters
        ----------
        before
            Leave out those fetched at that time or later.
        """
        found = select(FETCHED_TABLES).where(
            FETCHED_TABLES.c.workspace_id == workspace_id,
            FETCHED_TABLES.c.connection_name == connection_name,
        )
        if before is not None:
            found = found.where(FETCHED_TABLES.c.fetched_at < before)
        found = found.order_by(FETCHED_TABLES.c.fetched_at.desc()).limit(limit)
        with self._store.read() as connection:
            records = connection.execute(found).mappings().all()
        return tuple(self._passport(record) for record in records)

    def _passport(self, record: RowMapping) -> Passport:
        text = self._store.open_text(
            record["columns_sealed"], bound_to=_binding(record["table_id"])
        )
        columns = tuple(ColumnFacts(name, kind) for name, kind in json.loads(text))
        clear: dict[str, Any] = {name: record[name] for name in _CLEAR}  # as the columns' types say
        return Passport(columns=columns, **clear)

    def spots(self, table_id: str) -> tuple[BlockSpot, ...]:
        """Where the blocks of a table lie, in the order of its rows."""
        found = (
            select(
                TABLE_BLOCKS.c.block_number,
                TABLE_BLOCKS.c.first_row,
                TABLE_BLOCKS.c.row_count,
                TABLE_BLOCKS.c.file_offset,
                TABLE_BLOCKS.c.size_bytes,
            )
            .where(TABLE_BLOCKS.c.table_id == table_id)
            .order_by(TABLE_BLOCKS.c.block_number)
        )
        with self._store.read() as connection:
            return tuple(BlockSpot(*record) for record in connection.execute(found))

    def ids(self) -> frozenset[str]:
        """Ids of every table there is."""
        with self._store.read() as connection:
            return frozenset(connection.scalars(select(FETCHED_TABLES.c.table_id)))

    def delete(self, table_id: str) -> None:
        """Forget a table.

        Raises
        ------
        Conflict
            A run still shows it.
        """
        forget = delete(FETCHED_TABLES).where(FETCHED_TABLES.c.table_id == table_id)
        try:
            with self._store.write() as connection:
                connection.execute(forget)
        except IntegrityError as exc:
            raise Conflict("This table is the input of a run, so it is kept.") from exc


def _binding(table_id: str) -> str:
    return f"table:{table_id}:columns"
