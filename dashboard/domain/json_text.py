"""JSON as people type and upload it: one strict reader for both.

What Python would read and others would not, or would lose, is refused: two values of one name, NaN,
numbers without end, half characters, what is too deep or too much. Errors tell line and character
and never quote the text: it may be a secret.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from dashboard.errors import InvalidInput

#: Groups and lists inside one another, the outermost one counted.
MOST_LEVELS: Final = 100
MOST_VALUES: Final = 100_000
_MOST_CHARACTERS: Final = 1_000_000
_MOST_DIGITS: Final = 4_000
_TOKEN: Final = re.compile(
    r"""
      (?P<text> " [^"\\]*+ (?: \\. [^"\\]*+ )*+ " ) (?P<colon> [ \t\r\n]*+ : )?+
    | (?P<opens> [\[{] )
    | (?P<closes> [\]}] )
    | (?P<word> true | false | null )
    | (?P<constant> -?+Infinity | NaN )
    | (?P<number> -?+ \d [\d.eE+-]*+ )
    | (?P<unended> " )
    """,
    re.DOTALL | re.VERBOSE,
)
_HALF_CHARACTER: Final = re.compile(r"[\ud800-\udfff]")
_MAYBE_HALF: Final = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much JSON is read: characters of the text, levels, and values."""

    characters: int = _MOST_CHARACTERS
    levels: int = MOST_LEVELS
    values: int = MOST_VALUES


USUAL_LIMITS: Final = Limits()


def json_value(text: str, *, field: str | None = None, limits: Limits = USUAL_LIMITS) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value that JSON `text` holds.

    Raises
    ------
    InvalidInput
        With `field`. It says line and character, and never quotes the text: that may be a secret.
    """
    if len(text) > limits.characters:
        raise InvalidInput(f"It is longer than {limits.characters:,} characters.", field=field)
    # First, so that the parser is given nothing that is too much for it.
    message = _Scan(text, limits).fault()
    if not message:
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            message = f"This is not JSON: look at line {error.lineno}, character {error.colno}."
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


def fits(value: Any, *, levels: int = MOST_LEVELS) -> bool:  # noqa: ANN401 - any JSON value
    """Whether a JSON value is no deeper than `levels`, and of no more values, than are read."""
    count = 0
    waiting = [(value, 1)]
    while waiting:
        here, level = waiting.pop()
        count += 1
        if isinstance(here, Mapping | list):
            if level > levels or count + len(here) > MOST_VALUES:
                return False
            inner = here.values() if isinstance(here, Mapping) else here
            waiting.extend((each, level + 1) for each in inner)
    return count <= MOST_VALUES


class _Scan:
    """One way through a text, for what the parser does not mind or could not take.

    Up to its first error in grammar, which the parser tells, the tokens are those of the parser.
    """

    def __init__(self, text: str, limits: Limits) -> None:
        self._text = text
        self._limits = limits
        self._values = 0
        #: The names of each open group; a list has a set of its own that stays empty.
        self._names: list[set[str]] = []

    def fault(self) -> str:
        """Return the first one as a sentence, or an empty text."""
        half = _HALF_CHARACTER.search(self._text)
        if half is not None:
            return self._at(half.start(), "holds half a character")
        for token in _TOKEN.finditer(self._text):
            kind = token.lastgroup
            if kind == "unended" or (kind == "closes" and not self._names):
                return ""
            what = self._fault_of(kind, token[0] if kind != "colon" else token["text"])
            if what:
                return self._at(token.start(), what)
        return ""

    def _fault_of(self, kind: str | None, token: str) -> str:
        if kind == "closes":
            self._names.pop()
            return ""
        if kind == "colon":
            return self._name_fault(token)
        self._values += 1
        if self._values > self._limits.values:
            return f"is more than the {self._limits.values:,} values that are read at once"
        if kind == "opens":
            self._names.append(set())
            return self._depth_fault()
        return _leaf_fault(kind, token)

    def _depth_fault(self) -> str:
        is_deep = len(self._names) > self._limits.levels
        return f"is nested more than {self._limits.levels} levels deep" if is_deep else ""

    def _name_fault(self, token: str) -> str:
        name = _decoded(token)
        # Without a group around it, or with an escape that is none: the parser tells.
        if name is None or not self._names:
            return ""
        if name in self._names[-1]:
            return "has the name of another value in the same group, so that one would be lost"
        self._names[-1].add(name)
        return _text_fault(token)

    def _at(self, position: int, what: str) -> str:
        line = self._text.count("\n", 0, position) + 1
        character = position - self._text.rfind("\n", 0, position)
        return f"What begins at line {line}, character {character} {what}."


def _leaf_fault(kind: str | None, token: str) -> str:
    if kind == "text":
        return _text_fault(token)
    if kind == "number":
        return _number_fault(token)
    return "is NaN or Infinity, which are not JSON" if kind == "constant" else ""


def _text_fault(token: str) -> str:
    if not _MAYBE_HALF.search(token):
        return ""
    is_half = _HALF_CHARACTER.search(_decoded(token) or "") is not None
    return "holds half a character" if is_half else ""


def _number_fault(token: str) -> str:
    is_whole = token.lstrip("-").isdecimal()
    try:
        is_lost = len(token) > _MOST_DIGITS if is_whole else math.isinf(float(token))
    except ValueError:  # no number: the parser tells
        return ""
    return "is a number that is too large to be kept" if is_lost else ""


def _decoded(token: str) -> str | None:
    """Return the text that a token stands for; None for one that is no JSON."""
    if "\\" not in token:
        return token[1:-1]
    try:
        text: str = json.loads(token, strict=False)
    except json.JSONDecodeError:
        return None
    return text
