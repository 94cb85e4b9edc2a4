"""Reads Parquet and Arrow, and refuses files that unpack to more than they may.

Both formats can say in a few bytes what fills gigabytes, so that sizes are taken from the metadata
before anything is unpacked, and counted again piece by piece.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import ipc
from pyarrow import parquet as pq

from dashboard.connectors.causes import FetchCause, fetch_failure, in_words
from dashboard.connectors.formats.columns import check_shape, tidy
from dashboard.connectors.formats.ipc_sizes import unpacked_bytes

_ROWS_AT_ONCE: Final = 1024
_FILE_MAGIC: Final = b"ARROW1\x00\x00"


def read_parquet(content: bytes, most_bytes: int) -> pa.Table:
    """Read a Parquet file. Raises FetchFailed (`too_big`), or what pyarrow raises."""
    source = pa.BufferReader(content)
    metadata = pq.read_metadata(source)
    check_shape(metadata.num_rows, metadata.num_columns)
    groups = (metadata.row_group(place) for place in range(metadata.num_row_groups))
    _check_size(sum(group.total_byte_size for group in groups), most_bytes)
    # Texts stay dictionaries until their full size is known: one long text may stand in all rows.
    schema = metadata.schema.to_arrow_schema()
    texts = [part.name for part in schema if _is_text(part.type)]
    source.seek(0)
    file = pq.ParquetFile(source, read_dictionary=texts)
    return _collected(
        file.iter_batches(_ROWS_AT_ONCE, use_threads=False), file.schema_arrow, most_bytes
    )


def read_arrow(content: bytes, most_bytes: int) -> pa.Table:
    """Read an Arrow file, a Feather file or an Arrow stream.

    A file is a stream between two marks. It is read as one, because its index may point elsewhere
    than to what was checked.
    """
    start = len(_FILE_MAGIC) if content.startswith(_FILE_MAGIC) else 0
    stream = pa.py_buffer(content).slice(start)
    _check_size(unpacked_bytes(stream), most_bytes)
    with ipc.open_stream(stream) as reader:
        return _collected(reader, reader.schema, most_bytes)


def _collected(batches: Iterable[pa.RecordBatch], schema: pa.Schema, most_bytes: int) -> pa.Table:
    kept: list[pa.RecordBatch] = []
    rows = size_bytes = 0
    for batch in batches:
        rows += batch.num_rows
        check_shape(rows, batch.num_columns)
        # Untrusted offsets may point anywhere in memory.
        batch.validate(full=True)
        size_bytes += sum(_full_size(column) for column in batch.columns)
        _check_size(size_bytes, most_bytes)
        kept.append(batch)
    return tidy(pa.Table.from_batches(kept, schema))


def _full_size(column: pa.Array) -> int:
    """Return the size of a column with its dictionary spelt out, in bytes."""
    if not pa.types.is_dictionary(column.type):
        return int(column.nbytes)
    values = column.dictionary
    if not _is_text(values.type):
        return int(column.nbytes) + len(column) * 8
    lengths = pc.take(pc.binary_length(values), column.indices)
    return int(pc.sum(pc.cast(lengths, pa.int64())).as_py() or 0) + len(column) * 8


def _is_text(kind: pa.DataType) -> bool:
    checks = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary)
    return any(check(kind) for check in checks) or bool(pa.types.is_large_binary(kind))


def _check_size(size_bytes: int, most_bytes: int) -> None:
    if size_bytes > most_bytes:
        raise fetch_failure(FetchCause.TOO_BIG, detail=in_words(most_bytes))
