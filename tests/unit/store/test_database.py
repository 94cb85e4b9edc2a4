from __future__ import annotations

import base64
import threading
from pathlib import Path

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError

from dashboard.errors import DashboardError, SettingsError
from dashboard.store.database import Store, open_store, open_vault
from dashboard.store.schema import FACTS
from dashboard.vault import Vault
from tests.support.postgres import PostgresServer


def opened(url: str, folder: Path) -> Store:
    return open_store(url, data_dir=folder, vault=open_vault(url, data_dir=folder))


def test_a_store_is_opened_again_with_its_key(tmp_path: Path, database_url: str):
    for _ in range(2):
        opened(database_url, tmp_path).close()
    assert len(base64.b64decode((tmp_path / "store.key").read_text())) == 32


def test_a_lost_key_is_refused_and_no_new_one_is_made(tmp_path: Path, database_url: str):
    opened(database_url, tmp_path).close()
    (tmp_path / "store.key").unlink()
    with pytest.raises(SettingsError, match="is missing"):
        open_vault(database_url, data_dir=tmp_path)
    assert not (tmp_path / "store.key").exists()


def test_another_key_is_refused(tmp_path: Path, database_url: str):
    opened(database_url, tmp_path).close()
    with pytest.raises(SettingsError, match="another key"):
        open_store(database_url, data_dir=tmp_path, vault=Vault(b"x" * 32))


def test_a_key_from_the_environment_leaves_no_key_file(tmp_path: Path, database_url: str):
    key = base64.b64encode(b"k" * 32).decode()
    vault = open_vault(database_url, data_dir=tmp_path, key_text=key)
    open_store(database_url, data_dir=tmp_path, vault=vault).close()
    assert not (tmp_path / "store.key").exists()
    with pytest.raises(SettingsError):
        open_vault(database_url, data_dir=tmp_path, key_text="not base64!")


def test_a_store_of_a_newer_version_is_refused(tmp_path: Path, database_url: str):
    vault = open_vault(database_url, data_dir=tmp_path)
    store = open_store(database_url, data_dir=tmp_path, vault=vault)
    with store.write() as connection:
        newer = update(FACTS).where(FACTS.c.name == "schema_version").values(value=b"99")
        connection.execute(newer)
    store.close()
    with pytest.raises(SettingsError, match="newer version"):
        open_store(database_url, data_dir=tmp_path, vault=vault)


def test_first_starts_at_the_same_time_agree_on_one_key(tmp_path: Path, database_url: str):
    failures: list[BaseException] = []

    def start() -> None:
        try:
            opened(database_url, tmp_path).close()
        except DashboardError as exc:
            failures.append(exc)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.parametrize(
    "url", ["nonsense", "nosuch://host/db", "mysql+nosuch://me:planted-pw@h/db"]
)
def test_a_database_that_cannot_be_used_is_one_sentence_without_its_url(tmp_path: Path, url: str):
    with pytest.raises(SettingsError) as caught:
        open_vault(url, data_dir=tmp_path)
    assert "planted-pw" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_damaged_database_is_refused_and_kept(tmp_path: Path):
    (tmp_path / "runs.sqlite3").write_bytes(b"not a database " * 100)
    with pytest.raises(SettingsError):
        open_vault("", data_dir=tmp_path)
    assert (tmp_path / "runs.sqlite3").read_bytes().startswith(b"not a database")


def test_errors_of_the_database_do_not_quote_values(tmp_path: Path, database_url: str):
    store = opened(database_url, tmp_path)
    twice = [{"name": "twice", "value": b"planted-value"}] * 2
    with pytest.raises(IntegrityError) as caught, store.write() as connection:
        connection.execute(FACTS.insert(), twice)
    assert "planted-value" not in str(caught.value)
    with store.read() as connection:
        assert connection.scalar(select(FACTS.c.name).where(FACTS.c.name == "twice")) is None
    with pytest.raises(DashboardError), store.read() as connection:
        connection.execute(text("select nothing from nowhere"))
    store.close()


def test_writers_in_many_threads_wait_for_each_other(tmp_path: Path, database_url: str):
    store = opened(database_url, tmp_path)
    with store.write() as connection:
        connection.execute(FACTS.insert(), {"name": "count", "value": b"0"})
    counted = FACTS.c.name == "count"

    def add() -> None:
        for _ in range(25):
            with store.write() as connection:
                value = connection.scalar(select(FACTS.c.value).where(counted)) or b""
                changed = update(FACTS).where(counted).values(value=str(int(value) + 1).encode())
                connection.execute(changed)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as connection:
        assert connection.scalar(select(FACTS.c.value).where(counted)) == b"100"
    store.close()


def test_a_reader_sees_one_state_of_the_data_whatever_is_written_meanwhile(
    tmp_path: Path, database_url: str
):
    store = opened(database_url, tmp_path)
    numbers = select(func.count()).select_from(FACTS)
    with store.read() as reader:
        before = reader.scalar(numbers)
        with store.write() as writer:
            writer.execute(FACTS.insert(), {"name": "more", "value": b"1"})
        assert reader.scalar(numbers) == before
    with store.read() as reader:
        assert reader.scalar(numbers) == (before or 0) + 1
    store.close()


def test_a_text_no_database_takes_is_stored_and_found_without_what_is_refused(
    tmp_path: Path, database_url: str
):
    store = opened(database_url, tmp_path)
    with store.write() as connection:
        connection.execute(FACTS.insert(), {"name": "a\0b\ud800", "value": b"\0\xff"})
    with store.read() as connection:
        found = connection.execute(select(FACTS).where(FACTS.c.name == "a\0b\ud800")).one()
    assert found == ("a\N{REPLACEMENT CHARACTER}b?", b"\0\xff")
    store.close()


def test_two_machines_that_start_first_at_once_make_one_schema(tmp_path: Path, postgres_url: str):
    key = base64.b64encode(b"k" * 32).decode()
    failures: list[BaseException] = []

    def start(number: int) -> None:
        folder = tmp_path / str(number)
        try:
            vault = open_vault(postgres_url, data_dir=folder, key_text=key)
            open_store(postgres_url, data_dir=folder, vault=vault).close()
        except DashboardError as exc:
            failures.append(exc)

    threads = [threading.Thread(target=start, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_database_of_another_encoding_is_refused(tmp_path: Path, postgres: PostgresServer):
    postgres.execute(
        "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    )
    with pytest.raises(SettingsError, match="UTF8"):
        opened(postgres.url("latin"), tmp_path)


def test_a_postgresql_that_went_away_is_a_plain_error_and_its_return_is_noticed(
    tmp_path: Path, postgres: PostgresServer, postgres_url: str
):
    store = opened(postgres_url, tmp_path)
    database = postgres_url.partition("@/")[2].partition("?")[0]
    end_all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "

    def write_while_it_goes_away() -> None:
        with store.write() as connection:
            connection.execute(FACTS.insert(), {"name": "lost", "value": b"1"})
            postgres.execute(f"{end_all}'{database}'")
            connection.execute(select(FACTS))

    with pytest.raises(DashboardError):
        write_while_it_goes_away()
    with store.read() as connection:
        assert connection.scalar(select(FACTS.c.name).where(FACTS.c.name == "lost")) is None
    store.close()
