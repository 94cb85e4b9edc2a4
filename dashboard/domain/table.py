"""A fetched table's passport: what it is, without its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """Name and type (in the words of Arrow, such as `string` or `bool`) of one column."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class FirstRows:
    """What there is to look at of a table that is still being read.

    Parameters
    ----------
    names
        Of its columns, the model's text first; not all of them if there are many.
    rows
        One value for each name; long texts are cut.
    """

    names: tuple[str, ...] = field(repr=False)
    rows: tuple[tuple[Any, ...], ...] = field(repr=False)  # any value a table can hold


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
        A text column of another type than the model reads.
    ignored
        Settings of the model of another type than it reads; the default is sent in their place.
    extra
        Columns that the model does not read; they are left out of what is sent.
    candidates
        Columns of texts that could be sent in the place of a missing one.
    """

    missing: tuple[str, ...] = ()
    twice: tuple[str, ...] = ()
    wrong_type: tuple[ColumnFacts, ...] = ()
    ignored: tuple[ColumnFacts, ...] = ()
    extra: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """True when every column the model needs is there once with a usable type."""
        return not self.missing and not self.twice and not self.wrong_type


def is_flag_type(kind: str) -> bool:
    """Whether a column of this type can be sent as one of the model's settings."""
    return kind in _FLAG_TYPES


def is_text_type(kind: str) -> bool:
    """Whether a column of this type holds texts."""
    return kind in _TEXT_TYPES


def fit_of(columns: Sequence[ColumnFacts], text_column: str = TEXT_COLUMN) -> Fit:
    """Compare a table's columns with what the summarizer's model reads.

    The text column must be there and hold texts. A flag column that is missing or of another type
    is no misfit: the sender fills in `FLAG_DEFAULTS`.

    Parameters
    ----------
    text_column
        The column to be sent as the model's text.
    """
    names = [column.name for column in columns]
    read = (text_column, *FLAG_COLUMNS)
    return Fit(
        missing=() if text_column in names else (text_column,),
        twice=tuple(name for name in read if names.count(name) > 1),
        wrong_type=tuple(
            one for one in columns if one.name == text_column and one.type not in _TEXT_TYPES
        ),
        ignored=tuple(
            one for one in columns if one.name in FLAG_COLUMNS and not is_flag_type(one.type)
        ),
        extra=tuple(name for name in names if name not in read),
        candidates=tuple(
            one.name for one in columns if one.type in _TEXT_TYPES and one.name not in FLAG_COLUMNS
        ),
    )


@dataclass(frozen=True, slots=True)
class TableChange:
    """What a table has become since an earlier fetch.

    Parameters
    ----------
    since
        When the earlier one was fetched, UTC.
    is_same_file
        Whether both files are equal, byte for byte.
    rows, size_bytes
        How many more there are; negative for fewer.
    new, gone
        Names of columns that only the later, or only the earlier, table has.
    other_type
        Columns of both, with their later type, where it is another one.
    """

    since: datetime
    is_same_file: bool
    rows: int = 0
    size_bytes: int = 0
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    other_type: tuple[ColumnFacts, ...] = ()


def change_of(now: Passport, before: Passport) -> TableChange:
    """Compare a table with what an earlier fetch of the same connection gave."""
    types = {column.name: column.type for column in now.columns}
    earlier = {column.name: column.type for column in before.columns}
    return TableChange(
        since=before.fetched_at,
        is_same_file=now.fingerprint == before.fingerprint,
        rows=now.rows - before.rows,
        size_bytes=now.raw_bytes - before.raw_bytes,
        new=tuple(name for name in types if name not in earlier),
        gone=tuple(name for name in earlier if name not in types),
        other_type=tuple(
            ColumnFacts(name, kind)
            for name, kind in types.items()
            if name in earlier and earlier[name] != kind
        ),
    )
