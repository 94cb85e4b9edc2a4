from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import select

from dashboard.domain.activity import Act, ActivityFilter, ActResult
from dashboard.domain.identity import Identity
from dashboard.domain.idle import LastUse
from dashboard.domain.inference import LogPage
from dashboard.domain.pipeline import (
    DeploymentStatus,
    Pipeline,
    PipelineState,
    PipelineVersion,
)
from dashboard.domain.run import RunState
from dashboard.domain.table import Passport
from dashboard.errors import (
    Conflict,
    DashboardError,
    InferenceFailed,
    InvalidInput,
    NotFound,
    PlatformUnreachable,
)
from dashboard.gateway.base import PlatformGateway
from dashboard.services import pipeline_use
from dashboard.services.activity import ActivityLog
from dashboard.services.clock import Clock
from dashboard.services.failures import unexpected
from dashboard.services.guard_look import ANOTHER, FAILED, FOREIGN, HIDDEN, NOBODY, GuardLook
from dashboard.services.guard_rounds import LOOKS_AT_ONCE
from dashboard.services.guard_stop import SIGNED, NotYet
from dashboard.services.idle_guard import MOST_MINUTES, IdleGuard
from dashboard.services.pipeline_use import PipelineUse, noted
from dashboard.services.reads import Reads
from dashboard.store.database import Store, default_url, open_store, open_vault
from dashboard.store.guard_records import GuardRecords
from dashboard.store.run_records import Claim, RunRecords
from dashboard.store.schema import GUARDS
from dashboard.store.table_records import TableRecords
from dashboard.store.use_records import UseRecords
from tests.unit.store.test_run_records import RUN

T0 = datetime(2026, 11, 22, 13, tzinfo=UTC)
WHO = Identity("me", "u1", "ann@example.org")
OURS, THEIRS = "version-ours", "version-theirs"
PIPE = Pipeline(7, "hf-summarizer", 3, "press-desk", T0, T0)
MINUTE = timedelta(minutes=1)
STEP_S = 5.0


class Inline(Executor):
    def submit(self, fn, /, *args, **kwargs):
        fn(*args, **kwargs)
        return Future()


class Waiting(Executor):
    """A pool whose threads are all held up until the test lets them go on."""

    def __init__(self) -> None:
        self.work: list[Callable[[], object]] = []

    def submit(self, fn, /, *args, **kwargs):
        self.work.append(partial(fn, *args, **kwargs))
        return Future()

    def do_all(self) -> None:
        work, self.work = self.work, []
        for one in work:
            one()


@dataclass
class Time:
    now: datetime = T0
    monotonic: float = 1000.0

    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.monotonic, now=lambda: self.now)

    def go(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.monotonic += seconds


@dataclass
class Platform:
    """One pipeline; every call is noted, and an exception in the place of an answer is raised."""

    state: PipelineState = PipelineState.RUNNING
    running: tuple[str, ...] = (OURS,)
    versions: list[PipelineVersion] = field(default_factory=list)
    log_ms: list[float] = field(default_factory=list)
    errors: dict[str, Exception] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    before_undeploy: Callable[[], object] = lambda: None
    pipeline_id: int = PIPE.pipeline_id

    def status(self, _who: Identity, _pipeline: Pipeline) -> DeploymentStatus:
        self._called("status")
        return DeploymentStatus(self.state, running_versions=self.running)

    def get_pipeline(self, _who: Identity, *, workspace_id: int, name: str) -> Pipeline:
        assert (workspace_id, name) == (PIPE.workspace_id, PIPE.name)
        self._called("get_pipeline")
        return replace(PIPE, pipeline_id=self.pipeline_id, versions=tuple(self.versions))

    def log_page(self, _who: Identity, _pipeline: Pipeline, *, limit: int) -> LogPage:
        self._called("log")
        rows: list[dict[str, Any]] = [{"time": at} for at in self.log_ms[:limit]]
        return LogPage(tuple(rows), is_complete=True)

    def undeploy(self, _who: Identity, pipeline: Pipeline) -> None:
        assert pipeline.pipeline_id == PIPE.pipeline_id
        self.before_undeploy()
        self._called("undeploy")
        self.state, self.running = PipelineState.NOT_DEPLOYED, ()

    def ask(self, at: datetime) -> None:
        """Have the log tell of an inference."""
        self.log_ms.insert(0, at.timestamp() * 1000)

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if name in self.errors:
            raise self.errors[name]


class Session:
    async def infer(self, _rows, **_options):
        raise AssertionError("nothing is asked")


@dataclass
class Desk:
    """A guard over a platform, whose clock only the test moves."""

    store: Store
    platform: Platform
    time: Time
    who: Identity | None = WHO
    pool: Executor = field(default_factory=Inline)
    before_asking: Callable[[], object] = lambda: None
    undeployed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.activity = ActivityLog(
            self.store, Reads(Inline(), on_unexpected=unexpected), now=lambda: self.time.now
        )
        self.begin()

    def begin(self) -> None:
        """Start a dashboard; the one before has gone without a word."""
        clock, records = self.time.clock(), GuardRecords(self.store)
        self.use = PipelineUse(clock.now, UseRecords(self.store, owner=f"process {id(self)}"))
        look = GuardLook(
            lambda: cast("PlatformGateway", self.platform),  # the part of it that is asked
            identity=lambda: self.who,
            undeploy=self.undeploy,
            records=records,
            use=self.use,
            activity=self.activity,
            on_unexpected=unexpected,
            clock=clock,
        )
        self.guard = IdleGuard(
            look,
            records=records,
            use=self.use,
            pool=self.pool,
            activity=self.activity,
            clock=clock,
        )

    def undeploy(
        self, who: Identity, pipeline: Pipeline, *, version: str, may_send: Callable[[], bool]
    ) -> None:
        self.before_asking()
        if not may_send():
            raise NotYet
        self.platform.undeploy(who, pipeline)
        self.undeployed.append(version)

    def arm(self, minutes: int | None = 60, version: str = OURS) -> None:
        self.guard.arm(WHO, PIPE, version=version, minutes=minutes)
        self.guard.tick()
        self.guard.tick()

    def wait(self, minutes: float) -> None:
        """Let time pass as it does: with a tick every few seconds."""
        left_s = minutes * 60
        while left_s > 0:
            self.time.go(min(STEP_S, left_s))
            left_s -= STEP_S
            self.guard.tick()

    @property
    def view(self):
        view = self.guard.view(PIPE.pipeline_id)
        assert view is not None
        return view

    @property
    def left(self) -> float | None:
        """Minutes until it stops, as a page counts them."""
        stops_at = self.view.stops_at
        return None if stops_at is None else (stops_at - self.time.now) / MINUTE

    @property
    def stopped(self) -> bool:
        return "undeploy" in self.platform.calls

    def entries(self) -> list[tuple[Act, ActResult, str, str, str]]:
        page = self.activity.page(ActivityFilter())
        return [(one.act, one.result, one.who, one.pipeline, one.note) for one in page.entries]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    url = default_url(tmp_path)
    store = open_store(url, data_dir=tmp_path, vault=open_vault(url, data_dir=tmp_path))
    yield store
    store.close()


@pytest.fixture
def desk(store: Store) -> Desk:
    return Desk(store, Platform(), Time())


# When it stops


def test_what_is_unused_is_stopped_on_time_and_the_activity_log_says_so(desk):
    desk.arm(60)
    desk.wait(59.8)
    assert not desk.stopped
    desk.wait(0.4)
    assert desk.stopped
    assert desk.guard.view(PIPE.pipeline_id) is None
    assert GuardRecords(desk.store).all() == ()
    assert desk.entries() == [
        (Act.STOPPED_IDLE, ActResult.DONE, SIGNED, PIPE.name, "Unused for 60 min.")
    ]


def test_it_counts_from_the_moment_the_pipeline_is_ready(desk):
    desk.platform.state, desk.platform.running = PipelineState.STARTING, ()
    desk.arm(60)
    desk.wait(9)
    assert desk.view.stops_at is None
    desk.platform.state, desk.platform.running = PipelineState.RUNNING, (OURS,)
    desk.wait(0.1)
    assert desk.left == pytest.approx(60, abs=0.2)


def test_what_never_becomes_ready_is_stopped_too(desk):
    desk.platform.state, desk.platform.running = PipelineState.ERROR, ()
    desk.arm(30)
    desk.wait(39)
    assert not desk.stopped
    desk.wait(2)
    assert desk.stopped


def test_a_request_sent_from_here_begins_the_count_anew(desk):
    desk.arm(60)
    desk.wait(50)
    desk.use.used(PIPE.pipeline_id)
    assert desk.left == pytest.approx(60)
    desk.wait(59)
    assert not desk.stopped
    desk.wait(1.2)
    assert desk.stopped


def test_what_is_in_flight_is_never_cut_off(desk):
    desk.arm(1)
    with desk.use.in_use(PIPE.pipeline_id):
        desk.wait(90)
        assert not desk.stopped
        assert (desk.view.is_in_use, desk.view.stops_at) == (True, None)
    assert not desk.view.is_in_use
    desk.wait(0.8)
    assert not desk.stopped
    desk.wait(0.6)
    assert desk.stopped


def test_a_request_that_begins_while_the_log_is_read_prevents_the_stop(desk):
    desk.arm(10)
    desk.wait(9.9)
    asked = desk.platform.log_page

    def asked_slowly(*call, **options):
        desk.use.used(PIPE.pipeline_id)
        return asked(*call, **options)

    desk.platform.log_page = asked_slowly
    desk.wait(0.3)
    assert not desk.stopped
    assert desk.left == pytest.approx(10, abs=0.3)


@pytest.mark.parametrize("state", [RunState.QUEUED, RunState.RUNNING, RunState.PAUSED])
def test_a_run_that_is_to_go_on_keeps_its_pipeline(desk, store, state):
    TableRecords(store).insert(Passport("t1", "c", 3, 4, (), 1, "f", T0, 1.0, "CSV"), [])
    run = replace(RUN, workspace_id=PIPE.workspace_id, pipeline_name=PIPE.name, state=state)
    records = RunRecords(store)
    records.insert(run, Claim("another", T0 + timedelta(days=1)))
    desk.arm(5)
    desk.wait(30)
    assert not desk.stopped
    assert desk.view.is_in_use
    records.finished(run.run_id, None, state=RunState.DONE, message="", at=desk.time.now)
    desk.wait(1)
    assert desk.stopped


# The platform's own log


def test_the_log_is_read_shortly_before_the_stop_and_right_before_it(desk):
    desk.arm(60)
    desk.wait(58.5)
    assert desk.platform.calls.count("log") == 0
    desk.wait(1)
    assert desk.platform.calls.count("log") == 1
    desk.wait(1)
    assert desk.platform.calls.count("log") == 2
    assert desk.platform.calls[-1] == "undeploy"


def test_an_inference_that_was_sent_elsewhere_begins_the_count_anew(desk):
    desk.arm(60)
    desk.wait(40)
    desk.platform.ask(desk.time.now)
    desk.wait(25)
    assert not desk.stopped
    assert desk.left == pytest.approx(35, abs=0.1)


def test_an_inference_in_the_last_minute_counts_whatever_the_platforms_clock_says(desk):
    slow = timedelta(hours=3)
    desk.platform.ask(desk.time.now - slow)
    desk.arm(60)
    desk.wait(59.5)
    desk.platform.ask(desk.time.now - slow)
    desk.wait(2)
    assert not desk.stopped
    assert desk.left == pytest.approx(58, abs=0.6)


def test_a_platform_whose_clock_is_fast_does_not_put_the_stop_off_for_hours(desk):
    desk.arm(10)
    desk.platform.ask(desk.time.now + timedelta(hours=5))
    desk.wait(9.5)
    assert desk.left == pytest.approx(10, abs=0.6)


@pytest.mark.parametrize("times", [[None], ["yesterday"]])
def test_a_log_without_times_stops_nothing(desk, times):
    desk.arm(5)
    desk.platform.log_ms = times
    desk.wait(20)
    assert not desk.stopped
    assert "tells no times" in desk.view.problem


def test_a_log_that_cannot_be_read_stops_nothing_says_why_and_is_tried_again(desk):
    desk.arm(10)
    desk.platform.errors["log"] = PlatformUnreachable("It is away.")
    desk.wait(12)
    assert not desk.stopped
    assert desk.view.problem == (
        "It is not stopped: the platform's log cannot be read. It is away."
    )
    assert desk.view.stops_at is None
    asked = desk.platform.calls.count("log")
    desk.wait(120)
    assert 10 < desk.platform.calls.count("log") - asked < 16  # the pauses have grown to 10 min
    desk.platform.errors.clear()
    desk.wait(11)
    assert desk.stopped


# Not its to stop


def test_what_somebody_else_has_deployed_again_is_left_alone(desk):
    desk.arm(10)
    desk.platform.running = (THEIRS,)
    desk.wait(60)
    assert not desk.stopped
    assert (desk.view.problem, desk.view.stops_at) == (FOREIGN, None)


def test_a_platform_that_names_no_running_version_is_judged_by_the_newest_one(desk):
    desk.platform.running = ()
    desk.platform.versions = [PipelineVersion(2, THEIRS, T0), PipelineVersion(1, OURS, T0)]
    desk.arm(10)
    desk.wait(30)
    assert not desk.stopped
    desk.platform.versions.pop(0)
    desk.wait(12)
    assert desk.stopped


@pytest.mark.parametrize("running", [(THEIRS,), (OURS, THEIRS)])
def test_a_deploy_from_here_is_ours_while_the_engines_tell_of_the_version_before(desk, running):
    desk.platform.versions = [PipelineVersion(2, OURS, T0), PipelineVersion(1, THEIRS, T0)]
    desk.platform.state, desk.platform.running = PipelineState.STARTING, running
    desk.arm(10)
    desk.wait(5)
    assert (desk.view.problem, desk.stopped) == ("", False)
    desk.platform.state = PipelineState.DEGRADED  # it never comes up, the version before serves
    desk.wait(11)
    assert desk.stopped


def test_a_foreign_deploy_that_does_not_come_up_is_left_alone(desk):
    desk.platform.versions = [PipelineVersion(2, THEIRS, T0), PipelineVersion(1, OURS, T0)]
    desk.platform.state, desk.platform.running = PipelineState.ERROR, (OURS,)
    desk.arm(10)
    desk.wait(60)
    assert (desk.view.problem, desk.stopped) == (FOREIGN, False)


def test_a_deploy_by_somebody_else_that_is_just_beginning_is_awaited(desk):
    desk.arm(10)
    desk.wait(9.8)
    desk.platform.versions = [
        PipelineVersion(2, THEIRS, desk.time.now),
        PipelineVersion(1, OURS, T0),
    ]
    desk.wait(1)
    assert not desk.stopped
    desk.platform.running = (THEIRS,)
    desk.wait(60)
    assert not desk.stopped


def test_a_deploy_from_here_begins_anew_with_its_own_version(desk):
    desk.arm(10)
    desk.wait(9)
    desk.platform.running = (THEIRS,)
    desk.arm(10, version=THEIRS)
    desk.wait(9)
    assert not desk.stopped
    desk.wait(1.2)
    assert desk.stopped


def test_what_was_undeployed_elsewhere_is_forgotten(desk):
    desk.arm(10)
    desk.platform.state, desk.platform.running = PipelineState.NOT_DEPLOYED, ()
    desk.wait(1.1)
    assert desk.guard.view(PIPE.pipeline_id) is None
    assert GuardRecords(desk.store).all() == ()


def test_a_pipeline_that_was_deleted_is_forgotten(desk):
    desk.arm(10)
    desk.platform.errors["status"] = NotFound("gone")
    desk.wait(1.1)
    assert desk.guard.view(PIPE.pipeline_id) is None


@pytest.mark.parametrize("call", ["status", "get_pipeline"])
def test_what_another_account_deployed_and_this_one_does_not_see_stays_guarded(desk, call):
    desk.arm(10)
    desk.platform.running = (THEIRS,)
    desk.platform.errors[call] = NotFound("gone")
    desk.who = replace(WHO, user_id="u2")
    desk.wait(60)
    assert [one.version for one in GuardRecords(desk.store).all()] == [OURS]
    assert desk.view.problem == HIDDEN
    assert not desk.stopped


def test_the_platform_may_not_know_of_a_deploy_at_once(desk):
    desk.platform.state = PipelineState.NOT_DEPLOYED
    desk.arm(10)
    desk.wait(0.1)
    assert desk.view.minutes == 10


# What people ask of it


def test_keep_puts_the_stop_off_by_half_an_hour(desk):
    desk.arm(60)
    desk.wait(55)
    told = desk.guard.keep(WHO, PIPE)
    assert "30 min longer" in told.message
    assert desk.left == pytest.approx(35)
    desk.wait(34)
    assert not desk.stopped
    desk.wait(1.2)
    assert desk.stopped
    assert desk.entries()[1] == (
        Act.KEPT_RUNNING,
        ActResult.DONE,
        WHO.email,
        PIPE.name,
        "30 min more.",
    )


def test_a_shorter_time_that_is_over_already_gives_notice(desk):
    desk.arm(60)
    desk.wait(30)
    desk.guard.set_minutes(WHO, PIPE, 10)
    assert desk.left == pytest.approx(5)
    assert not desk.view.is_notice
    desk.wait(4.8)
    assert not desk.stopped
    desk.wait(0.4)
    assert desk.stopped


def test_it_can_be_switched_off_and_on_again(desk):
    desk.arm(10)
    assert "is off" in desk.guard.set_minutes(WHO, PIPE, None).message
    assert (desk.view.minutes, desk.view.stops_at) == (None, None)
    desk.wait(100)
    assert not desk.stopped
    desk.guard.set_minutes(WHO, PIPE, 20)
    desk.wait(0.1)
    assert desk.left == pytest.approx(5, abs=0.2)
    acts = [(act, note) for act, _, _, _, note in desk.entries()]
    assert acts == [
        (Act.GUARD_CHANGED, "Stops after 20 min without a request."),
        (Act.GUARD_CHANGED, "Off."),
    ]


@pytest.mark.parametrize("minutes", [0, -5, MOST_MINUTES + 1])
def test_only_a_minute_to_a_week_can_be_set(desk, minutes):
    desk.arm(10)
    with pytest.raises(InvalidInput):
        desk.guard.set_minutes(WHO, PIPE, minutes)


def test_what_is_not_under_guard_cannot_be_kept_or_set(desk):
    with pytest.raises(Conflict):
        desk.guard.keep(WHO, PIPE)
    with pytest.raises(Conflict):
        desk.guard.set_minutes(WHO, PIPE, 5)
    desk.arm(None)
    with pytest.raises(Conflict):
        desk.guard.keep(WHO, PIPE)


def test_what_was_chosen_is_told_while_the_deploy_is_being_sent(desk):
    with desk.guard.awaited(PIPE.pipeline_id, 45):
        assert (desk.view.minutes, desk.view.stops_at) == (45, None)
        desk.guard.tick()
        assert desk.platform.calls == []
    assert desk.guard.view(PIPE.pipeline_id) is None
    with desk.guard.awaited(PIPE.pipeline_id, 45):
        desk.arm(60)
        assert desk.view.minutes == 60
    assert desk.view.minutes == 60


def test_a_version_that_is_disarmed_late_leaves_the_later_one_under_guard(desk):
    desk.arm(10)
    desk.platform.running = (THEIRS,)
    desk.arm(20, version=THEIRS)
    desk.guard.disarm(PIPE.pipeline_id, OURS)
    assert desk.view.minutes == 20
    assert [one.version for one in GuardRecords(desk.store).all()] == [THEIRS]


def test_disarmed_means_forgotten(desk):
    desk.arm(10)
    desk.guard.disarm(PIPE.pipeline_id, OURS)
    desk.wait(30)
    assert desk.guard.view(PIPE.pipeline_id) is None
    assert desk.platform.calls.count("status") == 1


def hold(place: Desk, found: list[str]) -> None:
    """Use the pipeline as a deploy does."""
    with place.guard.held(PIPE.pipeline_id):
        found.append(place.platform.state)


def ask(place: Desk, found: list[str]) -> None:
    """Use the pipeline as a request does."""

    @asynccontextmanager
    async def opening():
        found.append(place.platform.state)
        yield Session()

    async def go() -> None:
        async with noted(place.use, WHO, PIPE, opening()):
            pass

    asyncio.run(go())


def until_refused(place: Desk) -> threading.Event:
    """Return what is set once somebody has begun to use the pipeline and was made to wait."""
    refused = threading.Event()

    def watched(begin: Callable[..., bool]) -> Callable[..., bool]:
        def begin_and_tell(*call: object, **options: object) -> bool:
            may_go_on = begin(*call, **options)
            if not may_go_on:
                refused.set()
            return may_go_on

        return begin_and_tell

    for name in ("enter", "publish"):
        setattr(place.use, name, watched(getattr(place.use, name)))
    return refused


@pytest.mark.parametrize("use_it", [hold, ask])
@pytest.mark.parametrize("is_elsewhere", [False, True])
def test_what_begins_while_it_is_being_stopped_waits_and_finds_it_stopped(
    desk, use_it, is_elsewhere
):
    begun, may_end, found = threading.Event(), threading.Event(), list[str]()

    def slowly() -> None:
        begun.set()
        may_end.wait(20)

    desk.arm(10)
    place = Desk(desk.store, desk.platform, desk.time) if is_elsewhere else desk
    refused = until_refused(place)
    desk.platform.before_undeploy = slowly
    stopping = threading.Thread(target=desk.wait, args=[11])
    stopping.start()
    assert begun.wait(20)
    using = threading.Thread(target=use_it, args=[place, found])
    using.start()
    assert refused.wait(20)
    for one in (desk, place):
        with pytest.raises(Conflict):
            one.guard.keep(WHO, PIPE)
    assert found == []
    may_end.set()
    for thread in (stopping, using):
        thread.join(20)
    assert found == [PipelineState.NOT_DEPLOYED]


def test_a_stop_that_takes_for_ever_is_not_awaited_for_ever(desk, monkeypatch):
    monkeypatch.setattr(pipeline_use, "LONGEST_STOP_S", 0.0)
    found: list[str] = []
    with desk.use.stopping(PIPE.pipeline_id) as is_free:
        assert is_free
        hold(desk, found)
        ask(desk, found)
    assert found == [PipelineState.RUNNING, PipelineState.RUNNING]
    assert not desk.use.is_in_use(PIPE.pipeline_id)


def test_what_another_dashboard_is_asking_is_not_cut_off(desk):
    desk.arm(10)
    other = Desk(desk.store, desk.platform, desk.time)
    with other.use.in_use(PIPE.pipeline_id):
        for _ in range(30):
            desk.wait(0.5)
            other.guard.tick()  # what goes on for long is told again and again
        assert not desk.stopped
    desk.wait(9)
    assert not desk.stopped
    assert desk.left == pytest.approx(1, abs=0.2)
    desk.wait(1.5)
    assert desk.stopped


def test_what_another_dashboard_is_deploying_is_not_stopped(desk):
    desk.arm(10)
    other = Desk(desk.store, desk.platform, desk.time)
    with other.guard.held(PIPE.pipeline_id):
        for _ in range(24):
            desk.wait(0.5)
            other.guard.tick()
        assert not desk.stopped
    desk.wait(0.5)
    assert desk.stopped


def begin_run(store: Store, _other: Desk) -> bool:
    TableRecords(store).insert(Passport("t1", "c", 3, 4, (), 1, "f", T0, 1.0, "CSV"), [])
    run = replace(RUN, workspace_id=PIPE.workspace_id, pipeline_name=PIPE.name)
    RunRecords(store).insert(run, Claim("another", T0 + timedelta(days=1)))
    return True


def ask_once(_store: Store, other: Desk) -> bool:
    with other.use.in_use(PIPE.pipeline_id):
        return True


@pytest.mark.parametrize("begin", [begin_run, ask_once])
def test_what_begins_elsewhere_in_the_last_moment_prevents_the_stop(
    desk, store, monkeypatch, begin
):
    other, claim_stop = Desk(store, desk.platform, desk.time), GuardRecords.claim_stop
    begun: list[bool] = []

    def at_last(records, guard, **options):
        if not begun:
            begun.append(begin(store, other))
        return claim_stop(records, guard, **options)

    desk.arm(10)
    monkeypatch.setattr(GuardRecords, "claim_stop", at_last)
    desk.wait(12)
    assert begun
    assert not desk.stopped


def test_what_a_dead_dashboard_was_asking_holds_for_a_few_minutes(desk):
    desk.arm(10)
    dead = Desk(desk.store, desk.platform, desk.time)
    desk.wait(9)
    assert dead.use.enter("its request", PIPE.pipeline_id)
    assert dead.use.publish("its request", PIPE.pipeline_id)
    desk.wait(2)
    assert not desk.stopped
    desk.wait(2)
    assert desk.stopped


def test_without_the_database_a_request_is_sent_all_the_same(desk, monkeypatch):
    def fail(*_call, **_options):
        raise DashboardError("The database does not work.")

    for name in ("begin", "end"):
        monkeypatch.setattr(UseRecords, name, fail)
    found: list[str] = []
    hold(desk, found)
    ask(desk, found)
    assert found == [PipelineState.RUNNING, PipelineState.RUNNING]


def test_what_is_being_stopped_cannot_be_set_any_more_and_that_is_said(desk):
    told: list[str] = []

    def switch_off() -> None:
        with pytest.raises(Conflict) as caught:
            desk.guard.set_minutes(WHO, PIPE, None)
        told.append(caught.value.message)

    desk.arm(10)
    desk.platform.before_undeploy = switch_off
    desk.wait(10.5)
    assert desk.stopped
    assert told == ["hf-summarizer is being stopped already."]
    assert [entry[0] for entry in desk.entries()] == [Act.STOPPED_IDLE]


def test_what_is_being_deployed_again_is_not_stopped(desk):
    desk.arm(10)
    with desk.guard.held(PIPE.pipeline_id):
        desk.wait(15)
        assert not desk.stopped
    desk.wait(0.5)
    assert desk.stopped


# A stop that is held up


def claimed_until(desk: Desk) -> object:
    with desk.store.read() as connection:
        return connection.execute(select(GUARDS.c.stopping_until)).scalar_one()


@pytest.mark.parametrize("clock", ["now", "monotonic"])
def test_a_stop_whose_claim_is_almost_over_is_given_back_and_tried_again(desk, clock):
    held_up_s = [29.0, 31.0]

    def hold_up() -> None:
        assert claimed_until(desk) is not None
        late_s = held_up_s.pop() if held_up_s else 0.0
        if clock == "now":
            desk.time.now += timedelta(seconds=late_s)
        else:
            desk.time.monotonic += late_s

    desk.arm(10)
    desk.before_asking = hold_up
    desk.wait(10.2)
    assert (desk.stopped, len(held_up_s), claimed_until(desk)) == (False, 1, None)
    assert (desk.view.problem, desk.entries()) == ("", [])
    if clock == "monotonic":  # the rounds take it for a sleep
        held_up_s.clear()
    desk.wait(6.5)
    assert desk.undeployed == [OURS]
    assert [entry[:2] for entry in desk.entries()] == [(Act.STOPPED_IDLE, ActResult.DONE)]


@pytest.mark.parametrize("is_fresh", [True, False])
def test_what_is_deployed_elsewhere_while_the_stop_waits_for_its_turn_is_left_alone(desk, is_fresh):
    def deploy_elsewhere() -> None:
        made_at = desk.time.now if is_fresh else T0
        ours = PipelineVersion(1, OURS, T0)
        desk.platform.versions = [PipelineVersion(2, THEIRS, made_at), ours]
        desk.platform.running = (THEIRS,)

    desk.arm(10)
    desk.before_asking = deploy_elsewhere
    desk.wait(12)
    assert (desk.stopped, claimed_until(desk)) == (False, None)
    assert (desk.view.problem, desk.entries()) == (FOREIGN, [])


def test_a_platform_that_does_not_answer_before_the_stop_is_asked_again(desk):
    def fail() -> None:
        desk.platform.errors["get_pipeline"] = PlatformUnreachable("It is away.")

    desk.arm(10)
    desk.before_asking = fail
    desk.wait(10.2)
    assert (desk.stopped, claimed_until(desk), desk.entries()) == (False, None, [])
    assert desk.view.problem == f"{FAILED} It is away."
    desk.platform.errors.clear()
    desk.before_asking = lambda: None
    desk.wait(2)
    assert desk.stopped


@pytest.mark.parametrize(("call", "may_stop"), [("drop", True), ("release_stop", False)])
def test_a_database_that_fails_in_a_stop_loses_neither_the_guard_nor_the_entry(
    desk, monkeypatch, call, may_stop
):
    def fail(*_call, **_options):
        raise DashboardError("The database does not work.")

    desk.arm(10)
    with monkeypatch.context() as broken:
        broken.setattr(GuardRecords, call, fail)
        desk.platform.errors = {} if may_stop else {"undeploy": PlatformUnreachable("It is away.")}
        desk.wait(10.5)
    assert desk.stopped
    told = ActResult.DONE if may_stop else ActResult.FAILED
    assert [entry[:2] for entry in desk.entries()] == [(Act.STOPPED_IDLE, told)]
    desk.platform.errors.clear()
    desk.wait(4)
    assert desk.guard.view(PIPE.pipeline_id) is None


# What goes wrong


def test_without_a_sign_in_it_says_that_it_cannot(desk):
    desk.arm(10)
    desk.who = None
    desk.wait(30)
    assert not desk.stopped
    assert (desk.view.problem, desk.view.stops_at) == (NOBODY, None)
    desk.who = WHO
    desk.wait(0.5)
    assert desk.stopped


def test_an_undeploy_that_fails_is_told_and_tried_again_with_growing_pauses(desk):
    desk.arm(10)
    desk.platform.errors["undeploy"] = PlatformUnreachable("It is away.")
    desk.wait(10.2)
    assert desk.view.problem == "It could not be stopped. It is away."
    desk.wait(60)
    assert 5 < desk.platform.calls.count("undeploy") < 12
    assert [entry[:2] for entry in desk.entries()] == [(Act.STOPPED_IDLE, ActResult.FAILED)]
    desk.platform.errors.clear()
    desk.wait(10)
    assert desk.guard.view(PIPE.pipeline_id) is None
    assert desk.entries()[0][:2] == (Act.STOPPED_IDLE, ActResult.DONE)


def test_use_after_a_failed_undeploy_begins_the_count_anew(desk):
    desk.arm(10)
    desk.platform.errors["undeploy"] = PlatformUnreachable("It is away.")
    desk.wait(10.2)
    desk.platform.errors.clear()
    desk.use.used(PIPE.pipeline_id)
    desk.wait(9)
    assert desk.guard.view(PIPE.pipeline_id) is not None
    assert desk.view.problem == ""


def test_whatever_goes_wrong_the_guard_goes_on(desk):
    desk.arm(10)
    desk.platform.errors["status"] = RuntimeError("secret-in-a-text")
    desk.wait(12)
    assert "secret" not in desk.view.problem
    desk.platform.errors.clear()
    desk.wait(10)
    assert desk.stopped


def test_a_database_that_fails_for_a_moment_loses_no_guard(desk, monkeypatch):
    def fail(*_call):
        raise DashboardError("The database does not work.")

    with monkeypatch.context() as patch:
        patch.setattr(GuardRecords, "put", fail)
        desk.arm(10)
        assert desk.view.minutes == 10
    desk.wait(1)
    assert [one.version for one in GuardRecords(desk.store).all()] == [OURS]


def test_without_a_thread_for_a_moment_the_guard_goes_on(desk, monkeypatch):
    def fail(*_call):
        raise RuntimeError("can't start new thread")

    desk.arm(10)
    with monkeypatch.context() as patch:
        patch.setattr(Inline, "submit", fail)
        desk.wait(5)
    desk.wait(6)
    assert desk.stopped


def test_a_pool_that_was_shut_down_is_asked_no_more(desk, monkeypatch):
    asked = []

    def fail(*_call):
        asked.append(1)
        raise RuntimeError("cannot schedule new futures after shutdown")

    desk.arm(10)
    monkeypatch.setattr(Inline, "submit", fail)
    desk.wait(20)
    assert len(asked) <= 2


def test_whatever_goes_wrong_with_what_is_stored_it_is_read_again(desk, monkeypatch):
    def fail(_records):
        raise ValueError("a record that makes no sense")

    desk.arm(10)
    with monkeypatch.context() as patch:
        patch.setattr(GuardRecords, "all", fail)
        desk.wait(2)
    GuardRecords(desk.store).set_minutes(PIPE.pipeline_id, 45, now=desk.time.now)
    desk.wait(1)
    assert desk.view.minutes == 45


# Restarts, sleep, and clocks that are put right


def test_after_a_restart_the_log_is_read_first_and_five_minutes_notice_are_given(desk):
    desk.arm(10)
    desk.wait(1)
    desk.time.go(3600)
    desk.begin()
    asked = desk.platform.calls.count("log")
    desk.guard.tick()
    assert desk.view.stops_at is None  # nothing is known of the time between
    desk.guard.tick()
    assert desk.platform.calls.count("log") == asked + 1
    assert desk.view.is_notice
    assert desk.left == pytest.approx(5)
    desk.wait(4.9)
    assert not desk.stopped
    desk.wait(0.3)
    assert desk.stopped


def test_after_a_restart_what_was_used_meanwhile_is_no_reason_for_a_notice(desk):
    desk.arm(30)
    desk.time.go(3600)
    desk.platform.ask(desk.time.now - 10 * MINUTE)
    desk.begin()
    desk.wait(0.1)
    assert not desk.view.is_notice
    assert desk.left == pytest.approx(20, abs=0.2)


def test_after_a_restart_a_log_that_cannot_be_read_stops_nothing(desk):
    desk.arm(10)
    desk.time.go(3600)
    desk.begin()
    desk.platform.errors["log"] = PlatformUnreachable("It is away.")
    desk.wait(60)
    assert not desk.stopped
    desk.platform.errors.clear()
    desk.wait(10)
    assert desk.view.is_notice


def test_what_was_kept_is_kept_over_a_restart(desk):
    desk.arm(10)
    desk.wait(1)
    desk.guard.keep(WHO, PIPE, minutes=120)
    desk.time.go(3600)
    desk.begin()
    desk.wait(0.1)
    assert desk.left == pytest.approx(69, abs=0.3)


def test_use_is_kept_over_a_restart_also_where_the_log_forgets(desk):
    desk.arm(60)
    desk.wait(30)
    desk.use.used(PIPE.pipeline_id)
    desk.guard.close()
    desk.begin()
    desk.wait(0.1)
    assert desk.left == pytest.approx(60, abs=0.2)


@pytest.mark.parametrize("does_monotonic_sleep", [True, False])
def test_a_computer_that_slept_gives_notice_when_it_wakes(desk, does_monotonic_sleep):
    desk.arm(60)
    desk.wait(10)
    desk.time.now += timedelta(hours=8)
    if not does_monotonic_sleep:
        desk.time.monotonic += 8 * 3600
    desk.guard.tick()
    assert not desk.stopped
    desk.wait(0.1)
    assert desk.view.is_notice
    assert desk.left == pytest.approx(5, abs=0.2)
    desk.wait(5.2)
    assert desk.stopped


def test_a_clock_that_is_put_back_does_not_put_the_stop_off_by_as_much(desk):
    desk.arm(10)
    desk.wait(5)
    desk.use.used(PIPE.pipeline_id)
    desk.time.now -= timedelta(hours=3)
    desk.guard.tick()
    desk.wait(0.1)
    assert desk.left == pytest.approx(10, abs=0.3)
    desk.wait(10.5)
    assert desk.stopped


def test_a_log_that_was_read_before_the_clock_was_put_back_does_not_put_the_stop_off(desk):
    desk.arm(10)
    desk.wait(9.5)  # the log was read
    desk.time.now -= timedelta(hours=3)
    desk.platform.ask(desk.time.now)
    desk.guard.tick()
    desk.wait(0.1)
    assert desk.left == pytest.approx(10, abs=0.3)


def test_a_notice_from_before_the_clock_was_put_back_does_not_put_the_stop_off(desk):
    desk.arm(10)
    desk.wait(9)
    desk.begin()
    desk.wait(0.1)
    assert desk.view.is_notice
    desk.time.now -= timedelta(hours=3)
    desk.guard.tick()
    desk.wait(0.1)
    assert desk.left == pytest.approx(10, abs=0.3)


def test_what_is_chosen_while_the_database_is_read_is_not_taken_back(desk, monkeypatch):
    desk.arm(10)
    read_all = GuardRecords.all

    def choose_meanwhile(records):
        found = read_all(records)
        desk.guard.set_minutes(WHO, PIPE, 120)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(GuardRecords, "all", choose_meanwhile)
        desk.wait(0.6)
    assert desk.view.minutes == 120


def test_what_is_chosen_here_counts_also_where_another_dashboard_has_just_changed_it(desk):
    other = Desk(desk.store, desk.platform, desk.time)
    desk.arm(10)
    other.guard.tick()
    other.guard.set_minutes(WHO, PIPE, None)
    assert desk.view.minutes == 10
    desk.guard.set_minutes(WHO, PIPE, 10)
    desk.wait(1)
    assert desk.view.minutes == 10


def test_on_a_slow_platform_what_is_stored_is_still_read_and_what_is_in_use_renewed(store):
    pool = Waiting()
    desk = Desk(store, Platform(), Time(), pool=pool)
    for number in range(5):
        pipeline = replace(PIPE, pipeline_id=number)
        desk.guard.arm(WHO, pipeline, version=OURS, minutes=60)
    for _ in range(2):
        desk.wait(0.6)
        # One of the pool's threads is left for what is stored.
        assert len(pool.work) == LOOKS_AT_ONCE + 1
        pool.do_all()
    assert desk.platform.calls.count("status") == 2 * LOOKS_AT_ONCE


def test_of_two_dashboards_with_one_database_one_stops_it(desk):
    desk.arm(10)
    other = Desk(desk.store, desk.platform, desk.time)
    desk.platform.before_undeploy = other.guard.tick
    for _ in range(150):
        other.guard.tick()
        desk.wait(0.1)
    assert desk.platform.calls.count("undeploy") == 1
    assert [entry[0] for entry in desk.entries()] == [Act.STOPPED_IDLE]
    assert other.guard.view(PIPE.pipeline_id) is None


def test_of_two_dashboards_each_honours_what_was_kept_at_the_other(desk):
    other = Desk(desk.store, desk.platform, desk.time)
    desk.arm(10)
    desk.wait(1)
    other.guard.tick()
    other.guard.keep(WHO, PIPE, minutes=60)
    desk.wait(30)
    assert not desk.stopped


# A platform that was begun anew gives its numbers again


@pytest.mark.parametrize("change", ["name", "number", "version"])
def test_a_guard_whose_pipeline_is_another_one_by_now_is_dropped_and_says_so(desk, caplog, change):
    platform = desk.platform
    platform.versions = [PipelineVersion(1, THEIRS, T0)]
    desk.arm(10)
    if change == "name":
        platform.errors["get_pipeline"] = NotFound("There is none of that name.")
    elif change == "number":
        platform.pipeline_id = PIPE.pipeline_id + 1
        platform.versions.append(PipelineVersion(0, OURS, T0))
    platform.running = (THEIRS,)
    desk.wait(60)
    assert not desk.stopped
    assert desk.guard.view(PIPE.pipeline_id) is None
    assert GuardRecords(desk.store).all() == ()
    assert "is another one now" in caplog.text
    assert desk.entries() == [(Act.GUARD_CHANGED, ActResult.DONE, SIGNED, PIPE.name, ANOTHER)]


def test_another_pipeline_of_the_same_number_cannot_be_kept_or_set(desk):
    desk.arm(10)
    another = replace(PIPE, name="another")
    with pytest.raises(Conflict):
        desk.guard.keep(WHO, another)
    with pytest.raises(Conflict):
        desk.guard.set_minutes(WHO, another, 5)
    assert desk.view.minutes == 10


# The hook around the gateway's sessions


def test_a_session_holds_its_pipeline_and_each_request_is_a_use(desk):
    class Asking:
        async def infer(self, _rows, **_options):
            seen.append(desk.use.is_in_use(PIPE.pipeline_id))
            raise PlatformUnreachable("It is away.")

    @asynccontextmanager
    async def opening():
        yield Asking()

    async def ask() -> None:
        async with noted(desk.use, WHO, PIPE, opening()) as session:
            before = desk.use.last(PIPE.pipeline_id)
            with pytest.raises(PlatformUnreachable):
                await session.infer([], timeout_s=1)
            seen.append(before)

    seen: list[object] = []
    asyncio.run(ask())
    assert seen == [True, None]
    assert desk.use.last(PIPE.pipeline_id) == LastUse(T0, WHO.user_id, WHO.email)
    assert not desk.use.is_in_use(PIPE.pipeline_id)


def test_a_session_that_could_not_be_opened_is_no_use(desk):
    @asynccontextmanager
    async def opening():
        raise InferenceFailed("It is not deployed.")
        yield

    async def ask() -> None:
        async with noted(desk.use, WHO, PIPE, opening()):
            pass

    with pytest.raises(InferenceFailed):
        asyncio.run(ask())
    assert desk.use.last(PIPE.pipeline_id) is None
    assert not desk.use.is_in_use(PIPE.pipeline_id)
