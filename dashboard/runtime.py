"""What lives longer than a browser tab: the sandbox, the platform's clients, jobs, watchers, runs.

One module-level object, started and stopped by the ASGI lifespan. It is no Streamlit cache: those
do not exist before the first page and die when somebody clears them.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from dashboard import strings
from dashboard.connectors import registry
from dashboard.connectors.outbound import AllowList, Limits, Outbound
from dashboard.domain.identity import Identity
from dashboard.domain.pipeline import Pipeline, PipelineState
from dashboard.domain.story import StoryFacts
from dashboard.domain.workspace import Workspace
from dashboard.errors import AccessDenied, AuthenticationFailed, DashboardError, PlatformUnreachable
from dashboard.gateway.base import Account, PlatformGateway
from dashboard.gateway.wallaroo_sdk import WallarooGateway, warm_up
from dashboard.sandbox_process import SandboxProcess, SandboxState
from dashboard.services.activity import ActivityLog
from dashboard.services.catalog import Catalog
from dashboard.services.checks import Checks
from dashboard.services.clock import Clock
from dashboard.services.connection_tests import ConnectionTests
from dashboard.services.connections import Connections
from dashboard.services.deploy_log import DeployLog
from dashboard.services.deployments import Deployments
from dashboard.services.failures import Steady, unexpected
from dashboard.services.fetching import Fetching
from dashboard.services.guard_look import GuardLook
from dashboard.services.guard_rounds import LOOKS_AT_ONCE
from dashboard.services.guard_state import Pace
from dashboard.services.idle_guard import IdleGuard
from dashboard.services.jobs import Jobs, Outcome
from dashboard.services.leaving import Left, leaving
from dashboard.services.models import Models
from dashboard.services.pipeline_use import PipelineUse, noted
from dashboard.services.portable import Portable
from dashboard.services.preflight import preflight_of
from dashboard.services.reads import Reads
from dashboard.services.replacing import Replacing
from dashboard.services.run_actions import RunActions
from dashboard.services.run_export import RunExport
from dashboard.services.run_history import RunHistory
from dashboard.services.runs import RunService, RunSettings
from dashboard.services.tables import TableStore
from dashboard.services.try_one import TryOne
from dashboard.services.undeploying import Undeploying
from dashboard.services.watch import DeploymentWatch
from dashboard.services.workspaces import Workspaces
from dashboard.settings import Settings
from dashboard.store.database import Store, default_url, open_store, open_vault
from dashboard.store.guard_records import GuardRecords
from dashboard.store.marks import Marks
from dashboard.store.use_records import UseRecords

#: Importing the SDK takes seconds of the interpreter. With the usual 5 ms between switches of
#: threads, a first page that is served meanwhile comes 2 s later; with this, 0.2 s.
_SHORT_SWITCH_S = 0.0003
_TICK_S = 0.25
_SWEEP_S = 3600.0
_READY_WAIT_S = 30.0
_RETRY_SIGN_IN_S = 3.0
_LONGEST_SIGN_IN_PAUSE_S = 600.0
_CALL_TIMEOUT_S = 20.0
_WORKERS = 8
_LOG = logging.getLogger(__name__)
LOCAL_KEY = "local"
_FACTS_MARK = "home_facts"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the dashboard works.

    Parameters
    ----------
    is_sandbox
        Whether it is the embedded sandbox rather than an instance.
    url
        Address of the instance or the sandbox; empty while the sandbox starts for the first time.
    down_since
        When it stopped answering, UTC; None while it answers or starts.
    wait_ms
        The wait per inference that the sandbox was set to add, to rehearse a slow model.
    """

    is_sandbox: bool
    url: str
    down_since: datetime | None
    wait_ms: float

    @property
    def can_start(self) -> bool:
        """Whether it is a server of ours that is down and can be started again."""
        return self.is_sandbox and self.down_since is not None


class Runtime:
    """Builds the services and owns everything that must be stopped."""

    def __init__(self, settings: Settings, *, later_imports: Sequence[str] = ()) -> None:
        self.settings = settings
        self._later_imports = later_imports
        self._stopping = threading.Event()
        self._signed_in = threading.Event()
        self._try_again = threading.Event()
        self._boot_error: DashboardError | None = None
        self._identity = Identity(key=LOCAL_KEY, user_id="", email="")
        self._sandbox = _sandbox_of(settings, on_change=self._sandbox_changed)
        self._reading = ThreadPoolExecutor(_WORKERS, thread_name_prefix="read")
        self._acting = ThreadPoolExecutor(_WORKERS, thread_name_prefix="act")
        # Of its own: a stop must not wait behind what people ask for.
        self._guarding = ThreadPoolExecutor(LOOKS_AT_ONCE + 1, thread_name_prefix="guard")
        self._clock = Clock()
        self._store = _open_store(settings)
        self._use = PipelineUse(
            self._clock.now, UseRecords(self._store, owner=secrets.token_hex(16))
        )
        self._gateway = WallarooGateway(
            base_url=settings.url,
            describe=registry.describe,
            call_timeout_s=_CALL_TIMEOUT_S,
            around_inference=partial(noted, self._use),
        )
        self.reads = Reads(self._reading, on_unexpected=unexpected)
        self.jobs = Jobs(self._acting, on_unexpected=unexpected)
        self.catalog = Catalog(self.gateway)
        self.marks = Marks(settings.platform_dir / "marks.json")
        self.activity = ActivityLog(self._store, self.reads, rooms_of=self._rooms_of)
        self._deploys = DeployLog(self._store, self.reads)
        self.watch = DeploymentWatch(
            self._reading,
            lambda who, pipeline: self.gateway().status(who, pipeline),
            on_unexpected=unexpected,
            on_status=self._deploys.seen,
        )
        self.guard = self._idle_guard()
        self.checks = Checks(self._store, self.reads)
        self.tests = ConnectionTests(
            self.gateway,
            pool=self._acting,
            outbound=self._outbound,
            checks=self.checks,
            activity=self.activity,
            on_unexpected=unexpected,
        )
        self.connections = Connections(
            self.gateway,
            self.reads,
            self.marks,
            tests=self.tests,
            checks=self.checks,
            activity=self.activity,
        )
        self.replacing = Replacing(
            self.gateway,
            store=self._store,
            reads=self.reads,
            tests=self.tests,
            checks=self.checks,
            activity=self.activity,
        )
        self.portable = Portable(self.gateway, self.connections, self.activity)
        self.workspaces = Workspaces(self.gateway, self.reads, self.activity)
        self.deployments = Deployments(
            self.gateway,
            self.reads,
            self.watch,
            deploys=self._deploys,
            activity=self.activity,
            guard=self.guard,
        )
        self.models = Models(self.gateway, self.reads, send=self.deployments.upload_model)
        self.undeploying = Undeploying(
            self.gateway,
            undeploy=lambda who, one: self.deployments.undeploy(
                who, one.pipeline, only=one.version
            ),
        )
        self.tables = TableStore(self._store, may_see=self._may_see)
        self.runs = RunService(
            self._store,
            self.tables,
            gateway=self.gateway,
            identity_of=lambda _run: self._identity if self.is_ready() else None,
            settings=RunSettings(
                in_flight=settings.in_flight,
                batch_rows=settings.batch_rows,
                row_timeout_s=settings.infer_timeout_s,
            ),
        )
        self.history = RunHistory(
            self.gateway,
            store=self._store,
            runs=self.runs,
            tables=self.tables,
            reads=self.reads,
            keep_days=settings.keep_days,
        )
        self.run_actions = RunActions(self.gateway, self.runs, self.reads, self.tables)
        self.exports = RunExport(
            self.gateway,
            self.runs,
            self.tables,
            notes_of=lambda who, run_id: self.history.notes(who, run_id).load(),
            timeout_s=settings.infer_timeout_s,
        )
        self.try_one = TryOne(self.gateway, timeout_s=settings.infer_timeout_s)
        self.fetching = Fetching(
            self.gateway,
            self.tables,
            self._outbound,
            checks=self.checks,
            activity=self.activity,
        )
        self.preflight = preflight_of(
            self.gateway,
            store=self._store,
            tests=self.tests,
            checks=self.checks,
            activity=self.activity,
            watch=self.watch,
            outbound=self._outbound,
            timeout_s=settings.infer_timeout_s,
        )

    # -- life

    def start(self) -> None:
        """Start in the background: the first page does not wait for any of it."""
        threading.Thread(target=self._boot, name="boot", daemon=True).start()
        threading.Thread(target=self._tick, name="tick", daemon=True).start()

    def leaving(self) -> tuple[str, ...]:
        """Say what would be left running by a stop now, as far as is known; asks nobody."""
        watched = {guard.pipeline_id: guard for guard in self.guard.watched()}
        left = {
            number: Left(guard.pipeline_name, guard.workspace_name, self.guard.view(number))
            for number, guard in watched.items()
        }
        states = dict(self.watch.states(self._identity))
        for pipeline in self.reads.get(self.catalog.pipelines(self._identity)).value or ():
            state = states.get(pipeline.pipeline_id)
            if state is PipelineState.NOT_DEPLOYED:
                left.pop(pipeline.pipeline_id, None)
            elif state is not None and pipeline.pipeline_id not in left:
                left[pipeline.pipeline_id] = Left(pipeline.name, pipeline.workspace_name, None)
        return leaving(list(left.values()), is_sandbox=self._sandbox is not None)

    def stop(self) -> None:
        """Stop everything; what runs is paused and goes on at the next start."""
        for sentence in self.leaving():
            _LOG.info("%s", sentence)
        self._stopping.set()
        self._try_again.set()
        self._reading.shutdown(wait=False, cancel_futures=True)
        self._acting.shutdown(wait=False, cancel_futures=True)
        self._guarding.shutdown(wait=False, cancel_futures=True)
        self.guard.close()
        self.try_one.close()
        self.preflight.close()
        self.portable.close()
        self.exports.close()
        self.runs.close(timeout_s=2.0)
        if self._sandbox is not None:
            self._sandbox.stop()
        self._gateway.close()
        self._store.close()

    # -- the platform

    def gateway(self) -> PlatformGateway:
        """Return the platform, signed in; waits for the start that is under way.

        Raises
        ------
        ConnectionFailed
            If it could not be reached or refused the sign-in. Another attempt has begun then.
        """
        deadline = time.monotonic() + _READY_WAIT_S
        while not self._signed_in.wait(0.1):
            if self._stopping.is_set():
                raise PlatformUnreachable("The dashboard is stopping.")
            error = self._boot_error
            if error is not None:
                raise error
            if time.monotonic() > deadline:
                raise PlatformUnreachable(
                    "The platform has not answered yet.", hint="Try again in a moment."
                )
        self._await_sandbox(deadline)
        return self._gateway

    def identity(self) -> Identity:
        """Whoever uses this dashboard: one local person, or the service account."""
        return self._identity

    def is_ready(self) -> bool:
        """Whether the platform answers and the sign-in worked."""
        alive = self._sandbox is None or self._sandbox.is_alive()
        return self._signed_in.is_set() and alive

    def place(self) -> Place:
        """Where the dashboard works, and whether it answers."""
        if self._sandbox is None:
            return Place(is_sandbox=False, url=self.settings.url, down_since=None, wait_ms=0.0)
        return Place(
            is_sandbox=True,
            url=self._sandbox.url,
            down_since=self._sandbox.down_since,
            wait_ms=self.settings.sandbox_wait_ms,
        )

    def down_error(self) -> DashboardError | None:
        """Say why the sandbox does not answer; None while it does, starts, or on an instance."""
        down_since = self.place().down_since
        return _not_answering(down_since) if down_since is not None else None

    def try_again(self) -> None:
        """Ask the platform again at once, because a person wants to."""
        self._boot_error = None
        self._try_again.set()
        self.reads.invalidate(self._identity.key)

    def start_sandbox_again(self) -> None:
        """Start a sandbox that went down, because a person asked to."""
        sandbox = self._sandbox
        if sandbox is None:
            return

        def start() -> Outcome:
            sandbox.start_again()
            self.reads.invalidate(self._identity.key)
            return Outcome("The sandbox is running again.")

        self.jobs.submit(self._identity, start, doing="Starting the sandbox", once="start_sandbox")

    # -- what the home page remembers

    def remembered_facts(self) -> dict[str, Any]:
        """Return what the last visit knew of the visitor's way, for the first paint."""
        try:
            facts = json.loads(self.marks.get(_FACTS_MARK) or "{}")
            return asdict(StoryFacts(**facts))
        except (TypeError, ValueError):
            return asdict(StoryFacts())

    def remember_facts(self, facts: StoryFacts) -> None:
        """Keep what is known of the visitor's way, for the next first paint."""
        # Nothing runs after a restart until the platform says so.
        self.marks.put(_FACTS_MARK, json.dumps(asdict(replace(facts, running=""))))

    # -- inner

    def _await_sandbox(self, deadline: float) -> None:
        """Wait while it starts or is being restarted; raise when it is down."""
        sandbox = self._sandbox
        while sandbox is not None and not sandbox.is_alive():
            if sandbox.state is SandboxState.DOWN or time.monotonic() > deadline:
                raise _not_answering(sandbox.down_since)
            if self._stopping.wait(0.05):
                raise PlatformUnreachable("The dashboard is stopping.")

    def _boot(self) -> None:
        pause_s = _RETRY_SIGN_IN_S
        while not self._stopping.is_set():
            try:
                account = self._account()
                with _giving_way():
                    warm_up()
                self._identity = self._gateway.sign_in(LOCAL_KEY, account)
            except AuthenticationFailed as exc:
                # Asking on and on with a refused password locks the account at many platforms.
                self._boot_error = exc
                self._try_again.wait(pause_s)
                self._try_again.clear()
                pause_s = min(pause_s * 2, _LONGEST_SIGN_IN_PAUSE_S)
            except DashboardError as exc:
                self._boot_error = exc
                self._stopping.wait(_RETRY_SIGN_IN_S)
            except Exception as exc:  # noqa: BLE001 - the page must be told, whatever it was
                self._boot_error = unexpected(exc)
                self._stopping.wait(_RETRY_SIGN_IN_S)
            else:
                self._boot_error = None
                self._signed_in.set()
                self.reads.invalidate(LOCAL_KEY)
                # Nobody should wait for the longest list: of ten thousand it takes seconds.
                self.reads.get(self.catalog.connections(self._identity))
                self.runs.resume_all()
                self.tables.sweep()
                self._warm_up()
                return

    def _warm_up(self) -> None:
        """Import what the pages need later, so that no click waits for it."""
        for name in self._later_imports:
            if not self._stopping.is_set():
                with _giving_way():
                    importlib.import_module(name)
        _LOG.info("the pages are warm")

    def _account(self) -> Account:
        if self._sandbox is None:
            assert self.settings.password is not None  # noqa: S101 - checked by the settings
            return Account(self.settings.url, self.settings.username, self.settings.password)
        self._sandbox.start()
        self._gateway.rebase(self._sandbox.url)
        return self._sandbox.account()

    def _sandbox_changed(self) -> None:
        sandbox = self._sandbox
        if sandbox is not None and sandbox.is_alive():
            self._gateway.rebase(sandbox.url)
            # Whatever was known may have moved on with a restart.
            self.reads.invalidate(LOCAL_KEY)

    def _tick(self) -> None:
        sweep_at = time.monotonic()
        # One that fails must not end the others, nor fill the log.
        watch, guard = Steady(self.watch.tick), Steady(self.guard.tick)
        while not self._stopping.wait(_TICK_S):
            if self._signed_in.is_set():
                watch()
            # Also where nobody could sign in: then it says so.
            if self._signed_in.is_set() or self._boot_error is not None:
                guard()
            if time.monotonic() >= sweep_at:
                sweep_at = time.monotonic() + _SWEEP_S
                with contextlib.suppress(RuntimeError):  # the pool was shut down meanwhile
                    self._acting.submit(self._sweep)

    def _idle_guard(self) -> IdleGuard:
        records = GuardRecords(self._store)
        pace = Pace()
        look = GuardLook(
            self.gateway,
            identity=lambda: self._identity if self._signed_in.is_set() else None,
            undeploy=self._stop_idle,
            records=records,
            use=self._use,
            activity=self.activity,
            on_unexpected=unexpected,
            clock=self._clock,
            pace=pace,
        )
        return IdleGuard(
            look,
            records=records,
            use=self._use,
            pool=self._guarding,
            activity=self.activity,
            clock=self._clock,
            pace=pace,
        )

    def _stop_idle(
        self, who: Identity, pipeline: Pipeline, *, version: str, may_send: Callable[[], bool]
    ) -> None:
        self.deployments.undeploy_unused(who, pipeline, version=version, may_send=may_send)

    def _sweep(self) -> None:
        """Delete what is older than it is to be kept, whether the platform answers or not."""
        try:
            gone = self.history.sweep()
        except Exception as exc:  # noqa: BLE001 - the next one tries again
            _LOG.warning("old runs were not deleted: %s", type(exc).__name__)
        else:
            if gone:
                _LOG.info("deleted %d runs that were older than they are to be kept", gone)

    def _may_see(self, who: Identity, workspace_id: int) -> bool:
        known = self.reads.get(self.catalog.workspaces(who))
        if isinstance(known.error, AccessDenied | AuthenticationFailed):
            raise known.error
        rooms = known.value
        if rooms is None:
            # Asked here, not awaited from the pool: this may itself be one of the pool's threads.
            rooms = self.gateway().list_workspaces(who)
        return any(room.workspace_id == workspace_id for room in rooms)

    def _rooms_of(self, who: Identity) -> tuple[Workspace, ...]:
        """Return the workspaces a person is in; while nobody answers, those that were known."""
        try:
            return self.gateway().list_workspaces(who)
        except PlatformUnreachable:
            known = self.reads.get(self.catalog.workspaces(who)).value
            if known is None:
                raise
            return known

    def _outbound(self) -> Outbound:
        # The sandbox serves sample tables; its own address is the one exception on loopback.
        own = [self._sandbox.url] if self._sandbox is not None and self._sandbox.url else []
        return Outbound(
            allow=AllowList.parse([*own, *self.settings.allowed_hosts]),
            limits=Limits(
                total_s=self.settings.fetch_timeout_s,
                most_bytes=int(self.settings.fetch_max_mb * 1_000_000),
            ),
            spool_dir=self.settings.platform_dir,
        )


def _open_store(settings: Settings) -> Store:
    folder = settings.platform_dir
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    url = settings.database_url.reveal() if settings.database_url else default_url(folder)
    key = settings.key.reveal() if settings.key else ""
    vault = open_vault(url, data_dir=folder, key_text=key)
    return open_store(url, data_dir=folder, vault=vault)


def _sandbox_of(settings: Settings, *, on_change: Callable[[], None]) -> SandboxProcess | None:
    if not settings.uses_sandbox:
        return None
    return SandboxProcess(
        settings.sandbox_dir,
        seed=settings.sandbox_seed,
        wait_ms=settings.sandbox_wait_ms,
        startup_s=settings.sandbox_startup_s,
        key=settings.key,
        on_change=on_change,
    )


def _not_answering(since: datetime | None) -> PlatformUnreachable:
    when = f" at {since.astimezone():%H:%M:%S}" if since is not None else ""
    return PlatformUnreachable(
        f"The local server behind this dashboard stopped{when}. {strings.SAFE_ON_DISK}",
        title="The sandbox is not answering",
    )


@contextlib.contextmanager
def _giving_way() -> Iterator[None]:
    """Let other threads in often while something heavy runs in this one."""
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(_SHORT_SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(usual_s)


_runtime: Runtime | None = None


def start(settings: Settings, *, later_imports: Sequence[str] = ()) -> Runtime:
    """Build and start the runtime; there is one per process.

    Parameters
    ----------
    later_imports
        Modules of the pages to import once the platform is there: the first click on a page
        should not have to.
    """
    global _runtime  # noqa: PLW0603 - the one object of the process, see the module's docstring
    _runtime = Runtime(settings, later_imports=later_imports)
    _runtime.start()
    return _runtime


def stop() -> None:
    """Stop the runtime, if one was started."""
    global _runtime  # noqa: PLW0603 - as above
    if _runtime is not None:
        _runtime.stop()
        _runtime = None


def is_started() -> bool:
    """Whether a launcher has started the runtime."""
    return _runtime is not None


def current() -> Runtime:
    """Return the runtime."""
    if _runtime is None:
        raise RuntimeError("the runtime is not started")
    return _runtime
