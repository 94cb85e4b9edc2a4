"""Tests of connections as people run them: real sources on loopback, a platform that is a list."""

from __future__ import annotations

import dataclasses
import gc
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from dashboard.connectors import registry
from dashboard.connectors.base import FetchCause, TestResult
from dashboard.connectors.outbound import AllowList, Limits, Outbound
from dashboard.domain.activity import Act, Activity, ActResult
from dashboard.domain.check import HealthState, Stage, StageState, health_of
from dashboard.domain.connection import Connection
from dashboard.domain.detail_tree import Change, ChangeAct
from dashboard.errors import (
    Conflict,
    DashboardError,
    InvalidInput,
    NotFound,
    PlatformUnreachable,
)
from dashboard.masking import Secret
from dashboard.services.activity import ActivityFilter, ActivityLog
from dashboard.services.checks import Checks
from dashboard.services.connection_tests import ConnectionTests
from dashboard.services.failures import unexpected
from dashboard.services.reads import Reads
from dashboard.services.watched_tests import TestView
from dashboard.store.database import open_store, open_vault
from tests.support.waiting import wait_until
from tests.unit.connectors import conftest as sources
from tests.unit.services.run_stubs import MEMBER, STRANGER, WHEN

listen = sources.listen
tls = sources.tls

RECORDS = b'[{"inputs": "A text."}, {"inputs": "Another."}]'
FOUND = sources.answer(RECORDS, Content_Type="application/json")
HOSTILE = "=<img src=x onerror=alert(1)> \u202eemag \U0001f9e8 " + "n" * 150
PLANTED = "pl4nted-s3cret"


class Ticks:
    """A clock that stands still until it is moved."""

    def __init__(self, step_s: float = 0.0) -> None:
        self.now, self._step_s, self._lock = 0.0, step_s, threading.Lock()

    def __call__(self) -> float:
        with self._lock:
            self.now += self._step_s
            return self.now


@dataclass
class Platform:
    """The connections there are, by name, each with its details."""

    stored: dict[str, tuple[Connection, Any]] = field(default_factory=dict)  # any JSON value
    down: DashboardError | None = None
    held: threading.Event | None = None

    def keep(self, name: str, details: Any, *, kind: str = "HTTP") -> Connection:
        described = registry.describe(kind, details)
        made = Connection(f"id-{len(self.stored)}", name, kind, WHEN, host=described.host)
        self.stored[name] = (made, details)
        return made

    def read_details(self, _who: object, name: str) -> tuple[Connection, Secret[Any]]:
        if self.held is not None:
            assert self.held.wait(10)
        if self.down is not None:
            raise self.down
        if name not in self.stored:
            raise NotFound(f'There is no connection "{name}".')
        connection, details = self.stored[name]
        return connection, Secret(details)


@dataclass
class Rig:
    tests: ConnectionTests
    checks: Checks
    activity: ActivityLog
    platform: Platform
    clock: Ticks

    def typed(self, *, session: str = "s", kind: str = "HTTP", **fields: str) -> str:
        typed = {key: Secret(text) for key, text in fields.items()}
        return self.tests.start_typed(MEMBER, session=session, connection_type=kind, fields=typed)

    def ended(self, test_id: str) -> TestView:
        def has_ended() -> bool:
            view = self.tests.view(MEMBER, test_id)
            return view is not None and not view.is_running

        wait_until(has_ended, within_s=8, what="the test has ended")
        view = self.tests.view(MEMBER, test_id)
        assert view is not None
        return view

    def entries(self) -> tuple[Activity, ...]:
        return self.activity.page(ActivityFilter()).entries

    def health(self, connection: Connection) -> HealthState:
        checks = self.checks.of(connection.connection_id)
        return health_of(checks, max((one.at for one in checks), default=WHEN)).state


OpenRig = Callable[..., Rig]


@pytest.fixture
def open_rig(tmp_path: Path) -> Iterator[OpenRig]:
    store = open_store("", data_dir=tmp_path, vault=open_vault("", data_dir=tmp_path))
    pool = ThreadPoolExecutor(4)

    def opened(*, clock: Ticks | None = None, **outbound: Any) -> Rig:
        reads = Reads(pool, on_unexpected=unexpected)
        platform, checks, activity = Platform(), Checks(store, reads), ActivityLog(store, reads)
        client = Outbound(**{"allow": AllowList.parse(["127.0.0.1"]), **outbound})
        moving = clock or Ticks()
        tests = ConnectionTests(
            lambda: platform,  # type: ignore[arg-type, return-value]  # the one call tests make
            pool=pool,
            outbound=lambda: client,
            checks=checks,
            activity=activity,
            on_unexpected=unexpected,
            clock=moving,
        )
        return Rig(tests, checks, activity, platform, moving)

    yield opened
    pool.shutdown(cancel_futures=True)
    store.close()


@pytest.fixture
def rig(open_rig: OpenRig) -> Rig:
    return open_rig()


def hang(listener_stop: threading.Event) -> Callable[[socket.socket], None]:
    def handler(_connection: socket.socket) -> None:
        listener_stop.wait(10)

    return handler


@pytest.fixture
def silent(listen) -> Iterator[Any]:
    """A source that takes the request and never answers."""
    released = threading.Event()
    yield listen(hang(released))
    released.set()


def failure(view: TestView) -> tuple[str, str | None]:
    assert view.result is not None
    assert view.result.failure is not None
    assert view.result.failure.message
    assert view.result.failure.hint
    return view.result.failure.cause_code, view.result.failure.field


# One test


def test_a_typed_source_is_tested_through_all_stages(rig, listen):
    view = rig.ended(rig.typed(url=f"{listen(FOUND).origin}/a.json"))
    assert view.error is None
    assert view.result is not None
    assert (view.result.passed, view.result.rows, view.result.format) == (True, 2, "JSON records")
    assert [one.stage for one in view.stages] == list(Stage)
    assert all(one.state is StageState.DONE and one.elapsed_ms is not None for one in view.stages)
    assert rig.entries() == ()


def test_while_it_runs_the_stages_before_are_done_and_the_current_one_is_running(rig, silent):
    test_id = rig.typed(url=silent.origin)
    wait_until(lambda: silent.requests, within_s=5, what="the source was asked")
    view = rig.tests.view(MEMBER, test_id)
    assert view is not None
    assert view.is_running
    states = [one.state for one in view.stages]
    assert states == [StageState.DONE] * 2 + [StageState.RUNNING] + [StageState.NOT_REACHED] * 2
    assert view.stages[0].elapsed_ms is not None
    rig.tests.cancel(MEMBER, test_id)


def test_a_source_that_never_answers_is_given_up_within_the_budget(rig, silent):
    view = rig.ended(rig.typed(url=silent.origin))
    assert failure(view) == (FetchCause.TIMED_OUT, "url")
    assert view.result is not None
    assert 2_900 < view.result.total_ms < 5_000
    assert view.stages[2].state is StageState.FAILED


def unresolved(_host: str, _port: int) -> list[str]:
    raise OSError


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


REFUSALS = [
    ("404 Not Found", b"", FetchCause.NOT_FOUND, "url"),
    ("401 Unauthorized", b"", FetchCause.UNAUTHORISED, "sign_in"),
    ("403 Forbidden", b"", FetchCause.UNAUTHORISED, "sign_in"),
    ("500 Internal Server Error", b"", FetchCause.OTHER_STATUS, "url"),
    ("200 OK", b"<html>hello</html>", FetchCause.NOT_A_TABLE, "format"),
    ("200 OK", b"[" + b" " * 3000 + b"]", FetchCause.TOO_BIG, "url"),
]


@pytest.mark.parametrize(("status", "body", "cause", "at"), REFUSALS)
def test_what_a_source_answers_is_told_apart(open_rig, listen, status, body, cause, at):
    rig = open_rig(limits=Limits(most_bytes=2_000))
    source = listen(sources.answer(body, status=status))
    assert failure(rig.ended(rig.typed(url=source.origin))) == (cause, at)


def test_a_refused_token_is_the_tokens_fault(rig, listen):
    source = listen(sources.answer(b"", status="401 Unauthorized"))
    view = rig.ended(rig.typed(url=source.origin, sign_in="bearer", token=PLANTED))
    assert failure(view) == (FetchCause.UNAUTHORISED, "token")
    assert PLANTED not in repr(view)


def test_a_redirect_to_no_link_is_refused(rig, listen):
    source = listen(sources.answer(b"", status="302 Found", Location="file:///etc/passwd"))
    view = rig.ended(rig.typed(url=source.origin))
    assert failure(view) == (FetchCause.REDIRECT_REFUSED, "url")


def test_a_certificate_nobody_vouches_for_is_tls(rig, listen, tls):
    _file, context, _names = tls
    view = rig.ended(rig.typed(url=listen(FOUND, context=context).origin))
    assert failure(view) == (FetchCause.TLS, "url")


def test_a_host_that_is_not_there_is_not_found(open_rig):
    rig = open_rig(resolve=unresolved)
    view = rig.ended(rig.typed(url="https://files.example.org/a.json"))
    assert failure(view) == (FetchCause.NAME_NOT_FOUND, "url")
    assert view.stages[0].state is StageState.FAILED


def test_a_closed_port_is_refused(rig):
    assert failure(rig.ended(rig.typed(url=closed_port()))) == (FetchCause.REFUSED, "url")


def test_an_address_inside_is_blocked(open_rig):
    rig = open_rig(allow=AllowList())
    view = rig.ended(rig.typed(url="http://127.0.0.1:1/a.json"))
    assert failure(view) == (FetchCause.BLOCKED_ADDRESS, "url")


def test_what_does_not_fit_is_told_at_once_at_its_field_with_its_correction(rig):
    view = rig.tests.view(MEMBER, rig.typed(url="http//files.example.org/a.json"))
    assert view is not None
    assert not view.is_running
    assert view.result is None
    assert isinstance(view.error, InvalidInput)
    assert view.error.field == "url"
    assert view.error.suggestion


def test_a_cancelled_test_says_so_at_once_and_leaves_the_source_alone(rig, listen):
    left = threading.Event()

    def until_gone(connection: socket.socket) -> None:
        connection.settimeout(8)
        if not connection.recv(1):
            left.set()

    source = listen(until_gone)
    test_id = rig.typed(url=source.origin)
    wait_until(lambda: source.requests, within_s=5, what="the source was asked")
    rig.tests.cancel(MEMBER, test_id)
    view = rig.tests.view(MEMBER, test_id)
    assert view is not None
    assert not view.is_running
    assert view.result is not None
    assert view.result.was_cancelled
    assert left.wait(0.3)
    assert rig.tests.view(MEMBER, test_id) == view


def test_nobody_else_sees_or_cancels_a_test(rig, silent):
    test_id = rig.typed(url=silent.origin)
    assert rig.tests.view(STRANGER, test_id) is None
    rig.tests.cancel(STRANGER, test_id)
    view = rig.tests.view(MEMBER, test_id)
    assert view is not None
    assert view.is_running
    rig.tests.cancel(MEMBER, test_id)


def test_tests_are_forgotten_after_15_minutes(rig, listen):
    test_id = rig.ended(rig.typed(url=listen(FOUND).origin)).test_id
    rig.clock.now += 899
    rig.ended(rig.typed(url=listen(FOUND).origin))
    assert rig.tests.view(MEMBER, test_id) is not None
    rig.clock.now += 2
    rig.ended(rig.typed(url=listen(FOUND).origin))
    assert rig.tests.view(MEMBER, test_id) is None


def test_the_registry_does_not_grow_without_end(rig):
    first = rig.typed(url="no link")
    for _ in range(1_100):
        rig.typed(url="no link")
    assert rig.tests.view(MEMBER, first) is None
    assert len(rig.tests._watched._watched) <= 1_000


def test_nothing_of_the_details_is_left_behind_a_test(rig, listen):
    def answered(connection: socket.socket) -> None:
        connection.sendall(sources.answer(b"", status="401 Unauthorized"))

    source = listen(answered)
    rig.ended(rig.typed(url=f"{source.origin}/{PLANTED}", sign_in="bearer", token=PLANTED))
    rig.ended(rig.typed(url=f"{source.origin}", sign_in="basic", username=PLANTED))

    def left_over() -> list[object]:
        gc.collect()
        seen: set[int] = set()
        waiting: list[object] = [rig.tests._watched._watched]
        found: list[object] = []
        while waiting:
            one = waiting.pop()
            if id(one) in seen or isinstance(one, type) or callable(one):
                continue
            seen.add(id(one))
            if isinstance(one, str) and PLANTED in one:
                found.append(one)
            waiting += gc.get_referents(one)
        return found

    wait_until(lambda: not left_over(), within_s=20, what="nothing is held")


# Limits


def test_the_sixth_test_of_a_session_within_a_minute_is_refused_and_says_when_to_come_back(
    rig, listen
):
    source = listen(FOUND)
    for _ in range(5):
        assert rig.ended(rig.typed(url=source.origin)).result is not None
        rig.clock.now += 4
    asked = len(source.requests)
    view = rig.ended(rig.typed(url=source.origin))
    assert isinstance(view.error, InvalidInput)
    assert view.error.message == "Five tests a minute at most. Try again in 40 s."
    assert len(source.requests) == asked
    assert rig.ended(rig.typed(session="another", url=source.origin)).error is None
    rig.clock.now += 40
    assert rig.ended(rig.typed(url=source.origin)).error is None
    assert rig.ended(rig.typed(url=source.origin)).error is not None


def test_many_sessions_of_one_person_have_a_limit_too(rig, listen):
    source = listen(FOUND)
    views = [rig.ended(rig.typed(session=f"s{n}", url=source.origin)) for n in range(31)]
    assert [view.error is None for view in views] == [True] * 30 + [False]
    assert len(source.requests) == 30


def test_what_does_not_fit_takes_no_turn(rig, listen):
    for _ in range(20):
        rig.typed(url="no link")
    assert rig.ended(rig.typed(url=listen(FOUND).origin)).error is None


# Stored ones


def stored(rig: Rig, connection: Connection, *changes: Change) -> TestView:
    return rig.ended(rig.tests.start_stored(MEMBER, connection, session="s", changes=changes))


def replacing(key: str, value: Any) -> Change:
    return Change((key,), ChangeAct.REPLACE, Secret(value))


def test_a_stored_connection_is_tested_with_its_stored_secret_and_keeps_the_health(rig, listen):
    source = listen(FOUND)
    kept = rig.platform.keep(HOSTILE, {"url": source.origin, "token": PLANTED})
    assert stored(rig, kept).result is not None
    assert f"Authorization: Bearer {PLANTED}" in source.requests[0]
    assert rig.health(kept) is HealthState.HEALTHY
    (entry,) = rig.entries()
    assert (entry.act, entry.result, entry.note) == (Act.TESTED, ActResult.DONE, "")
    assert (entry.connection_id, entry.connection_name) == (kept.connection_id, HOSTILE)


def test_a_stored_connection_that_fails_is_kept_as_failing_with_the_reason(rig, listen):
    source = listen(sources.answer(b"", status="403 Forbidden"))
    kept = rig.platform.keep("press", {"url": f"{source.origin}/{PLANTED}", "token": PLANTED})
    view = stored(rig, kept)
    assert view.result is not None
    assert rig.health(kept) is HealthState.FAILING
    (check,) = rig.checks.of(kept.connection_id)
    (entry,) = rig.entries()
    assert (entry.act, entry.result) == (Act.TESTED, ActResult.FAILED)
    assert view.result.failure is not None
    assert entry.note == check.message == view.result.failure.message
    assert PLANTED not in repr((entry, check))


@pytest.mark.parametrize("is_replaced", [True, False])
def test_a_stored_connection_that_changed_hands_is_not_tested(rig, listen, is_replaced):
    source = listen(FOUND)
    kept = rig.platform.keep("press", {"url": source.origin})
    if is_replaced:
        rig.platform.stored["press"] = (replace(kept, connection_id="another"), {})
    else:
        rig.platform.stored.clear()
    view = stored(rig, kept)
    assert isinstance(view.error, Conflict)
    assert view.error.message == "press was replaced or deleted meanwhile."
    assert source.requests == []
    assert rig.checks.of(kept.connection_id) == ()


def test_pending_changes_are_tested_and_say_nothing_of_what_is_stored(rig, listen):
    source = listen(FOUND)
    kept = rig.platform.keep("press", {"url": f"{source.origin}/old", "token": "old-token"})
    view = stored(rig, kept, replacing("token", PLANTED))
    assert view.result is not None
    assert view.result.passed
    assert f"Authorization: Bearer {PLANTED}" in source.requests[0]
    assert rig.checks.of(kept.connection_id) == ()
    assert rig.entries() == ()
    assert "old-token" in rig.platform.stored["press"][1].values()


def test_a_secret_is_not_sent_to_another_host_by_a_test(rig, listen):
    first, second = listen(FOUND), listen(FOUND)
    kept = rig.platform.keep(
        "press", {"url": first.origin, "token": PLANTED, "headers": {"X-Api-Key": PLANTED}}
    )
    view = stored(rig, kept, replacing("url", f"{second.origin}/a.json"))
    assert view.result is not None
    assert first.requests == []
    (request,) = second.requests
    assert PLANTED not in request


def test_a_change_that_does_not_fit_is_told_at_its_field_without_a_request(rig, listen):
    source = listen(FOUND)
    kept = rig.platform.keep("press", {"url": source.origin})
    view = stored(rig, kept, replacing("token", "two words"))
    assert isinstance(view.error, InvalidInput)
    assert view.error.field == "token"
    assert source.requests == []


def test_a_platform_that_does_not_answer_is_the_tests_error(rig):
    kept = rig.platform.keep("press", {"url": "http://127.0.0.1:1"})
    rig.platform.down = PlatformUnreachable("Nothing answers.")
    view = stored(rig, kept)
    assert isinstance(view.error, PlatformUnreachable)
    assert view.error.__traceback__ is None
    assert rig.entries() == ()


def test_a_test_is_cancelled_while_the_platform_keeps_it_waiting(rig, listen):
    source = listen(FOUND)
    kept = rig.platform.keep("press", {"url": source.origin})
    rig.platform.held = threading.Event()
    test_id = rig.tests.start_stored(MEMBER, kept, session="s")
    rig.tests.cancel(MEMBER, test_id)
    view = rig.tests.view(MEMBER, test_id)
    assert view is not None
    assert view.result is not None
    assert view.result.was_cancelled
    rig.platform.held.set()
    assert stored(rig, kept).result is not None
    assert [entry.act for entry in rig.entries()] == [Act.TESTED]


def test_an_unforeseen_exception_ends_the_test_with_an_error_id(rig, monkeypatch):
    def burst(*_args: object, **_named: object) -> TestResult:
        raise RuntimeError(PLANTED)

    kept = rig.platform.keep("press", {"url": "http://127.0.0.1:1"})
    monkeypatch.setattr(type(registry.connector_for("HTTP")), "test", burst)
    view = stored(rig, kept)
    assert view.error is not None
    assert PLANTED not in str(view.error)
    assert view.error.__context__ is None


# On the calling thread


def test_a_run_is_watched_under_its_id_and_counted_as_any_test(rig, listen):
    source = listen(FOUND)
    details = Secret({"url": source.origin})
    for _ in range(5):
        test_id = rig.tests.new_id("window")
        assert rig.tests.run(MEMBER, test_id, "HTTP", details).passed
        view = rig.tests.view(MEMBER, test_id)
        assert view is not None
        assert view.result is not None
        assert not view.is_running
        assert view.result.rows == 2
    sixth = rig.tests.new_id("window")
    with pytest.raises(InvalidInput, match="Five tests a minute at most"):
        rig.tests.run(MEMBER, sixth, "HTTP", details)
    view = rig.tests.view(MEMBER, sixth)
    assert view is not None
    assert isinstance(view.error, InvalidInput)
    refused = rig.typed(session="window", url=source.origin)
    assert isinstance(rig.ended(refused).error, InvalidInput)
    assert rig.tests.run(MEMBER, rig.tests.new_id("another window"), "HTTP", details).passed
    assert len(source.requests) == 6


def test_a_run_that_is_cancelled_has_not_passed(rig, silent):
    test_id = rig.tests.new_id("window")
    results: list[TestResult] = []
    details = Secret({"url": silent.origin})

    def run() -> None:
        results.append(rig.tests.run(MEMBER, test_id, "HTTP", details))

    thread = threading.Thread(target=run)
    thread.start()
    wait_until(lambda: silent.requests, within_s=5, what="the source was asked")
    rig.tests.cancel(MEMBER, test_id)
    thread.join(1)
    assert [result.was_cancelled for result in results] == [True]


# All at once


def test_all_that_can_be_tested_are_and_the_outcome_counts(open_rig, listen):
    rig = open_rig(clock=Ticks(step_s=0.3))
    good, bad = listen(FOUND), listen(sources.answer(b"", status="404 Not Found"))
    all_of_them = [rig.platform.keep(f"good {n}", {"url": good.origin}) for n in range(3)]
    all_of_them += [rig.platform.keep(f"bad {n}", {"url": bad.origin}) for n in range(2)]
    all_of_them += [rig.platform.keep(f"{HOSTILE}{n}", {}, kind="KAFKA") for n in range(3)]
    outcome = rig.tests.check(MEMBER, all_of_them, session="window")
    assert outcome.message == (
        "3 of 5 work; 2 fail: bad 0 and bad 1; 3 are of types that cannot be tested."
    )
    assert rig.health(all_of_them[0]) is HealthState.HEALTHY
    assert rig.health(all_of_them[3]) is HealthState.FAILING
    assert rig.health(all_of_them[5]) is HealthState.UNTESTED
    assert len(rig.entries()) == 5
    assert rig.tests.check_progress(MEMBER) is None


def test_check_all_takes_no_turns_of_the_single_tests(open_rig, listen):
    rig = open_rig(clock=Ticks(step_s=0.3))
    source = listen(FOUND)
    ten = [rig.platform.keep(f"c{n}", {"url": source.origin}) for n in range(10)]
    assert rig.tests.check(MEMBER, ten, session="window").message == "10 of 10 work."
    assert stored(rig, ten[0]).error is None


def test_a_round_of_a_few_is_as_many_single_tests(open_rig, listen):
    rig = open_rig(clock=Ticks(step_s=0.3))
    source = listen(FOUND)
    four = [rig.platform.keep(f"c{n}", {"url": source.origin}) for n in range(4)]
    assert rig.tests.check(MEMBER, four, session="window").message == "4 of 4 work."
    with pytest.raises(InvalidInput, match="Five tests a minute at most"):
        rig.tests.check(MEMBER, four[:2], session="window")
    assert rig.tests.check(MEMBER, four[:1], session="window").message == "c0 works."


def test_the_fourth_round_of_many_within_a_minute_is_refused(open_rig, listen):
    rig = open_rig(clock=Ticks(step_s=0.3))
    sources_apart = [listen(FOUND).origin for _ in range(6)]
    six = [rig.platform.keep(f"c{n}", {"url": url}) for n, url in enumerate(sources_apart)]
    for _ in range(3):
        rig.tests.check(MEMBER, six, session="window")
    with pytest.raises(InvalidInput, match="Three rounds of tests a minute"):
        rig.tests.check(MEMBER, six, session="another window")


def test_a_connection_that_vanished_is_told_and_does_not_stop_the_others(open_rig, listen):
    rig = open_rig(clock=Ticks(step_s=0.3))
    source = listen(FOUND)
    kept = [rig.platform.keep(f"c{n}", {"url": source.origin}) for n in range(3)]
    del rig.platform.stored["c1"]
    assert rig.tests.check(MEMBER, kept, session="window").message == (
        "2 of 2 work. 1 could not be tested: c1 was replaced or deleted meanwhile."
    )


@pytest.mark.parametrize(
    ("works", "fails", "told"),
    [
        (0, 1, "bad 0 does not work: 127.0.0.1 has nothing at this link (404)."),
        (1, 1, "1 of 2 works; 1 fails: bad 0."),
        (0, 5, "0 of 5 work; 5 fail: bad 0, bad 1, bad 2 and 2 more."),
    ],
)
def test_the_first_that_fail_are_named(open_rig, listen, works, fails, told):
    rig = open_rig(clock=Ticks(step_s=0.3))
    good, bad = listen(FOUND), listen(sources.answer(b"", status="404 Not Found"))
    kept = [rig.platform.keep(f"good {n}", {"url": good.origin}) for n in range(works)]
    kept += [rig.platform.keep(f"bad {n}", {"url": bad.origin}) for n in range(fails)]
    assert rig.tests.check(MEMBER, kept, session="window").message == told


def test_no_more_than_two_are_tested_at_a_time_and_the_progress_is_told(open_rig, listen):
    rig = open_rig(clock=Ticks(step_s=0.3))
    go_on, at_work, most = threading.Event(), [0], [0]
    lock = threading.Lock()

    def counted(connection: socket.socket) -> None:
        with lock:
            at_work[0] += 1
            most[0] = max(most[0], at_work[0])
        assert go_on.wait(10)
        with lock:
            at_work[0] -= 1
        connection.sendall(FOUND)

    listeners = [listen(counted) for _ in range(4)]
    kept = [
        dataclasses.replace(rig.platform.keep(f"c{n}", {"url": one.origin}), host=f"h{n}")
        for n, one in enumerate(listeners)
    ]
    with ThreadPoolExecutor(1) as pool:
        outcome = pool.submit(rig.tests.check, MEMBER, kept, session="window")
        wait_until(lambda: at_work[0] == 2, within_s=5, what="two are at work")
        assert rig.tests.check_progress(MEMBER) == (0, 4)
        assert rig.tests.check_progress(STRANGER) is None
        with pytest.raises(Conflict):
            rig.tests.check(MEMBER, kept, session="window")
        go_on.set()
        assert outcome.result(10).message == "4 of 4 work."
    assert most[0] == 2


def test_check_all_stops_after_the_tests_under_way(open_rig, listen):
    rig = open_rig(clock=Ticks(step_s=0.3))
    go_on = threading.Event()

    def waiting(connection: socket.socket) -> None:
        assert go_on.wait(10)
        connection.sendall(FOUND)

    source = listen(waiting)
    kept = [rig.platform.keep(f"c{n}", {"url": source.origin}) for n in range(9)]
    with ThreadPoolExecutor(1) as pool:
        outcome = pool.submit(rig.tests.check, MEMBER, kept, session="window")
        wait_until(lambda: source.requests, within_s=5, what="the first is asked")
        rig.tests.cancel_check(STRANGER)
        rig.tests.cancel_check(MEMBER)
        go_on.set()
        assert outcome.result(10).message == "Stopped after 1 of 9. c0 works."
    assert len(source.requests) == 1


def test_check_all_ends_when_the_platform_is_gone(open_rig):
    rig = open_rig(clock=Ticks(step_s=0.3))
    kept = [rig.platform.keep(f"c{n}", {"url": "http://127.0.0.1:1"}) for n in range(9)]
    rig.platform.down = PlatformUnreachable("Nothing answers.")
    with pytest.raises(PlatformUnreachable):
        rig.tests.check(MEMBER, kept, session="window")
    assert rig.tests.check_progress(MEMBER) is None


def test_nothing_that_can_be_tested_is_an_error_that_says_so(rig):
    with pytest.raises(InvalidInput, match="can be tested"):
        rig.tests.check(MEMBER, [rig.platform.keep("k", {}, kind="KAFKA")], session="window")
