"""Secrets as values that cannot be printed, and a log filter that knows them.

A `Secret` shows as `••••` wherever it is formatted; only `.reveal()` gives its value, and only the
gateway and the connectors call that. Nothing here guesses from key names: every detail of a
connection is a secret unless its connector says it may be shown.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Generic, NoReturn, TypeVar

MASK = "••••"
_MIN_REDACTED_LENGTH = 4
_URL_TAIL = re.compile(r"(https?://)[^\s'\"<>]*", re.IGNORECASE)

T = TypeVar("T")


class Secret(Generic[T]):
    """A value that no format, repr, pickle or comparison gives away."""

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value
        REDACTOR.register(value)

    def reveal(self) -> T:
        """Give the value itself. Call it at the edge, never in a page."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return MASK

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is never stored")


SecretText = Secret[str]
#: A connection's details as the platform holds them: any JSON value, usually an object.
SecretDetails = Secret[Any]


def leaves(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    """Yield every text inside a JSON value: strings, and the text form of numbers."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from leaves(inner)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)


class Redactor:
    """Replaces registered secrets, and the tail of every URL, in a text. Thread-safe."""

    def __init__(self, *, most: int = 50_000) -> None:
        self._texts: dict[str, None] = {}
        self._most = most
        self._lock = threading.Lock()

    def register(self, value: Any) -> None:  # noqa: ANN401 - any JSON value
        """Remember every text in `value`; the oldest are forgotten beyond the limit."""
        with self._lock:
            for text in leaves(value):
                if len(text) >= _MIN_REDACTED_LENGTH:
                    for form in _forms(text):
                        self._texts.pop(form, None)
                        self._texts[form] = None
            while len(self._texts) > self._most:
                self._texts.pop(next(iter(self._texts)))

    def redact(self, text: str) -> str:
        """Return `text` without any registered secret and without what follows a URL's scheme."""
        with self._lock:
            known = [secret for secret in self._texts if secret in text]
        for secret in sorted(known, key=len, reverse=True):
            text = text.replace(secret, MASK)
        return _URL_TAIL.sub(rf"\1{MASK}", text)


def _forms(text: str) -> tuple[str, ...]:
    """Return `text` as it is, and as it stands inside JSON: a key has line breaks, for one."""
    in_ascii = json.dumps(text)[1:-1]
    in_unicode = json.dumps(text, ensure_ascii=False)[1:-1]
    return tuple(dict.fromkeys((text, in_ascii, in_unicode)))


REDACTOR = Redactor()


class RedactingFormatter(logging.Formatter):
    """Formats a record, traceback included, and redacts the whole text last."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the finished line without secrets."""
        return REDACTOR.redact(super().format(record))
