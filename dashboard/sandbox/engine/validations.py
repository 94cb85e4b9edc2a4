"""Validations: polars expressions that say which rows are out of the ordinary.

An expression is somebody else's JSON. Polars can keep pickled Python functions in such JSON and
would run them, so only expressions made of parts that are known to be data are ever read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dashboard.sandbox.engine.runtimes.base import Row

#: Polars' expressions, tables and types: its hints change between versions, so all are Any here.
Polars = Any

_LONGEST_EXPRESSION = 256 * 1024
_COUNT = "count"

#: Every key that may stand in an expression: its parts, and the parts' fields.
_PARTS_TEXT = """
Agg AggGroups Alias All Any BinaryExpr Binary Boolean Cast Clip Column Columns Contains Count
CountMatch Cumsum Date Datetime Diff Duration EndsWith Explode FieldByName FillNull Filter
First Float32 Float64 Function Hash Int16 Int32 Int64 Int8 IsIn KeepName Last List ListExpr
Literal Log Max Mean Median Min NUnique Nth Pow Quantile Range Replace Round Series Shift
Slice Sort SortBy StartsWith Std StringExpr Strip StructExpr Sum Take TemporalExpr Ternary
Time Trigonometry UInt16 UInt32 UInt64 UInt8 Utf8 Var Window
all allow_group_aware allow_rename auto_explode base bit_settings by cast_to_supertypes
changes_length check_lengths collect_groups data_type datatype decimals descending
drop_nulls expr falsy fmt_str function high idx ignore_nulls input input_wildcard_expansion
interpol left length literal low maintain_order mapping max min multithreaded name
nulls_last offset op options order_by partition_by pass_name_to_apply predicate
propagate_nans quantile reverse right sort_options strict super_type truthy value
values
"""
_PARTS = frozenset(_PARTS_TEXT.split())


class BadExpressionError(Exception):
    """An expression cannot be used; the text says why."""


class ValidationError(Exception):
    """A validation cannot be evaluated on a request."""


def name_of(expression: str) -> str:
    """Check an expression without running any of it, and return the validation's name.

    Raises
    ------
    BadExpressionError
        If it is no expression, has no usable name, or has parts that are not known to be data.
    """
    if len(expression) > _LONGEST_EXPRESSION:
        raise BadExpressionError("a validation is too long")
    try:
        tree = json.loads(expression)
    except (ValueError, RecursionError) as exc:
        raise BadExpressionError("a validation is not JSON") from exc
    alias = tree.get("Alias") if isinstance(tree, dict) else None
    if not (isinstance(alias, list) and len(alias) == 2 and isinstance(alias[1], str)):
        raise BadExpressionError("a validation has no name")
    name = alias[1]
    if not name.isidentifier() or name == _COUNT:
        raise BadExpressionError(f"a validation cannot be called {name[:100]!r}")
    _check_parts(name, tree)
    return name


def _check_parts(name: str, tree: object) -> None:
    waiting = [tree]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            for key in part:
                if key not in _PARTS:
                    raise BadExpressionError(
                        f"validation {name} has a part that the sandbox does not evaluate: "
                        f"{key[:100]}"
                    )
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)


class Validations:
    """The validations of one stage, ready to evaluate.

    Raises
    ------
    BadExpressionError
        If one cannot be used.
    """

    def __init__(self, expressions: Sequence[str]) -> None:
        names = [name_of(expression) for expression in expressions]
        # A few rows need no threads, which would only take time from the models'.
        os.environ.setdefault("POLARS_MAX_THREADS", "1")
        import polars  # only pipelines with validations wait for it

        self._polars = polars
        self._rules: dict[str, Polars] = {}
        for name, expression in zip(names, expressions, strict=True):
            try:
                self._rules[name] = polars.Expr.from_json(expression)
            except BaseException as exc:
                # What panics inside of polars is no Exception.
                if isinstance(exc, KeyboardInterrupt | SystemExit):
                    raise
                raise BadExpressionError(f"validation {name} is no polars expression") from exc

    def evaluate(
        self,
        inputs: Sequence[Row],
        outputs: Sequence[Row],
        types: Mapping[str, str],
    ) -> dict[str, list[bool]]:
        """Return for each validation which rows it found to be out of the ordinary.

        Parameters
        ----------
        types
            Arrow type name by output column.

        Raises
        ------
        ValidationError
            Naming the validation that cannot be evaluated on these rows.
        """
        return {
            name: self._verdicts(name, rule, inputs, outputs, types)
            for name, rule in self._rules.items()
        }

    def _verdicts(
        self,
        name: str,
        rule: Polars,
        inputs: Sequence[Row],
        outputs: Sequence[Row],
        types: Mapping[str, str],
    ) -> list[bool]:
        try:
            frame = self._frame(rule, inputs, outputs, types)
            verdicts = frame.select(rule.alias(name))[name]
            is_fitting = verdicts.dtype == self._polars.Boolean
            found = verdicts.to_list() if is_fitting else []
        except BaseException as exc:
            if isinstance(exc, KeyboardInterrupt | SystemExit):
                raise
            raise ValidationError(f"validation {name} cannot be evaluated: {_reason(exc)}") from exc
        if not is_fitting:
            raise ValidationError(f"validation {name} gives {verdicts.dtype} and not true or false")
        if len(found) == 1:  # a verdict on all of them
            found *= len(outputs)
        if len(found) != len(outputs):
            raise ValidationError(f"validation {name} does not give one verdict per row")
        return [bool(verdict) for verdict in found]

    def _frame(
        self,
        rule: Polars,
        inputs: Sequence[Row],
        outputs: Sequence[Row],
        types: Mapping[str, str],
    ) -> Polars:
        """Return a table of the columns that a rule reads, and a column that counts the rows."""
        polars = self._polars
        wanted = set(rule.meta.root_names())
        columns = [polars.Series("row", range(len(outputs)))]
        for prefix, rows in (("in.", inputs), ("out.", outputs)):
            for key in dict.fromkeys(key for row in rows for key in row):
                column = key[1:] if key.startswith(".") else f"{prefix}{key}"
                if wanted and column not in wanted:
                    continue
                values = [row.get(key) for row in rows]
                dtype = self._type_named(types.get(key)) if prefix == "out." else None
                columns.append(polars.Series(column, values, dtype=dtype))
        return polars.DataFrame(columns)

    def _type_named(self, name: str | None) -> Polars:
        polars = self._polars
        if name is None:
            return None
        if name.startswith("list<"):
            inner = self._type_named(name[5:-1])
            return polars.List(inner) if inner is not None else None
        if name in ("string", "bool"):
            return {"string": polars.Utf8, "bool": polars.Boolean}[name]
        capital = name.replace("uint", "UInt").replace("int", "Int").replace("float", "Float")
        return getattr(polars, capital, None)


def _reason(exc: BaseException) -> str:
    text = str(exc).strip()
    return (text.splitlines()[0] if text else type(exc).__name__)[:200]
