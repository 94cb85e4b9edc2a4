"""What can be looked at while a fetch is under way, and that nothing of it stays."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dashboard.connectors.outbound import AllowList, Limits, Outbound
from dashboard.domain.connection import Connection
from dashboard.errors import FetchFailed
from dashboard.masking import Secret
from dashboard.services.fetching import Fetching, FetchView
from dashboard.services.jobs import Outcome
from tests.support.source import HeldSource, held_source
from tests.support.waiting import wait_until
from tests.unit.services.run_stubs import (
    MEMBER,
    STRANGER,
    WHEN,
    WORKSPACE,
    Rig,
    StubPlatform,
    open_rig,
)

LINES = b"".join(
    json.dumps({"id": number, "inputs": f"planted {number}"}).encode() + b"\n"
    for number in range(100)
)
#: The second half of the file is no JSON any more.
BROKEN = LINES + b"x" * len(LINES)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = open_rig(tmp_path / "data", StubPlatform())
    yield rig
    rig.close()


class Started:
    """A fetch on a thread of its own."""

    def __init__(self, rig: Rig, source: HeldSource) -> None:
        connection = Connection("c1", "press", "HTTP", WHEN)
        gateway: Any = SimpleNamespace(  # the two methods a fetch uses, not the whole contract
            list_connections=lambda _who, **_room: [connection],
            read_details=lambda _who, _name: (connection, Secret({"url": source.link})),
        )
        silent: Any = SimpleNamespace(note_use=lambda *_, **__: None, note=lambda *_, **__: None)
        self.fetching = Fetching(
            lambda: gateway,
            rig.tables,
            lambda: Outbound(allow=AllowList.parse(["127.0.0.1"]), limits=Limits(total_s=30)),
            checks=silent,
            activity=silent,
        )
        self.outcome: Outcome | None = None
        self.failure: FetchFailed | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.outcome = self.fetching.fetch(
                MEMBER, connection_id="c1", workspace=WORKSPACE, watch_id="w"
            )
        except FetchFailed as failure:
            self.failure = failure

    def view(self) -> FetchView | None:
        return self.fetching.view(MEMBER, "w")

    def await_rows(self) -> FetchView:
        found: list[FetchView] = []

        def has_rows() -> bool:
            view = self.view()
            if view is not None and view.first_rows is not None and view.received_bytes:
                found.append(view)
            return bool(found)

        wait_until(has_rows, within_s=10, what="the first rows are there")
        return found[0]

    def end(self) -> None:
        self._thread.join(10)
        assert not self._thread.is_alive()


@pytest.fixture
def caught(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    return caplog


def test_the_first_rows_are_there_while_the_source_still_sends(rig, caught):
    with held_source(LINES) as source:
        started = Started(rig, source)
        view = started.await_rows()
        assert view.source == "press"
        assert view.received_bytes < len(LINES)
        assert view.first_rows is not None
        assert view.first_rows.names == ("inputs", "id")
        assert view.first_rows.rows == tuple((f"planted {n}", n) for n in range(20))
        assert "planted" not in repr(view)
        source.let_go.set()
        started.end()
    assert started.outcome is not None
    assert rig.tables.passport(MEMBER, started.outcome.result).rows == 100
    assert started.view() is None
    assert "planted" not in caught.text


def test_nobody_else_sees_the_first_rows(rig):
    with held_source(LINES) as source:
        started = Started(rig, source)
        started.await_rows()
        assert started.fetching.view(STRANGER, "w") is None
        source.let_go.set()
        started.end()


def test_from_a_cancel_on_there_are_no_first_rows_and_no_table(rig):
    with held_source(LINES) as source:
        started = Started(rig, source)
        started.await_rows()
        started.fetching.cancel(MEMBER, "w")
        view = started.view()
        assert view is None or (view.is_cancelled and view.first_rows is None)
        started.end()
    assert started.view() is None
    assert started.outcome is not None
    assert not started.outcome.result
    assert list((rig.folder / "tables").iterdir()) == []


def test_a_fetch_that_fails_leaves_no_first_rows(rig, caught):
    with held_source(BROKEN) as source:
        started = Started(rig, source)
        started.await_rows()
        source.let_go.set()
        started.end()
    assert started.failure is not None
    assert "line 101" in started.failure.message
    assert started.view() is None
    assert list((rig.folder / "tables").iterdir()) == []
    assert "planted" not in caught.text
