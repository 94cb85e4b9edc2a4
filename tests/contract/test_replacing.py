"""The guarded replace against the real sandbox: every way it can go wrong, at every call."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dashboard.connectors import registry
from dashboard.connectors.outbound import Outbound
from dashboard.domain.activity import Act, ActivityFilter, ActResult
from dashboard.domain.detail_tree import Change, ChangeAct, is_same
from dashboard.domain.replacement import ReplaceState
from dashboard.errors import (
    AccessDenied,
    Conflict,
    DashboardError,
    FetchFailed,
    InvalidInput,
    NotFound,
    UnexpectedAnswer,
)
from dashboard.gateway.base import Account
from dashboard.gateway.wallaroo_sdk import WallarooGateway
from dashboard.masking import RedactingFormatter, Secret, SecretText
from dashboard.services.activity import ActivityLog
from dashboard.services.checks import Checks
from dashboard.services.connection_tests import ConnectionTests
from dashboard.services.reads import Reads
from dashboard.services.replacing import Replacing
from dashboard.store.database import default_url, open_store, open_vault
from tests.support.faulty_gateway import FaultyGateway, Killed, at, fail, kill, onwards
from tests.support.sandbox import client, running_sandbox

ROOMS = ("replacing-one", "replacing-two")
OLD = {
    "url": "https://ann:usr-p4ss@files.example.org/week.json",
    "token": "tok-8f2b61c0",
    "port": 1.0,
    "deep": {"list": ["a-77fe01-item", 2, None, True], "": "empty-key-5512"},
}
NEW = {**OLD, "token": "tok-new-99aa31"}
CHANGES = (Change(("token",), ChangeAct.REPLACE, Secret("tok-new-99aa31")),)
PLANTED = ("usr-p4ss", "tok-8f2b61c0", "tok-new-99aa31", "a-77fe01-item", "empty-key-5512")
FOREIGN = {"url": "https://else.example.org"}


def unexpected(error: BaseException) -> DashboardError:
    return UnexpectedAnswer(type(error).__name__)


class Clock:
    """A time that only tests move."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 22, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def forward(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@dataclass
class World:
    """One sandbox, one store, and what a dashboard has around a replace."""

    gateway: WallarooGateway
    who: Any
    api: Any
    store: Any
    folder: Any
    pool: ThreadPoolExecutor
    rooms: dict[str, int]
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.reads = Reads(self.pool, on_unexpected=unexpected)
        self.checks = Checks(self.store, self.reads)
        self.activity = ActivityLog(self.store, self.reads)
        self.tests = ConnectionTests(
            lambda: self.gateway,
            pool=self.pool,
            outbound=Outbound,
            checks=self.checks,
            activity=self.activity,
            on_unexpected=unexpected,
        )

    def replacing(self, gateway: Any = None) -> Replacing:
        """Make a new one, as a restart does."""
        return Replacing(
            lambda: gateway or self.gateway,
            store=self.store,
            reads=self.reads,
            tests=self.tests,
            checks=self.checks,
            activity=self.activity,
            now=self.clock,
        )

    def post(self, path: str, body: dict[str, Any]) -> Any:
        answer = self.api.post(f"/v1/api/{path}", json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None


_NUMBERS = itertools.count()


class Scene:
    """One connection, linked to two rooms, and what the platform holds under its name."""

    def __init__(self, world: World, *, details: Any = None, kind: str = "HTTP") -> None:
        self.world = world
        world.clock.forward(1)
        self.name = f"scene-{next(_NUMBERS)} <b>'é"
        self.old = OLD if details is None else details
        self.kind = kind
        self.make(self.old)
        for room_id in world.rooms.values():
            self.link(room_id)
        self.connection = world.gateway.get_connection(world.who, self.name)

    def make(self, details: Any) -> None:
        body = {"name": self.name, "type": self.kind, "details": details}
        self.world.post("connections/create", body)

    def link(self, room_id: int) -> None:
        body = {"workspace_id": room_id, "connection_id": self.named()["id"]}
        self.world.post("connections/add_to_workspace", body)

    def items(self) -> list[dict[str, Any]]:
        listed = self.world.post("connections/list", {})["connections"]
        return [item for item in listed if item["name"].startswith(self.name)]

    def named(self) -> Any:
        return next((item for item in self.items() if item["name"] == self.name), None)

    def delete(self) -> None:
        self.world.post("connections/delete", {"name": self.name})

    def be_replaced(self) -> None:
        """Somebody else puts another connection under the name."""
        if self.named() is not None:
            self.delete()
        self.make(FOREIGN)

    def be_replaced_with_links(self) -> None:
        """Somebody else puts another one under the name, linked to the same workspaces."""
        self.be_replaced()
        for room_id in self.world.rooms.values():
            self.link(room_id)

    def vanish(self) -> None:
        """Somebody else deletes it."""
        if self.named() is not None:
            self.delete()

    def holds(self, details: Any) -> bool:
        """Whether just this stands under the name, with both links, and no copy beside it."""
        items = self.items()
        return (
            len(items) == 1
            and items[0]["name"] == self.name
            and items[0]["type"] == self.kind
            and is_same(items[0]["details"], details)
            and sorted(items[0]["workspace_names"]) == sorted(ROOMS)
        )

    def has_copy(self, word: str) -> bool:
        return any(item["name"].endswith(f", {word})") for item in self.items())

    def open_records(self) -> list[Any]:
        found = self.world.replacing().replacements(self.world.who).load()
        return [one for one in found if one.connection_name == self.name and not one.state.is_over]

    def replace(self, gateway: Any = None, changes: Any = CHANGES, test_id: str = "") -> Any:
        replacing = self.world.replacing(gateway)
        return replacing.replace(self.world.who, self.connection, changes, test_id=test_id)

    def clear(self) -> None:
        for item in self.items():
            self.world.post("connections/delete", {"name": item["name"]})


@pytest.fixture(scope="module")
def said():
    """Everything that is logged while these tests run, as the product's log would have it."""
    lines: list[str] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(RedactingFormatter().format(record))
            lines.append(str(record.msg))

    keeper = Keeper(level=logging.DEBUG)
    logging.getLogger().addHandler(keeper)
    ours = logging.getLogger("dashboard")
    level = ours.level
    ours.setLevel(logging.DEBUG)
    yield lines
    ours.setLevel(level)
    logging.getLogger().removeHandler(keeper)


@pytest.fixture(scope="module")
def world(tmp_path_factory, said):
    folder = tmp_path_factory.mktemp("replacing")
    url = default_url(folder)
    store = open_store(url, data_dir=folder, vault=open_vault(url, data_dir=folder))
    with (
        running_sandbox(tmp_path_factory.mktemp("sandbox"), seed="empty") as sandbox,
        client(sandbox) as api,
        ThreadPoolExecutor(2) as pool,
    ):
        gateway = WallarooGateway(base_url=sandbox.url, describe=registry.describe)
        account = Account(sandbox.url, sandbox.username, SecretText(sandbox.password))
        who = gateway.sign_in("local", account)
        rooms = {name: gateway.create_workspace(who, name).workspace_id for name in ROOMS}
        yield World(gateway, who, api, store, folder, pool, rooms)
        gateway.close()
    store.close()


@pytest.fixture
def scene(world):
    made = Scene(world)
    yield made
    made.clear()


@pytest.fixture(scope="module")
def calls(world):
    """The names of all calls of a replace that goes well."""
    scene = Scene(world)
    gateway = FaultyGateway(world.gateway)
    scene.replace(gateway)
    scene.clear()
    return gateway.calls


WAYS = ("finish", "restore")
READS = ("read_details", "list_workspaces", "list_connections")


def resolve(scene: Scene, way: str, where: object) -> None:
    """Go the offered way out of an unfinished replace, and see that it leads out."""
    world = scene.world
    (record,) = scene.open_records()
    assert record.state is ReplaceState.UNFINISHED, where
    assert record.reason, where
    had_new, had_old = scene.has_copy("new"), scene.has_copy("old")
    stood = scene.named()
    getattr(world.replacing(), way)(world.who, record.replacement_id)
    assert scene.open_records() == [], where
    if way == "finish":
        is_new_at_hand = had_new or (stood is not None and is_same(stood["details"], NEW))
        assert scene.holds(NEW if is_new_at_hand else OLD), where
    else:
        is_old_at_hand = had_old or (stood is not None and is_same(stood["details"], OLD))
        assert scene.holds(OLD if is_old_at_hand else NEW), where


def run(scene: Scene, gateway: FaultyGateway) -> str:
    """Replace; say how it ended."""
    try:
        scene.replace(gateway)
    except Killed:
        # What restarts later finds the claim of the dead process run out.
        scene.world.clock.forward(31)
        return "killed"
    except DashboardError as error:
        return type(error).__name__
    return "done"


def in_each_way(
    world: World,
    where: object,
    fault: dict[str, Callable[[int, str], None]],
    ways: Sequence[str] = WAYS,
) -> str:
    """Run one fault, and again with the other way out if it ends unfinished."""
    ended = ""
    for way in ways:
        scene = Scene(world)
        ended = run(scene, FaultyGateway(world.gateway, **fault))
        is_clean = scene.holds(OLD) or scene.holds(NEW)
        records = scene.open_records()
        assert is_clean or records, (where, ended, scene.items())
        # The old details are the last to go: until then there is a way back to them.
        assert is_clean or scene.has_copy("old") or is_same(scene.named()["details"], OLD), where
        if ended == "done":
            assert scene.holds(NEW) or records, where
        if records:
            resolve(scene, way, (where, way, ended))
        scene.clear()
        if not records:
            break
    return ended


@pytest.mark.parametrize("act", [fail, kill])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_fault_at_any_call_ends_old_or_new_or_unfinished_and_then_finished(
    world, calls, act, when
):
    ends = [
        in_each_way(
            world,
            (number, name, when, act.__name__),
            {when: at(number, act)},
            # What dies behind a read is as if it had died before it: one way out is enough.
            WAYS if when == "before" or name not in READS else WAYS[number % 2 :][:1],
        )
        for number, name in enumerate(calls)
    ]
    assert len(ends) == len(calls) > 15
    if act is kill:
        assert set(ends) == {"killed"}
    else:
        # One fault after the deletion is got over, one before leads back.
        assert {"done", "Conflict"} <= set(ends) <= {"done", "Conflict", "PlatformUnreachable"}


def test_a_platform_that_is_down_from_any_call_on_leaves_old_or_new_or_unfinished(world, calls):
    for number, name in enumerate(calls):
        in_each_way(
            world,
            (number, name),
            {"before": onwards(number, fail)},
        )


def failing(name: str) -> Callable[[int, str], None]:
    return lambda _number, called: fail() if called == name else None


def test_a_call_that_fails_each_time_never_loses_the_connection(world, calls):
    for name in sorted(set(calls) - {"read_details"}):
        broken = failing(name)
        for when in ("before", "after"):
            in_each_way(
                world,
                (name, when),
                {when: broken},
            )


@pytest.mark.parametrize("meddling", ["be_replaced", "be_replaced_with_links", "vanish"])
def test_what_somebody_else_does_meanwhile_is_never_overwritten(world, calls, meddling):
    seen = set()
    for number in range(len(calls)):
        scene = Scene(world)
        gateway = FaultyGateway(world.gateway, before=at(number, getattr(scene, meddling)))
        ended = run(scene, gateway)
        stood, records = scene.named(), scene.open_records()
        where = (number, calls[number], ended, scene.items(), records)
        if meddling != "vanish":
            assert stood is not None, where
            assert stood["details"] == FOREIGN, where
            links = list(ROOMS) if meddling == "be_replaced_with_links" else []
            assert sorted(stood["workspace_names"]) == links, where
        if records:
            seen.add("unfinished")
            # Its details are still there, one way or the other.
            assert scene.has_copy("new") or scene.has_copy("old"), where
            if meddling != "vanish":
                with pytest.raises(Conflict, match="Somebody else"):
                    world.replacing().finish(world.who, records[0].replacement_id)
                scene.delete()
            world.replacing().finish(world.who, scene.open_records()[0].replacement_id)
            assert scene.holds(NEW), where
        elif ended != "done":
            seen.add("untouched")
            assert [item["name"] for item in scene.items()] in ([scene.name], []), where
        scene.clear()
    assert "untouched" in seen


def test_a_replace_keeps_links_and_everything_else_and_leaves_a_receipt(world, scene, calls):
    outcome = scene.replace()
    assert outcome.message == f"Your edit of {scene.name} is done. Changed: token."
    assert scene.holds(NEW)
    assert scene.named()["id"] == outcome.result != scene.connection.connection_id
    (receipt,) = [
        one
        for one in world.replacing().replacements(world.who).load()
        if one.connection_name == scene.name
    ]
    assert (receipt.state, receipt.new_id) == (ReplaceState.NEW, outcome.result)
    assert receipt.fields == ("token",)
    assert sorted(room.name for room in receipt.rooms) == sorted(ROOMS)
    assert receipt.missing_ms is not None
    assert receipt.missing_ms > 0
    # The name is missing for no longer than one call takes: nothing is asked in between.
    assert calls[calls.index("delete_connection") + 1] == "create_connection"


def test_nothing_to_change_is_told_without_a_write(world, scene):
    gateway = FaultyGateway(world.gateway, before=lambda *_call: pytest.fail("asked"))
    assert scene.replace(gateway, ()).message == "Nothing was changed."
    same = (Change(("token",), ChangeAct.REPLACE, Secret(OLD["token"])),)
    gateway = FaultyGateway(world.gateway)
    assert scene.replace(gateway, same).message == "Nothing was changed."
    assert gateway.calls == ["read_details"]
    other_type = (Change(("port",), ChangeAct.REPLACE, Secret(1)),)
    assert scene.replace(changes=other_type).message.endswith("is done. Changed: port.")
    assert str(scene.named()["details"]["port"]) == "1"


@pytest.mark.parametrize("meddling", ["be_replaced", "vanish"])
def test_a_connection_that_is_another_one_by_now_is_not_touched(world, scene, meddling):
    getattr(scene, meddling)()
    stood = scene.items()
    gateway = FaultyGateway(world.gateway)
    with pytest.raises(Conflict, match="by somebody else meanwhile"):
        scene.replace(gateway)
    assert scene.items() == stood
    assert gateway.calls == ["read_details"]


def test_a_workspace_that_cannot_be_resolved_is_named_before_any_write(world, scene):
    class Outsider(FaultyGateway):
        def list_workspaces(self, who):
            return world.gateway.list_workspaces(who)[1:]

    gateway = Outsider(world.gateway)
    with pytest.raises(Conflict, match=f"linked to {ROOMS[0]}, and you are not a member"):
        scene.replace(gateway)
    assert scene.holds(OLD)
    assert set(gateway.calls) == {"read_details", "list_connections"}
    assert scene.open_records() == []


def test_a_workspace_that_shuts_its_door_meanwhile_costs_no_link(world, calls):
    def refuse(*_call):
        raise AccessDenied("You are not a member.")

    for number, name in enumerate(calls):
        if "link" not in name and name != "list_connections":
            continue

        def shut(here, called, number=number):
            if here >= number and ("link" in called or called == "list_connections"):
                refuse()

        scene = Scene(world)
        run(scene, FaultyGateway(world.gateway, before=shut))
        if not scene.holds(OLD):
            resolve(scene, "restore", (number, name))
        assert scene.holds(OLD), (number, name)
        scene.clear()


@pytest.mark.parametrize("name", ["unlink_connection", "delete_connection"])
def test_a_fault_before_the_deletion_leads_back_to_the_very_same_connection(
    world, scene, calls, name
):
    with pytest.raises(Conflict) as caught:
        scene.replace(FaultyGateway(world.gateway, before=at(calls.index(name), fail)))
    assert caught.value.title == "Nothing was changed"
    assert scene.holds(OLD)
    assert scene.named()["id"] == scene.connection.connection_id
    assert scene.open_records() == []


def test_a_link_made_meanwhile_is_kept(world, scene):
    world.post(
        "connections/remove_from_workspace",
        {"workspace_id": world.rooms[ROOMS[1]], "connection_id": scene.connection.connection_id},
    )
    made_copies = []

    def link(_number, name):
        made_copies.append(name)
        if made_copies.count("create_connection") == 2 and name == "create_connection":
            scene.link(world.rooms[ROOMS[1]])

    with pytest.raises(Conflict, match="linked or unlinked meanwhile") as caught:
        scene.replace(FaultyGateway(world.gateway, before=link))
    assert caught.value.title == "Nothing was changed"
    assert scene.holds(OLD)


def test_a_test_that_fails_stops_it_and_names_the_field(world, scene):
    changes = (Change(("url",), ChangeAct.REPLACE, Secret("http://127.0.0.1:9/x.json")),)
    gateway = FaultyGateway(world.gateway)
    test_id = world.tests.new_id("window")
    with pytest.raises(FetchFailed) as caught:
        scene.replace(gateway, changes, test_id)
    assert caught.value.field == "url"
    assert scene.holds(OLD)
    assert gateway.calls == ["read_details"]
    entry = world.activity.page(ActivityFilter(connection_name=scene.name)).entries[0]
    assert (entry.act, entry.result, entry.fields) == (Act.EDITED, ActResult.FAILED, ("url",))


def test_what_does_not_fit_is_told_at_its_field_before_any_write(world, scene):
    gateway = FaultyGateway(world.gateway)
    with pytest.raises(InvalidInput) as caught:
        scene.replace(gateway, (Change(("url",), ChangeAct.REPLACE, Secret("https//x.org/a")),))
    assert (caught.value.field, caught.value.suggestion) == ("url", "https://x.org/a")
    assert gateway.calls == ["read_details"]


def test_moving_the_host_drops_what_was_bound_to_it_and_says_so(world, scene):
    changes = (Change(("url",), ChangeAct.REPLACE, Secret("https://new.example.org/w.json")),)
    outline = world.replacing().outline(world.who, scene.connection).load()
    announced = [leaf.label for leaf in world.replacing().dropped_by(outline, changes)]
    assert announced == [
        "token",
        "port",
        "deep.list[0]",
        "deep.list[1]",
        "deep.list[3]",
        "deep.(no name)",
    ]
    outcome = scene.replace(changes=changes)
    assert outcome.message.endswith("Changed: url. Dropped with the old address: 6 details.")
    assert scene.holds({"url": "https://new.example.org/w.json", "deep": {"list": [None]}})


def test_the_outline_holds_no_value_and_refuses_a_connection_that_was_replaced(world, scene):
    outline = world.replacing().outline(world.who, scene.connection).load()
    assert not any(secret in repr(outline) for secret in PLANTED)
    assert all(leaf.set_at == scene.connection.created_at for leaf in outline.leaves)
    scene.be_replaced()
    with pytest.raises(Conflict, match="Another connection is called") as caught:
        world.replacing().outline(world.who, scene.connection).load()
    assert caught.value.title == "It was replaced"
    scene.delete()
    with pytest.raises(Conflict, match="does not exist any more") as gone:
        world.replacing().outline(world.who, scene.connection).load()
    for error in (caught.value, gone.value):
        told = f"{error.title} {error.message} {error.hint}".lower()
        assert "changed" not in told
        assert "somebody" not in told


def test_a_persons_own_edits_lead_from_the_old_connection_to_the_newest(world, scene, calls):
    replacing, old_id = world.replacing(), scene.connection.connection_id
    assert replacing.successor(world.who, old_id) == ""
    first = scene.replace().result
    assert replacing.successor(world.who, old_id) == first
    scene.connection = world.gateway.get_connection(world.who, scene.name)
    back = (Change(("token",), ChangeAct.REPLACE, Secret(OLD["token"])),)
    second = scene.replace(changes=back).result
    assert replacing.successor(world.who, old_id) == second
    assert replacing.successor(world.who, first) == second
    assert replacing.successor(world.who, second) == ""
    stranger = type(world.who)("other", "another-id", "bo@example.org")
    assert replacing.successor(stranger, old_id) == ""
    # What is half done is no successor; what is taken back after the deletion is a new one.
    scene.connection = world.gateway.get_connection(world.who, scene.name)
    gateway = FaultyGateway(world.gateway, after=at(calls.index("link_connection"), kill))
    assert run(scene, gateway) == "killed"
    assert replacing.successor(world.who, second) == ""
    (record,) = scene.open_records()
    replacing.restore(world.who, record.replacement_id)
    assert replacing.successor(world.who, old_id) == scene.named()["id"] != second


@pytest.mark.parametrize("late", [False, True])
def test_what_this_person_edited_in_another_window_is_not_told_as_somebody_elses(
    world, scene, calls, late
):
    outcomes: list[str] = []

    def edit(number: int, _name: str) -> None:
        if not outcomes and number == calls.index("list_workspaces"):
            outcomes.append(scene.replace().result)

    # Before the second window looks at it, or after that and before it writes.
    gateway = FaultyGateway(world.gateway, before=edit) if late else None
    if not late:
        outcomes.append(scene.replace().result)
    with pytest.raises(Conflict, match="in another window meanwhile"):
        scene.replace(gateway, (Change(("port",), ChangeAct.REPLACE, Secret(2.0)),))
    assert scene.holds(NEW)
    assert [scene.named()["id"]] == outcomes
    follower = world.replacing().followed_by(world.who, scene.connection.connection_id)
    assert [follower.load()] == outcomes


def test_the_times_of_kept_details_survive(world, scene):
    scene.replace()
    now = world.gateway.get_connection(world.who, scene.name)
    leaves = world.replacing().outline(world.who, now).load().leaves
    times = {leaf.label: leaf.set_at for leaf in leaves}
    assert times["token"] == now.created_at > scene.connection.created_at
    assert times["url"] == times["deep.list[0]"] == scene.connection.created_at


def test_a_second_replace_at_the_same_time_is_refused(world, scene):
    refused = []

    def try_again(number, _name):
        if number == 6:
            with pytest.raises(Conflict, match="being changed at this moment"):
                scene.replace()
            refused.append(number)

    scene.replace(FaultyGateway(world.gateway, before=try_again))
    assert refused
    assert scene.holds(NEW)


def test_an_unfinished_replace_comes_before_a_new_one_and_is_only_its_owners(world, scene, calls):
    gateway = FaultyGateway(world.gateway, after=at(calls.index("delete_connection"), kill))
    assert run(scene, gateway) == "killed"
    (record,) = scene.open_records()
    assert (record.state, record.settled) == (ReplaceState.UNFINISHED, None)
    with pytest.raises(Conflict, match="not finished yet"):
        scene.replace()
    stranger = type(world.who)("other", "another-id", "bo@example.org")
    for way in ("finish", "restore", "leave"):
        with pytest.raises(NotFound):
            getattr(world.replacing(), way)(stranger, record.replacement_id)
    assert world.replacing().replacements(stranger).load() == ()
    # Neither the old nor the new one is there: the copies are all there is.
    with pytest.raises(Conflict, match="all that is left"):
        world.replacing().leave(world.who, record.replacement_id)
    world.replacing().restore(world.who, record.replacement_id)
    assert scene.holds(OLD)
    again = world.replacing().finish(world.who, record.replacement_id)
    assert again.message == f"The change of {scene.name} is over already."


def test_a_live_claim_keeps_others_away(world, scene, calls):
    gateway = FaultyGateway(world.gateway, after=at(calls.index("delete_connection"), kill))
    with pytest.raises(Killed):
        scene.replace(gateway)
    (record,) = scene.open_records()
    assert record.state is ReplaceState.RUNNING
    with pytest.raises(Conflict, match="at this moment"):
        world.replacing().finish(world.who, record.replacement_id)
    world.clock.forward(31)
    world.replacing().finish(world.who, record.replacement_id)
    assert scene.holds(NEW)


def test_leaving_it_deletes_the_copies_where_one_of_them_stands_under_the_name(world, scene, calls):
    last_delete = len(calls) - 1 - calls[::-1].index("delete_connection")
    gateway = FaultyGateway(world.gateway, before=at(last_delete, kill))
    assert run(scene, gateway) == "killed"
    (record,) = scene.open_records()
    assert record.settled is ReplaceState.NEW
    world.replacing().leave(world.who, record.replacement_id)
    assert scene.holds(NEW)
    assert scene.open_records() == []


def test_details_that_are_no_group_and_hostile_names_are_replaced_too(world):
    scene = Scene(world, details=["a", {"b": 1}], kind="odd \u202e type")
    assert scene.replace(changes=(Change((), ChangeAct.REPLACE, Secret({"c": "d" * 40})),)).result
    assert scene.holds({"c": "d" * 40})
    scene.clear()


def test_every_end_stands_in_the_activity_log_with_names_of_fields(world, scene):
    scene.replace()
    entry = world.activity.page(ActivityFilter(connection_name=scene.name)).entries[0]
    assert (entry.act, entry.result, entry.fields) == (Act.EDITED, ActResult.DONE, ("token",))


def test_no_detail_stands_on_our_disk_or_in_the_log(world, said):
    scene = Scene(world)
    run(scene, FaultyGateway(world.gateway, before=at(14, kill)))
    files = [path.read_bytes() for path in world.folder.rglob("*") if path.is_file()]
    assert any(b"replacing-one" in content for content in files)  # the journal is among them
    told = "\n".join(said).encode()
    for secret in PLANTED:
        assert not any(secret.encode() in content for content in (*files, told)), secret
    resolve(scene, "restore", "disk")
    scene.clear()
