"""The tables of the store, in portable SQL types.

In clear: ids, names, states, counts and times. Sealed by the store's key: everything that is part
of a person's data, such as summaries, errors of rows, and the names of a table's columns (a file
without a header row has data there).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    TypeDecorator,
)
from sqlalchemy import String as PlainString
from sqlalchemy import Text as PlainText

from dashboard.store.texts import without_refused

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

#: Raise it with every change of the tables below, and say in `database.py` how to get there.
SCHEMA_VERSION = 4

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class UtcTime(TypeDecorator[datetime]):
    """A timezone-aware time, kept as whole microseconds since 1970: the same in every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Turn a time into microseconds."""
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Turn microseconds into a time in UTC."""
        return None if value is None else _EPOCH + timedelta(microseconds=value)


class String(TypeDecorator[str]):
    """A text without what a database refuses: names come from strangers, ids out of addresses."""

    impl = PlainString
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Take out what would fail the whole statement."""
        return None if value is None else without_refused(value)


class Text(String):
    """The same of any length."""

    impl = PlainText
    cache_ok = True


METADATA = MetaData()

#: Facts about the store itself: its schema version, and a text sealed with its key.
FACTS = Table(
    "store_facts",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

FETCHED_TABLES = Table(
    "fetched_tables",
    METADATA,
    Column("table_id", String(64), primary_key=True),
    Column("workspace_id", BigInteger, nullable=False, index=True),
    Column("connection_name", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("columns_sealed", LargeBinary, nullable=False),
    Column("raw_bytes", BigInteger, nullable=False),
    Column("fingerprint", String(128), nullable=False),
    Column("fetched_at", UtcTime, nullable=False),
    Column("fetch_ms", Float, nullable=False),
    Column("format", Text, nullable=False),
    Column("longest_text_words", BigInteger),
)

#: Where the sealed blocks of a table lie in its file, and which rows each holds.
TABLE_BLOCKS = Table(
    "table_blocks",
    METADATA,
    Column(
        "table_id",
        ForeignKey(FETCHED_TABLES.c.table_id, ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("block_number", Integer, primary_key=True),
    Column("first_row", BigInteger, nullable=False),
    Column("row_count", BigInteger, nullable=False),
    Column("file_offset", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
)

RUNS = Table(
    "runs",
    METADATA,
    Column("run_id", String(64), primary_key=True),
    # No cascade: the database itself refuses to delete a table that a run still shows.
    Column("table_id", ForeignKey(FETCHED_TABLES.c.table_id), nullable=False, index=True),
    Column("workspace_id", BigInteger, nullable=False),
    Column("workspace_name", Text, nullable=False),
    Column("connection_name", Text, nullable=False),
    Column("pipeline_name", Text, nullable=False),
    Column("pipeline_version", Text, nullable=False),
    Column("model_name", Text, nullable=False),
    Column("model_version", Text, nullable=False),
    Column("model_sha", Text, nullable=False),
    Column("engine", Text, nullable=False),
    Column("owner_id", Text, nullable=False),
    Column("owner_email", Text, nullable=False),
    Column("fingerprint", String(128), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("state", String(16), nullable=False),
    Column("rows_total", BigInteger, nullable=False),
    Column("rows_done", BigInteger, nullable=False, default=0),
    Column("rows_failed", BigInteger, nullable=False, default=0),
    Column("replicas", Integer, nullable=False),
    Column("started_at", UtcTime),
    Column("finished_at", UtcTime),
    Column("message_sealed", LargeBinary),
    # The name its owner gave it, and the column of the table that is sent as the model's text.
    Column("title_sealed", LargeBinary),
    Column("text_column_sealed", LargeBinary),
    # Of a model that is no summarizer: the columns that are sent, as JSON.
    Column("input_columns_sealed", LargeBinary),
    # True while only the rows with a record in state Waiting are to be sent (a retry).
    Column("only_retried", Boolean, nullable=False, default=False),
    # Which process carries it, and until when that holds without a renewal.
    Column("claimed_by", String(64)),
    Column("claimed_until", UtcTime),
    Index("runs_by_workspace", "workspace_id", "created_at"),
    Index("runs_by_state", "state"),
)

#: The journal: one record per answered or failed row. A row without a record was not answered yet;
#: one with state Waiting failed and is to be sent again.
RUN_ROWS = Table(
    "run_rows",
    METADATA,
    Column("run_id", ForeignKey(RUNS.c.run_id, ondelete="CASCADE"), primary_key=True),
    Column("row_index", BigInteger, primary_key=True, autoincrement=False),
    Column("state", String(16), nullable=False),
    Column("summary_sealed", LargeBinary),
    Column("error_sealed", LargeBinary),
    Column("anomaly_count", BigInteger),
    Column("answered_at", UtcTime),
    Column("input_chars", BigInteger),
    # How many numbers and names of the summary are not in the input.
    Column("doubts", Integer),
    Column("queue_ms", Float),
    Column("send_ms", Float),
    Column("wait_ms", Float),
    Column("engine_read_ms", Float),
    Column("model_ms", Float),
    Column("receive_ms", Float),
    Column("overflow", Boolean, nullable=False, default=False),
    # How many rows the request held whose times these are; empty for one.
    Column("batch_rows", Integer),
)

#: What a reader thinks of a row: one opinion for each row, the newest.
ROW_NOTES = Table(
    "row_notes",
    METADATA,
    Column("run_id", ForeignKey(RUNS.c.run_id, ondelete="CASCADE"), primary_key=True),
    Column("row_index", BigInteger, primary_key=True, autoincrement=False),
    Column("who", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    # 1 for a good summary, -1 for a bad one, 0 for neither.
    Column("thumb", Integer, nullable=False),
    Column("note_sealed", LargeBinary),
    Column("corrected_sealed", LargeBinary),
)

#: How the last test and the last real use of each connection went: two records at most for each.
CHECKS = Table(
    "checks",
    METADATA,
    Column("connection_id", String(64), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("checked_at", UtcTime, nullable=False),
    Column("passed", Boolean, nullable=False),
    Column("cause_code", String(64), nullable=False),
    Column("field", String(64)),
    # What is told of a failure: message and next step.
    Column("told_sealed", LargeBinary),
    # Stages with their states and times, as JSON.
    Column("stages", Text, nullable=False),
    Column("total_ms", Float, nullable=False),
    Column("format", String(64), nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("last_passed_at", UtcTime),
    Column("failing_since", UtcTime),
    # When the source last asked for a sign-in that it did not get.
    Column("asked_at", UtcTime),
)

#: Since when a detail that a replace has kept is what it is; the platform knows only when the
#: whole connection was made. The path is sealed: other people's details have any keys.
DETAIL_TIMES = Table(
    "detail_times",
    METADATA,
    Column("connection_id", String(64), primary_key=True),
    # SHA-256 of the path, so that it can be a key.
    Column("path_mark", String(64), primary_key=True),
    Column("set_at", UtcTime, nullable=False),
)

ACTIVITIES = Table(
    "activities",
    METADATA,
    Column(
        "activity_id",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    Column("at", UtcTime, nullable=False, index=True),
    Column("who_id", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("act", String(32), nullable=False),
    Column("result", String(16), nullable=False),
    Column("connection_id", String(64), nullable=False, index=True),
    Column("connection_name", Text, nullable=False),
    Column("workspace", Text, nullable=False),
    # Empty where it is about no pipeline or model.
    Column("pipeline", Text),
    # Names of fields and a sentence, as JSON.
    Column("told_sealed", LargeBinary),
    # Whose members may see it: names may be doubled. None where it is about no workspace.
    Column("workspace_id", BigInteger),
)

#: Guarded replaces, names and ids only. One that is not over and that nobody carries is unfinished.
REPLACEMENTS = Table(
    "replacements",
    METADATA,
    Column("replacement_id", String(64), primary_key=True),
    Column("owner_id", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("connection_name", Text, nullable=False),
    Column("connection_type", Text, nullable=False),
    Column("old_id", String(64), nullable=False),
    Column("old_created_at", UtcTime, nullable=False),
    Column("new_copy_name", Text, nullable=False),
    Column("old_copy_name", Text, nullable=False),
    # Ids and names, as JSON.
    Column("rooms", Text, nullable=False),
    # Names of the details that change, as JSON.
    Column("fields_sealed", LargeBinary),
    Column("begun_at", UtcTime, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("new_id", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("ended_at", UtcTime),
    Column("missing_ms", Float),
    # Old or New, where it is sure which of them stands under the name with all its links.
    Column("settled", String(16)),
    Column("claimed_by", String(64)),
    Column("claimed_until", UtcTime),
)

#: Deploys that were asked for here, newest last. The platform keeps neither who nor how long.
DEPLOYS = Table(
    "deploys",
    METADATA,
    Column(
        "deploy_id",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    Column("pipeline_id", BigInteger, nullable=False, index=True),
    Column("pipeline_name", Text, nullable=False),
    Column("workspace_id", BigInteger, nullable=False),
    Column("workspace_name", Text, nullable=False),
    # The pipeline's version that the deploy made, and the model version in it.
    Column("version", String(64), nullable=False),
    Column("model_name", Text, nullable=False),
    Column("model_version", String(64), nullable=False),
    Column("who_id", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    # The settings as JSON; the environment of the sidekick may hold tokens.
    Column("settings_sealed", LargeBinary),
    # How long it took until it answered; empty while it has not.
    Column("ready_after_s", Float),
    Column("ended_at", UtcTime),
)

#: The idle guard's word on each pipeline that it watches.
GUARDS = Table(
    "guards",
    METADATA,
    Column("pipeline_id", BigInteger, primary_key=True),
    Column("pipeline_name", Text, nullable=False),
    Column("workspace_id", BigInteger, nullable=False),
    Column("workspace_name", Text, nullable=False),
    # The pipeline's version that was deployed here: of any other one the guard keeps its hands.
    Column("version", String(64), nullable=False),
    Column("minutes", Integer),
    Column("armed_at", UtcTime, nullable=False),
    Column("armed_by_id", Text, nullable=False),
    Column("armed_by", Text, nullable=False),
    # When it was first seen ready to answer: the guard counts from then on.
    Column("ready_at", UtcTime),
    # The last inference that is known of, from here or from the platform's log.
    Column("used_at", UtcTime),
    Column("kept_until", UtcTime),
    # While a dashboard stops it: until when that holds if the dashboard dies over it.
    Column("stopping_until", UtcTime),
)

#: How the last preflight of each person, connection and pipeline ended.
PREFLIGHTS = Table(
    "preflights",
    METADATA,
    # SHA-256 of the person's id, so that it can be a key.
    Column("who_mark", String(64), primary_key=True),
    Column("workspace_id", BigInteger, primary_key=True, autoincrement=False),
    Column("connection_id", String(64), primary_key=True),
    Column("pipeline_id", BigInteger, primary_key=True, autoincrement=False),
    Column("ended_at", UtcTime, nullable=False),
    Column("version_id", BigInteger, nullable=False),
    # The steps with their marks, times and words, as JSON.
    Column("steps_sealed", LargeBinary),
)

#: Requests and deploys under way, other than runs: while there is one, nobody stops its pipeline.
PIPELINE_USES = Table(
    "pipeline_uses",
    METADATA,
    Column("use_id", String(64), primary_key=True),
    Column("pipeline_id", BigInteger, nullable=False, index=True),
    # The process that it goes through, and until when that holds without a renewal.
    Column("owner", String(64), nullable=False),
    Column("until", UtcTime, nullable=False),
)
