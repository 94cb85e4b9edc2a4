"""A fetched table's passport: what it is, without its rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """Name and type (in the words of Arrow, such as `string` or `bool`) of one column."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Passport:
    """What is known of a fetched table.

    Parameters
    ----------
    table_id
        Key of the stored rows; unguessable.
    raw_bytes
        Size of the file as it was received.
    fingerprint
        SHA-256 of the received bytes, hex.
    fetched_at
        UTC, timezone-aware.
    fetch_ms
        How long the fetch took, in ms.
    longest_text_words
        Words in the longest text of the model's input column, or None without one.
    format
        What it was recognised as, such as `JSON records` or `CSV`.
    """

    table_id: str
    connection_name: str
    workspace_id: int
    rows: int
    columns: tuple[ColumnFacts, ...]
    raw_bytes: int
    fingerprint: str
    fetched_at: datetime
    fetch_ms: float
    format: str
    longest_text_words: int | None = None


#: Columns the summarizer's model reads, and the types they must have (SUMMARIZER: interface).
TEXT_COLUMN = "inputs"
FLAG_COLUMNS = ("return_text", "return_tensors", "clean_up_tokenization_spaces")
#: What is sent for a flag that a table does not have: the values of the workshop's sample.
FLAG_DEFAULTS = {
    "return_text": True,
    "return_tensors": False,
    "clean_up_tokenization_spaces": False,
}
_TEXT_TYPES = frozenset({"string", "large_string"})


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether a table can be sent to the summarizer, and if not, why.

    `missing` and `wrong_type` are column names; `extra` are columns the model does not read, which
    are left out of what is sent. A missing flag column is no misfit: the sender fills in
    `FLAG_DEFAULTS`.
    """

    missing: tuple[str, ...] = ()
    wrong_type: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """True when every column the model needs is there with a usable type."""
        return not self.missing and not self.wrong_type


def fit_of(columns: Iterable[ColumnFacts]) -> Fit:
    """Compare a table's columns with what the summarizer's model reads.

    The text column must be there and hold text; a flag column, where there is one, must hold
    booleans. A column of another type under one of these names is `wrong_type`.
    """
    types = {column.name: column.type for column in columns}
    wrong_type = [name for name in FLAG_COLUMNS if types.get(name, "bool") != "bool"]
    if TEXT_COLUMN in types and types[TEXT_COLUMN] not in _TEXT_TYPES:
        wrong_type.insert(0, TEXT_COLUMN)
    return Fit(
        missing=() if TEXT_COLUMN in types else (TEXT_COLUMN,),
        wrong_type=tuple(wrong_type),
        extra=tuple(name for name in types if name not in (TEXT_COLUMN, *FLAG_COLUMNS)),
    )
