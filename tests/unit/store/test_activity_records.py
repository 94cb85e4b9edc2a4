from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from dashboard.domain.activity import Act, Activity, ActivityFilter, ActResult
from dashboard.errors import DashboardError
from dashboard.store.activity_records import ActivityRecords
from dashboard.store.database import Store, open_store, open_vault
from dashboard.store.schema import ACTIVITIES
from tests.support.stored import everything_stored

NOW = datetime(2026, 11, 22, 13, 0, 0, 123456, tzinfo=UTC)
EDITED = Activity(
    at=NOW,
    who_id="u1",
    who="ann@example.com",
    act=Act.EDITED,
    result=ActResult.FAILED,
    connection_id="c1",
    connection_name="press-releases",
    workspace="press-desk",
    fields=("token", "headers.X-Api-Key"),
    note="The source rejected the token (401).",
)


@pytest.fixture
def store(tmp_path: Path, database_url: str) -> Iterator[Store]:
    vault = open_vault(database_url, data_dir=tmp_path)
    store = open_store(database_url, data_dir=tmp_path, vault=vault)
    yield store
    store.close()


@pytest.fixture
def records(store: Store) -> ActivityRecords:
    return ActivityRecords(store)


def found(records: ActivityRecords, **wanted) -> list[str]:
    entries, total = records.page(ActivityFilter(**wanted), offset=0, limit=100)
    assert total == len(entries)
    return [entry.connection_name for entry in entries]


def test_what_is_stored_comes_back_the_same(records: ActivityRecords):
    records.insert(EDITED)
    (entry,), total = records.page(ActivityFilter(), offset=0, limit=9)
    assert (replace(entry, activity_id=0), total) == (EDITED, 1)
    assert entry.activity_id > 0


def test_the_newest_come_first_and_pages_tell_the_total(records: ActivityRecords):
    for place in range(7):
        at = NOW + timedelta(seconds=place)
        records.insert(replace(EDITED, at=at, connection_name=str(place)))
    entries, total = records.page(ActivityFilter(), offset=2, limit=3)
    assert ([entry.connection_name for entry in entries], total) == (["4", "3", "2"], 7)
    assert records.page(ActivityFilter(), offset=50, limit=3) == ((), 7)


def test_entries_of_the_same_moment_are_in_the_order_they_were_made(records: ActivityRecords):
    for name in "abc":
        records.insert(replace(EDITED, connection_name=name))
    assert found(records) == ["c", "b", "a"]


def test_every_word_must_stand_in_a_name_a_workspace_or_an_address(records: ActivityRecords):
    records.insert(EDITED)
    records.insert(replace(EDITED, connection_name="other", workspace="lab", who="bob@example.com"))
    assert found(records, words="PRESS ann@") == ["press-releases"]
    assert found(records, words="example.com") == ["other", "press-releases"]
    assert found(records, words="ann lab") == []
    assert found(records, words="  ") == ["other", "press-releases"]


def test_no_word_is_found_across_two_texts(records: ActivityRecords):
    records.insert(replace(EDITED, connection_name="ab", workspace="cd"))
    assert found(records, words="abcd") == []
    assert found(records, words="ab\ncd") == ["ab"]


@pytest.mark.parametrize("words", ["%", "_", "/", "\\", "'", "50%_"])
def test_signs_of_the_database_are_only_letters_in_a_search(records: ActivityRecords, words: str):
    records.insert(replace(EDITED, connection_name="plain", workspace="", who=""))
    records.insert(replace(EDITED, connection_name=f"has {words} in it", workspace="", who=""))
    assert found(records, words=words) == [f"has {words} in it"]


@pytest.mark.parametrize(
    ("name", "words"), [("ÉTÉ à Zürich", "été ZÜR"), ("Ωmega", "ωMEGA"), ("Жук", "жУК")]
)
def test_letters_of_every_alphabet_match_in_either_case(
    records: ActivityRecords, name: str, words: str
):
    records.insert(replace(EDITED, connection_name=name))
    assert found(records, words=words) == [name]


def test_acts_results_and_an_exact_name_narrow_it_down(records: ActivityRecords):
    records.insert(EDITED)
    records.insert(replace(EDITED, act=Act.TESTED, result=ActResult.DONE, connection_name="b"))
    assert found(records, acts=(Act.TESTED, Act.CREATED)) == ["b"]
    assert found(records, results=(ActResult.FAILED,)) == ["press-releases"]
    assert found(records, acts=(Act.TESTED,), results=(ActResult.FAILED,)) == []
    assert found(records, connection_name="press-releases") == ["press-releases"]
    assert found(records, connection_name="press") == []


@pytest.mark.parametrize("hostile", ["\ud800", "a\0b", "\udfff\0", "x" * 100_000])
def test_no_text_breaks_a_write_or_a_search(records: ActivityRecords, hostile: str):
    records.insert(
        Activity(
            at=NOW,
            who_id=hostile,
            who=hostile,
            act=Act.CREATED,
            connection_id=hostile,
            connection_name=hostile,
            workspace=hostile,
            fields=(hostile,) * 200,
            note=hostile,
        )
    )
    (entry,), _ = records.page(ActivityFilter(connection_name=hostile), offset=0, limit=9)
    texts = (entry.who_id, entry.connection_id, entry.workspace, *entry.fields, entry.note)
    assert all(text.encode().decode() == text and "\0" not in text for text in texts)
    assert len(entry.connection_id) <= 64
    assert found(records, words=hostile)


def test_a_search_of_a_whole_page_of_text_is_answered(records: ActivityRecords):
    records.insert(EDITED)
    assert found(records, words="%" * 100_000) == []
    assert found(records, words="w " * 50_000) == []


def test_names_of_fields_and_the_note_are_not_in_clear(records: ActivityRecords, store: Store):
    records.insert(EDITED)
    kept = everything_stored(store)
    assert b"press-releases" in kept
    assert b"X-Api-Key" not in kept
    assert b"rejected" not in kept


def test_an_altered_entry_is_an_error_and_never_shown(records: ActivityRecords, store: Store):
    records.insert(EDITED)
    with store.write() as connection:
        sealed = connection.scalar(select(ACTIVITIES.c.told_sealed)) or b""
        connection.execute(
            update(ACTIVITIES).values(told_sealed=sealed[:-1] + bytes([sealed[-1] ^ 1]))
        )
    with pytest.raises(DashboardError, match="altered"):
        records.page(ActivityFilter(), offset=0, limit=9)


def test_old_entries_and_those_beyond_the_most_are_dropped(records: ActivityRecords):
    for place in range(10):
        at = NOW + timedelta(days=place)
        records.insert(replace(EDITED, at=at, connection_name=str(place)))
    assert records.drop(before=NOW + timedelta(days=3), beyond=100) == 3
    assert records.drop(before=NOW, beyond=4) == 3
    assert found(records) == ["9", "8", "7", "6"]
    assert records.drop(before=NOW, beyond=4) == 0
