from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, insert, inspect, select, text
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from dashboard.domain.activity import Act, Activity, ActivityFilter
from dashboard.domain.check import Check, CheckKind
from dashboard.domain.table import Passport
from dashboard.store.activity_records import ActivityRecords, _which
from dashboard.store.check_records import CheckRecords
from dashboard.store.database import open_store, open_vault
from dashboard.store.run_records import RunRecords
from dashboard.store.schema import (
    ACTIVITIES,
    CHECKS,
    DETAIL_TIMES,
    FACTS,
    FETCHED_TABLES,
    METADATA,
    RUN_ROWS,
    RUNS,
    SCHEMA_VERSION,
    TABLE_BLOCKS,
)
from dashboard.store.table_records import TableRecords
from dashboard.vault import Vault
from tests.unit.store.test_run_records import DONE, OURS, RUN

NOW = datetime(2026, 11, 22, 13, tzinfo=UTC)
NEWER_COLUMNS = [
    ("runs", "title_sealed"),
    ("runs", "text_column_sealed"),
    ("runs", "input_columns_sealed"),
    ("run_rows", "doubts"),
    ("run_rows", "batch_rows"),
]
BATCHED = replace(DONE.timing, batch_rows=32)
VERSION_1 = [FACTS, FETCHED_TABLES, TABLE_BLOCKS, RUNS, RUN_ROWS]


def make_version_1(folder: Path, url: str) -> Vault:
    """Make a store as the first version left it, with one fetched table in it."""
    vault = open_vault(url, data_dir=folder)
    engine = create_engine(url)
    METADATA.create_all(engine, tables=VERSION_1)
    with engine.begin() as connection:
        for table, name in NEWER_COLUMNS:
            connection.execute(text(f"ALTER TABLE {table} DROP COLUMN {name}"))
        check = vault.seal(b"the run store's key", bound_to="store:key_check")
        facts = {"schema_version": b"1", "key_check": check}
        connection.execute(
            insert(FACTS), [{"name": name, "value": value} for name, value in facts.items()]
        )
        connection.execute(
            insert(FETCHED_TABLES),
            {
                "table_id": "t1",
                "workspace_id": 7,
                "connection_name": "c",
                "rows": 4,
                "columns_sealed": vault.seal(b"[]", bound_to="table:t1:columns"),
                "raw_bytes": 1,
                "fingerprint": "f",
                "fetched_at": NOW,
                "fetch_ms": 1.0,
                "format": "CSV",
            },
        )
    engine.dispose()
    return vault


def test_a_store_of_version_1_is_brought_up_to_date_and_keeps_what_it_has(
    tmp_path: Path, database_url: str
):
    vault = make_version_1(tmp_path, database_url)
    store = open_store(database_url, data_dir=tmp_path, vault=vault)
    with store.read() as connection:
        version = connection.scalar(select(FACTS.c.value).where(FACTS.c.name == "schema_version"))
        assert version == str(SCHEMA_VERSION).encode() == b"4"
        assert connection.scalar(select(FETCHED_TABLES.c.table_id)) == "t1"
    ActivityRecords(store).insert(Activity(NOW, "u", "", Act.CREATED, workspace_id=7))
    CheckRecords(store).keep(Check("c1", CheckKind.TEST, NOW, passed=True))
    TableRecords(store).insert(Passport("t2", "c", 7, 4, (), 1, "f", NOW, 1.0, "CSV"), [])
    records = RunRecords(store)
    run = replace(RUN, table_id="t2", title="Mine", text_column="body", input_columns=("a", "b"))
    records.insert(run, OURS)
    records.journal({"r1": [replace(DONE, doubts=3, timing=BATCHED)]}, OURS)
    store.close()

    store = open_store(database_url, data_dir=tmp_path, vault=vault)
    assert RunRecords(store).run("r1") == replace(run, rows_done=1)
    assert RunRecords(store).rows("r1", 0, 4)[1] == replace(DONE, doubts=3, timing=BATCHED)
    assert ActivityRecords(store).page(ActivityFilter(), offset=0, limit=9)[1] == 1
    assert len(CheckRecords(store).of("c1")) == 1
    store.close()


def test_a_version_1_store_has_none_of_the_newer_tables(tmp_path: Path, database_url: str):
    make_version_1(tmp_path, database_url)
    engine = create_engine(database_url)
    assert set(inspect(engine).get_table_names()) == {table.name for table in VERSION_1}
    for table, name in NEWER_COLUMNS:
        assert name not in {column["name"] for column in inspect(engine).get_columns(table)}
    engine.dispose()


@pytest.mark.parametrize("dialect", [postgresql.dialect(), mysql.dialect()])
def test_the_tables_and_the_search_can_be_said_to_other_databases(dialect):
    for table in (ACTIVITIES, CHECKS, DETAIL_TIMES):
        assert table.name in str(CreateTable(table).compile(dialect=dialect))
        for index in table.indexes:
            assert str(CreateIndex(index).compile(dialect=dialect))
    wanted = ActivityFilter(acts=(Act.CREATED,), words="50% _x", connection_name="c")
    search = str(select(ACTIVITIES).where(*_which(wanted)).compile(dialect=dialect))
    assert search.lower().count(" like ") == 2
    assert "escape '/'" in search.lower()
