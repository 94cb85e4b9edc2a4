from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, insert, inspect, select
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from dashboard.domain.activity import Act, Activity, ActivityFilter
from dashboard.domain.check import Check, CheckKind
from dashboard.store.activity_records import ActivityRecords, _which
from dashboard.store.check_records import CheckRecords
from dashboard.store.database import default_url, open_store, open_vault
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
from dashboard.vault import Vault

NOW = datetime(2026, 11, 22, 13, tzinfo=UTC)
VERSION_1 = [FACTS, FETCHED_TABLES, TABLE_BLOCKS, RUNS, RUN_ROWS]


def make_version_1(folder: Path) -> Vault:
    """Make a store as the first version left it, with one fetched table in it."""
    vault = open_vault("", data_dir=folder)
    engine = create_engine(default_url(folder))
    METADATA.create_all(engine, tables=VERSION_1)
    with engine.begin() as connection:
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


def test_a_store_of_version_1_is_brought_up_to_date_and_keeps_what_it_has(tmp_path: Path):
    vault = make_version_1(tmp_path)
    store = open_store("", data_dir=tmp_path, vault=vault)
    with store.read() as connection:
        version = connection.scalar(select(FACTS.c.value).where(FACTS.c.name == "schema_version"))
        assert version == str(SCHEMA_VERSION).encode() == b"2"
        assert connection.scalar(select(FETCHED_TABLES.c.table_id)) == "t1"
    ActivityRecords(store).insert(Activity(NOW, "u", "", Act.CREATED))
    CheckRecords(store).keep(Check("c1", CheckKind.TEST, NOW, passed=True))
    store.close()

    store = open_store("", data_dir=tmp_path, vault=vault)
    assert ActivityRecords(store).page(ActivityFilter(), offset=0, limit=9)[1] == 1
    assert len(CheckRecords(store).of("c1")) == 1
    store.close()


def test_a_version_1_store_has_none_of_the_newer_tables(tmp_path: Path):
    make_version_1(tmp_path)
    engine = create_engine(default_url(tmp_path))
    assert set(inspect(engine).get_table_names()) == {table.name for table in VERSION_1}
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
