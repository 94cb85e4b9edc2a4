"""The whole app in this process, over a sandbox of its own whose state and failures tests order."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from secrets import token_hex
from typing import Any

import httpx
import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import runtime, session
from dashboard.domain.identity import Identity
from dashboard.domain.run import RunState
from dashboard.masking import Secret
from dashboard.runtime import LOCAL_KEY, Runtime
from dashboard.services.story import CREATED_MARK, TIMING_MARK
from dashboard.settings import PROJECT_ROOT, Settings
from dashboard.store.run_records import RunRecords
from tests.app import stories
from tests.support import sandbox as sandboxes
from tests.support.sandbox import RunningSandbox
from tests.support.waiting import wait_until

_APP = PROJECT_ROOT / "dashboard" / "app.py"
_SETTLE_S = 15.0


@dataclass
class Platform:
    """A sandbox behind the running dashboard: what it holds and how it fails is up to the test."""

    sandbox: RunningSandbox
    current: Runtime
    http: httpx.Client
    runs_kept: int = 0

    @property
    def who(self) -> Identity:
        """Whoever the pages are drawn for."""
        return self.current.identity()

    def post(self, path: str, body: object) -> Any:
        """POST to the sandbox and return its answer."""
        answer = self._request("POST", path, json=body)
        return answer.json()

    def begin(self, seed: str) -> None:
        """Begin anew with a seed; the dashboard has read nothing of it and remembers nothing."""
        self._request("DELETE", "/_sandbox/faults")
        self.post("/_sandbox/reset", {"seed": seed})
        self.forget()

    def forget(self) -> None:
        """Drop what the dashboard has read and remembers, and what it was about to tell."""
        wait_until(lambda: not self._is_at_work(), within_s=_SETTLE_S, what="the work is done")
        self.current.reads.forget(LOCAL_KEY)
        self.current.jobs.take_news(self.who)
        # A platform does not begin anew, so there is no call for this either.
        self.current.watch._entries.clear()
        for mark in (CREATED_MARK, TIMING_MARK, "home_facts"):
            self.current.marks.put(mark, "")

    def connect(
        self, name: str, *, kind: str = "HTTP", url: str = "https://h.example/a.csv"
    ) -> str:
        """Make a connection on the platform and return its id."""
        body = {"name": name, "type": kind, "details": {"url": url}}
        made = self.post("/v1/api/connections/create", body)
        return str(made["id"])

    def link(self, name: str, room_name: str) -> None:
        """Link a connection to a workspace, past the pages."""
        gateway = self.current.gateway()
        rooms = gateway.list_workspaces(self.who)
        room = next(one for one in rooms if one.name == room_name)
        gateway.link_connection(self.who, name=name, workspace_id=room.workspace_id)

    def delay(self, delay_s: float) -> None:
        """Answer every platform route that much later."""
        self.post("/_sandbox/faults", {"route": "*", "delay_s": delay_s})

    def keep_run(self, texts: Sequence[str], *, failed: int = 0) -> str:
        """Keep a finished run over `texts`, the last `failed` of them failed; return its id.

        Its workspace is one that no seed holds, so that nobody sees it after a reset; in the tests
        that make that workspace too, it is the newest of the runs there.
        """
        room = self._reading_room()
        self.current.reads.forget(LOCAL_KEY)
        self.runs_kept += 1
        draft = replace(stories.passport(), workspace_id=room)
        table = self.current.tables.save(self.who, draft, pa.table({"inputs": list(texts)}))
        run = replace(
            stories.run(),
            run_id=token_hex(16),
            table_id=table.table_id,
            workspace_id=room,
            created_at=stories.NOW + timedelta(seconds=self.runs_kept),
            started_at=None,
            finished_at=None,
            rows_total=len(texts),
            rows_done=0,
        )
        start, end = stories.NOW, stories.NOW + timedelta(seconds=11)
        records = RunRecords(self.current._store)
        records.insert(run, stories.CLAIM)
        assert records.running(run.run_id, "test", at=start)
        assert not records.journal(
            {run.run_id: stories.results(texts, failed=failed)}, stories.CLAIM
        )
        assert records.finished(run.run_id, "test", state=RunState.DONE, message="", at=end)
        return run.run_id

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Let no request be answered within the block; all of them are, behind it."""
        os.kill(self.sandbox.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.sandbox.process.pid, signal.SIGCONT)

    @contextlib.contextmanager
    def down(self) -> Iterator[None]:
        """Have nothing at the address within the block; it is back there, behind it."""
        self.sandbox.process.kill()
        self.sandbox.process.wait()
        try:
            yield
        finally:
            sandboxes.stop(self.sandbox.process)
            process = sandboxes.start(self.sandbox.data_dir)
            self.sandbox = RunningSandbox(
                sandboxes.wait_until_ready(process),
                self.sandbox.username,
                self.sandbox.password,
                self.sandbox.data_dir,
                process,
            )
            assert self.sandbox.url == self.current.settings.url

    def _reading_room(self) -> int:
        rooms = self.current.gateway().list_workspaces(self.who)
        known = [room.workspace_id for room in rooms if room.name == "reading-room"]
        if known:
            return known[0]
        made = self.post("/v1/api/workspaces/create", {"workspace_name": "reading-room"})
        return int(made["workspace_id"])

    def _is_at_work(self) -> bool:
        # Nothing of the product has to know this, so there is no call for it.
        entries = self.current.reads._entries.values()
        return any(entry.started_at is not None for entry in list(entries)) or bool(
            self.current.jobs.running(self.who)
        )

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        answer = self.http.request(method, path, **options)
        answer.raise_for_status()
        return answer


@pytest.fixture(autouse=True)
def _as_many_connection_tests_as_tests_need(monkeypatch):
    """All page tests are one person, who may make thirty tests a minute over all windows."""
    monkeypatch.setattr("dashboard.services.connection_tests.MOST_A_MINUTE_EACH", 100_000)


@pytest.fixture(autouse=True, scope="session")
def _no_search_for_components():
    """Spare each AppTest the search of every installed package for components: there are none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streamlit.components.v2.manifest_scanner.scan_component_manifests", list)
        yield


@pytest.fixture(scope="session")
def _platform(tmp_path_factory) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("app")
    with (
        sandboxes.running_sandbox(folder / "sandbox") as sandbox,
        sandboxes.lasting_client(sandbox) as http,
    ):
        current = runtime.start(
            Settings(
                url=sandbox.url,
                username=sandbox.username,
                password=Secret(sandbox.password),
                data_dir=folder / "data",
                # The samples are on the sandbox's own address, which is no public one.
                allowed_hosts=("127.0.0.1",),
            )
        )
        platform = Platform(sandbox, current, http)
        try:
            wait_until(current.is_ready, within_s=30, what="the dashboard has signed in")
            yield platform
        finally:
            runtime.stop()
            sandboxes.stop(platform.sandbox.process)


@pytest.fixture
def demo(_platform: Platform) -> Platform:
    """A platform in the workshop's state, of which nothing has been read yet."""
    _platform.begin("demo")
    return _platform


@pytest.fixture
def empty(_platform: Platform) -> Platform:
    """A platform with one person and nothing else."""
    _platform.begin("empty")
    return _platform


@pytest.fixture
def open_page() -> Callable[..., AppTest]:
    """Give a function that opens a page as a browser does, in a session of its own."""

    def opened(name: str, **query: str) -> AppTest:
        at = AppTest.from_file(_APP, default_timeout=20).run()
        if name != "home":
            at.switch_page(f"../pages/{name}.py")
        at.query_params.update(query)
        at.run()
        # Once there, the page's own ways lead on; AppTest would come back here with every run.
        at._page_hash = ""
        return at

    return opened


def settle(at: AppTest) -> AppTest:
    """Run as the browser's poll does until nothing is on its way any more."""
    current = runtime.current()
    who = current.identity()

    def is_known() -> bool:
        return all(state is not None for _, state in current.watch.states(who))

    def has_ended() -> bool:
        jobs = current.jobs.running(who)
        return not jobs and is_known() and all(map(current.reads.is_settled, _followed(at)))

    for _ in range(20):
        awaited = _followed(at) or at.session_state.get(session._FOLLOWED_JOBS)
        mine = frozenset(at.session_state.get(session._STARTED, ()))
        # Lists may have gone old, and jobs of this session ended, while the run was drawing.
        old = current.reads.generation != at.session_state.get(session._GENERATION)
        if not (awaited or old) and has_ended() and not current.jobs.has_news(who, mine):
            _check(at)
            return at
        wait_until(has_ended, within_s=_SETTLE_S, what="what the page awaits has ended")
        at.run()
    raise AssertionError(f"the page does not come to rest: {_followed(at)}")


def words(at: AppTest) -> str:
    """Return all Markdown of the page, dialogs and rail included."""
    return "\n".join(one.value for one in at.markdown)


def shown(markdown: str) -> str:
    """Return what a reader sees of escaped Markdown."""
    return "".join(
        letter
        for before, letter in zip(" " + markdown, markdown, strict=False)
        if letter != "\u2060" and (letter != "\\" or before == "\\")
    )


def _followed(at: AppTest) -> list[tuple[Any, ...]]:
    return list(at.session_state.get(session._FOLLOWED, []))


def _check(at: AppTest) -> None:
    """A page at rest has raised nothing and keeps nothing that could not be stored."""
    assert not at.exception, at.exception
    pickle.dumps(at.session_state.to_dict())
