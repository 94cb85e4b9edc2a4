"""Reads Parquet and Arrow, and refuses files that unpack to more than they may.

Both formats can say in a few bytes what fills gigabytes, so that sizes are taken from the metadata
before anything is unpacked, and counted again piece by piece.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import ipc
from pyarrow import parquet as pq

from dashboard.connectors.causes import unpacks_to_more
from dashboard.connectors.formats.columns import check_shape, tidy
from dashboard.connectors.formats.content import Content, ContentFile
from dashboard.connectors.formats.ipc_sizes import message_sizes, unpacked_bytes
from dashboard.connectors.formats.pieces import Pieces

_ROWS_AT_ONCE: Final = 1024
_BATCH_BYTES: Final = 4_000_000
_BUFFER_BYTES: Final = 1_000_000
_FILE_MAGIC: Final = b"ARROW1\x00\x00"


def parquet_pieces(content: Content, most_bytes: int) -> Pieces[None]:
    """Read a Parquet file. Raises FetchFailed (`too_big`), or what pyarrow raises."""
    metadata = pq.read_metadata(_opened(content))
    check_shape(metadata.num_rows, metadata.num_columns)
    groups = (metadata.row_group(place) for place in range(metadata.num_row_groups))
    _check_size(sum(group.total_byte_size for group in groups), most_bytes)
    file = pq.ParquetFile(_opened(content), buffer_size=_BUFFER_BYTES)
    yield from _tidied(_parquet_batches(content, file), file.schema_arrow, most_bytes)
    return None


def _parquet_batches(content: Content, file: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    """Unpack so many rows at once that they are not large, even if all hold the longest text."""
    texts = [part.name for part in file.schema_arrow if _is_text(part.type)]
    for group in range(file.num_row_groups):
        # A text that stands once in the file may stand in all rows: those are in the dictionary,
        # which the first row comes with. Whole columns are not read so: each batch would bring
        # along all texts before it.
        probe = pq.ParquetFile(_opened(content), read_dictionary=texts, buffer_size=_BUFFER_BYTES)
        longest = 1
        for batch in probe.iter_batches(1, row_groups=[group], use_threads=False):
            longest = max([longest, *(_longest_word(column) for column in batch.columns)])
            break
        rows = max(1, min(_ROWS_AT_ONCE, _BATCH_BYTES // longest))
        yield from file.iter_batches(rows, row_groups=[group], use_threads=False)


def _longest_word(column: pa.Array) -> int:
    """Return the size in bytes of the longest entry of a dictionary of texts, or 0."""
    if not pa.types.is_dictionary(column.type) or not _is_text(column.type.value_type):
        return 0
    return int(pc.max(pc.binary_length(column.dictionary)).as_py() or 0)


def arrow_pieces(content: Content, most_bytes: int) -> Pieces[None]:
    """Read an Arrow file, a Feather file or an Arrow stream.

    A file is a stream between two marks. It is read as one, because its index may point elsewhere
    than to what was checked.
    """
    start = _stream_start(content)
    _check_size(unpacked_bytes(_opened(content, start)), most_bytes)
    with ipc.open_stream(_opened(content, start)) as reader:
        yield from _tidied(reader, reader.schema, most_bytes)
    return None


def _opened(content: Content, start: int = 0) -> pa.NativeFile:
    return pa.PythonFile(ContentFile(content, start), "r")


def _stream_start(content: Content) -> int:
    head = content.read(0, len(_FILE_MAGIC))
    return len(head) if head == _FILE_MAGIC else 0


def first_rows(head: Content, most: int, most_bytes: int) -> pa.Table | None:
    """Return up to `most` rows of the first batch of a stream, if all of it is in its beginning.

    Raises what `arrow_pieces` raises.
    """
    start = _stream_start(head)
    size_bytes = 0
    with contextlib.suppress(pa.ArrowInvalid, OSError):  # where the beginning breaks off
        for size in message_sizes(_opened(head, start)):
            size_bytes += size
            _check_size(size_bytes, most_bytes)
    with (
        contextlib.suppress(pa.ArrowInvalid, OSError),
        ipc.open_stream(_opened(head, start)) as reader,
    ):
        for batch in reader:
            batch.validate(full=True)
            if batch.num_rows:
                return tidy(pa.Table.from_batches([batch.slice(0, most)], reader.schema))
    return None


def _tidied(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, most_bytes: int
) -> Iterator[pa.Table]:
    rows = size_bytes = 0
    for batch in batches:
        rows += batch.num_rows
        check_shape(rows, batch.num_columns)
        # Untrusted offsets may point anywhere in memory.
        batch.validate(full=True)
        size_bytes += sum(_full_size(column) for column in batch.columns)
        _check_size(size_bytes, most_bytes)
        yield tidy(pa.Table.from_batches([batch], schema))
    yield tidy(schema.empty_table())


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
        raise unpacks_to_more(most_bytes)
