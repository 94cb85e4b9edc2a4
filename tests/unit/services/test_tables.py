from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dashboard.domain.table import ColumnFacts, Passport
from dashboard.errors import AccessDenied, Conflict, DashboardError, NotFound
from dashboard.store.blocks import BLOCK_BYTES, BlockWriter
from tests.unit.services.run_stubs import (
    MEMBER,
    STRANGER,
    Rig,
    StubPlatform,
    draft,
    open_rig,
    texts_table,
)


@pytest.fixture
def rig(tmp_path: Path, database_url: str) -> Iterator[Rig]:
    # SQLite's own place is part of what is tested here.
    url = "" if database_url.startswith("sqlite") else database_url
    rig = open_rig(tmp_path / "data", StubPlatform(), url=url)
    yield rig
    rig.close()


def test_a_saved_table_has_a_passport_with_its_rows_and_columns(rig: Rig):
    saved = rig.tables.save(MEMBER, draft(longest_text_words=1), texts_table("a", "b", id=[1, 2]))
    assert saved.rows == 2
    assert saved.columns == (ColumnFacts("inputs", "string"), ColumnFacts("id", "int64"))
    assert rig.tables.passport(MEMBER, saved.table_id) == saved


def test_pages_hold_the_rows_asked_for_over_block_borders(rig: Rig):
    texts = [f"{number} {'x' * 1000}" for number in range(5_000)]
    saved = rig.tables.save(MEMBER, draft(), texts_table(*texts))
    spots = rig.tables.spots(saved.table_id)
    assert len(spots) > 4
    border = spots[1].first_row
    page = rig.tables.page_rows(MEMBER, saved.table_id, offset=border - 2, limit=4)
    assert [row["inputs"] for row in page] == texts[border - 2 : border + 2]
    end = rig.tables.page_rows(MEMBER, saved.table_id, offset=4_999, limit=100)
    assert [row["inputs"] for row in end] == texts[4_999:]
    assert [
        row["inputs"] for row in rig.tables.page_rows(MEMBER, saved.table_id, limit=1_000_000)
    ] == texts


@pytest.mark.parametrize(("offset", "limit"), [(-5, 0), (2, 10), (99, 10), (0, -1)])
def test_a_page_beyond_the_table_is_empty_but_has_its_columns(rig: Rig, offset: int, limit: int):
    saved = rig.tables.save(MEMBER, draft(), texts_table("a", "b"))
    page = rig.tables.page(MEMBER, saved.table_id, offset=offset, limit=limit)
    assert (page.num_rows, page.column_names) == (0, ["inputs"])


def test_an_empty_table_keeps_its_columns(rig: Rig):
    saved = rig.tables.save(MEMBER, draft(), texts_table())
    assert rig.tables.page(MEMBER, saved.table_id).schema.names == ["inputs"]
    assert list(rig.tables.page_rows(MEMBER, saved.table_id, limit=1_000_000)) == []


def test_blocks_stay_small_when_the_long_texts_stand_together(rig: Rig):
    texts = ["x"] * 3_000 + ["y" * 100_000] * 50
    saved = rig.tables.save(MEMBER, draft(), texts_table(*texts))
    assert max(spot.size_bytes for spot in rig.tables.spots(saved.table_id)) < 1.2 * BLOCK_BYTES
    page = rig.tables.page_rows(MEMBER, saved.table_id, offset=2_999, limit=2)
    assert [len(row["inputs"]) for row in page] == [1, 100_000]


def test_values_of_every_kind_come_back(rig: Rig):
    table = pa.table(
        {
            "words": pa.array(["a", "b", "a"]).dictionary_encode(),
            "nested": [{"k": [1, 2]}, None, {"k": []}],
            "bytes": [b"\x00\xff", None, b""],
        }
    )
    saved = rig.tables.save(MEMBER, draft(), table)
    assert rig.tables.page_rows(MEMBER, saved.table_id) == table.to_pylist()


def test_who_is_not_in_the_workspace_reads_and_deletes_nothing(rig: Rig):
    saved = rig.tables.save(MEMBER, draft(), texts_table("a"))
    for call in (
        lambda: rig.tables.save(STRANGER, draft(), texts_table("a")),
        lambda: rig.tables.passport(STRANGER, saved.table_id),
        lambda: rig.tables.page(STRANGER, saved.table_id),
        lambda: rig.tables.page_rows(STRANGER, saved.table_id, limit=1_000_000),
        lambda: rig.tables.before(STRANGER, saved),
        lambda: rig.tables.recent(STRANGER, connection_name="press-releases", workspace_id=7),
        lambda: rig.tables.delete(STRANGER, saved.table_id),
    ):
        with pytest.raises(AccessDenied):
            call()
    assert rig.tables.page(MEMBER, saved.table_id).num_rows == 1


def test_a_deleted_table_is_gone_with_its_file(rig: Rig):
    saved = rig.tables.save(MEMBER, draft(), texts_table("a"))
    folder = rig.folder / "tables"
    rig.tables.page(MEMBER, saved.table_id)
    assert len(list(folder.iterdir())) == 1
    rig.tables.delete(MEMBER, saved.table_id)
    assert list(folder.iterdir()) == []
    with pytest.raises(NotFound):
        rig.tables.page(MEMBER, saved.table_id)


def test_the_input_of_a_run_is_not_deleted(rig: Rig):
    run = rig.submit("a")
    rig.ended(run.run_id)
    with pytest.raises(Conflict):
        rig.tables.delete(MEMBER, run.table_id)
    assert rig.runs.row(MEMBER, run.run_id, 0).input_text == "a"


def test_a_damaged_or_missing_file_is_a_plain_error(rig: Rig):
    saved = rig.tables.save(MEMBER, draft(), texts_table("a"))
    (path,) = (rig.folder / "tables").iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(DashboardError, match="could not be read"):
        rig.tables.page(MEMBER, saved.table_id)
    path.unlink()
    with pytest.raises(DashboardError, match="could not be read"):
        rig.tables.page(MEMBER, saved.table_id)


def test_the_sweep_deletes_only_old_files_that_no_record_names(rig: Rig):
    rig.tables.save(MEMBER, draft(), texts_table("a"))
    folder = rig.folder / "tables"
    (kept,) = folder.iterdir()
    fresh, old = folder / "fresh.part", folder / "old.sealed"
    for path in (kept, fresh, old):
        path.touch()
    for path in (kept, old):
        os.utime(path, (0, 0))
    rig.tables.sweep()
    assert sorted(folder.iterdir()) == sorted([kept, fresh])


def test_a_table_that_does_not_fit_on_the_disk_leaves_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
):
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("dashboard.store.blocks.os.fsync", full)
    with pytest.raises(DashboardError, match="could not be stored"):
        rig.tables.save(MEMBER, draft(), texts_table("a"))
    assert list((rig.folder / "tables").iterdir()) == []


def test_nobody_else_on_the_machine_may_read_the_files(rig: Rig):
    rig.tables.save(MEMBER, draft(), texts_table("a"))
    files = [path for path in rig.folder.rglob("*") if path.is_file()]
    assert rig.folder / "store.key" in files
    assert len(files) > 2
    assert {path.stat().st_mode & 0o077 for path in files} == {0}
    assert rig.folder.stat().st_mode & 0o077 == 0


def test_a_draft_takes_pieces_and_counts_only_those_since_it_began(rig: Rig):
    with rig.tables.draft(MEMBER, 7) as filling:
        filling.begin()
        filling.add(texts_table("wrong, and the longest text of all"))
        filling.begin()
        for start in range(0, 3_000, 10):
            filling.add(
                texts_table(*(f"{number} {'x' * 1000}" for number in range(start, start + 10)))
            )
        filling.add(texts_table())
        saved = filling.keep(draft())
    assert (saved.rows, saved.longest_text_words) == (3_000, 2)
    spots = rig.tables.spots(saved.table_id)
    assert 3 <= len(spots) <= 8  # of about half a block to a block each
    rows = [row["inputs"] for row in rig.tables.page_rows(MEMBER, saved.table_id, limit=1_000_000)]
    assert rows == [f"{number} {'x' * 1000}" for number in range(3_000)]


def test_a_draft_that_is_not_kept_leaves_nothing(rig: Rig):
    def broken_off() -> None:
        with rig.tables.draft(MEMBER, 7) as one:
            one.begin()
            one.add(texts_table("x" * 2 * BLOCK_BYTES))
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        broken_off()
    assert list((rig.folder / "tables").iterdir()) == []
    assert rig.tables.recent(MEMBER, connection_name="press-releases", workspace_id=7) == ()


def test_a_disk_that_fills_up_while_rows_come_in_is_told(rig: Rig, monkeypatch: pytest.MonkeyPatch):
    def full(_writer: BlockWriter) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with rig.tables.draft(MEMBER, 7) as filling:
        filling.begin()
        monkeypatch.setattr(BlockWriter, "_write", full)
        with pytest.raises(DashboardError, match="could not be stored") as told:
            filling.add(texts_table("x" * 2 * BLOCK_BYTES))
    assert "disk is not full" in told.value.hint
    assert list((rig.folder / "tables").iterdir()) == []


def test_the_recent_tables_are_those_of_one_connection_and_workspace_newest_first(rig: Rig):
    def save(number: int, **changes: Any) -> Passport:
        at = draft().fetched_at + timedelta(minutes=number)
        return rig.tables.save(MEMBER, draft(fetched_at=at, **changes), texts_table("a"))

    saved = [save(number) for number in range(7)]
    save(8, connection_name="another")
    recent = rig.tables.recent(MEMBER, connection_name="press-releases", workspace_id=7)
    assert recent == tuple(reversed(saved[2:]))
    assert rig.tables.before(MEMBER, saved[3]) == saved[2]
    assert rig.tables.before(MEMBER, saved[0]) is None
