from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dashboard.domain.activity import Act, ActResult
from dashboard.domain.identity import Identity
from dashboard.domain.workspace import Workspace
from dashboard.errors import DashboardError, UnexpectedAnswer
from dashboard.masking import MASK, Secret
from dashboard.services import activity
from dashboard.services.activity import ActivityFilter, ActivityLog
from dashboard.services.reads import Reads
from dashboard.store.database import Store, open_store, open_vault

ANN = Identity("ann-key", "u1", "ann@example.com")
BOB = Identity("bob-key", "u2", "bob@example.com")
NOW = datetime(2026, 11, 22, 13, 0, 0, 123456, tzinfo=UTC)
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "=1+1",
    "\u202eevil",
    "🦘",
    "اتصال",
    'a"b,c;=d',
    "\ud800",
]


class Now:
    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at


def unexpected(exc: BaseException) -> DashboardError:
    return UnexpectedAnswer(type(exc).__name__)


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store("", data_dir=tmp_path, vault=open_vault("", data_dir=tmp_path))
    yield store
    store.close()


@pytest.fixture
def reads() -> Iterator[Reads]:
    with ThreadPoolExecutor(1) as pool:
        yield Reads(pool, on_unexpected=unexpected)


@pytest.fixture
def log(store: Store, reads: Reads, now: Now) -> ActivityLog:
    return ActivityLog(store, reads, now=now)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_note_says_who_did_what_to_what_and_when(log: ActivityLog):
    log.note(
        ANN,
        Act.EDITED,
        result=ActResult.UNFINISHED,
        connection_id="c1",
        connection_name="press-releases",
        workspace="press-desk",
        fields=["token"],
        note="The name was taken meanwhile.",
    )
    page = log.page(ActivityFilter())
    (entry,) = page.entries
    assert page.total == 1
    assert (entry.at, entry.who_id, entry.who) == (NOW, "u1", "ann@example.com")
    assert (entry.act, entry.result) == (Act.EDITED, ActResult.UNFINISHED)
    assert (entry.connection_id, entry.connection_name) == ("c1", "press-releases")
    assert (entry.workspace, entry.fields) == ("press-desk", ("token",))
    assert entry.note == "The name was taken meanwhile."


def test_a_note_that_cannot_be_written_is_logged_without_names(
    store: Store, reads: Reads, caplog: pytest.LogCaptureFixture, tmp_path: Path
):
    log = ActivityLog(store, reads, now=lambda: NOW)
    store.close()
    for path in tmp_path.glob("runs.sqlite3*"):
        path.unlink()
    (tmp_path / "runs.sqlite3").write_bytes(b"no database " * 100)
    with caplog.at_level(logging.DEBUG):
        log.note(ANN, Act.DELETED, connection_name="planted-name", note="planted-note")
    (record,) = caplog.records
    assert "was not written" in record.getMessage()
    assert "planted" not in caplog.text
    assert "ann@" not in caplog.text
    assert record.exc_info is None


def test_a_clock_that_fails_does_not_undo_what_was_done(store: Store, reads: Reads):
    def broken() -> datetime:
        raise OSError

    ActivityLog(store, reads, now=broken).note(ANN, Act.CREATED)
    assert ActivityLog(store, reads).page(ActivityFilter()).total == 0


def test_a_known_secret_in_a_note_is_masked(log: ActivityLog):
    secret = Secret("planted-secret-in-a-note")
    log.note(ANN, Act.TESTED, note=f"It said {secret.reveal()} to https://h.example/a?token=t.")
    (entry,) = log.page(ActivityFilter()).entries
    assert entry.note == f"It said {MASK} to https://{MASK}"


def test_a_note_makes_everybodys_pages_read_again(log: ActivityLog, reads: Reads):
    queries = [log.query(who, ActivityFilter()) for who in (ANN, BOB)]
    for query in queries:
        first = reads.get(query, wait_s=5).value
        assert first is not None
        assert first.total == 0
    log.note(ANN, Act.CREATED)
    for query in queries:
        reads.get(query)
        reads._entries[query.key].settled.wait(5)
        again = reads.get(query).value
        assert again is not None
        assert again.total == 1


def test_each_filter_and_page_is_a_read_of_its_own(log: ActivityLog):
    keys = {
        log.query(ANN, ActivityFilter()).key,
        log.query(BOB, ActivityFilter()).key,
        log.query(ANN, ActivityFilter(words="a")).key,
        log.query(ANN, ActivityFilter(), offset=50).key,
        log.query(ANN, ActivityFilter(), limit=5).key,
    }
    assert len(keys) == 5
    assert {key[1] for key in keys} == {"activity"}


def test_the_log_stays_bounded(log: ActivityLog, now: Now, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(activity, "_TIDIED_EVERY", 5)
    monkeypatch.setattr(activity, "MOST_KEPT", 8)
    for _ in range(21):
        log.note(ANN, Act.TESTED)
    assert log.page(ActivityFilter()).total == 8
    now.at += activity.KEPT_FOR + timedelta(seconds=1)
    for _ in range(5):
        log.note(ANN, Act.TESTED)
    assert log.page(ActivityFilter()).total <= 5


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_safe_in_both_exports(log: ActivityLog, name: str):
    log.note(ANN, Act.CREATED, connection_name=name, workspace=name, fields=[name], note=name)
    kept = name.encode("utf-8", "replace").decode()
    (row,) = rows_of(log.csv_text(ANN, ActivityFilter()))
    cell = "'=1+1" if name == "=1+1" else kept
    assert (row["connection"], row["workspace"], row["fields"], row["note"]) == (cell,) * 4
    (entry,) = json.loads(log.json_text(ANN, ActivityFilter()))["entries"]
    assert (entry["connection"], entry["fields"]) == (kept, [kept])


def test_a_csv_has_a_line_for_each_wanted_entry_with_its_time_in_utc(log: ActivityLog):
    log.note(ANN, Act.CREATED, connection_id="c1", connection_name="a")
    log.note(BOB, Act.TESTED, connection_name="b", fields=["url", "token"])
    (row,) = rows_of(log.csv_text(ANN, ActivityFilter(acts=(Act.TESTED,))))
    assert row == {
        "time": "2026-11-22T13:00:00.123+00:00",
        "person": "bob@example.com",
        "act": "Tested",
        "result": "Done",
        "connection": "b",
        "connection id": "",
        "workspace": "",
        "pipeline": "",
        "fields": "url, token",
        "note": "",
    }
    assert len(rows_of(log.csv_text(ANN, ActivityFilter()))) == 2


def test_every_cell_is_in_quotes_so_that_no_other_separator_makes_a_formula(log: ActivityLog):
    log.note(ANN, Act.CREATED, connection_name="a;=1+1")
    lines = log.csv_text(ANN, ActivityFilter()).splitlines()
    assert '"a;=1+1"' in lines[1]
    assert all(line.startswith('"') and line.endswith('"') for line in lines)


def test_an_export_of_nothing_is_a_heading_and_an_empty_list(log: ActivityLog):
    assert rows_of(log.csv_text(ANN, ActivityFilter())) == []
    assert log.csv_text(ANN, ActivityFilter()).startswith('"time","person"')
    told = json.loads(log.json_text(ANN, ActivityFilter()))
    assert told == {"total": 0, "left_out": "", "entries": []}


def test_exports_hold_the_newest_entries_and_say_what_they_leave_out(
    log: ActivityLog, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(activity, "MOST_EXPORTED", 2)
    for name in "abc":
        log.note(ANN, Act.CREATED, connection_name=name)
    *rows, last = rows_of(log.csv_text(ANN, ActivityFilter()))
    assert [row["connection"] for row in rows] == ["c", "b"]
    assert last["note"] == "These are the newest 2 of 3 entries."
    told = json.loads(log.json_text(ANN, ActivityFilter()))
    assert [entry["connection"] for entry in told["entries"]] == ["c", "b"]
    assert (told["total"], told["left_out"]) == (3, "These are the newest 2 of 3 entries.")


def room(number: int, name: str = "press-desk") -> Workspace:
    return Workspace(number, name, NOW, "ann@example.com")


@pytest.fixture
def shared(store: Store, reads: Reads) -> ActivityLog:
    """Give a log in which Ann is in workspace 1, and Bob in another one of the same name."""
    rooms = {ANN.key: [room(1)], BOB.key: [room(2)]}
    log = ActivityLog(store, reads, rooms_of=lambda who: rooms[who.key])
    log.note(ANN, Act.CREATED, connection_name="planted-connection")
    log.note(ANN, Act.LINKED, connection_name="planted-link", workspace="press-desk")
    for act in (Act.DEPLOYED, Act.PIPELINE_CREATED, Act.MODEL_UPLOADED, Act.STOPPED_IDLE):
        log.note(ANN, act, workspace="press-desk", workspace_id=1, pipeline="planted-pipeline")
    for act in (Act.WORKSPACE_CREATED, Act.MEMBER_ADDED):
        log.note(ANN, act, workspace="planted-room", workspace_id=1, note="planted@example.com")
    log.note(
        ANN,
        Act.FETCHED,
        connection_name="planted-connection",
        workspace="planted-room",
        workspace_id=1,
    )
    return log


def seen(log: ActivityLog, who: Identity, **wanted: object) -> list[str]:
    page = log.query(who, ActivityFilter(**wanted)).load()  # type: ignore[arg-type]  # a test's shorthand
    assert page.total == len(page.entries)
    return [entry.act.value for entry in page.entries]


def test_a_member_sees_what_was_done_in_the_workspace(shared: ActivityLog):
    assert len(seen(shared, ANN)) == 9


def test_whoever_is_in_another_workspace_sees_connections_alone(shared: ActivityLog):
    assert seen(shared, BOB) == ["Linked", "Created"]
    assert seen(shared, BOB, words="planted-pipeline") == []
    assert seen(shared, BOB, words="planted-room") == []
    assert seen(shared, BOB, acts=(Act.DEPLOYED,)) == []


def test_a_file_holds_no_more_than_the_page(shared: ActivityLog):
    told = json.loads(shared.json_text(BOB, ActivityFilter()))
    assert (told["total"], len(told["entries"])) == (2, 2)
    text = shared.csv_text(BOB, ActivityFilter()) + json.dumps(told)
    assert "planted-link" in text
    for secret in ("planted-pipeline", "planted-room", "planted@"):
        assert secret not in text
    assert "planted-pipeline" in shared.csv_text(ANN, ActivityFilter())


def test_an_entry_of_old_that_names_a_workspace_alone_is_its_persons(shared: ActivityLog):
    shared.note(ANN, Act.DEPLOYED, workspace="press-desk", pipeline="of-old")
    assert seen(shared, ANN, words="of-old") == ["Deployed"]
    assert seen(shared, BOB, words="of-old") == []


def test_without_knowing_the_workspaces_nothing_is_told(store: Store, reads: Reads):
    def fail(_who: Identity) -> list[Workspace]:
        raise UnexpectedAnswer("no answer")

    log = ActivityLog(store, reads, rooms_of=fail)
    log.note(ANN, Act.CREATED, connection_name="c")
    with pytest.raises(UnexpectedAnswer):
        log.query(ANN, ActivityFilter()).load()
    with pytest.raises(UnexpectedAnswer):
        log.csv_text(ANN, ActivityFilter())
