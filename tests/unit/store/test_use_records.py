from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from dashboard.domain.table import Passport
from dashboard.store.database import Store, open_store, open_vault
from dashboard.store.guard_records import GuardRecords
from dashboard.store.run_records import Claim, RunRecords
from dashboard.store.schema import PIPELINE_USES
from dashboard.store.table_records import TableRecords
from dashboard.store.use_records import UseRecords
from tests.unit.store.test_guard_records import GUARD, ME, MINUTE, NOW, OTHER
from tests.unit.store.test_run_records import RUN

SOON = NOW + 2 * MINUTE
ROUNDS = 25


@pytest.fixture
def store(tmp_path: Path, database_url: str) -> Iterator[Store]:
    vault = open_vault(database_url, data_dir=tmp_path)
    store = open_store(database_url, data_dir=tmp_path, vault=vault)
    yield store
    store.close()


@pytest.fixture
def guards(store: Store) -> GuardRecords:
    records = GuardRecords(store)
    records.put(GUARD)
    return records


@pytest.fixture
def uses(store):
    return UseRecords(store, owner=OTHER)


def insert_run(store: Store) -> None:
    TableRecords(store).insert(Passport("t1", "c", 3, 4, (), 1, "f", NOW, 1.0, "CSV"), [])
    run = replace(RUN, workspace_id=GUARD.workspace_id, pipeline_name=GUARD.pipeline_name)
    RunRecords(store).insert(run, Claim("p", SOON))


def claim(guards: GuardRecords, *, owner: str = ME, now: datetime = NOW) -> bool:
    return guards.claim_stop(GUARD, owner=owner, now=now, until=now + 2 * MINUTE)


def test_what_another_process_uses_cannot_be_claimed_until_it_is_over(guards, uses):
    assert uses.begin("a", 7, now=NOW, until=SOON)
    assert not claim(guards)
    assert claim(guards, owner=OTHER)
    guards.release_stop(GUARD, until=SOON)
    uses.end("a", 7, used_at=None)
    assert claim(guards)


def test_what_is_claimed_cannot_be_used_until_the_claim_is_gone(guards, uses):
    assert claim(guards)
    assert not uses.begin("a", 7, now=NOW, until=SOON)
    assert uses.begin("b", 8, now=NOW, until=SOON)
    guards.release_stop(GUARD, until=NOW)  # another one's
    assert not uses.begin("a", 7, now=NOW, until=SOON)
    guards.release_stop(GUARD, until=SOON)
    assert uses.begin("a", 7, now=NOW, until=SOON)


def test_a_guard_that_was_dropped_after_the_stop_keeps_nobody_waiting(guards, uses):
    assert claim(guards)
    assert guards.drop(7, GUARD.version)
    assert uses.begin("a", 7, now=NOW, until=SOON)


def test_a_run_of_any_process_cannot_be_claimed_over(store, guards):
    insert_run(store)
    assert not claim(guards)


@pytest.mark.parametrize("since", ["known", "news"])
def test_what_was_used_since_it_was_looked_at_cannot_be_claimed(guards, uses, since):
    used_at = NOW + MINUTE
    uses.end("a", 7, used_at=used_at)
    known = replace(GUARD, used_at=used_at) if since == "known" else GUARD
    assert guards.claim_stop(known, owner=ME, now=SOON, until=SOON) is (since == "known")


def test_a_use_that_lies_far_ahead_is_of_a_clock_that_was_put_right(guards, uses):
    uses.end("a", 7, used_at=NOW + timedelta(hours=3))
    assert claim(guards)


def test_what_holds_for_hours_is_of_a_clock_that_was_put_back(guards, uses):
    earlier = NOW - 180 * MINUTE
    assert uses.begin("a", 7, now=NOW, until=SOON)
    assert claim(guards, now=earlier)
    assert claim(guards, owner=OTHER, now=NOW)
    assert uses.begin("b", 7, now=earlier, until=earlier + MINUTE)
    assert guards.set_minutes(7, 5, now=earlier)


def test_an_older_use_never_replaces_a_newer_one(guards, uses):
    uses.end("a", 7, used_at=NOW + MINUTE)
    uses.end("b", 7, used_at=NOW)
    assert guards.one(7).used_at == NOW + MINUTE
    guards.put(replace(GUARD, armed_at=SOON))
    uses.end("c", 7, used_at=NOW)  # of the deploy before
    assert guards.one(7).used_at is None


def test_a_process_that_died_is_awaited_no_longer_than_it_said(store, guards, uses):
    assert uses.begin("a", 7, now=NOW, until=SOON)
    assert uses.begin("b", 7, now=NOW, until=SOON)
    uses.renew({"b": 7}, until=SOON + MINUTE)
    assert not claim(guards, now=SOON)
    later = SOON + MINUTE
    assert claim(guards, now=later)
    for hours, left in [(1, 3), (7, 1)]:
        at = later + timedelta(hours=hours)
        assert uses.begin("c", 7, now=at, until=at + MINUTE)
        with store.read() as connection:
            assert connection.scalar(select(func.count()).select_from(PIPELINE_USES)) == left


def test_a_use_that_could_not_be_renewed_in_time_is_protected_again(guards, uses):
    assert uses.begin("a", 7, now=NOW, until=SOON)
    assert uses.begin("b", 8, now=SOON + MINUTE, until=SOON + 2 * MINUTE)
    later = SOON + 3 * MINUTE
    uses.renew({"a": 7, "never told of": 7}, until=later)
    assert not claim(guards, now=SOON + MINUTE)
    uses.end("a", 7, used_at=None)
    assert not claim(guards, now=SOON + MINUTE)
    uses.end("never told of", 7, used_at=None)
    assert claim(guards, now=SOON + MINUTE)


def test_a_use_that_a_renewal_has_told_of_before_it_began_is_noted_once(guards, uses):
    uses.renew({"a": 7}, until=SOON)
    assert uses.begin("a", 7, now=NOW, until=SOON)
    uses.end("a", 7, used_at=None)
    assert claim(guards)
    uses.renew({"a": 7}, until=SOON)
    assert not uses.begin("a", 7, now=NOW, until=SOON)
    guards.release_stop(GUARD, until=SOON)
    assert claim(guards)


def test_the_next_deploy_is_not_being_stopped(guards, uses):
    assert claim(guards)
    guards.put(replace(GUARD, version="v2"))
    assert uses.begin("a", 7, now=NOW, until=SOON)


@pytest.mark.parametrize("is_kept", [True, False])
def test_what_is_being_stopped_can_be_neither_kept_nor_set(guards: GuardRecords, is_kept):
    def change(now: datetime) -> bool:
        if is_kept:
            return guards.keep_until(7, SOON + MINUTE, now=now)
        return guards.set_minutes(7, 5, now=now)

    assert claim(guards)
    assert not change(NOW)
    assert change(SOON)


def test_of_a_stop_and_a_use_that_begin_at_once_one_sees_the_other(guards, uses):
    for number in range(ROUNDS):
        began = dict.fromkeys(("stop", "use"), False)
        gate = threading.Barrier(2)

        def stop(gate=gate, began=began) -> None:
            gate.wait(20)
            began["stop"] = claim(guards)

        def use(gate=gate, began=began, number=number) -> None:
            gate.wait(20)
            began["use"] = uses.begin(f"{number}", 7, now=NOW, until=SOON)

        threads = [threading.Thread(target=work) for work in (stop, use)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(40)
        assert began["stop"] is not began["use"]
        uses.end(f"{number}", 7, used_at=None)
        guards.release_stop(GUARD, until=SOON)
