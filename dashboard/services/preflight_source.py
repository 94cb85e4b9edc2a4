"""The steps of a preflight up to the model's door: the connection, the table, the inputs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from dashboard.connectors import registry
from dashboard.connectors.outbound import Outbound
from dashboard.domain.activity import Act, ActResult
from dashboard.domain.check import Stage, StageState
from dashboard.domain.identity import Identity
from dashboard.domain.model import ModelVersion
from dashboard.domain.pipeline import Pipeline
from dashboard.domain.table import FLAG_COLUMNS, FLAG_DEFAULTS, TEXT_COLUMN, is_flag_type
from dashboard.errors import DashboardError, FetchFailed, InvalidInput, NotFound
from dashboard.gateway.base import PlatformGateway
from dashboard.services.activity import ActivityLog
from dashboard.services.catalog import GatewayOf
from dashboard.services.checks import Checks
from dashboard.services.connection_tests import ConnectionTests
from dashboard.services.preflight_parts import Cancelled, FirstRow, Found, Walk, pipeline_of
from dashboard.services.run_columns import first_cells, model_reads, types_to_send
from dashboard.services.run_rows import WaitingRow, check_columns, columns_row

if TYPE_CHECKING:
    import pyarrow as pa

    from dashboard.connectors.base import FetchedTable, TestResult
    from dashboard.domain.connection import Connection
    from dashboard.domain.table import ColumnFacts

_REACHED_BY: Final = (Stage.RESOLVE, Stage.CONNECT, Stage.AUTHORISE)


class SourceSteps:
    """Takes the steps `REACHABLE`, `READABLE` and `FITS`; raises whatever makes one fail."""

    def __init__(
        self,
        gateway: GatewayOf,
        *,
        tests: ConnectionTests,
        checks: Checks,
        activity: ActivityLog,
        outbound: Callable[[], Outbound],
    ) -> None:
        self._gateway = gateway
        self._tests = tests
        self._checks = checks
        self._activity = activity
        self._outbound = outbound

    def reach(self, walk: Walk) -> Found:
        """Test the connection; whether it could be read is for the next step to tell."""
        gateway = self._gateway()
        linked = gateway.list_connections(walk.who, workspace_id=walk.subject.workspace_id)
        name = next((o.name for o in linked if o.connection_id == walk.subject.connection_id), None)
        if name is None:
            raise NotFound(
                "This connection is not linked to the workspace any more.",
                hint="Choose another one, or link it again.",
            )
        walk.connection, walk.details = gateway.read_details(walk.who, name)
        if not registry.can_fetch(walk.connection.type):
            raise InvalidInput(
                "Tables can be fetched through HTTP connections for now.",
                hint="Choose another connection.",
            )
        test_id = self._tests.new_id(walk.session)
        walk.test_id = test_id
        walk.stop_if_cancelled()
        result = self._tests.run(walk.who, test_id, walk.connection.type, walk.details)
        walk.stop_if_cancelled()
        self._keep_test(walk, walk.connection, result)
        ms_of = {one.stage: one.elapsed_ms or 0.0 for one in result.stages}
        if result.failure is not None:
            failed = [one.stage for one in result.stages if one.state is StageState.FAILED]
            if not failed or failed[0] in _REACHED_BY:
                raise result.failure
            walk.failure = result.failure
        return "", sum(ms_of.get(stage, 0.0) for stage in _REACHED_BY)

    def _keep_test(self, walk: Walk, connection: Connection, result: TestResult) -> None:
        if result.was_cancelled:
            raise Cancelled
        self._checks.note_test(connection.connection_id, result)
        failure = result.failure
        self._activity.note(
            walk.who,
            Act.TESTED,
            result=ActResult.DONE if failure is None else ActResult.FAILED,
            connection_id=connection.connection_id,
            connection_name=connection.name,
            note="" if failure is None else failure.message,
        )

    def read(self, walk: Walk) -> Found:
        """Read all of the table, keeping its first row."""
        if walk.failure is not None:
            raise walk.failure
        assert walk.connection is not None  # noqa: S101 - the step before has read it
        sink = FirstRow()
        connector = registry.connector_for(walk.connection.type)
        try:
            fetched: FetchedTable = connector.fetch(
                walk.details, outbound=self._outbound(), sink=sink, progress=walk.progress
            )
        except FetchFailed:
            walk.stop_if_cancelled()
            raise
        finally:
            walk.details = None
        if sink.row is None:
            raise InvalidInput("The table has no rows.", hint="Put at least one row into it.")
        walk.first, walk.columns, walk.format = sink, fetched.columns, fetched.format
        rows = "row" if fetched.rows == 1 else "rows"
        return f"{fetched.rows:,} {rows}, {fetched.format}", fetched.fetch_ms

    def fit(self, walk: Walk) -> Found:
        """Make the row that is sent of the first one, as the model takes it."""
        pipeline = pipeline_of(self._gateway(), walk)
        version = _version(self._gateway(), walk.who, pipeline)
        assert walk.first is not None and walk.first.row is not None  # noqa: S101, PT018 - as above
        if version is None or version.is_summarizer:
            check_columns(walk.columns)
            walk.row = _text_row(walk.first.row)
            if walk.row.unfit:
                raise InvalidInput("The first row has no text.", hint="Look at the table.")
            told = f"“{TEXT_COLUMN}” holds texts"
        else:
            cells = first_cells(walk.first.row)
            reads: Sequence[ColumnFacts] = ()
            # What is not told may be anything: then every column is sent.
            with contextlib.suppress(DashboardError):
                reads = model_reads(self._gateway(), walk.who, pipeline, version)
            sent = types_to_send(walk.columns, reads, cells, words=walk.format)
            values = {column.name: cells[column.name][0] for column in sent}
            walk.row = columns_row(0, values, {column.name: column.type for column in sent})
            if walk.row.unfit:
                raise InvalidInput(walk.row.unfit, hint="Look at the table.")
            told = f"{len(sent):,} {'column' if len(sent) == 1 else 'columns'}"
        walk.first = None
        return told, None


def _version(gateway: PlatformGateway, who: Identity, pipeline: Pipeline) -> ModelVersion | None:
    steps = pipeline.versions[0].steps if pipeline.versions else ()
    wanted = {step.model_version for step in steps}
    models = gateway.list_models(who, pipeline.workspace_id)
    versions = [version for model in models for version in model.versions]
    return next((one for one in versions if one.version in wanted), None)


def _text_row(table: pa.Table) -> WaitingRow:
    """Return the row as a run would send it: flags that are not there get the model's usual."""
    types = {
        name: str(table.schema.field(name).type)
        for name in FLAG_COLUMNS
        if name in table.column_names
    }
    given = {
        name: table.column(name).to_pylist()[0]
        for name, kind in types.items()
        if is_flag_type(kind)
    }
    flags = {
        name: default if given.get(name) is None else given[name]
        for name, default in FLAG_DEFAULTS.items()
    }
    return WaitingRow(0, table.column(TEXT_COLUMN).to_pylist()[0], flags, again=False)
