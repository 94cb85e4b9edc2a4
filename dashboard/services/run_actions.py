"""What people do with runs, as jobs: start, cancel, retry; and the list of recent ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from dashboard.domain.identity import Identity
from dashboard.domain.model import ModelVersion
from dashboard.domain.pipeline import Pipeline
from dashboard.domain.run import Run
from dashboard.domain.table import TEXT_COLUMN, ColumnFacts
from dashboard.domain.workspace import Workspace
from dashboard.services.catalog import GatewayOf
from dashboard.services.jobs import Outcome
from dashboard.services.reads import Query, Reads
from dashboard.services.run_columns import (
    ROWS_LOOKED_AT,
    first_cells,
    model_reads,
    types_to_send,
)
from dashboard.services.runs import RunService
from dashboard.services.tables import TableStore

RUNS = "runs"
_RECENT = 50
_FRESH_S = 3.0
_LAST_FRESH_S = 10.0
_READS_FRESH_S = 15.0


class RunActions:
    """The use cases around `RunService`. Methods that return an outcome are run as jobs."""

    def __init__(
        self, gateway: GatewayOf, runs: RunService, reads: Reads, tables: TableStore
    ) -> None:
        self._gateway = gateway
        self._runs = runs
        self._tables = tables
        self._reads = reads

    def recent(self, who: Identity) -> Query[tuple[Run, ...]]:
        """Return the newest runs of the workspaces this person is in, newest first."""

        def load() -> tuple[Run, ...]:
            rooms = self._gateway().list_workspaces(who)
            return self._runs.recent(who, [room.workspace_id for room in rooms], limit=_RECENT)

        return Query((who.key, RUNS), load, _FRESH_S)

    def last_runs(self, who: Identity) -> Query[Mapping[str, datetime]]:
        """Return when each connection's table was run last, by the connection's name.

        Of runs in the workspaces this person is in; connections without any are missing.
        """

        def load() -> Mapping[str, datetime]:
            rooms = self._gateway().list_workspaces(who)
            return self._runs.last_runs(who, [room.workspace_id for room in rooms])

        return Query((who.key, RUNS, "last"), load, _LAST_FRESH_S)

    def model_reads(
        self, who: Identity, pipeline: Pipeline, version: ModelVersion
    ) -> Query[tuple[ColumnFacts, ...]]:
        """Return what the first model of a pipeline reads; nothing where nobody tells."""
        made = pipeline.versions[0].version if pipeline.versions else ""
        return Query(
            (who.key, "model_reads", pipeline.pipeline_id, made, version.version),
            lambda: model_reads(self._gateway(), who, pipeline, version),
            _READS_FRESH_S,
        )

    def columns(
        self, who: Identity, table_id: str, reads: Sequence[ColumnFacts]
    ) -> tuple[ColumnFacts, ...]:
        """Return the columns of a table to send to a model of columns, with what goes out for each.

        Parameters
        ----------
        reads
            What the model reads, from `model_reads`.

        Raises
        ------
        InvalidInput
            As `columns_to_send`.
        NotFound, AccessDenied
            As `TableStore.passport`.
        """
        passport = self._tables.passport(who, table_id)
        first = first_cells(self._tables.page(who, table_id, limit=ROWS_LOOKED_AT))
        return types_to_send(passport.columns, reads, first, words=passport.format)

    def start(  # noqa: PLR0913 - as `RunService.submit`
        self,
        who: Identity,
        *,
        table_id: str,
        pipeline: Pipeline,
        model_version: ModelVersion,
        workspace: Workspace,
        replicas: int,
        text_column: str = TEXT_COLUMN,
    ) -> Outcome:
        """Queue a run; the outcome's `result` is its id.

        A pipeline whose first model is no summarizer gets columns in place of a text. Raises as
        `RunService.submit`.
        """
        first = self._first_model(who, pipeline, model_version)
        columns: tuple[ColumnFacts, ...] = ()
        if not first.is_summarizer:
            reads = model_reads(self._gateway(), who, pipeline, first)
            columns = self.columns(who, table_id, reads)
        run = self._runs.submit(
            who,
            table_id=table_id,
            pipeline=pipeline,
            model_version=model_version,
            workspace=workspace,
            replicas=replicas,
            text_column=text_column or TEXT_COLUMN,
            input_columns=[column.name for column in columns],
            input_types=[column.type for column in columns],
        )
        self._reads.invalidate(who.key, RUNS)
        rows = "row" if run.rows_total == 1 else "rows"
        doing = "Summarizing" if run.is_of_texts else "Running"
        return Outcome(f"{doing} {run.rows_total:,} {rows}.", result=run.run_id)

    def cancel(self, who: Identity, run_id: str) -> Outcome:
        """Cancel a run; its finished rows stay."""
        run = self._runs.cancel(who, run_id)
        self._reads.invalidate(who.key, RUNS)
        return Outcome(f"Cancelled. {run.rows_done:,} of {run.rows_total:,} rows are kept.")

    def retry(self, who: Identity, run_id: str) -> Outcome:
        """Send the failed rows of a run again."""
        run = self._runs.retry_failed(who, run_id)
        self._reads.invalidate(who.key, RUNS)
        return Outcome(f"Trying {run.rows_left:,} rows again.", result=run.run_id)

    def _first_model(self, who: Identity, pipeline: Pipeline, known: ModelVersion) -> ModelVersion:
        """Return the model version that takes the pipeline's input; `known` is one of them."""
        steps = pipeline.versions[0].steps if pipeline.versions else ()
        if not steps or steps[0].model_version == known.version:
            return known
        models = self._gateway().list_models(who, pipeline.workspace_id)
        versions = (version for model in models for version in model.versions)
        return next((one for one in versions if one.version == steps[0].model_version), known)
