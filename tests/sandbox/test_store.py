"""The database: migrations, transactions, the key, the sample addresses."""

from __future__ import annotations

import base64
import threading

import pytest

from dashboard.sandbox.config import SandboxConfig
from dashboard.sandbox.datadir import KEY_VARIABLE, ensure_account, open_vault
from dashboard.sandbox.seed import sow
from dashboard.sandbox.server import build
from dashboard.sandbox.store import Store, StoreError
from dashboard.sandbox.store.database import Database
from dashboard.vault import Vault, VaultError


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path, Vault(b"k" * 32), clock=lambda: 1_795_000_000.0)
    yield made
    made.close()


def test_a_migration_runs_once_and_in_order(tmp_path):
    steps: tuple[str, ...] = ("CREATE TABLE a (n INTEGER); INSERT INTO a VALUES (1)",)
    Database(tmp_path / "db", migrations=steps, clock=lambda: 0.0).close()
    steps += ("ALTER TABLE a ADD COLUMN m INTEGER DEFAULT 7",)
    database = Database(tmp_path / "db", migrations=steps, clock=lambda: 0.0)
    assert database.all("SELECT * FROM a") == [{"n": 1, "m": 7}]
    database.close()


def test_a_failed_migration_leaves_nothing_behind(tmp_path):
    with pytest.raises(StoreError):
        Database(tmp_path / "db", migrations=("CREATE TABLE a (n); NONSENSE",), clock=lambda: 0.0)
    database = Database(tmp_path / "db", migrations=(), clock=lambda: 0.0)
    assert database.one("SELECT name FROM sqlite_master WHERE name = 'a'") is None
    database.close()


def test_data_of_a_newer_version_is_refused(tmp_path):
    Database(tmp_path / "db", migrations=("SELECT 1", "SELECT 1"), clock=lambda: 0.0).close()
    with pytest.raises(StoreError, match="newer version"):
        Database(tmp_path / "db", migrations=("SELECT 1",), clock=lambda: 0.0)


def test_a_file_that_is_no_database_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match="cannot be used"):
        Database(tmp_path / "db", migrations=(), clock=lambda: 0.0)


def test_a_transaction_that_fails_is_undone_whole(store):
    def fail_halfway():
        with store.database.transaction():
            store.workspaces.add("ws", owner_id="u")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert store.workspaces.by_name("ws") is None
    assert store.workspaces.add("ws", owner_id="u")


def test_a_seed_cut_off_in_the_middle_is_sown_again_whole(store, monkeypatch):
    owner = store.users.add("you@sandbox.example", password_hash=None)["id"]
    with monkeypatch.context() as patch:
        patch.setattr(store.pipelines, "add_version", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            sow(store, "demo", owner_id=owner, origin="http://127.0.0.1:1")
    assert store.meta("seeded") is None
    assert store.workspaces.of_user(owner) == []
    sow(store, "demo", owner_id=owner, origin="http://127.0.0.1:1")
    assert len(store.workspaces.of_user(owner)) == 3


def test_many_threads_write_and_nothing_is_lost(store):
    def work(number):
        for turn in range(20):
            store.connections.add(f"c-{number}-{turn}", "t", "{}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.connections.listing()) == 160


def test_a_lost_key_is_refused_and_never_replaced(tmp_path):
    vault = open_vault(tmp_path)
    Store(tmp_path, vault, clock=lambda: 0.0).close()
    (tmp_path / "key").unlink()
    with pytest.raises(VaultError, match="missing"):
        open_vault(tmp_path)
    assert not (tmp_path / "key").exists()


def test_another_key_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    config = SandboxConfig(data_dir=tmp_path, port=1)
    sandbox = build(config)
    sandbox.store.close()
    sandbox.logs.close()
    monkeypatch.setenv(KEY_VARIABLE, base64.b64encode(b"x" * 32).decode())
    with pytest.raises(VaultError, match="not written with this key"):
        build(config)


def test_a_password_edited_in_the_credentials_file_counts(store, tmp_path):
    user_id = ensure_account(store, tmp_path)
    before = store.users.by_id(user_id)
    (tmp_path / "credentials.json").write_text(
        '{"username": "you@sandbox.example", "password": "mine"}'
    )
    assert ensure_account(store, tmp_path) == user_id
    after = store.users.by_id(user_id)
    assert before is not None
    assert after is not None
    assert before["password_hash"] != after["password_hash"]


def test_sample_addresses_move_with_the_port_and_nothing_else_does(store):
    owner = store.users.add("you@sandbox.example", password_hash=None)["id"]
    sow(store, "demo", owner_id=owner, origin="http://127.0.0.1:1111")
    store.connections.add("mine", "HTTP", '{"url":"http://127.0.0.1:1111/else"}')
    before = {row["name"]: row["details"] for row in store.connections.listing()}
    old = "http://127.0.0.1:1111/_sandbox/samples/"
    store.connections.move_urls(old, "http://127.0.0.1:2222/_sandbox/samples/")
    after = {row["name"]: row["details"] for row in store.connections.listing()}
    changed = [name for name in before if before[name] != after[name]]
    assert changed == ["support-tickets-week-47"]
    assert "http://127.0.0.1:2222/_sandbox/samples/support-tickets.json" in after[changed[0]]


def test_the_demo_leaves_the_link_of_the_tour_to_the_visitor(store):
    owner = store.users.add("you@sandbox.example", password_hash=None)["id"]
    sow(store, "demo", owner_id=owner, origin="http://127.0.0.1:1")
    summarization = store.workspaces.by_name("workshop-workspace-summarization")
    assert store.connections.by_name("support-tickets-week-47") is not None
    assert store.connections.listing(summarization["id"]) == []
    assert sum(map(len, store.connections.workspace_names().values())) == 3


def test_topics_belong_to_pipelines_and_models(store):
    owner = store.users.add("you@sandbox.example", password_hash=None)["id"]
    sow(store, "demo", owner_id=owner, origin="http://127.0.0.1:1")
    for topic in ("workspace-3-pipeline-hf-summarizer-inference", "model-hf-summarizer-inference"):
        assert store.topic_exists(topic)
        assert store.topic_exists(f"{topic}-failures")
    for topic in ("", "x", "workspace-1-pipeline-hf-summarizer-inference", "model-x-inference"):
        assert not store.topic_exists(topic)
