"""JSON as a person types it: parsed, or told where it is wrong without a word of the text."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from dashboard.errors import InvalidInput

_LONGEST = 1_000_000


def json_value(text: str, *, field: str | None = None) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value that JSON `text` holds.

    Raises
    ------
    InvalidInput
        With `field`. It says line and character, and never quotes the text: that may be a secret.
    """
    message = "It is nested too deeply, or holds a number that cannot be kept."
    if len(text) > _LONGEST:
        raise InvalidInput("It is longer than 1,000,000 characters.", field=field)
    try:
        return json.loads(text, parse_constant=_refused, parse_float=_finite)
    except json.JSONDecodeError as error:
        message = f"This is not JSON: look at line {error.lineno}, character {error.colno}."
    except (RecursionError, ValueError):
        pass
    # Raised outside of `except`: the parser's error holds the text and would hang on ours.
    raise InvalidInput(message, field=field)


def json_trouble(text: str, *, wants_object: bool = False) -> str:
    """Say what is wrong with JSON `text`, or return an empty text; an empty one is not wrong yet.

    Parameters
    ----------
    wants_object
        Whether only names and values between { and } will do.
    """
    if not text.strip():
        return ""
    try:
        value = json_value(text)
    except InvalidInput as error:
        return error.message
    if wants_object and not isinstance(value, dict):
        return "The details are names and values between { and }."
    return ""


def _refused(_name: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("too large")
    return number
