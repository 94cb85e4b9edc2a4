from __future__ import annotations

import base64
import threading
from pathlib import Path

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError

from dashboard.errors import DashboardError, SettingsError
from dashboard.store.database import open_store, open_vault
from dashboard.store.schema import FACTS
from dashboard.vault import Vault


def test_a_store_is_opened_again_with_its_key(tmp_path: Path):
    for _ in range(2):
        open_store("", data_dir=tmp_path, vault=open_vault("", data_dir=tmp_path)).close()
    assert len(base64.b64decode((tmp_path / "store.key").read_text())) == 32


def test_a_lost_key_is_refused_and_no_new_one_is_made(tmp_path: Path):
    open_store("", data_dir=tmp_path, vault=open_vault("", data_dir=tmp_path)).close()
    (tmp_path / "store.key").unlink()
    with pytest.raises(SettingsError, match="is missing"):
        open_vault("", data_dir=tmp_path)
    assert not (tmp_path / "store.key").exists()


def test_another_key_is_refused(tmp_path: Path):
    open_store("", data_dir=tmp_path, vault=open_vault("", data_dir=tmp_path)).close()
    with pytest.raises(SettingsError, match="another key"):
        open_store("", data_dir=tmp_path, vault=Vault(b"x" * 32))


def test_a_key_from_the_environment_leaves_no_key_file(tmp_path: Path):
    key = base64.b64encode(b"k" * 32).decode()
    vault = open_vault("", data_dir=tmp_path, key_text=key)
    open_store("", data_dir=tmp_path, vault=vault).close()
    assert not (tmp_path / "store.key").exists()
    with pytest.raises(SettingsError):
        open_vault("", data_dir=tmp_path, key_text="not base64!")


def test_a_store_of_a_newer_version_is_refused(tmp_path: Path):
    vault = open_vault("", data_dir=tmp_path)
    store = open_store("", data_dir=tmp_path, vault=vault)
    with store.write() as connection:
        newer = update(FACTS).where(FACTS.c.name == "schema_version").values(value=b"99")
        connection.execute(newer)
    store.close()
    with pytest.raises(SettingsError, match="newer version"):
        open_store("", data_dir=tmp_path, vault=vault)


def test_first_starts_at_the_same_time_agree_on_one_key(tmp_path: Path):
    failures: list[BaseException] = []

    def start() -> None:
        try:
            open_store("", data_dir=tmp_path, vault=open_vault("", data_dir=tmp_path)).close()
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


def test_errors_of_the_database_do_not_quote_values(tmp_path: Path):
    store = open_store("", data_dir=tmp_path, vault=open_vault("", data_dir=tmp_path))
    twice = [{"name": "twice", "value": b"planted-value"}] * 2
    with pytest.raises(IntegrityError) as caught, store.write() as connection:
        connection.execute(FACTS.insert(), twice)
    assert "planted-value" not in str(caught.value)
    with store.read() as connection:
        assert connection.scalar(select(FACTS.c.name).where(FACTS.c.name == "twice")) is None
    with pytest.raises(DashboardError), store.read() as connection:
        connection.execute(text("select nothing from nowhere"))
    store.close()


def test_writers_in_many_threads_wait_for_each_other(tmp_path: Path):
    store = open_store("", data_dir=tmp_path, vault=open_vault("", data_dir=tmp_path))
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
