"""What the sandbox counts and measures, as series of samples in the file of the logs.

Counters keep what was added in each second, gauges their value at a moment. A histogram is a
counter for each of its buckets. The series outlive the process, as those of an instance do.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3

    from dashboard.sandbox.plans import DeploymentPlan

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS series (id INTEGER PRIMARY KEY, metric TEXT NOT NULL,
    workspace_id INTEGER NOT NULL, kind TEXT NOT NULL, labels TEXT NOT NULL,
    UNIQUE (metric, workspace_id, labels));
CREATE TABLE IF NOT EXISTS sample (series_id INTEGER NOT NULL, time_s INTEGER NOT NULL,
    value REAL, PRIMARY KEY (series_id, time_s)) WITHOUT ROWID;
"""

REQUESTS: Final = "latency_histogram_ns_count"
LATENCY_SUM: Final = "latency_histogram_ns_sum"
LATENCY: Final = "latency_histogram_ns_bucket"
ROWS: Final = "tensor_throughput_batch_count"
MEMORY: Final = "container_memory_usage_bytes"
REPLICAS: Final = "kube_deployment_status_replicas"
METRICS: Final = (REQUESTS, LATENCY_SUM, LATENCY, ROWS, MEMORY, REPLICAS)

#: Upper bounds of the latency's buckets, in ns: two per doubling, from 16 µs to 137 s.
BOUNDS_NS: Final = tuple(round(2 ** (half / 2)) for half in range(28, 75))
INFINITE: Final = "+Inf"
#: For how long samples are kept: as long as Prometheus does.
_KEPT_S: Final = 15 * 86_400


class Kind(StrEnum):
    """What a series' samples are."""

    COUNTER = "counter"
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True)
class Count:
    """Something to add to a counter, or a gauge's value.

    Parameters
    ----------
    labels
        Without the metric's name.
    value
        None when a gauge's subject is no more.
    """

    metric: str
    workspace_id: int
    labels: tuple[tuple[str, str], ...]
    value: float | None
    kind: Kind = Kind.COUNTER


@dataclass(frozen=True, slots=True)
class Series:
    """A series as it is read back.

    Parameters
    ----------
    times_s
        Whole epoch seconds, ascending.
    values
        Of a counter the total up to that moment; of a gauge its value, None when it has ended.
    """

    labels: Mapping[str, str]
    kind: Kind
    times_s: Sequence[int]
    values: Sequence[float | None]


def plan_labels(plan: DeploymentPlan) -> tuple[tuple[str, str], ...]:
    """Return the labels of everything a deployment measures."""
    return (
        ("deploy_id", plan.deploy_id),
        ("deployment_id", str(plan.deployment_id)),
        ("namespace", f"{plan.deploy_id}-{plan.deployment_id}"),
        ("pipeline_name", plan.pipeline_name),
    )


def inference_counts(plan: DeploymentPlan, *, elapsed_ns: int, row_count: int) -> tuple[Count, ...]:
    """Return what one answered request adds: itself, its rows, its time in its engine."""
    labels = plan_labels(plan)
    bound = next((str(each) for each in BOUNDS_NS if elapsed_ns <= each), INFINITE)
    return tuple(
        Count(metric, plan.workspace_id, found, value)
        for metric, found, value in (
            (REQUESTS, labels, 1.0),
            (LATENCY_SUM, labels, float(elapsed_ns)),
            (LATENCY, (*labels, ("le", bound)), 1.0),
            (ROWS, labels, float(row_count)),
        )
    )


def write(connection: sqlite3.Connection, counts: Sequence[Count], *, time_s: int) -> None:
    """Add to the counters and set the gauges."""
    for count in counts:
        key = (count.metric, count.workspace_id, json.dumps(dict(count.labels), sort_keys=True))
        found = connection.execute(
            "SELECT id FROM series WHERE metric = ? AND workspace_id = ? AND labels = ?", key
        ).fetchone()
        if found is None:
            found = connection.execute(
                "INSERT INTO series (metric, workspace_id, labels, kind) VALUES (?, ?, ?, ?)"
                " RETURNING id",
                (*key, count.kind),
            ).fetchone()
        update = "value + excluded.value" if count.kind is Kind.COUNTER else "excluded.value"
        connection.execute(
            "INSERT INTO sample VALUES (?, ?, ?)"  # noqa: S608  one of two constants
            f" ON CONFLICT (series_id, time_s) DO UPDATE SET value = {update}",
            (found[0], time_s, count.value),
        )


def begin(connection: sqlite3.Connection, *, time_s: int) -> None:
    """Forget old samples and end all gauges: nothing runs when the sandbox starts."""
    connection.execute("DELETE FROM sample WHERE time_s < ?", (time_s - _KEPT_S,))
    connection.execute("DELETE FROM series WHERE id NOT IN (SELECT series_id FROM sample)")
    connection.execute(
        "INSERT OR REPLACE INTO sample SELECT id, ?, NULL FROM series WHERE kind = ? AND"
        " (SELECT value FROM sample WHERE series_id = id ORDER BY time_s DESC LIMIT 1) IS NOT NULL",
        (time_s, Kind.GAUGE),
    )


def read(
    connection: sqlite3.Connection,
    metric: str,
    *,
    workspace_ids: Sequence[int],
    span_s: tuple[float, float],
    wanted: Callable[[Mapping[str, str]], bool],
) -> list[Series]:
    """Return the series of a metric in some workspaces, as far as a span of time needs them.

    Parameters
    ----------
    span_s
        Earliest and latest moment, both included, in epoch s.
    wanted
        Says from its labels (a histogram's bound among them) whether a series is asked for.
    """
    found = []
    for workspace_id in workspace_ids:
        rows = connection.execute(
            "SELECT id, kind, labels FROM series WHERE metric = ? AND workspace_id = ? ORDER BY id",
            (metric, workspace_id),
        ).fetchall()
        found += [(number, Kind(kind), json.loads(labels)) for number, kind, labels in rows]
    if metric == LATENCY:
        return _buckets(connection, found, span_s, wanted)
    chosen = [each for each in found if wanted(each[2])]
    samples = _samples(connection, [number for number, _, _ in chosen], span_s)
    return [
        _gauge(labels, samples[number][1])
        if kind is Kind.GAUGE
        else _counter(labels, samples[number])
        for number, kind, labels in chosen
    ]


#: What a counter had before a span of time (when it began, its total), and its samples inside.
_Samples = tuple[tuple[int, float] | None, list[tuple[int, float | None]]]


def _samples(
    connection: sqlite3.Connection, numbers: Sequence[int], span_s: tuple[float, float]
) -> dict[int, _Samples]:
    start_s, end_s = math.floor(span_s[0]), math.floor(span_s[1])
    found: dict[int, _Samples] = {}
    for number in numbers:
        began_s, total = connection.execute(
            "SELECT min(time_s), total(value) FROM sample WHERE series_id = ? AND time_s < ?",
            (number, start_s),
        ).fetchone()
        rows = connection.execute(
            "SELECT time_s, value FROM sample WHERE series_id = ? AND time_s BETWEEN ? AND ?"
            " ORDER BY time_s",
            (number, start_s, end_s),
        ).fetchall()
        found[number] = (None if began_s is None else (began_s, total), rows)
    return found


def _gauge(labels: Mapping[str, str], rows: Sequence[tuple[int, float | None]]) -> Series:
    return Series(labels, Kind.GAUGE, [row[0] for row in rows], [row[1] for row in rows])


def _counter(labels: Mapping[str, str], samples: _Samples) -> Series:
    before, rows = samples
    total = before[1] if before else 0.0
    times_s, values = ([before[0]], [total]) if before else ([], [])
    for time_s, added in rows:
        total += added or 0.0
        times_s.append(time_s)
        values.append(total)
    return Series(labels, Kind.COUNTER, times_s, values)


def _buckets(
    connection: sqlite3.Connection,
    found: Sequence[tuple[int, Kind, dict[str, str]]],
    span_s: tuple[float, float],
    wanted: Callable[[Mapping[str, str]], bool],
) -> list[Series]:
    """Return the series of a histogram: each bucket counts those below it, too."""
    histograms: dict[tuple[tuple[str, str], ...], dict[str, int]] = {}
    for number, _, labels in found:
        bound = labels.pop("le")
        histograms.setdefault(tuple(sorted(labels.items())), {})[bound] = number
    series = []
    for base, numbers in histograms.items():
        bounds = (*map(str, BOUNDS_NS), INFINITE)
        chosen = [each for each in bounds if wanted(dict(base) | {"le": each})]
        if not chosen:
            continue
        samples = _samples(connection, list(numbers.values()), span_s)
        below: _Samples = (None, [])
        for bound in bounds:
            if bound in numbers:
                below = _together(below, samples[numbers[bound]])
            if bound in chosen:
                series.append(_counter(dict(base) | {"le": bound}, below))
    return _since_the_first(series)


def _together(left: _Samples, right: _Samples) -> _Samples:
    """Return the samples of two counters as those of one."""
    added = dict(left[1])
    for time_s, value in right[1]:
        added[time_s] = (added.get(time_s) or 0.0) + (value or 0.0)
    befores = [each for each in (left[0], right[0]) if each]
    if not befores:
        return None, sorted(added.items())
    before = min(each[0] for each in befores), sum(each[1] for each in befores)
    return before, sorted(added.items())


def _since_the_first(series: list[Series]) -> list[Series]:
    """Let every bucket of the histograms begin with 0 when the first of all of them begins."""
    began_s = min((each.times_s[0] for each in series if each.times_s), default=0)
    return [
        each if each.times_s else Series(each.labels, each.kind, [began_s], [0.0])
        for each in series
    ]
