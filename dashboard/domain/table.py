"""A fetched table's passport: what it is, without its rows."""

from __future__ import annotations

from collections.abc import Sequence
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
#: A flag column without any value is of the type `null`: the sender fills in its default.
_FLAG_TYPES = frozenset({"bool", "null"})


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether a table can be sent to the summarizer, and if not, why.

    Parameters
    ----------
    missing, twice
        Names of columns that the model reads and that are not there, or there twice.
    wrong_type
        Columns of another type than the model reads.
    extra
        Columns that the model does not read; they are left out of what is sent.
    candidates
        Columns of texts that could be sent in the place of a missing one.
    """

    missing: tuple[str, ...] = ()
    twice: tuple[str, ...] = ()
    wrong_type: tuple[ColumnFacts, ...] = ()
    extra: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """True when every column the model needs is there once with a usable type."""
        return not self.missing and not self.twice and not self.wrong_type


def fit_of(columns: Sequence[ColumnFacts], text_column: str = TEXT_COLUMN) -> Fit:
    """Compare a table's columns with what the summarizer's model reads.

    The text column must be there and hold texts; a flag column, where there is one, must hold
    booleans. A missing flag column is no misfit: the sender fills in `FLAG_DEFAULTS`.

    Parameters
    ----------
    text_column
        The column to be sent as the model's text.
    """
    names = [column.name for column in columns]
    read = {text_column: _TEXT_TYPES, **dict.fromkeys(FLAG_COLUMNS, _FLAG_TYPES)}
    return Fit(
        missing=() if text_column in names else (text_column,),
        twice=tuple(name for name in read if names.count(name) > 1),
        wrong_type=tuple(
            one for one in columns if one.name in read and one.type not in read[one.name]
        ),
        extra=tuple(name for name in names if name not in read),
        candidates=tuple(
            one.name for one in columns if one.type in _TEXT_TYPES and one.name not in FLAG_COLUMNS
        ),
    )
