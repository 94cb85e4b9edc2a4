"""What counts as a value of GraphQL's numbers and times; anything else would reach SQLite."""

from __future__ import annotations

import re
from datetime import datetime

from graphql import GraphQLError, GraphQLScalarType, GraphQLSchema

from dashboard.sandbox.context import Json

#: As many digits as a 64-bit number may have.
_DIGITS = re.compile(r"-?[0-9]{1,19}")
_LARGEST = 2**63


def _read_bigint(value: Json) -> int:
    """Return a whole number of 64 bits; digits in a text count, as the platform's do."""
    number = int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value
    if isinstance(number, bool) or not isinstance(number, int):
        raise GraphQLError("a bigint must be a whole number")
    if not -_LARGEST <= number < _LARGEST:
        raise GraphQLError("the number is out of range for a bigint")
    return number


def _read_timestamptz(value: Json) -> str:
    """Return a time in ISO form."""
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError) as exc:
        raise GraphQLError("a timestamptz must be a time in ISO form") from exc
    return str(value)


def with_checks(schema: GraphQLSchema) -> GraphQLSchema:
    """Return `schema` with its own scalars checked when they come in."""
    for name, read in (("bigint", _read_bigint), ("timestamptz", _read_timestamptz)):
        kind = schema.type_map[name]
        if isinstance(kind, GraphQLScalarType):
            kind.parse_value = read  # type: ignore[method-assign]  # it is made to be replaced
    return schema
