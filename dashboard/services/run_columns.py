"""Which columns of a table go to a model that is no summarizer, and as what.

The platform tells the columns and types of most models. Of an ONNX model it may tell names alone,
or nothing: then every column is sent, and its first cell says whether it holds numbers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from dashboard.domain.sent_value import UnfitValueError, guessed_type, misfit, sent_value
from dashboard.domain.table import ColumnFacts, is_text_type
from dashboard.errors import DashboardError, InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa

    from dashboard.domain.identity import Identity
    from dashboard.domain.model import ModelVersion
    from dashboard.domain.pipeline import Pipeline
    from dashboard.gateway.base import PlatformGateway

#: So many rows are looked at for the first cell of a column.
ROWS_LOOKED_AT: Final = 100
_UNTYPED: Final = "CSV"


def model_reads(
    gateway: PlatformGateway, who: Identity, pipeline: Pipeline, version: ModelVersion
) -> tuple[ColumnFacts, ...]:
    """Return what the first model of a pipeline reads; nothing where the platform does not tell.

    Parameters
    ----------
    version
        Of that model: it may tell what a pipeline that is not deployed does not.
    """
    told = gateway.model_inputs(who, pipeline)
    if not told:
        with contextlib.suppress(DashboardError):
            told = gateway.model_details(who, version).inputs or ()
    return told


def columns_to_send(
    columns: Sequence[ColumnFacts], reads: Sequence[ColumnFacts] = ()
) -> tuple[str, ...]:
    """Return the columns of a table to send to a model that is no summarizer.

    Parameters
    ----------
    reads
        What the model reads, as far as the platform tells; without it every column is sent. The
        engine fits numbers to what the model wants; texts that are numbers become those.

    Raises
    ------
    InvalidInput
        A column is missing, there twice, or of another type or size; the message names it.
    """
    wanted = tuple(column.name for column in reads) or tuple(column.name for column in columns)
    check_sent(columns, wanted)
    held = {column.name: column for column in columns}
    for column in reads:
        if problem := misfit(held[column.name], column.type):
            raise InvalidInput(problem)
    return wanted


def types_to_send(
    columns: Sequence[ColumnFacts],
    reads: Sequence[ColumnFacts],
    first_cells: Mapping[str, Iterable[Any]],  # any values of a table
    *,
    words: str,
) -> tuple[ColumnFacts, ...]:
    """Return the columns to send, each with what goes out for its cells, as `sent_value` takes it.

    Parameters
    ----------
    columns, reads
        As `columns_to_send`.
    first_cells
        The first cells of every column of the table.
    words
        What the table was recognised as, such as `CSV`.

    Raises
    ------
    InvalidInput
        As `columns_to_send`; also where none of a column's first cells is what the model reads.
    """
    told = {column.name: column.type for column in reads}
    held = {column.name: column.type for column in columns}

    def kind_of(name: str) -> str:
        cells = first_cells.get(name, ())
        if kind := told.get(name, ""):
            _check_cells(name, cells, kind)
            return kind
        if not is_text_type(held[name]):
            return ""
        return guessed_type(cells, is_untyped=words == _UNTYPED)

    names = columns_to_send(columns, reads)
    return tuple(ColumnFacts(name, kind_of(name)) for name in names)


def _check_cells(name: str, cells: Iterable[Any], kind: str) -> None:  # any values of a table
    """Refuse a column of whose first cells none is what the model reads: no row would be."""
    first: UnfitValueError | None = None
    for cell in cells:
        try:
            if sent_value(cell, kind) is not None:
                return
        except UnfitValueError as error:
            first = first or error
    if first is not None:
        raise InvalidInput(
            f"The model reads {first.wanted} from “{name}”; the table holds {first.found} there."
        )


def first_cells(table: pa.Table) -> dict[str, list[Any]]:
    """Return the cells of a table's first rows, by column."""
    first = table.slice(0, ROWS_LOOKED_AT)
    return {name: first.column(name).to_pylist() for name in first.column_names}


def check_sent(columns: Sequence[ColumnFacts], names: Sequence[str]) -> None:
    """Refuse a table that has not each of these columns once. Raises InvalidInput."""
    known = [column.name for column in columns]
    for name in names:
        if name not in known:
            raise InvalidInput(f"The table has no column “{name}”, which the model reads.")
        if known.count(name) > 1:
            raise InvalidInput(f"The table has the column “{name}” twice.")
