"""The times of inferences, as samples for the charts: a run's, or what the platform's log knows."""

from __future__ import annotations

from collections.abc import Iterator

from dashboard.domain.identity import Identity
from dashboard.domain.latency import Sample, samples_of
from dashboard.domain.log_times import LogTimes, log_times
from dashboard.domain.pipeline import Pipeline
from dashboard.domain.run import Run, RunRow
from dashboard.services.catalog import GatewayOf
from dashboard.services.reads import Query
from dashboard.services.runs import RunService

#: Enough for every chart; of a longer run the first rows are drawn.
ROWS_AT_MOST = 20_000
_STRETCH_ROWS = 500
#: The platform gives a hundred rows unless it is asked for more, which long texts make slow.
LOG_ROWS_AT_MOST = 100
_LIVE_FRESH_S = 2.0
_OVER_FRESH_S = 600.0
_LOG_FRESH_S = 15.0


def samples(runs: RunService, who: Identity, run: Run) -> Query[tuple[Sample, ...]]:
    """Return the samples of a run's answered rows, in the order of the table."""
    return Query(
        # A row more is another answer, and so is a retried one: nothing old is shown.
        (who.key, "samples", run.run_id, run.rows_done, run.rows_failed),
        lambda: samples_of(_rows(runs, who, run)),
        _OVER_FRESH_S if run.state.is_over else _LIVE_FRESH_S,
    )


def _rows(runs: RunService, who: Identity, run: Run) -> Iterator[RunRow]:
    # Columns may hold pictures: they are in memory a few rows at a time.
    step = ROWS_AT_MOST if run.is_of_texts else _STRETCH_ROWS
    for first in range(0, min(run.rows_total, ROWS_AT_MOST), step):
        yield from runs.rows(who, run.run_id, offset=first, limit=step)


def platform_log(gateway: GatewayOf, who: Identity, pipeline: Pipeline) -> Query[LogTimes]:
    """Return the engine's times of a pipeline's newest inferences, whoever asked for them."""
    return Query(
        (who.key, "log_times", pipeline.pipeline_id),
        lambda: log_times(gateway().log_page(who, pipeline, limit=LOG_ROWS_AT_MOST)),
        _LOG_FRESH_S,
    )
