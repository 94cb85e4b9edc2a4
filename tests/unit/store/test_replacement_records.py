"""The journal of replaces: names that any database takes, claims that run out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dashboard.domain.replacement import Replacement, ReplaceState, Room
from dashboard.store.database import open_store, open_vault
from dashboard.store.replacement_records import STOPPED, ReplacementRecords
from dashboard.store.run_records import Claim

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOW + timedelta(seconds=31)
HOSTILE = "\ud800 \0 <b>'\u202e\n"
CLAIM = Claim("one", NOW + timedelta(seconds=30))


@pytest.fixture
def records(tmp_path, database_url):
    vault = open_vault(database_url, data_dir=tmp_path)
    store = open_store(database_url, data_dir=tmp_path, vault=vault)
    yield ReplacementRecords(store)
    store.close()


def record(number: int = 1, name: str = HOSTILE) -> Replacement:
    return Replacement(
        replacement_id=f"id-{number}",
        owner_id="ann-id",
        owner="ann@example.org",
        connection_name=name,
        connection_type=HOSTILE,
        old_id="old",
        old_created_at=NOW,
        new_copy_name=f"{name} (new)",
        old_copy_name=f"{name} (old)",
        rooms=(Room(3, HOSTILE),),
        fields=("token", HOSTILE),
        begun_at=NOW + timedelta(minutes=number),
    )


def test_what_is_kept_comes_back_as_it_was(records):
    assert records.begin(record(), CLAIM, now=NOW)
    back = records.find("id-1", NOW)
    assert back is not None
    # What is sealed is text, which a half of a character cannot be part of.
    assert replace(back, fields=record().fields) == record()
    assert records.find("id-2", NOW) is None


def test_one_replace_of_a_name_at_a_time(records):
    assert records.begin(record(1), CLAIM, now=NOW)
    assert records.is_running(HOSTILE, NOW)
    assert not records.begin(record(2), CLAIM, now=NOW)
    assert records.begin(record(3, "another"), CLAIM, now=NOW)
    assert not records.is_running(HOSTILE, LATER)
    assert records.begin(record(2), CLAIM, now=LATER)


def test_a_claim_that_ran_out_makes_it_unfinished_and_free(records):
    records.begin(record(), CLAIM, now=NOW)
    assert not records.claim("id-1", Claim("two", LATER), now=NOW)
    stopped = records.find("id-1", LATER)
    assert (stopped.state, stopped.reason) == (ReplaceState.UNFINISHED, STOPPED)
    assert records.claim("id-1", Claim("two", LATER + timedelta(seconds=30)), now=LATER)
    # Whoever was thought dead and wakes up again writes nothing any more.
    assert not records.renew("id-1", CLAIM)
    assert not records.save(replace(record(), state=ReplaceState.NEW), CLAIM)
    assert records.find("id-1", LATER).state is ReplaceState.RUNNING


def test_what_is_over_is_released_and_cannot_be_taken(records):
    records.begin(record(), CLAIM, now=NOW)
    over = replace(record(), state=ReplaceState.NEW, settled=ReplaceState.NEW, ended_at=LATER)
    assert records.save(over, CLAIM)
    assert not records.claim("id-1", Claim("two", LATER), now=LATER + timedelta(days=1))
    assert records.find("id-1", LATER).state is ReplaceState.NEW


def test_a_person_is_given_all_open_ones_and_the_newest_receipts(records):
    for number in range(6):
        records.begin(record(number, f"name {number}"), CLAIM, now=NOW)
        if number:
            over = replace(record(number, f"name {number}"), state=ReplaceState.OLD)
            records.save(over, CLAIM)
    found = records.of("ann-id", NOW, receipts=2)
    assert [one.replacement_id for one in found] == ["id-5", "id-4", "id-0"]
    assert records.of("bo-id", NOW, receipts=2) == ()
