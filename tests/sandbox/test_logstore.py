from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from dashboard.sandbox.log_pages import page_statement
from dashboard.sandbox.logstore import Batch, LogStore, Query
from dashboard.vault import Vault, VaultError

KEY = b"k" * 32
TOPIC = "workspace-1-pipeline-hf-summarizer-inference"
ROOT = Path(__file__).resolve().parents[2]
NEWEST = Query(newest_first=True, page_size=100)
OLDEST = Query(newest_first=False, page_size=1000)


@pytest.fixture
def store(tmp_path):
    made = LogStore(tmp_path / "logs.db", Vault(KEY))
    yield made
    made.close()


def batch(time_ms: int, *texts: str, topics: tuple[str, ...] = (TOPIC,), **inputs) -> Batch:
    rows = [({"inputs": text} | inputs, {"summary_text": text.upper()}) for text in texts]
    return Batch(topics, time_ms, rows, {"elapsed": [1, 2], "partition": "engine-a"})


def write(store: LogStore, *batches: Batch) -> None:
    for future in [store.submit(each) for each in batches]:
        future.result(5)


def texts(page) -> list[str]:
    return [row.inputs["inputs"] for row in page.rows]


def test_a_row_comes_back_as_it_was_written(store):
    write(store, batch(1000, "a"))
    (row,) = store.read(TOPIC, NEWEST).rows
    assert (row.offset, row.time_ms) == (0, 1000)
    assert row.outputs == {"summary_text": "A"}
    assert row.metadata == {"elapsed": [1, 2], "partition": "engine-a"}


def test_newest_first_and_oldest_first(store):
    write(store, batch(1, "a", "b"), batch(2, "c"))
    assert texts(store.read(TOPIC, NEWEST)) == ["c", "b", "a"]
    assert texts(store.read(TOPIC, OLDEST)) == ["a", "b", "c"]


def test_an_unknown_topic_is_empty(store):
    write(store, batch(1, "a"))
    assert store.read("workspace-9-pipeline-x-inference", NEWEST).rows == []
    assert store.row_count("workspace-9-pipeline-x-inference") == 0
    assert store.row_count(TOPIC) == 1


def test_a_batch_may_belong_to_several_topics_and_is_kept_once(store, tmp_path):
    write(store, batch(1, "a", topics=(TOPIC, "model-hf-summarizer-inference")))
    assert texts(store.read("model-hf-summarizer-inference", NEWEST)) == ["a"]
    with sqlite3.connect(tmp_path / "logs.db") as connection:
        assert connection.execute("SELECT count(*) FROM block").fetchone() == (1,)
    connection.close()


@pytest.mark.parametrize("page_size", [0, 1, 2, 3, 4, 300])
@pytest.mark.parametrize("newest_first", [True, False])
def test_pages_follow_one_another_without_gap_or_overlap(store, page_size, newest_first):
    write(store, batch(1, *(f"a{i}" for i in range(3))), batch(2, "b"), batch(3, "c1", "c2"))
    expected = ["a0", "a1", "a2", "b", "c1", "c2"]
    if newest_first:
        expected.reverse()
    seen: list[str] = []
    offset = None
    for _ in range(7):
        query = Query(newest_first=newest_first, page_size=page_size, from_offset=offset)
        page = store.read(TOPIC, query)
        seen += texts(page)
        offset = page.next_offset
        if offset is None:
            break
        assert page.status == "RecordLimited"
    assert seen == ([] if page_size == 0 else expected)


def test_a_large_batch_is_paged_inside(store):
    write(store, batch(1, *(str(i) for i in range(700))))
    page = store.read(TOPIC, Query(newest_first=True, page_size=100, from_offset=300))
    assert texts(page) == [str(i) for i in range(300, 200, -1)]


def test_pages_stay_right_when_the_clock_went_back(store):
    write(store, batch(30, "late"), batch(10, "early"), batch(20, "middle"))
    seen: list[str] = []
    offset = None
    for _ in range(3):
        page = store.read(TOPIC, Query(newest_first=False, page_size=1, from_offset=offset))
        seen += texts(page)
        offset = page.next_offset
    assert seen == ["early", "middle", "late"]
    assert offset is None


def test_a_window_includes_both_ends(store):
    write(store, *(batch(time_ms, str(time_ms)) for time_ms in (10, 20, 30, 40)))
    window = Query(newest_first=False, page_size=1000, start_ms=20, end_ms=30)
    assert texts(store.read(TOPIC, window)) == ["20", "30"]


def test_a_page_ends_where_the_outputs_change(store):
    other = Batch((TOPIC,), 1, [({"inputs": "a"}, {"score": 1.0})], {})
    write(store, other, batch(2, "b"), batch(3, "c"))
    page = store.read(TOPIC, NEWEST)
    assert (texts(page), page.status) == (["c", "b"], "SchemaChange")
    rest = store.read(TOPIC, Query(newest_first=True, page_size=9, from_offset=page.next_offset))
    assert (texts(rest), rest.status) == (["a"], "All")


def test_a_page_ends_where_the_inputs_are_others(store):
    other = Batch((TOPIC,), 1, [({"tensor": [1.0]}, {"summary_text": "a"})], {})
    write(store, other, batch(2, "b"))
    assert store.read(TOPIC, NEWEST).status == "SchemaChange"


def test_a_column_that_only_some_callers_send_does_not_end_the_page(store):
    write(store, batch(1, "a"), batch(2, "b", index=5), batch(3, "c"))
    page = store.read(TOPIC, NEWEST)
    assert (texts(page), page.status) == (["c", "b", "a"], "All")


def test_a_page_is_limited_in_bytes_but_never_empty(store):
    write(store, batch(1, "x" * 500), batch(2, "y" * 500))
    page = store.read(TOPIC, Query(newest_first=True, page_size=9, max_bytes=100))
    assert (texts(page), page.status, page.next_offset) == (["y" * 500], "ByteLimited", 0)


@pytest.mark.parametrize("text", ["", "\0", "\ud800", "日本", "x" * 400_000])
def test_awkward_texts_come_back(store, text):
    write(store, batch(1, text))
    assert texts(store.read(TOPIC, NEWEST)) == [text]


def test_a_row_that_cannot_be_written_does_not_spoil_its_neighbours(store):
    too_large = batch(2**70, "bad")
    futures = [store.submit(each) for each in (batch(1, "a"), too_large, batch(2, "b"))]
    with pytest.raises(OverflowError):
        futures[1].result(5)
    futures[2].result(5)
    assert texts(store.read(TOPIC, OLDEST)) == ["a", "b"]


def test_a_caller_that_gives_up_does_not_stop_the_writer(store):
    async def give_up() -> None:
        task = asyncio.ensure_future(store.append(batch(1, "a")))
        await asyncio.sleep(0)
        task.cancel()

    for _ in range(20):
        asyncio.run(give_up())
    write(store, batch(2, "b"))
    assert texts(store.read(TOPIC, NEWEST))[0] == "b"


def test_reset_forgets_everything_and_goes_on(store):
    write(store, batch(1, "a"))
    store.reset()
    assert store.read(TOPIC, NEWEST).rows == []
    write(store, batch(2, "b"))
    assert [row.offset for row in store.read(TOPIC, NEWEST).rows] == [0]


def test_nothing_of_a_row_is_in_clear_in_any_file(store, tmp_path):
    write(store, batch(1, "planted-secret-text"))
    for file in tmp_path.iterdir():
        assert b"planted-secret-text" not in file.read_bytes(), file
        assert b"summary_text" not in file.read_bytes(), file


def test_the_file_is_the_owners_alone(store, tmp_path):
    assert {path.stat().st_mode & 0o077 for path in tmp_path.iterdir()} == {0}


def test_another_key_is_refused(tmp_path):
    first = LogStore(tmp_path / "logs.db", Vault(KEY))
    write(first, batch(1, "a"))
    first.close()
    second = LogStore(tmp_path / "logs.db", Vault(b"z" * 32))
    with pytest.raises(VaultError):
        second.read(TOPIC, NEWEST)
    second.close()


def test_a_block_that_was_moved_does_not_open(store, tmp_path):
    write(store, batch(1, "a"), batch(2, "b"))
    with sqlite3.connect(tmp_path / "logs.db") as connection:
        connection.execute("UPDATE entry SET block_id = 3 - block_id")
        connection.execute("UPDATE block SET id = 9 WHERE id = 1")
        connection.execute("UPDATE block SET id = 1 WHERE id = 2")
        connection.execute("UPDATE block SET id = 2 WHERE id = 9")
    connection.close()
    with pytest.raises(VaultError):
        store.read(TOPIC, NEWEST)


def test_written_rows_survive_kill_9(tmp_path):
    code = """
import sys
from pathlib import Path
from dashboard.sandbox.logstore import Batch, LogStore
from dashboard.vault import Vault
store = LogStore(Path(sys.argv[1]), Vault(b"k" * 32))
for number in range(10**6):
    store.submit(Batch((sys.argv[2],), number, [({"inputs": str(number)}, {})], {})).result()
    print(number, flush=True)
"""
    path = tmp_path / "logs.db"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path), TOPIC], cwd=ROOT, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        written = [int(process.stdout.readline()) for _ in range(200)]
        os.kill(process.pid, signal.SIGKILL)
        written += [int(line) for line in process.stdout.read().split()]
    store = LogStore(path, Vault(KEY))
    assert store.row_count(TOPIC) >= len(written)
    page = store.read(TOPIC, Query(newest_first=False, page_size=10**6))
    assert texts(page)[: len(written)] == [str(number) for number in written]
    store.close()


def test_a_page_is_found_by_the_index(store):
    write(store, batch(1, "a"))
    for query in (
        NEWEST,
        OLDEST,
        Query(newest_first=False, page_size=9, start_ms=0, end_ms=9),
        Query(newest_first=True, page_size=9, from_offset=0),
    ):
        with store._reading() as reader:
            sql, values = page_statement(reader, 1, query)
            plan = reader.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()
        steps = " / ".join(step[3] for step in plan)
        assert "SEARCH entry USING PRIMARY KEY" in steps
        assert "TEMP B-TREE" not in steps


@pytest.mark.parametrize("newest_first", [True, False])
def test_a_page_opens_no_more_of_a_long_log_than_it_gives(store, monkeypatch, newest_first):
    write(store, *(batch(number, f"text {number}") for number in range(5_000)))
    opened = []
    unseal = Vault.open

    def count(vault, sealed, *, bound_to):
        opened.append(bound_to)
        return unseal(vault, sealed, bound_to=bound_to)

    monkeypatch.setattr(Vault, "open", count)
    steps: list[str] = []
    for _ in range(4):
        with store._reading() as reader:  # each in turn
            reader.set_progress_handler(lambda: steps.append("1000 steps"), 1000)
    query = Query(newest_first, page_size=100, start_ms=2_000, end_ms=4_000)
    for _ in range(3):
        page = store.read(TOPIC, query)
        assert (len(page.rows), page.status) == (100, "RecordLimited")
        # One more, to know that there are more.
        assert len(opened) == 101
        # In the order of a page's rows, not of the log's.
        assert len(steps) < 10
        query = replace(query, from_offset=page.next_offset)
        opened.clear()
        steps.clear()


def test_a_metrics_samples_are_found_by_their_keys(store):
    for sql in (
        "SELECT min(time_s), total(value) FROM sample WHERE series_id = ? AND time_s < ?",
        "SELECT time_s, value FROM sample WHERE series_id = ? AND time_s > ? ORDER BY time_s",
        "SELECT id FROM series WHERE metric = ? AND workspace_id = ?",
    ):
        with store._reading() as reader:
            plan = reader.execute(f"EXPLAIN QUERY PLAN {sql}", (1, 1)).fetchall()
        steps = " / ".join(step[3] for step in plan)
        assert "SEARCH" in steps
        assert "SCAN" not in steps
        assert "TEMP B-TREE" not in steps


def test_types_and_errors_come_back(store):
    made = replace(batch(1, "a"), types={"in.inputs": "string"}, error="why")
    write(store, made, batch(2, "b"))
    rows = store.read(TOPIC, OLDEST).rows
    assert [(row.types, row.error) for row in rows] == [({"in.inputs": "string"}, "why"), ({}, "")]


def test_a_long_page_keeps_no_short_one_waiting(store):
    write(store, batch(1, "a"), batch(2, "b"))
    with store._reading() as reader:
        rows = reader.execute("SELECT * FROM entry")
        assert rows.fetchone()
        assert texts(store.read(TOPIC, NEWEST)) == ["b", "a"]
        write(store, batch(3, "c"))
        assert store.row_count(TOPIC) == 3
        rows.close()
