"""Creating, linking, deleting and fetching as the pages ask for it, over the real sandbox."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from dashboard.connectors import registry
from dashboard.connectors.outbound import AllowList, Outbound
from dashboard.domain.activity import Act, Activity, ActResult
from dashboard.domain.check import CheckKind, HealthState, health_of
from dashboard.domain.connection import Connection
from dashboard.domain.identity import Identity
from dashboard.domain.workspace import Workspace
from dashboard.errors import (
    Conflict,
    DashboardError,
    FetchFailed,
    InvalidInput,
    NotFound,
    PlatformUnreachable,
)
from dashboard.gateway.base import Account
from dashboard.gateway.wallaroo_sdk import WallarooGateway
from dashboard.masking import Secret
from dashboard.services.activity import ActivityFilter, ActivityLog
from dashboard.services.checks import Checks
from dashboard.services.connection_tests import ConnectionTests
from dashboard.services.connections import Connections, LinkChange
from dashboard.services.failures import unexpected
from dashboard.services.fetching import Fetching
from dashboard.services.jobs import Outcome
from dashboard.services.reads import Reads
from dashboard.services.tables import TableStore
from dashboard.store.database import open_store, open_vault
from dashboard.store.marks import Marks
from tests.support.sandbox import running_sandbox
from tests.support.source import held_source
from tests.support.waiting import wait_until

SAMPLE = "/_sandbox/samples/test_summarization.df.json"
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "n" * 200,
    "\u202eemag 🧨",
    '=HYPERLINK("http://x")',
    "a/b?c#d%20&e",
    "'; drop table connections; --",
]


@dataclass
class Desk:
    """The services of one dashboard over one sandbox, and who works with them."""

    url: str
    gateway: WallarooGateway
    who: Identity
    tests: ConnectionTests
    connections: Connections
    checks: Checks
    activity: ActivityLog
    fetching: Fetching

    def make(self, name: str, **fields: str) -> Connection:
        """Make a connection past the service."""
        details: Any = fields or {"url": self.url + SAMPLE}
        return self.gateway.create_connection(
            self.who, name=name, connection_type="HTTP", details=Secret(details)
        )

    def create(self, name: str, *, kind: str = "HTTP", test: str = "", **options: Any) -> Outcome:
        fields = options.pop("fields", {"url": self.url + SAMPLE})
        return self.connections.create(
            self.who,
            name=name,
            connection_type=kind,
            fields={key: Secret(text) for key, text in fields.items()},
            link_to=options.pop("link_to", ()),
            test_id=test,
            **options,
        )

    def room(self, name: str = "") -> Workspace:
        return self.gateway.create_workspace(self.who, name or f"room-{token_hex(4)}")

    def linked(self, room: Workspace) -> set[str]:
        found = self.gateway.list_connections(self.who, workspace_id=room.workspace_id)
        return {one.name for one in found}

    def entries(self, name: str) -> list[Activity]:
        return list(self.activity.page(ActivityFilter(connection_name=name)).entries)


class Minutes:
    """The clock of the tests' turns: a minute on for each test here, so that none is refused."""

    passed = 0

    def __call__(self) -> float:
        return time.monotonic() + 60 * self.passed


@pytest.fixture(scope="module")
def minutes() -> Minutes:
    return Minutes()


@pytest.fixture(autouse=True)
def next_minute(minutes):
    minutes.passed += 1


@pytest.fixture(scope="module")
def desk(tmp_path_factory, minutes) -> Iterator[Desk]:
    folder: Path = tmp_path_factory.mktemp("desk")
    store = open_store("", data_dir=folder, vault=open_vault("", data_dir=folder))
    with running_sandbox(folder / "sandbox") as sandbox, ThreadPoolExecutor(4) as pool:
        gateway = WallarooGateway(base_url=sandbox.url, describe=registry.describe)
        account = Account(sandbox.url, sandbox.username, Secret(sandbox.password))
        who = gateway.sign_in("local", account)
        reads = Reads(pool, on_unexpected=unexpected)
        checks, activity = Checks(store, reads), ActivityLog(store, reads)

        def outbound() -> Outbound:
            return Outbound(allow=AllowList.parse(["127.0.0.1"]))

        tests = ConnectionTests(
            lambda: gateway,
            pool=pool,
            outbound=outbound,
            checks=checks,
            activity=activity,
            on_unexpected=unexpected,
            clock=minutes,
        )
        connections = Connections(
            lambda: gateway,
            reads,
            Marks(folder / "marks.json"),
            tests=tests,
            checks=checks,
            activity=activity,
        )
        tables = TableStore(store, may_see=lambda _who, _room: True)
        fetching = Fetching(lambda: gateway, tables, outbound, checks=checks, activity=activity)
        yield Desk(sandbox.url, gateway, who, tests, connections, checks, activity, fetching)
        gateway.close()
    store.close()


@pytest.fixture
def name() -> str:
    return f"c-{token_hex(4)}"


# Creating


def test_a_passed_test_becomes_the_health_of_what_is_created(desk, name):
    test_id = desk.tests.new_id("window")
    room = desk.room()
    outcome = desk.create(name, test=test_id, link_to=[room])
    assert outcome.message == f"Saved {name} and linked it to {room.name}."
    assert desk.linked(room) == {name}
    (check,) = desk.checks.of(outcome.result)
    assert (check.kind, check.passed, check.rows > 0) == (CheckKind.TEST, True, True)
    view = desk.tests.view(desk.who, test_id)
    assert view.result.passed
    linked, created = desk.entries(name)
    assert (linked.act, linked.workspace) == (Act.LINKED, room.name)
    assert (created.act, created.result) == (Act.CREATED, ActResult.DONE)
    assert (created.connection_id, created.fields) == (outcome.result, ("url",))


def test_a_test_that_fails_saves_nothing_and_names_the_field(desk, name):
    with pytest.raises(FetchFailed) as failed:
        desk.create(
            name,
            test=desk.tests.new_id("window"),
            fields={"url": f"{desk.url}/_sandbox/samples/no.json"},
        )
    assert failed.value.field == "url"
    with pytest.raises(NotFound):
        desk.gateway.get_connection(desk.who, name)
    (entry,) = desk.entries(name)
    assert (entry.act, entry.result) == (Act.CREATED, ActResult.FAILED)
    assert entry.note == failed.value.message


def test_a_taken_name_is_refused_before_the_source_is_asked(desk, name):
    desk.make(name)
    test_id = desk.tests.new_id("window")
    with pytest.raises(Conflict) as refused:
        desk.create(name, test=test_id)
    assert refused.value.field == "name"
    assert refused.value.message == f"A connection called {name} exists already."
    assert refused.value.hint == "Choose another name, or open that one."
    assert desk.tests.view(desk.who, test_id) is None
    assert [one.result for one in desk.entries(name)] == [ActResult.FAILED]


def test_a_type_that_cannot_be_tested_is_saved_without_a_test(desk, name):
    test_id = desk.tests.new_id("window")
    fields = {"details": '{"broker": "x", "auth": {"token": "pl4nted-s3cret"}}'}
    outcome = desk.create(name, kind="KAFKA", test=test_id, fields=fields, act=Act.DUPLICATED)
    assert outcome.message == f"Saved {name}."
    assert desk.tests.view(desk.who, test_id) is None
    assert desk.checks.of(outcome.result) == ()
    (entry,) = desk.entries(name)
    assert (entry.act, entry.fields) == (Act.DUPLICATED, ("broker", "auth.token"))
    assert "pl4nted" not in repr(entry)


def test_without_a_test_nothing_is_said_of_its_health(desk, name):
    outcome = desk.create(name, fields={"url": f"{desk.url}/_sandbox/nothing"})
    assert desk.checks.of(outcome.result) == ()


def test_saved_without_a_test_after_one_that_failed_it_shows_that_failure(desk, name):
    missing = {"url": f"{desk.url}/_sandbox/samples/missing-{name}.json"}
    with pytest.raises(FetchFailed) as failed:
        desk.create(name, test=desk.tests.new_id("window"), fields=missing)
    outcome = desk.create(name, fields=missing)
    (check,) = desk.checks.of(outcome.result)
    assert (check.kind, check.passed) == (CheckKind.TEST, False)
    assert check.message == failed.value.message
    # Of other details nothing is known.
    other = desk.create(f"{name}-2", fields={**missing, "token": "another"})
    assert desk.checks.of(other.result) == ()


def test_what_was_tested_is_known_again_by_a_keyed_digest_alone(desk, name):
    link = f"{desk.url}/_sandbox/samples/pl4nted-{name}.json"
    with pytest.raises(FetchFailed):
        desk.create(name, test=desk.tests.new_id("window"), fields={"url": link})
    known = desk.tests._tested
    assert known.last(desk.who, "HTTP", Secret({"url": link})) is not None
    stranger = replace(desk.who, key="stranger")
    assert known.last(stranger, "HTTP", Secret({"url": link})) is None
    assert known.last(desk.who, "S3", Secret({"url": link})) is None
    assert "pl4nted" not in repr(known._found)
    plain = hashlib.sha256(json.dumps(["HTTP", {"url": link}], sort_keys=True).encode()).digest()
    assert plain not in {digest for _who, digest in known._found}


@pytest.mark.parametrize("wanted", ["", "   "])
def test_a_name_is_needed(desk, wanted):
    with pytest.raises(InvalidInput) as refused:
        desk.create(wanted)
    assert refused.value.field == "name"


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_are_made_linked_tested_and_deleted_as_any_other(desk, hostile):
    room = desk.room()
    made_id = desk.create(hostile, link_to=[room]).result
    made = desk.gateway.get_connection(desk.who, hostile)
    assert made.connection_id == made_id
    assert desk.linked(room) == {hostile}
    tested = desk.tests.check(desk.who, [made], session="window").message
    assert tested.startswith(hostile[:59])
    assert tested.endswith(" works.")
    assert desk.connections.delete(desk.who, made).message == f"Deleted {hostile}."
    assert desk.linked(room) == set()
    acts = [one.act for one in desk.entries(hostile)]
    assert acts == [Act.DELETED, Act.TESTED, Act.LINKED, Act.CREATED]
    assert desk.checks.of(made_id) == ()


def test_a_link_that_fails_is_told_and_what_was_saved_stays(desk, name):
    room = desk.room()
    gone = replace(desk.room(), workspace_id=999_999)
    outcome = desk.create(name, link_to=[gone, room])
    told = f"Saved {name} and linked it to {room.name}. It could not be linked to {gone.name}: "
    assert outcome.message.startswith(told)
    assert outcome.is_partial
    assert desk.linked(room) == {name}
    assert desk.gateway.get_connection(desk.who, name).connection_id == outcome.result
    results = [ActResult.DONE, ActResult.FAILED, ActResult.DONE]
    assert [one.result for one in desk.entries(name)] == results


# Linking


def test_many_are_linked_to_many_and_one_that_fails_does_not_stop_the_others(desk, name):
    one, other = desk.make(name), desk.make(f"{name}-2")
    rooms = [desk.room(), desk.room()]
    gone = replace(rooms[0], workspace_id=999_999, name="gone")
    changes = [LinkChange(one, gone, link=True)]
    changes += [LinkChange(each, room, link=True) for each in (one, other) for room in rooms]
    outcome = desk.connections.change_links(desk.who, changes)
    assert outcome.message.startswith(f"4 links made. 1 could not be made: {name} to gone: ")
    assert [desk.linked(room) for room in rooms] == [{name, f"{name}-2"}] * 2
    results = [entry.result for entry in desk.entries(name)]
    assert results == [ActResult.DONE, ActResult.DONE, ActResult.FAILED]


def test_links_are_taken_away_and_made_in_one_go(desk, name):
    one, room, other = desk.make(name), desk.room(), desk.room()
    link = [LinkChange(one, room, link=True)]
    assert desk.connections.change_links(desk.who, link).message == (
        f"Linked {name} to {room.name}."
    )
    both = [LinkChange(one, room, link=False), LinkChange(one, other, link=True)]
    assert desk.connections.change_links(desk.who, both).message == (
        "1 link made, 1 link taken away."
    )
    assert (desk.linked(room), desk.linked(other)) == (set(), {name})
    assert desk.entries(name)[-2].act is Act.UNLINKED


def test_what_was_replaced_meanwhile_is_not_linked(desk, name):
    seen, room = desk.make(name), desk.room()
    desk.gateway.delete_connection(desk.who, name)
    desk.make(name)
    with pytest.raises(Conflict, match="Another connection is called"):
        desk.connections.change_links(desk.who, [LinkChange(seen, room, link=True)])
    assert desk.linked(room) == set()


def test_nothing_to_link_is_no_error(desk):
    assert desk.connections.change_links(desk.who, []).message == "There was nothing to do."


# Deleting


def test_a_connection_made_anew_under_the_name_is_not_deleted(desk, name):
    seen = desk.make(name)
    desk.gateway.delete_connection(desk.who, name)
    desk.make(name)
    with pytest.raises(Conflict):
        desk.connections.delete(desk.who, seen)
    assert desk.gateway.get_connection(desk.who, name)
    (entry,) = desk.entries(name)
    assert (entry.act, entry.result) == (Act.DELETED, ActResult.FAILED)


def test_deleting_what_is_gone_is_done_and_its_health_is_forgotten(desk, name):
    seen = desk.make(name)
    desk.tests.check(desk.who, [seen], session="window")
    assert desk.checks.of(seen.connection_id)
    desk.gateway.delete_connection(desk.who, name)
    assert desk.connections.delete(desk.who, seen).message == f"{name} was deleted already."
    assert desk.checks.of(seen.connection_id) == ()


def test_several_are_deleted_and_each_that_was_not_is_told(desk, name):
    made = [desk.make(f"{name}-{number}") for number in range(4)]
    desk.gateway.delete_connection(desk.who, f"{name}-1")
    changed = replace(made[2], connection_id="another")
    outcome = desk.connections.delete_all(desk.who, [made[0], made[1], changed, made[3]])
    assert outcome.message.startswith(
        f"2 connections deleted, 1 was deleted already. 1 could not be deleted: {name}-2: "
    )
    left = {one.name for one in desk.gateway.list_connections(desk.who)}
    assert {one.name for one in made} & left == {f"{name}-2"}


def test_where_nothing_was_deleted_the_reasons_are_an_error(desk, name):
    made = [replace(desk.make(f"{name}-{n}"), connection_id="another") for n in range(5)]
    with pytest.raises(Conflict, match=r"5 could not be deleted: .* and 2 more\."):
        desk.connections.delete_all(desk.who, made)


class _Gone:
    """A platform that stops answering after some calls."""

    def __init__(self, gateway: WallarooGateway, calls: int) -> None:
        self._gateway, self._calls = gateway, calls
        self.asked = 0

    def delete_connection(self, who: Identity, name: str, *, connection_id: str = "") -> None:
        self.asked += 1
        if self.asked > self._calls:
            raise PlatformUnreachable("Nothing answers.")
        self._gateway.delete_connection(who, name, connection_id=connection_id)


def test_a_platform_that_is_gone_is_not_asked_for_each_of_the_rest(desk, name, monkeypatch):
    made = [desk.make(f"{name}-{number}") for number in range(4)]
    gone = _Gone(desk.gateway, 1)
    monkeypatch.setattr(desk.connections, "_gateway", lambda: gone)
    assert desk.connections.delete_all(desk.who, made).message == (
        f"1 connection deleted. 1 could not be deleted: {name}-1: Nothing answers. "
        "2 were not tried."
    )
    assert gone.asked == 2


# Fetching


def test_a_fetch_is_kept_as_a_use_and_in_the_log(desk, name):
    made, room = desk.make(name), desk.room()
    desk.gateway.link_connection(desk.who, name=name, workspace_id=room.workspace_id)
    desk.fetching.fetch(desk.who, connection_id=made.connection_id, workspace=room)
    (check,) = desk.checks.of(made.connection_id)
    assert (check.kind, check.passed) == (CheckKind.USE, True)
    assert check.rows > 0
    assert check.total_ms > 0
    (entry,) = desk.entries(name)
    assert (entry.act, entry.result, entry.workspace) == (Act.FETCHED, ActResult.DONE, room.name)


def test_a_fetch_that_fails_is_kept_as_a_use_and_in_the_log(desk, name):
    made, room = desk.make(name, url=f"{desk.url}/_sandbox/nothing"), desk.room()
    desk.gateway.link_connection(desk.who, name=name, workspace_id=room.workspace_id)
    with pytest.raises(FetchFailed) as failed:
        desk.fetching.fetch(desk.who, connection_id=made.connection_id, workspace=room)
    (check,) = desk.checks.of(made.connection_id)
    assert (check.kind, check.passed, check.message) == (
        CheckKind.USE,
        False,
        failed.value.message,
    )
    assert health_of([check], check.at).state is HealthState.FAILING
    (entry,) = desk.entries(name)
    assert (entry.act, entry.result, entry.note) == (
        Act.FETCHED,
        ActResult.FAILED,
        failed.value.message,
    )


def test_a_fetch_can_be_looked_at_and_stopped_by_whoever_began_it(desk, name):
    with held_source() as source:
        made, room = desk.make(name, url=source.link), desk.room()
        desk.gateway.link_connection(desk.who, name=name, workspace_id=room.workspace_id)
        stranger = replace(desk.who, key="another")
        with ThreadPoolExecutor(1) as pool:
            fetching = pool.submit(
                desk.fetching.fetch,
                desk.who,
                connection_id=made.connection_id,
                workspace=room,
                watch_id="w",
            )
            wait_until(
                lambda: (view := desk.fetching.view(desk.who, "w")) and view.received_bytes,
                within_s=10,
                what="the first bytes are in",
            )
            view = desk.fetching.view(desk.who, "w")
            assert (view.stage, view.expected_bytes) == ("Read", source.size_bytes)
            assert desk.fetching.view(stranger, "w") is None
            desk.fetching.cancel(stranger, "w")
            assert not desk.fetching.view(desk.who, "w").is_cancelled
            desk.fetching.cancel(desk.who, "w")
            outcome = fetching.result(10)
    assert (outcome.message, outcome.result) == (f"Fetching from {name} was cancelled.", "")
    assert desk.fetching.view(desk.who, "w") is None
    # Who stops it says nothing about the source.
    assert desk.checks.of(made.connection_id) == ()
    (entry,) = desk.entries(name)
    assert (entry.act, entry.note) == (Act.FETCHED, "Cancelled.")


def test_a_type_that_cannot_be_fetched_gets_no_health(desk, name):
    room = desk.room()
    made = desk.gateway.create_connection(
        desk.who, name=name, connection_type="KAFKA", details=Secret({"broker": "x"})
    )
    desk.gateway.link_connection(desk.who, name=name, workspace_id=room.workspace_id)
    with pytest.raises(DashboardError):
        desk.fetching.fetch(desk.who, connection_id=made.connection_id, workspace=room)
    assert desk.checks.of(made.connection_id) == ()
