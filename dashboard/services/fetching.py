"""Fetching the input table through a connection, on the server, with its stored details."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dashboard.connectors import registry
from dashboard.connectors.base import FetchedTable
from dashboard.connectors.outbound import Outbound
from dashboard.domain.activity import Act, ActResult
from dashboard.domain.connection import Connection
from dashboard.domain.identity import Identity
from dashboard.domain.reading import word_count
from dashboard.domain.table import TEXT_COLUMN, Passport
from dashboard.domain.workspace import Workspace
from dashboard.errors import FetchFailed, NotFound
from dashboard.masking import SecretDetails
from dashboard.services.activity import ActivityLog
from dashboard.services.catalog import GatewayOf
from dashboard.services.checks import Checks
from dashboard.services.jobs import Outcome
from dashboard.services.tables import TableStore

if TYPE_CHECKING:
    import pyarrow as pa


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

    def fetch(self, who: Identity, *, connection_id: str, workspace: Workspace) -> Outcome:
        """Fetch the table and store it for the workspace's members.

        Returns
        -------
        An outcome whose `result` is the stored table's id.

        Raises
        ------
        NotFound
            If the connection is not linked to the workspace (any more).
        FetchFailed
            If the source cannot be read.
        """
        gateway = self._gateway()
        linked = gateway.list_connections(who, workspace_id=workspace.workspace_id)
        name = next((one.name for one in linked if one.connection_id == connection_id), None)
        if name is None:
            raise NotFound(
                f"This connection is not linked to {workspace.name} any more.",
                hint="Choose another one, or link it again.",
            )
        connection, details = gateway.read_details(who, name)
        fetched = self._fetch(who, connection, workspace, details)
        draft = Passport(
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
            longest_text_words=_longest_text_words(fetched.table),
        )
        passport = self._tables.save(who, draft, fetched.table)
        self._note(who, connection, workspace)
        rows = "row" if passport.rows == 1 else "rows"
        return Outcome(f"Fetched {passport.rows:,} {rows} from {name}.", result=passport.table_id)

    def _fetch(
        self, who: Identity, connection: Connection, workspace: Workspace, details: SecretDetails
    ) -> FetchedTable:
        """Fetch, and keep how it went as the connection's health."""
        began_at = time.monotonic()
        connector = registry.connector_for(connection.type)
        try:
            fetched = connector.fetch(details, outbound=self._outbound())
        except FetchFailed as failure:
            if connector.can_fetch:
                self._checks.note_use(
                    connection.connection_id,
                    failure=failure,
                    total_ms=(time.monotonic() - began_at) * 1000,
                )
            self._note(who, connection, workspace, failure)
            raise
        self._checks.note_use(
            connection.connection_id,
            total_ms=fetched.fetch_ms,
            format=fetched.format,
            rows=fetched.table.num_rows,
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
            note="" if failure is None else failure.message,
        )


def _longest_text_words(table: pa.Table) -> int | None:
    if TEXT_COLUMN not in table.column_names:
        return None
    longest = 0
    # Batch by batch: the whole column as Python texts would double the table's memory.
    for batch in table.select([TEXT_COLUMN]).to_batches(max_chunksize=1000):
        for text in batch.column(0).to_pylist():
            if isinstance(text, str):
                longest = max(longest, word_count(text))
    return longest
