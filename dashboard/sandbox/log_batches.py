"""What of a request goes into the logs: its rows, their types, and what the metrics count."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dashboard.sandbox.logstore import Batch
from dashboard.sandbox.metrics import inference_counts
from dashboard.sandbox.tables import output_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dashboard.sandbox.plans import DeploymentPlan, StepPlan
    from dashboard.sandbox.replica import Prediction

#: Appended to a log's name, the log of what failed.
FAILURES = "-failures"
#: Refusals of requests that an engine was asked for: wrong rows, a failing model, a hung one.
FAILED = frozenset({400, 500, 504})


def answered(
    prediction: Prediction,
    rows: Sequence[Mapping[str, Any]],  # Any: user data
    *,
    time_ms: int,
    input_types: Mapping[str, str],
) -> Batch:
    """Return the rows of an answered request."""
    types = {f"in.{column}": name for column, name in input_types.items()}
    types |= {output_name(column): name for column, name in prediction.output_types.items()}
    return Batch(
        topics=prediction.plan.topics_of(prediction.steps),
        time_ms=time_ms,
        rows=list(zip(rows, prediction.outputs, strict=True)),
        metadata=metadata_of(prediction),
        types=types,
        counts=inference_counts(
            prediction.plan, elapsed_ns=sum(prediction.elapsed_ns), row_count=len(rows)
        ),
    )


def failed(
    plan: DeploymentPlan,
    rows: Sequence[Mapping[str, Any]],  # Any: user data
    *,
    time_ms: int,
    input_types: Mapping[str, str],
    error: str,
) -> Batch:
    """Return the rows of a request that failed, for the logs of failures."""
    return Batch(
        topics=tuple(topic + FAILURES for topic in plan.topics),
        time_ms=time_ms,
        rows=[(row, {}) for row in rows],
        metadata={
            "last_model": _last_model(plan.steps),
            "pipeline_version": plan.pipeline_version,
            "elapsed": [],
            "dropped": [],
            "partition": "",
        },
        types={f"in.{column}": name for column, name in input_types.items()},
        error=error,
    )


def metadata_of(prediction: Prediction) -> dict[str, Any]:  # Any: the wire's metadata
    """Return what all rows of an answer share."""
    return {
        "last_model": _last_model(prediction.steps),
        "pipeline_version": prediction.plan.pipeline_version,
        "elapsed": prediction.elapsed_ns,
        "dropped": [],
        "partition": prediction.engine,
    }


def _last_model(steps: Sequence[StepPlan]) -> str:
    last = {"model_name": steps[-1].model_name, "model_sha": steps[-1].sha} if steps else {}
    return json.dumps(last, separators=(",", ":"))
