"""What the database keeps of readers' opinions: one for each row of a run, the newest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from dashboard.domain.row_note import RowNote, Thumb
from dashboard.store.schema import ROW_NOTES
from dashboard.store.texts import storable

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dashboard.store.database import Store

_LONGEST_ADDRESS = 320


class RunNotes:
    """Reads and writes opinions. Checks nobody's access."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of_run(self, run_id: str) -> dict[int, RowNote]:
        """Return the opinions on a run's rows, by row index; those taken back are absent."""
        query = select(ROW_NOTES).where(ROW_NOTES.c.run_id == run_id)
        with self._store.read() as connection:
            records = connection.execute(query.order_by(ROW_NOTES.c.row_index)).mappings().all()
        notes = (
            RowNote(
                row_index=record["row_index"],
                who=record["who"],
                at=record["at"],
                thumb=Thumb(record["thumb"]),
                note=self._open(run_id, record["row_index"], "note", record["note_sealed"]),
                corrected=self._open(
                    run_id, record["row_index"], "corrected", record["corrected_sealed"]
                ),
            )
            for record in records
        )
        return {note.row_index: note for note in notes if note.says_something}

    def put(self, run_id: str, note: RowNote) -> bool:
        """Keep an opinion in the place of an older one. False if there is no such run.

        One that is older than what is kept changes nothing: two saves may overtake each other.
        """
        values = {
            "who": storable(note.who, most=_LONGEST_ADDRESS),
            "at": note.at,
            "thumb": int(note.thumb),
            "note_sealed": self._seal(run_id, note.row_index, "note", note.note),
            "corrected_sealed": self._seal(run_id, note.row_index, "corrected", note.corrected),
        }
        # The first attempt fails if another process writes the same row's first at this moment.
        for _attempt in range(2):
            try:
                with self._store.write() as connection:
                    _put(connection, run_id, note, values)
            except IntegrityError:
                continue
            return True
        return False

    def _seal(self, run_id: str, row_index: int, name: str, text: str) -> bytes | None:
        return self._store.seal_text(text, bound_to=_binding(run_id, row_index, name))

    def _open(self, run_id: str, row_index: int, name: str, sealed: bytes | None) -> str:
        return self._store.open_text(sealed, bound_to=_binding(run_id, row_index, name))


def _put(connection: Connection, run_id: str, note: RowNote, values: dict[str, object]) -> None:
    this = (ROW_NOTES.c.run_id == run_id, ROW_NOTES.c.row_index == note.row_index)
    known_at = connection.scalar(select(ROW_NOTES.c.at).where(*this))
    if known_at is None:
        key = {"run_id": run_id, "row_index": note.row_index}
        connection.execute(insert(ROW_NOTES), {**key, **values})
    else:
        connection.execute(
            update(ROW_NOTES).where(*this, ROW_NOTES.c.at <= note.at).values(**values)
        )


def _binding(run_id: str, row_index: int, name: str) -> str:
    return f"note:{run_id}:{row_index}:{name}"
