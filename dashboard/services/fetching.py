"""Fetching the input table through a connection, on the server, with its stored details."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dashboard.connectors import registry
from dashboard.connectors.base import STAGE_WORDS, FetchedTable
from dashboard.connectors.causes import FetchCause
from dashboard.connectors.formats.pieces import TableSink
from dashboard.connectors.outbound import Outbound, Progress, Stage
from dashboard.domain.activity import Act, ActResult
from dashboard.domain.connection import Connection
from dashboard.domain.identity import Identity
from dashboard.domain.table import FirstRows, Passport
from dashboard.domain.workspace import Workspace
from dashboard.errors import FetchFailed, NotFound
from dashboard.masking import SecretDetails
from dashboard.services.activity import ActivityLog
from dashboard.services.catalog import GatewayOf
from dashboard.services.checks import Checks
from dashboard.services.jobs import Outcome
from dashboard.services.tables import TableStore


@dataclass(frozen=True, slots=True)
class FetchView:
    """Where a fetch stands now.

    Parameters
    ----------
    stage
        What it is doing, in words.
    running_s
        How long it has been running.
    received_bytes, expected_bytes
        How much of the file is in, and how much the source has announced, if it has.
    rows
        Rows that are read and stored.
    source
        Name of the connection, once it is known.
    first_rows
        What is in of the table's beginning; None while nothing is, and from a cancel on.
    """

    stage: str
    running_s: float
    received_bytes: int = 0
    expected_bytes: int | None = None
    rows: int = 0
    is_cancelled: bool = False
    source: str = ""
    first_rows: FirstRows | None = None


@dataclass(slots=True)
class _Watched:
    owner: str
    began_at: float
    progress: Progress = field(default_factory=Progress)
    source: str = ""


class Fetching:
    """The use case. Methods block on the platform and the source: run them as jobs.

    Parameters
    ----------
    outbound
        Gives the client for data sources, with what it may reach now.
    """

    def __init__(
        self,
        gateway: GatewayOf,
        tables: TableStore,
        outbound: Callable[[], Outbound],
        *,
        checks: Checks,
        activity: ActivityLog,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._gateway = gateway
        self._tables = tables
        self._outbound = outbound
        self._checks = checks
        self._activity = activity
        self._now = now
        self._lock = threading.Lock()
        self._watched: dict[str, _Watched] = {}

    def fetch(
        self, who: Identity, *, connection_id: str, workspace: Workspace, watch_id: str = ""
    ) -> Outcome:
        """Fetch the table and store it for the workspace's members.

        Parameters
        ----------
        watch_id
            Under which it can be looked at and cancelled meanwhile.

        Returns
        -------
        An outcome whose `result` is the stored table's id; empty if it was cancelled.

        Raises
        ------
        NotFound
            If the connection is not linked to the workspace (any more).
        FetchFailed
            If the source cannot be read.
        DashboardError
            If the disk is full.
        """
        watched = _Watched(who.key, time.monotonic())
        with self._lock:
            self._watched[watch_id] = watched
        try:
            return self._fetched(who, connection_id, workspace, watched)
        finally:
            with self._lock:
                self._watched.pop(watch_id, None)
            _give_memory_back()

    def view(self, who: Identity, watch_id: str) -> FetchView | None:
        """Where a fetch stands; None if it has ended or is somebody else's."""
        with self._lock:
            watched = self._watched.get(watch_id)
        if watched is None or watched.owner != who.key:
            return None
        progress = watched.progress
        is_cancelled = progress.cancel.is_set()
        return FetchView(
            stage=_words(progress),
            running_s=time.monotonic() - watched.began_at,
            received_bytes=progress.received_bytes,
            expected_bytes=progress.expected_bytes,
            rows=progress.rows,
            is_cancelled=is_cancelled,
            source=watched.source,
            first_rows=None if is_cancelled else progress.first_rows,
        )

    def cancel(self, who: Identity, watch_id: str) -> None:
        """Stop a fetch within about 0.1 s; nothing happens to one that has ended."""
        with self._lock:
            watched = self._watched.get(watch_id)
        if watched is not None and watched.owner == who.key:
            watched.progress.cancel.set()

    def _fetched(
        self, who: Identity, connection_id: str, workspace: Workspace, watched: _Watched
    ) -> Outcome:
        gateway = self._gateway()
        linked = gateway.list_connections(who, workspace_id=workspace.workspace_id)
        name = next((one.name for one in linked if one.connection_id == connection_id), None)
        if name is None:
            raise NotFound(
                f"This connection is not linked to {workspace.name} any more.",
                hint="Choose another one, or link it again.",
            )
        watched.source = name
        connection, details = gateway.read_details(who, name)
        with self._tables.draft(who, workspace.workspace_id) as draft:
            fetched = self._read(who, connection, workspace, details, draft, watched.progress)
            if fetched is None:
                return Outcome(f"Fetching from {name} was cancelled.")
            passport = draft.keep(
                Passport(
                    table_id="",
                    connection_name=name,
                    workspace_id=workspace.workspace_id,
                    rows=0,
                    columns=(),
                    raw_bytes=fetched.raw_bytes,
                    fingerprint=fetched.fingerprint,
                    fetched_at=self._now(),
                    fetch_ms=fetched.fetch_ms,
                    format=fetched.format,
                )
            )
        self._note(who, connection, workspace)
        rows = "row" if passport.rows == 1 else "rows"
        return Outcome(f"Fetched {passport.rows:,} {rows} from {name}.", result=passport.table_id)

    def _read(
        self,
        who: Identity,
        connection: Connection,
        workspace: Workspace,
        details: SecretDetails,
        sink: TableSink,
        progress: Progress,
    ) -> FetchedTable | None:
        """Fetch, and keep how it went as the connection's health. None if it was cancelled."""
        began_at = time.monotonic()
        connector = registry.connector_for(connection.type)
        failure: FetchFailed | None = None
        try:
            fetched = connector.fetch(
                details, outbound=self._outbound(), sink=sink, progress=progress
            )
        except FetchFailed as exc:
            failure = exc
        if failure is not None:
            # Somebody who stops it says nothing about the source.
            if failure.cause_code == FetchCause.CANCELLED:
                self._note(who, connection, workspace, failure)
                return None
            if connector.can_fetch:
                self._checks.note_use(
                    connection.connection_id,
                    failure=failure,
                    total_ms=(time.monotonic() - began_at) * 1000,
                )
            self._note(who, connection, workspace, failure)
            raise failure
        self._checks.note_use(
            connection.connection_id,
            total_ms=fetched.fetch_ms,
            format=fetched.format,
            rows=fetched.rows,
        )
        return fetched

    def _note(
        self,
        who: Identity,
        connection: Connection,
        workspace: Workspace,
        failure: FetchFailed | None = None,
    ) -> None:
        self._activity.note(
            who,
            Act.FETCHED,
            result=ActResult.DONE if failure is None else ActResult.FAILED,
            connection_id=connection.connection_id,
            connection_name=connection.name,
            workspace=workspace.name,
            workspace_id=workspace.workspace_id,
            note="" if failure is None else failure.message,
        )


def _words(progress: Progress) -> str:
    stage = progress.current
    if stage is None:
        return "Finishing" if progress.times_ms else "Asking the platform for the connection"
    if stage is Stage.RECOGNISE and progress.rows:
        return "Reading and storing the rows"
    return STAGE_WORDS[stage]


def _give_memory_back() -> None:
    """Let go of what the readers of a long table have used and Arrow keeps for the next one."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()
