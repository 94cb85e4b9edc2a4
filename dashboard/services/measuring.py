"""The times of a run's rows, as samples for the charts."""

from __future__ import annotations

from dashboard.domain.identity import Identity
from dashboard.domain.latency import Sample, samples_of
from dashboard.domain.run import Run
from dashboard.services.reads import Query
from dashboard.services.runs import RunService

#: Enough for every chart; of a longer run the first rows are drawn.
ROWS_AT_MOST = 20_000
_LIVE_FRESH_S = 2.0
_OVER_FRESH_S = 600.0


def samples(runs: RunService, who: Identity, run: Run) -> Query[tuple[Sample, ...]]:
    """Return the samples of a run's answered rows, in the order of the table."""
    settled = run.rows_done + run.rows_failed
    return Query(
        # A row more is another answer: the key changes with it, and nothing old is shown.
        (who.key, "samples", run.run_id, settled),
        lambda: samples_of(runs.rows(who, run.run_id, limit=ROWS_AT_MOST)),
        _OVER_FRESH_S if run.state.is_over else _LIVE_FRESH_S,
    )
