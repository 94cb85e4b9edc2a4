"""Tables in every format, recognised by content, sane or refused in one sentence."""

from __future__ import annotations

import io
import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import feather, ipc
from pyarrow import parquet as pq

from dashboard.connectors.causes import FetchCause
from dashboard.connectors.table_formats import TableFormat, read_into
from dashboard.errors import FetchFailed
from tests.support.collecting import Collected


class Recognised(Collected):
    format: TableFormat


def read_table(content: bytes, **options) -> Recognised:
    found = Recognised()
    found.format = read_into(found, content, **options)
    return found


ROWS = [
    {"inputs": "Ein Satz, mit \u201eZeichen\u201c.\nUnd Zeile 2 \U0001f600", "return_text": True},
    {"inputs": "007", "return_text": False},
]
TABLE = pa.Table.from_pylist(ROWS)


def parquet(table: pa.Table, **options) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def feathered(table: pa.Table, **options) -> bytes:
    sink = io.BytesIO()
    feather.write_feather(table, sink, **options)
    return sink.getvalue()


def stream(table: pa.Table, compression: str | None = None) -> bytes:
    sink = io.BytesIO()
    options = ipc.IpcWriteOptions(compression=compression)
    with ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return sink.getvalue()


CSV = (
    "inputs,return_text\r\n"
    '"Ein Satz, mit \u201eZeichen\u201c.\nUnd Zeile 2 \U0001f600",True\r\n'
    "007,false\r\n"
)
FILES = {
    "records": (json.dumps(ROWS).encode(), TableFormat.JSON_RECORDS),
    "records, real letters": (
        json.dumps(ROWS, ensure_ascii=False).encode(),
        TableFormat.JSON_RECORDS,
    ),
    "pandas columns": (
        json.dumps({k: {str(i): r[k] for i, r in enumerate(ROWS)} for k in ROWS[0]}).encode(),
        TableFormat.JSON_COLUMNS,
    ),
    "columns of lists": (
        json.dumps({k: [r[k] for r in ROWS] for k in ROWS[0]}).encode(),
        TableFormat.JSON_COLUMNS,
    ),
    "lines": ("\n".join(map(json.dumps, ROWS)).encode() + b"\n\n", TableFormat.JSON_LINES),
    "csv": (CSV.encode(), TableFormat.CSV),
    "csv with BOM": (b"\xef\xbb\xbf" + CSV.encode(), TableFormat.CSV),
    "csv in UTF-16": (CSV.encode("utf-16"), TableFormat.CSV),
    "csv with semicolons": (
        CSV.replace('","', '";"')
        .replace("s,r", "s;r")
        .replace('",T', '";T')
        .replace("7,f", "7;f")
        .encode(),
        TableFormat.CSV,
    ),
    "csv with tabs": (
        CSV.replace("s,r", "s\tr").replace('",T', '"\tT').replace("7,f", "7\tf").encode(),
        TableFormat.CSV,
    ),
    "parquet": (parquet(TABLE), TableFormat.PARQUET),
    "parquet, zstd": (parquet(TABLE, compression="zstd"), TableFormat.PARQUET),
    "feather, lz4": (feathered(TABLE, compression="lz4"), TableFormat.ARROW),
    "feather, zstd": (feathered(TABLE, compression="zstd"), TableFormat.ARROW),
    "arrow file": (feathered(TABLE, compression="uncompressed"), TableFormat.ARROW),
    "arrow stream": (stream(TABLE), TableFormat.ARROW),
    "arrow stream, zstd": (stream(TABLE, "zstd"), TableFormat.ARROW),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_recognised_by_its_content_and_read(name):
    content, kind = FILES[name]
    recognised = read_table(content)
    assert recognised.format is kind
    assert recognised.table.to_pylist() == [{**row, "inputs": row["inputs"]} for row in ROWS]
    assert read_table(content, format=kind).table.equals(recognised.table)


def refused(content: bytes | str, **options) -> FetchFailed:
    with pytest.raises(FetchFailed) as caught:
        read_table(content.encode() if isinstance(content, str) else content, **options)
    assert caught.value.__context__ is None or isinstance(caught.value.__context__, FetchFailed)
    return caught.value


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" \r\n\t",
        b"\x00\x00",
        b"\xef\xbb\xbf",
        b"<!DOCTYPE html><html></html>",
        b"  <?xml version='1.0'?><a/>",
        b"PK\x03\x04rest",
        b"\x1f\x8b\x08\x00rest",
        b"%PDF-1.7 planted",
        b"\x89PNG\r\n\x1a\n",
        b"PAR1",
        b"PAR1" + b"\x00" * 100 + b"PAR1",
        b"ARROW1\x00\x00",
        b"ARROW1\x00\x00" + b"\xff" * 100,
        b"\xff\xff\xff\xff\x10\x00\x00\x00" + b"\x00" * 16,
        b"\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"caf\xe9,b\n1,2\n",
        b"planted words without any table",
        b"planted\n",
        b'{"a": planted}',
        b'[{"a": 1},',
        b"[1, 2, 3]",
        b"[[1, 2], [3, 4]]",
        b'[{"a": 1}, null]',
        b'{"a": [1, 2], "b": [1]}',
        b'{"a": 1}\n{"a": planted}\n',
        b'{"a": 1}\n[2]\n',
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b"a,b\n1,2,3\n",
        b"a,b,c\n1,2,3\n1,2\n4,5,6\n",
        parquet(TABLE)[:-20],
        feathered(TABLE, compression="lz4")[:200],
    ],
)
def test_what_is_no_table_is_refused_in_plain_words(content):
    failure = refused(content)
    assert failure.cause_code == FetchCause.NOT_A_TABLE
    assert failure.field == "format"
    assert failure.hint
    assert "planted" not in failure.message


def test_the_ragged_row_is_named():
    failure = refused("a,b\n1,2\n3,4\n5,6,7\n")
    assert failure.message == "Row 4 of the file has 3 fields, the header has 2."


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ('[{"a": 1}, {"b": "x"}]', [{"a": 1, "b": None}, {"a": None, "b": "x"}]),
        ('[{"a": 1}, {"a": "x"}, {"a": true}]', [{"a": "1"}, {"a": "x"}, {"a": "true"}]),
        ('[{"a": 1}, {"a": 2.5}]', [{"a": 1.0}, {"a": 2.5}]),
        ('[{"a": NaN}, {"a": 1}]', [{"a": None}, {"a": 1}]),
        ('[{"a": [1, {"b": null}]}]', [{"a": '[1, {"b": null}]'}]),
        ('{"a": 1, "b": {"c": 2}}', [{"a": 1, "b": '{"c": 2}'}]),
        ('[{"a": 123456789012345678901234567890}]', [{"a": "123456789012345678901234567890"}]),
        ('[{"a": 9007199254740993}, {"a": 0.5}]', [{"a": "9007199254740993"}, {"a": "0.5"}]),
        ('[{"a": 9223372036854775807}]', [{"a": 9223372036854775807}]),
        (f'[{{"a": {"9" * 5000}}}]', [{"a": "9" * 5000}]),
        ('[{"a": "\\ud800x"}]', [{"a": "\ufffdx"}]),
        ('[{"a": "\\ud83d\\ude00"}]', [{"a": "\U0001f600"}]),
        ('[{"\\ud800": 1}]', [{"\ufffd": 1}]),
        ('[{"a": "\\u0000"}]', [{"a": "\x00"}]),
        ('[{"a": null}]', [{"a": None}]),
        ("[]", []),
        ('{"a": []}', []),
        ('[{"": 1}]', [{"column 1": 1}]),
        ("a,a,\n1,2,3\n", [{"a": "1", "a (2)": "2", "column 3": "3"}]),
        ("id,date\n007,1/2\n1e5,\n", [{"id": "007", "date": "1/2"}, {"id": "1e5", "date": ""}]),
        ("a,b\n", []),
        ("inputs\nOne, two; three\n", [{"inputs": "One, two; three"}]),
        (
            "a,ok\n1,TRUE\n2,\n3,false\n",
            [{"a": "1", "ok": True}, {"a": "2", "ok": None}, {"a": "3", "ok": False}],
        ),
        ("a,ok\n1,true\n2,maybe\n", [{"a": "1", "ok": "true"}, {"a": "2", "ok": "maybe"}]),
        ('a,b\n"x ""y"" z",2\n', [{"a": 'x "y" z', "b": "2"}]),
        ("a|b\n=1+1|@x\n", [{"a": "=1+1", "b": "@x"}]),
    ],
)
def test_awkward_content_becomes_a_sane_table(content, rows):
    assert read_table(content.encode()).table.to_pylist() == rows


def test_a_text_longer_than_any_block_is_read():
    long = "word " * 400_000
    assert read_table(f'inputs,n\n"{long}",1\n'.encode()).table.to_pylist()[0]["inputs"] == long


def big(rows: list[dict[str, object]]) -> dict[str, bytes]:
    """Rows of several pieces in the formats whose columns are not known before their end."""
    return {
        "records": json.dumps(rows, indent=1).encode(),
        "lines": "\n".join(map(json.dumps, rows)).encode(),
        "utf-16": json.dumps(rows, ensure_ascii=False).encode("utf-16"),
    }


LONG = "Ein langer Text \u201e\U0001f600\u201c, ]}\\ " * 40


@pytest.mark.parametrize("name", ["records", "lines", "utf-16"])
@pytest.mark.parametrize(
    ("last", "found", "kind"),
    [
        ({"n": 5}, 5, "int64"),
        ({"n": 2.5}, 2.5, "double"),
        ({"n": "x"}, "x", "string"),
        ({"n": None}, None, "int64"),
        ({"n": 5, "late": True}, 5, "int64"),
    ],
)
def test_what_only_the_end_of_a_long_file_shows_counts_for_all_of_it(name, last, found, kind):
    rows = [{"inputs": f"{at} {LONG}", "n": at} for at in range(2_500)]
    recognised = read_table(big([*rows, {"inputs": "end", **last}])[name])
    table = recognised.table
    assert len(recognised.pieces) > 2
    assert recognised.readings == (1 if set(last) == {"n"} and kind == "int64" else 2)
    assert str(table.schema.field("n").type) == kind
    numbers = table.column("n").to_pylist()
    assert numbers[-1] == found
    assert numbers[7] == ("7" if kind == "string" else 7)
    assert table.column("inputs").to_pylist() == [row["inputs"] for row in rows] + ["end"]
    if "late" in last:
        assert table.column("late").to_pylist() == [None] * 2_500 + [True]


@pytest.mark.parametrize(("last", "flags"), [("FALSE", True), ("maybe", False), ("", True)])
def test_a_csv_column_is_of_booleans_only_if_all_of_a_long_file_is(last, flags):
    lines = [f'"{at} {LONG}",True' for at in range(2_500)]
    content = "\n".join(["inputs,ok", *lines, f"end,{last}"]).encode()
    recognised = read_table(content)
    values = recognised.table.column("ok").to_pylist()
    assert values[:2] == ([True, True] if flags else ["True", "True"])
    assert values[-1] == ({"FALSE": False, "": None}[last] if flags else last)
    assert recognised.readings == (1 if flags else 2)


def test_the_place_where_long_json_is_damaged_is_named():
    rows = [json.dumps({"inputs": LONG}) for _ in range(1_500)]
    rows[1_200] = '{"inputs": "x" "y"}'
    told = "The file is damaged JSON: look at line 1202, character 16."
    assert refused("[\n" + ",\n".join(rows) + "\n]").message == told
    told = "The file is damaged JSON: look at line 1201."
    assert refused("\n".join(rows)).message.startswith(told.removesuffix("."))
    whole = json.dumps([{"inputs": LONG}] * 1_500)
    assert refused(whole[:-100]).cause_code == FetchCause.NOT_A_TABLE
    assert refused(whole + "]").message.endswith(f"line 1, character {len(whole) + 1}.")


def test_a_long_parquet_file_comes_in_pieces_whatever_its_texts_share():
    texts = [f"{at} {'x' * 900}" if at % 3 else "the same" for at in range(6_000)]
    content = parquet(pa.table({"inputs": texts, "n": range(6_000)}), row_group_size=2_500)
    recognised = read_table(content)
    assert recognised.table.column("inputs").to_pylist() == texts
    assert max(piece.nbytes for piece in recognised.pieces) < 5_000_000


def test_ten_thousand_rows_are_read():
    rows = [{"inputs": f"Text {number}", "n": number} for number in range(10_000)]
    table = read_table(json.dumps(rows).encode()).table
    assert table.num_rows == 10_000
    assert table.column("n").to_pylist() == list(range(10_000))


def test_equal_names_in_a_parquet_or_arrow_file_are_told_apart():
    table = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])
    assert read_table(stream(table)).table.column_names == ["a", "a (2)"]
    assert read_table(parquet(table)).table.column_names == ["a", "a (2)"]


def test_nested_packed_and_binary_columns_become_text():
    table = pa.table(
        {
            "list": [[1, 2]],
            "struct": [{"a": None}],
            "dictionary": pa.array(["x"]).dictionary_encode(),
            "bytes": [b"abc"],
            "raw": [b"\xff"],
            "nothing": pa.nulls(1),
            "__index_level_0__": [5],
        }
    )
    for content in (stream(table), parquet(table.drop(["dictionary"])), feathered(table)):
        row = read_table(content).table.to_pylist()[0]
        assert row.pop("dictionary", "x") == "x"
        assert row == {
            "list": "[1, 2]",
            "struct": '{"a": null}',
            "bytes": "abc",
            "raw": "ff",
            "nothing": None,
        }


BIG = pa.table({"a": ["x" * 100_000] * 500})


@pytest.mark.parametrize(
    "content",
    [
        parquet(BIG, compression="zstd"),
        parquet(BIG, compression="zstd", use_dictionary=False),
        feathered(BIG, compression="zstd"),
        feathered(BIG, compression="lz4"),
        stream(BIG, "zstd"),
        stream(pa.table({"a": BIG.column("a").dictionary_encode()})),
    ],
    ids=["parquet dictionary", "parquet", "feather zstd", "feather lz4", "stream", "dictionary"],
)
def test_a_file_that_unpacks_to_too_much_is_refused(content):
    assert len(content) < 1_000_000
    before = pa.default_memory_pool().max_memory()
    failure = refused(content, most_bytes=20_000_000)
    assert failure.cause_code == FetchCause.TOO_BIG
    assert pa.default_memory_pool().max_memory() <= max(before, 20_000_000)


@pytest.mark.parametrize(
    "content",
    [
        json.dumps([{str(number): 1 for number in range(1001)}]),
        "[" + ",".join(f'{{"{number}":1}}' for number in range(2000)) + "]",
        "[" + "{}," * 3_100_000 + "{}]",
        ",".join(map(str, range(1001))) + "\n",
        "a,b\n" * 1_000_002,
    ],
    ids=["columns", "sparse", "nodes", "csv columns", "csv rows"],
)
def test_a_table_of_absurd_shape_is_too_big(content):
    assert refused(content).cause_code == FetchCause.TOO_BIG


OUTCOMES = ("a valid table", FetchCause.NOT_A_TABLE, FetchCause.TOO_BIG)


def outcome(content: bytes, kind: TableFormat | None = None) -> str:
    try:
        read_table(content, format=kind).table.validate(full=True)
    except FetchFailed as failure:
        return failure.cause_code
    return "a valid table"


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
records = st.lists(
    st.dictionaries(st.text(max_size=5), scalars | st.lists(scalars, max_size=2), max_size=4),
    max_size=5,
)


@settings(max_examples=150, deadline=None)
@given(records)
def test_any_records_become_a_table_with_a_row_for_each(rows):
    recognised = read_table(json.dumps(rows).encode())
    assert recognised.table.num_rows == (len(rows) if any(rows) else 0)
    recognised.table.validate(full=True)
    names = recognised.table.column_names
    assert len(set(names)) == len(names)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(), min_size=1, max_size=6))
def test_any_texts_come_back_unchanged_through_every_format(texts):
    texts = [text.encode("utf-8", "ignore").decode() for text in texts]
    table = pa.table({"inputs": texts})
    for content in (
        json.dumps([{"inputs": text} for text in texts]).encode(),
        json.dumps({"inputs": texts}).encode(),
        "\n".join(json.dumps({"inputs": text}) for text in [*texts, "last"]).encode(),
        parquet(table),
        stream(table, "lz4"),
    ):
        assert read_table(content).table.column("inputs").to_pylist()[: len(texts)] == texts


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=60),
    st.sampled_from([b"", b"PAR1", b"ARROW1\x00\x00", b"\xff\xff\xff\xff", b"[", b"{", b"a,b\n"]),
    st.none() | st.sampled_from(TableFormat),
)
def test_any_bytes_are_a_table_or_are_refused(content, start, kind):
    assert outcome(start + content, kind) in OUTCOMES


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_arrow_or_parquet_file_never_does_worse_than_being_refused(data):
    good = data.draw(st.sampled_from([FILES["feather, lz4"][0], FILES["arrow stream"][0]]))
    place = data.draw(st.integers(0, len(good) - 1))
    damaged = good[:place] + bytes([data.draw(st.integers(0, 255))]) + good[place + 1 :]
    assert outcome(damaged) in OUTCOMES
