"""Answers a query's tree at moments, from series that are read once."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dashboard.sandbox.metrics import METRICS, Kind, Series
from dashboard.sandbox.promql.syntax import (
    SUPPORTED,
    Aggregation,
    Binary,
    Call,
    Matcher,
    Node,
    Number,
    QueryError,
    Selector,
    Subquery,
)

NAME: Final = "__name__"
#: For how long a gauge's last sample counts, as in Prometheus.
LOOKBACK_S: Final = 300.0
#: Values one query may look up.
_MOST_LOOK_UPS = 3_000_000
_LARGEST_TIME_S = 2.0**53

Labels = Mapping[str, str]
#: A vector's element. Labels as pairs: they are the keys of groups.
Element = tuple[tuple[tuple[str, str], ...], float]
Vector = list[Element]
Value = float | Vector
#: Reads the series of a metric: its name, the span of time in s, which labels are asked for.
Reader = Callable[[str, tuple[float, float], Callable[[Labels], bool]], list[Series]]


class TooMuchError(Exception):
    """The query would take too long; the text is Prometheus' own."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A series with its labels in the order of their names, the metric's name among them."""

    labels: tuple[tuple[str, str], ...]
    series: Series


class Evaluation:
    """One query over the moments it is asked for.

    Parameters
    ----------
    times_s
        The moments, ascending, in epoch s.

    Raises
    ------
    QueryError
        If the query cannot be answered.
    TooMuchError
        If it would take too long.
    """

    def __init__(self, tree: Node, times_s: Sequence[float], reader: Reader) -> None:
        self._tree = tree
        self._loaded: dict[int, list[_Loaded]] = {}
        for selector, before_s in _selectors(tree):
            self._loaded[id(selector)] = _load(selector, times_s, before_s, reader)
        self._series = sum(len(each) for each in self._loaded.values())
        self._look_ups = 0
        self._look_up(len(times_s))

    def _look_up(self, moments: int) -> None:
        self._look_ups += moments * max(self._series, 1)
        if self._look_ups > _MOST_LOOK_UPS:
            raise TooMuchError(
                "query processing would load too many samples into memory in query execution"
            )

    def at(self, time_s: float) -> Value:
        """Return the query's value at a moment: a number, or a vector."""
        return self._value(self._tree, time_s)

    def matrix(self, selector: Selector, time_s: float) -> list[tuple[Labels, list[list[float]]]]:
        """Return the samples of a range, for an instant query that asks for them."""
        found: list[tuple[Labels, list[list[float]]]] = []
        end_s = time_s - selector.offset_s
        for each in self._loaded[id(selector)]:
            points = list(_points(each.series, end_s - (selector.range_s or 0.0), end_s))
            if points:
                found.append((dict(each.labels), [[float(at), value] for at, value in points]))
        return found

    def _value(self, node: Node, time_s: float) -> Value:
        value: Value
        match node:
            case Number(value):
                pass
            case Selector():
                value = self._instant(node, time_s)
            case Subquery():
                raise QueryError(f"a subquery is for functions of a range, only; {SUPPORTED}")
            case Call():
                value = self._call(node, time_s)
            case Aggregation():
                operand = self._value(node.operand, time_s)
                value = _aggregate(node, _vector(operand, node.operation))
            case Binary(operator, left, right):
                value = _combine(operator, self._value(left, time_s), self._value(right, time_s))
        return value

    def _call(self, node: Call, time_s: float) -> Vector:
        first = node.arguments[0]
        if isinstance(first, Selector) and first.range_s is not None:
            return self._over_range(node.function, first, time_s)
        if isinstance(first, Subquery):
            return self._over_subquery(node.function, first, time_s)
        number = _scalar(self._value(first, time_s), node.function)
        if node.function == "vector":
            return [((), number)]
        buckets = self._value(node.arguments[1], time_s)
        return _quantiles(number, _vector(buckets, node.function))

    def _instant(self, selector: Selector, time_s: float) -> Vector:
        if selector.range_s is not None:
            raise QueryError(f"a range vector is for rates, only; {SUPPORTED}")
        moment_s = time_s - selector.offset_s
        found: Vector = []
        for each in self._loaded[id(selector)]:
            place = bisect_right(each.series.times_s, moment_s) - 1
            if place < 0:
                continue
            value = each.series.values[place]
            is_stale = (
                each.series.kind is Kind.GAUGE
                and moment_s - each.series.times_s[place] > LOOKBACK_S
            )
            if value is not None and not is_stale:
                found.append((each.labels, value))
        return found

    def _over_range(self, function: str, selector: Selector, time_s: float) -> Vector:
        end_s, range_s = time_s - selector.offset_s, selector.range_s or 0.0
        found: Vector = []
        for each in self._loaded[id(selector)]:
            series = each.series
            if (series.kind is Kind.COUNTER) != (function in ("rate", "increase")):
                kinds = "counters" if series.kind is Kind.GAUGE else "gauges"
                raise QueryError(f"{function} is for {kinds}, and {selector.metric} is none")
            if series.kind is Kind.COUNTER:
                value = _increase(series, end_s - range_s, end_s)
                if value is not None and function == "rate":
                    value /= range_s
            else:
                points = [point for _, point in _points(series, end_s - range_s, end_s)]
                value = _OVER_TIME[function](points) if points else None
            if value is not None:
                found.append((_without(each.labels, NAME), value))
        return found

    def _over_subquery(self, function: str, node: Subquery, time_s: float) -> Vector:
        end_s = time_s - node.offset_s
        # Its moments are multiples of the step, whenever it is asked.
        first = math.floor((end_s - node.range_s) / node.step_s) + 1
        last = math.floor(end_s / node.step_s)
        self._look_up(last - first + 1)
        found: dict[tuple[tuple[str, str], ...], list[float]] = {}
        for number in range(first, last + 1):
            value = self._value(node.operand, number * node.step_s)
            for labels, each in value if isinstance(value, list) else [((), value)]:
                found.setdefault(_without(labels, NAME), []).append(each)
        return [(labels, _OVER_TIME[function](values)) for labels, values in found.items()]


_OVER_TIME: Final[Mapping[str, Callable[[list[float]], float]]] = {
    "avg_over_time": lambda values: sum(values) / len(values),
    "min_over_time": min,
    "max_over_time": max,
}


def _selectors(node: Node, before_s: float = 0.0) -> Iterator[tuple[Selector, float]]:
    """Yield the selectors, each with the time that subqueries around it look back."""
    match node:
        case Selector():
            yield node, before_s
        case Subquery():
            yield from _selectors(node.operand, before_s + node.range_s + node.offset_s)
        case Call(_, arguments):
            for argument in arguments:
                yield from _selectors(argument, before_s)
        case Aggregation():
            yield from _selectors(node.operand, before_s)
        case Binary(_, left, right):
            yield from _selectors(left, before_s)
            yield from _selectors(right, before_s)


def _load(
    selector: Selector, times_s: Sequence[float], before_s: float, reader: Reader
) -> list[_Loaded]:
    if selector.metric not in METRICS:
        # As Prometheus: a metric that nobody gives has no series.
        return []
    before_s += LOOKBACK_S if selector.range_s is None else selector.range_s
    span_s = (
        _bounded(times_s[0] - selector.offset_s - before_s),
        _bounded(times_s[-1] - selector.offset_s),
    )
    found = reader(selector.metric, span_s, _condition(selector.matchers))
    return [
        _Loaded(tuple(sorted({**each.labels, NAME: selector.metric}.items())), each)
        for each in found
    ]


def _bounded(time_s: float) -> float:
    return max(-_LARGEST_TIME_S, min(time_s, _LARGEST_TIME_S))


def _condition(matchers: Sequence[Matcher]) -> Callable[[Labels], bool]:
    tests = [(each.name, _test(each), each.operator in ("=", "=~")) for each in matchers]

    def is_wanted(labels: Labels) -> bool:
        for name, test, is_positive in tests:
            texts = _spellings(labels, name)
            if is_positive and not any(test(text) for text in texts):
                return False
            if not is_positive and not all(test(text) for text in texts):
                return False
        return True

    return is_wanted


def _spellings(labels: Labels, name: str) -> list[str]:
    """Return a label's value; a deployment is also known by its number and by its namespace."""
    names = ("deploy_id", "deployment_id", "namespace") if name == "deploy_id" else (name,)
    return [labels.get(each, "") for each in names]


def _test(matcher: Matcher) -> Callable[[str], bool]:
    if matcher.operator == "=":
        return lambda text: text == matcher.value
    if matcher.operator == "!=":
        return lambda text: text != matcher.value
    matches = _regular_expression(matcher.value)
    return matches if matcher.operator == "=~" else lambda text: not matches(text)


def _regular_expression(pattern: str) -> Callable[[str], bool]:
    """Return a test for a whole text, in linear time whatever the pattern: it is anybody's."""
    import pyarrow as pa
    import pyarrow.compute

    def matches(text: str) -> bool:
        found = pa.compute.match_substring_regex(pa.scalar(text), f"^(?s:{pattern})$")
        return bool(found.as_py())

    try:
        matches("")
    except (pa.ArrowException, ValueError) as exc:
        raise QueryError(f"parse error: error parsing regexp: {pattern[:100]!r}") from exc
    return matches


def _points(series: Series, start_s: float, end_s: float) -> Iterator[tuple[float, float]]:
    """Yield the samples after `start_s`, up to and with `end_s`."""
    first, last = bisect_right(series.times_s, start_s), bisect_right(series.times_s, end_s)
    for place in range(first, last):
        value = series.values[place]
        if value is not None:
            yield series.times_s[place], value


def _increase(series: Series, start_s: float, end_s: float) -> float | None:
    """Return what was added after `start_s`, up to and with `end_s`; None before the first."""
    last = bisect_right(series.times_s, end_s) - 1
    if last < 0:
        return None
    first = bisect_right(series.times_s, start_s) - 1
    before = series.values[first] if first >= 0 else 0.0
    return (series.values[last] or 0.0) - (before or 0.0)


def _without(labels: tuple[tuple[str, str], ...], *names: str) -> tuple[tuple[str, str], ...]:
    return tuple(pair for pair in labels if pair[0] not in names)


def _scalar(value: Value, function: str) -> float:
    if isinstance(value, list):
        raise QueryError(f"expected type scalar in call to function {function!r}")
    return value


def _vector(value: Value, function: str) -> Vector:
    if not isinstance(value, list):
        raise QueryError(f"expected type instant vector in {function!r}, got scalar")
    return value


def _aggregate(node: Aggregation, vector: Vector) -> Vector:
    groups: dict[tuple[tuple[str, str], ...], list[float]] = {}
    for labels, value in vector:
        if node.is_without:
            key = _without(labels, NAME, *node.labels)
        else:
            key = tuple(pair for pair in labels if pair[0] in node.labels)
        groups.setdefault(key, []).append(value)
    operate = _AGGREGATE[node.operation]
    return [(key, operate(values)) for key, values in groups.items()]


_AGGREGATE: Final[Mapping[str, Callable[[list[float]], float]]] = {
    "sum": lambda values: float(sum(values)),
    "avg": lambda values: sum(values) / len(values),
    "min": min,
    "max": max,
    "count": lambda values: float(len(values)),
}


def _combine(operator: str, left: Value, right: Value) -> Value:
    if operator == "or":
        return _union(_vector(left, "or"), _vector(right, "or"))
    operate = _ARITHMETIC[operator]
    if not isinstance(left, list) and not isinstance(right, list):
        return operate(left, right)
    if not isinstance(right, list):
        return [(_without(labels, NAME), operate(value, right)) for labels, value in left]  # type: ignore[union-attr]  # a vector: not both are numbers
    if not isinstance(left, list):
        return [(_without(labels, NAME), operate(left, value)) for labels, value in right]
    others = {_without(labels, NAME): value for labels, value in right}
    return [
        (key, operate(value, others[key]))
        for labels, value in left
        if (key := _without(labels, NAME)) in others
    ]


def _union(left: Vector, right: Vector) -> Vector:
    known = {_without(labels, NAME) for labels, _ in left}
    return left + [each for each in right if _without(each[0], NAME) not in known]


def _divide(left: float, right: float) -> float:
    if right:
        return left / right
    return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left)


def _remainder(left: float, right: float) -> float:
    return math.fmod(left, right) if right and math.isfinite(left) else math.nan


_ARITHMETIC: Final[Mapping[str, Callable[[float, float], float]]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": _divide,
    "%": _remainder,
}


def _quantiles(quantile: float, vector: Vector) -> Vector:
    """Return the quantile of each histogram, interpolated inside of its bucket."""
    histograms: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
    for labels, value in vector:
        bound = dict(labels).get("le")
        try:
            upper = float(bound) if bound is not None else None
        except ValueError:
            upper = None
        if upper is not None:
            key = _without(labels, NAME, "le")
            histograms.setdefault(key, []).append((upper, value))
    return [(key, _quantile(quantile, sorted(buckets))) for key, buckets in histograms.items()]


def _quantile(quantile: float, buckets: Sequence[tuple[float, float]]) -> float:
    if math.isnan(quantile) or len(buckets) < 2 or not math.isinf(buckets[-1][0]):
        return math.nan
    if quantile < 0 or quantile > 1:
        return math.copysign(math.inf, quantile)
    total = buckets[-1][1]
    if not total > 0:
        return math.nan
    rank = quantile * total
    place = next(index for index, (_, count) in enumerate(buckets) if count >= rank)
    if place == len(buckets) - 1:
        return buckets[-2][0]
    upper, count = buckets[place]
    lower, below = buckets[place - 1] if place else (0.0, 0.0)
    inside = count - below
    return lower + (upper - lower) * ((rank - below) / inside if inside else 1.0)
