"""Runs: one input table through one deployed pipeline, in the background.

A run belongs to the members of its workspace, not to a page: it goes on when the page is left, and
after a restart of the dashboard, without sending an answered row again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from dashboard.domain.run import RowState, Run, RunRow, RunState
from dashboard.domain.table import TEXT_COLUMN
from dashboard.errors import AccessDenied, Conflict, InvalidInput, NotFound
from dashboard.services.clock import Clock
from dashboard.services.run_columns import check_sent
from dashboard.services.run_host import IdentityOf, RunHost
from dashboard.services.run_rows import check_columns
from dashboard.services.run_task import RunProgress, RunSettings, left_over
from dashboard.services.run_values import shown_inputs, values_row
from dashboard.store.run_records import RowResult, RowSample, RunRecords

if TYPE_CHECKING:
    from dashboard.domain.identity import Identity
    from dashboard.domain.model import ModelVersion
    from dashboard.domain.pipeline import Pipeline
    from dashboard.domain.workspace import Workspace
    from dashboard.gateway.base import PlatformGateway
    from dashboard.services.tables import TableStore
    from dashboard.store.database import Store

__all__ = ["RowSample", "RunProgress", "RunService", "RunSettings"]


class RunService:
    """Starts, carries and shows runs. Thread-safe; nothing here waits for the platform.

    Parameters
    ----------
    tables
        Also says who may see what.
    gateway
        Gives the platform; called away from the event loop, and may wait until it is there.
    identity_of
        See `IdentityOf`.
    """

    def __init__(
        self,
        store: Store,
        tables: TableStore,
        *,
        gateway: Callable[[], PlatformGateway],
        identity_of: IdentityOf,
        clock: Clock | None = None,
        settings: RunSettings | None = None,
    ) -> None:
        self._tables = tables
        self._clock = clock or Clock()
        self._records = RunRecords(store)
        self._host = RunHost(
            self._records,
            tables,
            gateway=gateway,
            identity_of=identity_of,
            clock=self._clock,
            settings=settings or RunSettings(),
        )

    # What people do

    def submit(  # noqa: PLR0913 - what is run where, by keyword
        self,
        who: Identity,
        *,
        table_id: str,
        pipeline: Pipeline,
        model_version: ModelVersion,
        workspace: Workspace,
        replicas: int,
        text_column: str = TEXT_COLUMN,
        input_columns: Sequence[str] = (),
        input_types: Sequence[str] = (),
    ) -> Run:
        """Queue a run and return its header at once.

        Parameters
        ----------
        model_version
            What the pipeline runs; its image path is kept as the engine that made the summaries.
        replicas
            Of the deployment; bounds the requests in flight.
        text_column
            The column of the table to send as the model's text.
        input_columns
            The columns to send to a model that is no summarizer, from `types_to_send`; its rows go
            several in a request. Empty for the summarizer.
        input_types
            What goes out for each of them; empty where the cells go as they are.

        Raises
        ------
        InvalidInput
            The table has no rows or not the columns the model reads, or it, the pipeline and the
            workspace do not belong together.
        NotFound
            The table is no longer stored.
        AccessDenied
            The caller is not a member of the workspace.
        """
        passport = self._tables.passport(who, table_id)
        if not passport.workspace_id == pipeline.workspace_id == workspace.workspace_id:
            raise InvalidInput("The table and the pipeline are in different workspaces.")
        if input_columns:
            check_sent(passport.columns, input_columns)
        else:
            check_columns(passport.columns, text_column)
        if not passport.rows:
            raise InvalidInput("The table has no rows, so there is nothing to run.")
        run = Run(
            run_id=secrets.token_hex(16),
            table_id=table_id,
            workspace_id=workspace.workspace_id,
            workspace_name=workspace.name,
            connection_name=passport.connection_name,
            pipeline_name=pipeline.name,
            pipeline_version=pipeline.versions[0].version if pipeline.versions else "",
            model_name=model_version.model_name,
            model_version=model_version.version,
            model_sha=model_version.sha,
            engine=model_version.image_path,
            owner_id=who.user_id,
            owner_email=who.email,
            fingerprint=passport.fingerprint,
            created_at=self._clock.now(),
            rows_total=passport.rows,
            replicas=max(replicas, 1),
            text_column=text_column,
            input_columns=tuple(input_columns),
            input_types=tuple(input_types) if any(input_types) else (),
        )
        self._records.insert(run, self._host.claim())
        self._host.start(run, who, pipeline)
        return run

    def cancel(self, who: Identity, run_id: str) -> Run:
        """End a run; what is answered stays. One that is over stays as it is.

        Raises
        ------
        NotFound, AccessDenied
            As `run`.
        """
        run = self.run(who, run_id)
        if run.state.is_over:
            return run
        self._host.cancel(run_id)
        # Also for a run that another process carries: its next write finds that it lost the run.
        self._records.finished(
            run_id, None, state=RunState.CANCELLED, message="", at=self._clock.now()
        )
        return self.run(who, run_id)

    def retry_failed(self, who: Identity, run_id: str) -> Run:
        """Send the failed rows of a run that is over again; after an outage also the unsent ones.

        The rows that a cancelled run never sent stay unsent.

        Raises
        ------
        Conflict
            The run is not over, or has nothing to send again.
        NotFound, AccessDenied
            As `run`.
        """
        run = self.run(who, run_id)
        only_failed = run.state is RunState.CANCELLED
        if not run.state.is_over:
            raise Conflict("This run is still going on.", hint="Wait until it is over.")
        if not run.rows_failed and (only_failed or not run.rows_left):
            raise Conflict("No row of this run failed.")
        if not self._records.queue_again(run_id, self._host.claim(), only_failed=only_failed):
            raise Conflict("This run was started again meanwhile.")
        run = self.run(who, run_id)
        self._host.start(run, who)
        return run

    # What people see

    def run(self, who: Identity, run_id: str) -> Run:
        """Return a run's header.

        Raises
        ------
        NotFound
            There is no such run.
        AccessDenied
            The caller is not a member of its workspace.
        """
        run = self._records.run(run_id)
        if run is None:
            raise NotFound("There is no such run.", hint="It may have been deleted.")
        self._check(who, run.workspace_id)
        return run

    def rows(
        self, who: Identity, run_id: str, *, offset: int = 0, limit: int = 100
    ) -> tuple[RunRow, ...]:
        """Return up to `limit` rows from row `offset` on, in the order of the table.

        Raises
        ------
        NotFound, AccessDenied
            As `run`.
        """
        run = self.run(who, run_id)
        first = min(max(offset, 0), run.rows_total)
        end = min(first + max(limit, 0), run.rows_total)
        if first == end:
            return ()
        stored = self._tables.stored_rows(run.table_id, first, end)
        results = self._records.rows(run_id, first, end)
        if not run.is_of_texts:
            records = stored.select(list(run.input_columns)).to_pylist()
            return tuple(
                values_row(index, shown_inputs(inputs, run.reads), results.get(index))
                for index, inputs in enumerate(records, start=first)
            )
        texts = stored.column(run.text_column).to_pylist()
        return tuple(
            _run_row(index, text or "", results.get(index))
            for index, text in enumerate(texts, start=first)
        )

    def row(self, who: Identity, run_id: str, index: int) -> RunRow:
        """Return one row; `index` counts from 0.

        Raises
        ------
        NotFound
            There is no such run, or it has no such row.
        AccessDenied
            As `run`.
        """
        found = self.rows(who, run_id, offset=index, limit=1) if index >= 0 else ()
        if not found:
            raise NotFound("This run has no such row.")
        return found[0]

    def samples(self, who: Identity, run_id: str) -> tuple[RowSample, ...]:
        """Return state and times of every answered or failed row, without its texts.

        Raises
        ------
        NotFound, AccessDenied
            As `run`.
        """
        self.run(who, run_id)
        return self._records.samples(run_id)

    def recent(
        self, who: Identity, workspace_ids: Sequence[int], *, limit: int = 50
    ) -> tuple[Run, ...]:
        """Return the newest runs of those of these workspaces the caller is in, newest first."""
        seen = [number for number in dict.fromkeys(workspace_ids) if self._may_see(who, number)]
        return self._records.recent(seen, limit) if seen else ()

    def last_runs(self, who: Identity, workspace_ids: Sequence[int]) -> dict[str, datetime]:
        """Return when each connection's table was run last, by the connection's name.

        Only runs of those of these workspaces the caller is in; connections without any are
        missing.
        """
        seen = [number for number in dict.fromkeys(workspace_ids) if self._may_see(who, number)]
        return self._records.last_runs(seen) if seen else {}

    def progress(self, who: Identity, run_id: str) -> RunProgress:
        """Return how far a run is; from memory while it is carried here.

        Raises
        ------
        NotFound, AccessDenied
            As `run`.
        """
        here = self._host.progress(run_id)
        if here is None:
            return left_over(self.run(who, run_id))
        run, progress = here
        self._check(who, run.workspace_id)
        return progress

    # The life of the process

    def resume_all(self) -> None:
        """Go on with the runs of earlier processes, now and whenever one is left by its process.

        Returns at once. A process that was killed loses its claims after `RunSettings.claim_s`.
        """
        self._host.resume_all()

    def close(self, timeout_s: float = 5.0) -> None:
        """Stop without losing anything; what is not over goes on in the next process.

        Parameters
        ----------
        timeout_s
            How long the rows in flight may take before they are given up, to be sent again.
        """
        self._host.close(timeout_s)

    def _may_see(self, who: Identity, workspace_id: int) -> bool:
        return self._tables.may_see(who, workspace_id)

    def _check(self, who: Identity, workspace_id: int) -> None:
        if not self._may_see(who, workspace_id):
            raise AccessDenied(
                "This run belongs to a workspace you are not a member of.",
                hint="Ask a member of the workspace to invite you.",
            )


def _run_row(index: int, text: str, result: RowResult | None) -> RunRow:
    if result is None:
        return RunRow(index=index, state=RowState.WAITING, input_text=text)
    return RunRow(
        index=index,
        state=result.state,
        input_text=text,
        summary=result.summary,
        anomaly_count=result.anomaly_count,
        answered_at=result.answered_at,
        timing=result.timing,
        error=result.error,
        doubts=result.doubts,
    )
