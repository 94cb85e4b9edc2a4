"""Reads a query into a tree; what the sandbox does not know is refused with its name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NoReturn

#: What a refusal says can be asked.
SUPPORTED: Final = (
    "the sandbox knows selectors with = != =~ !~, ranges, subqueries and offset; rate, increase, "
    "histogram_quantile, vector, avg_over_time, min_over_time, max_over_time; sum, avg, min, max "
    "and count with by or without; + - * / % and or"
)

FUNCTIONS: Final = {
    "rate": 1,
    "increase": 1,
    "avg_over_time": 1,
    "min_over_time": 1,
    "max_over_time": 1,
    "vector": 1,
    "histogram_quantile": 2,
}
RANGE_FUNCTIONS: Final = frozenset(FUNCTIONS) - {"vector", "histogram_quantile"}
SUBQUERY_FUNCTIONS: Final = RANGE_FUNCTIONS - {"rate", "increase"}
AGGREGATIONS: Final = frozenset({"sum", "avg", "min", "max", "count"})

_LONGEST_QUERY = 10_000
_DEEPEST = 40
#: How far apart a subquery's moments are when it does not say.
_STEP_S: Final = 60.0
_MOST_OPERATORS = 100
_UNIT_S: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_DURATION = re.compile(r"(?:[0-9]+(?:ms|[smhdwy]))+")
_PART = re.compile(r"([0-9]+)(ms|[smhdwy])")
_TOKEN = re.compile(
    r"\s*(?:"
    r"(?P<duration>(?:[0-9]+(?:ms|[smhdwy]))+(?![a-zA-Z0-9_]))"
    r"|(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![a-zA-Z0-9_]))"
    r"|(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)"
    r"|(?P<text>\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)"
    r"|(?P<mark>=~|!~|!=|==|<=|>=|[-+*/%^(){}\[\],=<>@:])"
    r")"
)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


class QueryError(Exception):
    """The query cannot be answered; the text says why."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number."""

    value: float


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label: `name operator "value"`."""

    name: str
    operator: str
    value: str


@dataclass(frozen=True, slots=True)
class Selector:
    """The series of a metric; with a range, their samples of some time."""

    metric: str
    matchers: tuple[Matcher, ...]
    range_s: float | None = None
    offset_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Subquery:
    """The values of an expression at every step of some time."""

    operand: Node
    range_s: float
    step_s: float = _STEP_S
    offset_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Call:
    """A function and what it is given."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Aggregation:
    """Series put together by the labels that are kept."""

    operation: str
    operand: Node
    labels: tuple[str, ...] = ()
    is_without: bool = False


@dataclass(frozen=True, slots=True)
class Binary:
    """Two operands and what stands between them."""

    operator: str
    left: Node
    right: Node


Node = Number | Selector | Subquery | Call | Aggregation | Binary


def parse(query: str) -> Node:
    """Return the tree of a query.

    Raises
    ------
    QueryError
        If it is wrong, or beyond what the sandbox knows.
    """
    if not query.strip():
        raise QueryError("unknown position: parse error: no expression found in input")
    if len(query) > _LONGEST_QUERY:
        raise QueryError(f"parse error: the query is longer than {_LONGEST_QUERY} characters")
    parser = _Parser(query)
    tree = parser.expression()
    parser.finish()
    return tree


def duration_s(text: str) -> float:
    """Return a duration such as `1h30m` in seconds.

    Raises
    ------
    QueryError
        If it is none.
    """
    if not _DURATION.fullmatch(text):
        raise QueryError(f"not a valid duration string: {text[:50]!r}")
    return float(sum(int(count[:12]) * _UNIT_S[unit] for count, unit in _PART.findall(text)))


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, query: str) -> None:
        self._query = query
        self._tokens: list[tuple[str, str, int]] = []
        self._next = 0
        self._depth = 0
        self._operators = 0
        end = len(query.rstrip())
        place = 0
        while place < end:
            found = _TOKEN.match(query, place)
            if found is None:
                self._fail(f"unexpected character: {query[place : place + 1]!r}", at=place)
            kind = str(found.lastgroup)
            self._tokens.append((kind, found[kind], found.start(kind)))
            place = found.end()

    def expression(self) -> Node:
        """Read `a or b`."""
        self._depth += 1
        if self._depth > _DEEPEST:
            self._fail("the query is nested too deeply")
        left = self._sum()
        while self._peek() == ("name", "or"):
            self._next += 1
            left = self._binary("or", left, self._sum())
        self._depth -= 1
        return left

    def finish(self) -> None:
        """Refuse what stands behind the expression."""
        kind, text = self._peek()
        if kind:
            self._fail(f"unexpected {text[:50]!r}; {SUPPORTED}")

    def _sum(self) -> Node:
        left = self._product()
        while self._peek() in (("mark", "+"), ("mark", "-")):
            left = self._binary(self._take()[1], left, self._product())
        return left

    def _product(self) -> Node:
        left = self._signed()
        while self._peek() in (("mark", "*"), ("mark", "/"), ("mark", "%")):
            left = self._binary(self._take()[1], left, self._signed())
        return left

    def _binary(self, operator: str, left: Node, right: Node) -> Node:
        self._operators += 1
        if self._operators > _MOST_OPERATORS:
            self._fail(f"more than {_MOST_OPERATORS} operators in one query")
        return Binary(operator, left, right)

    def _signed(self) -> Node:
        negative = False
        while self._peek() in (("mark", "-"), ("mark", "+")):
            negative ^= self._take()[1] == "-"
        operand = self._primary()
        if self._peek() == ("mark", "["):
            operand = self._subquery(operand)
        return Binary("*", Number(-1.0), operand) if negative else operand

    def _primary(self) -> Node:
        kind, text = self._peek()
        if (kind, text) == ("mark", "("):
            self._next += 1
            inner = self.expression()
            self._expect(")")
            return inner
        if kind == "number" or (kind == "name" and text.lower() in ("inf", "nan")):
            self._next += 1
            return Number(float(text))
        if kind == "name" and self._peek(1) == ("mark", "("):
            return self._call()
        if kind == "name" and text in AGGREGATIONS:
            return self._aggregation()
        if kind == "name" or (kind, text) == ("mark", "{"):
            return self._selector()
        self._fail(f"unexpected {text[:50]!r}" if kind else "unexpected end of input")

    def _call(self) -> Node:
        name = self._peek()[1]
        if name in AGGREGATIONS:
            return self._aggregation()
        if name not in FUNCTIONS:
            self._fail(f"unknown function with name {name[:50]!r}; {SUPPORTED}")
        self._next += 2
        arguments = [self.expression()]
        while self._peek() == ("mark", ","):
            self._next += 1
            arguments.append(self.expression())
        self._expect(")")
        if len(arguments) != FUNCTIONS[name]:
            self._fail(
                f"expected {FUNCTIONS[name]} argument(s) in call to {name!r}, got {len(arguments)}"
            )
        first = arguments[0]
        if isinstance(first, Subquery) and name not in SUBQUERY_FUNCTIONS:
            self._fail(f"call to function {name!r}: the sandbox knows no subquery there")
        has_range = isinstance(first, Subquery) or (
            isinstance(first, Selector) and first.range_s is not None
        )
        if has_range != (name in RANGE_FUNCTIONS):
            self._fail(f"call to function {name!r}: a range vector is expected by rates, only")
        return Call(name, tuple(arguments))

    def _aggregation(self) -> Node:
        operation = self._take()[1]
        grouping = self._grouping()
        self._expect("(")
        operand = self.expression()
        self._expect(")")
        labels, is_without = grouping or self._grouping() or ((), False)
        return Aggregation(operation, operand, labels, is_without)

    def _grouping(self) -> tuple[tuple[str, ...], bool] | None:
        kind, text = self._peek()
        if kind != "name" or text not in ("by", "without"):
            return None
        self._next += 1
        self._expect("(")
        labels = []
        while self._peek()[0] == "name":
            labels.append(self._take()[1])
            if self._peek() != ("mark", ","):
                break
            self._next += 1
        self._expect(")")
        return tuple(labels), text == "without"

    def _selector(self) -> Node:
        metric = self._take()[1] if self._peek()[0] == "name" else ""
        matchers: tuple[Matcher, ...] = ()
        if self._peek() == ("mark", "{"):
            matchers = self._matchers()
        named = [each for each in matchers if each.name == "__name__" and each.operator == "="]
        if not metric and named:
            metric = named[0].value
            matchers = tuple(each for each in matchers if each is not named[0])
        if not metric:
            self._fail(f"a selector must name its metric; {SUPPORTED}")
        range_s = None
        if self._peek() == ("mark", "[") and not self._peek(2)[1].startswith(":"):
            self._next += 1
            range_s = self._range()
            self._expect("]")
        return Selector(metric, matchers, range_s, self._offset())

    def _subquery(self, operand: Node) -> Node:
        self._expect("[")
        range_s = self._range()
        kind, text = self._peek()
        if kind != "name" or not text.startswith(":"):
            self._fail("a range stands behind a selector only; a subquery has a colon: [1h:]")
        self._next += 1
        step_s = _STEP_S
        # A colon may begin a name: `:5m` is one token, and `: 5m` are two.
        if len(text) > 1:
            step_s = duration_s(text[1:])
        elif self._peek() != ("mark", "]"):
            step_s = self._range()
        if step_s <= 0:
            self._fail("duration must be greater than 0")
        self._expect("]")
        return Subquery(operand, range_s, step_s, self._offset())

    def _range(self) -> float:
        range_s = self._duration()
        if range_s <= 0:
            self._fail("duration must be greater than 0")
        return range_s

    def _offset(self) -> float:
        if self._peek() != ("name", "offset"):
            return 0.0
        self._next += 1
        return self._duration()

    def _matchers(self) -> tuple[Matcher, ...]:
        self._expect("{")
        found = []
        while self._peek()[0] == "name":
            name = self._take()[1]
            kind, operator = self._take()
            if kind != "mark" or operator not in ("=", "!=", "=~", "!~"):
                self._fail(f"unexpected {operator[:50]!r} in label matching, expected = != =~ !~")
            kind, text = self._take()
            if kind != "text":
                self._fail(f"unexpected {text[:50]!r} in label matching, expected string")
            found.append(Matcher(name, operator, _unquoted(text)))
            if self._peek() != ("mark", ","):
                break
            self._next += 1
        self._expect("}")
        return tuple(found)

    def _duration(self) -> float:
        kind, text = self._take()
        if kind == "number":
            return float(text)
        if kind != "duration":
            self._fail(f"unexpected {text[:50]!r}, expected a duration such as 5m")
        return duration_s(text)

    def _peek(self, ahead: int = 0) -> tuple[str, str]:
        place = self._next + ahead
        return self._tokens[place][:2] if place < len(self._tokens) else ("", "")

    def _take(self) -> tuple[str, str]:
        found = self._peek()
        if not found[0]:
            self._fail("unexpected end of input")
        self._next += 1
        return found

    def _expect(self, mark: str) -> None:
        kind, text = self._peek()
        if (kind, text) != ("mark", mark):
            found = f"unexpected {text[:50]!r}" if kind else "unexpected end of input"
            self._fail(f"{found}, expected {mark!r}; {SUPPORTED}")
        self._next += 1

    def _fail(self, reason: str, *, at: int | None = None) -> NoReturn:
        if at is None:
            at = self._tokens[self._next][2] if self._next < len(self._tokens) else -1
        at = len(self._query) if at < 0 else at
        line = self._query.count("\n", 0, at) + 1
        column = at - self._query.rfind("\n", 0, at)
        raise QueryError(f"{line}:{column}: parse error: {reason}")


def _unquoted(text: str) -> str:
    if text.startswith("`"):
        return text[1:-1]
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), text[1:-1])
