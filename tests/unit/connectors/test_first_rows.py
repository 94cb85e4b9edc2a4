"""The first rows of a file of which only the beginning is in."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import ipc
from pyarrow import parquet as pq

from dashboard.connectors.first_rows import MOST_ROWS, Taster
from dashboard.connectors.table_formats import TableFormat
from dashboard.domain.table import FirstRows

ROWS = [
    {"id": number, "inputs": f"S\u00e4tze, {number}.\nUnd \u201emehr\u201c. " * 3, "ok": True}
    for number in range(40)
]
NAMES = ("inputs", "id", "ok")


def csv_of(rows: list[dict[str, Any]], delimiter: str = ",") -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def stream_of(rows: list[dict[str, Any]], **options) -> bytes:
    sink, table = io.BytesIO(), pa.Table.from_pylist(rows)
    with ipc.new_stream(sink, table.schema, options=ipc.IpcWriteOptions(**options)) as stream:
        stream.write_table(table, max_chunksize=5)
    return sink.getvalue()


def parquet_of(rows: list[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


def columns_of(rows: list[dict[str, Any]]) -> bytes:
    return json.dumps({name: [row[name] for row in rows] for name in rows[0]}).encode()


def tasted(content: bytes, step: int, kind: TableFormat | None = None) -> list[FirstRows]:
    shown: list[FirstRows] = []
    taster = Taster(kind, shown.append)
    for place in range(0, len(content), step):
        taster.take(content[place : place + step])
    return shown


TELLING = {
    "records": json.dumps(ROWS).encode(),
    "records on many lines": json.dumps(ROWS, indent=2, ensure_ascii=False).encode(),
    "lines": "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS).encode(),
}


@pytest.mark.parametrize("name", TELLING)
@pytest.mark.parametrize("step", [1, 7, 1000, 1_000_000])
def test_more_and_more_whole_rows_are_shown_up_to_twenty(name, step):
    shown = tasted(TELLING[name], step)
    counts = [len(one.rows) for one in shown]
    assert counts == sorted(set(counts))
    assert counts[-1] == MOST_ROWS
    expected = tuple((row["inputs"], row["id"], row["ok"]) for row in ROWS)
    for one in shown:
        assert one.names == NAMES
        assert one.rows == expected[: len(one.rows)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("step", [7, 1000])
def test_the_rows_of_a_csv_are_shown_as_they_will_be_read(delimiter, step):
    shown = tasted(csv_of(ROWS, delimiter), step)
    assert len(shown[-1].rows) == MOST_ROWS
    for one in shown:
        assert one.names == NAMES
        assert one.rows == tuple(
            (row["inputs"], str(row["id"]), row["ok"]) for row in ROWS[: len(one.rows)]
        )


@pytest.mark.parametrize("options", [{}, {"compression": "zstd"}])
def test_the_first_batch_of_an_arrow_stream_is_shown_when_it_is_whole(options):
    content = stream_of(ROWS, **options)
    (one,) = {one.rows for one in tasted(content, 100)}
    assert [row[1] for row in one] == [0, 1, 2, 3, 4]
    assert tasted(content[: len(content) // 20], 100) == []


@pytest.mark.parametrize("content", [parquet_of(ROWS), columns_of(ROWS), b"<html>", b" \n", b""])
def test_where_the_beginning_does_not_tell_nothing_is_shown(content):
    assert tasted(content, 1000) == []


def test_the_chosen_format_is_the_one_it_is_looked_at_as():
    lines = "\n".join(json.dumps(row) for row in ROWS[:2]).encode()
    assert tasted(lines, 10, TableFormat.PARQUET) == []
    assert len(tasted(lines, 1000, TableFormat.JSON_LINES)[-1].rows) == 2


def test_long_texts_are_cut_and_many_columns_left_out():
    row = {f"column {number}": "x" * 5000 for number in range(60)} | {"inputs": "y" * 5000}
    (shown,) = tasted(json.dumps([row]).encode(), 1_000_000)
    assert len(shown.names) == 40
    assert shown.names[0] == "inputs"
    assert {len(value) for value in shown.rows[0]} == {400}


def test_a_row_that_never_ends_is_not_waited_for():
    taster = Taster(None, lambda _rows: pytest.fail("there is no whole row"))
    taster.take(b'[{"inputs": "')
    for _ in range(100):
        taster.take(b"x" * 100_000)
    assert not taster._head


@settings(max_examples=60, deadline=None)
@given(
    content=st.binary(max_size=300),
    start=st.sampled_from([b"", b"[", b'{"a":', b"a,b\n", b"ARROW1\0\0", b"\xff\xff\xff\xff"]),
    kind=st.sampled_from([None, *TableFormat]),
)
def test_whatever_comes_it_never_raises(content, start, kind):
    tasted(start + content, 50, kind)


def test_a_batch_that_unpacks_to_too_much_is_not_unpacked():
    assert tasted(stream_of([{"inputs": "x" * 20_000_000}], compression="zstd"), 100_000) == []
