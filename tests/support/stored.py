"""What a store holds, as somebody sees it who has its database but not its key."""

from __future__ import annotations

from sqlalchemy import select

from dashboard.store.database import Store
from dashboard.store.schema import METADATA


def everything_stored(store: Store) -> bytes:
    """Return every value of every table, and the database's files where it has some of its own."""
    with store.read() as connection:
        values = [
            value
            for table in METADATA.sorted_tables
            for record in connection.execute(select(table))
            for value in record
        ]
    files = [path.read_bytes() for path in sorted(store.data_dir.glob("runs.sqlite3*"))]
    texts = [value if isinstance(value, bytes) else str(value).encode() for value in values]
    return b"\n".join([*texts, *files])
