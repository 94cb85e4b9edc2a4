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
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Generic, NoReturn, TypeVar

MASK = "••••"
_MIN_REDACTED_LENGTH = 4
_MIN_TELLING_LENGTH = 8
_LONGEST_WORD = 16
_MOST_OWN = 2_000
_MOST_OF_ONE = 10_000
_URL_TAIL = re.compile(r"(https?://)[^\s'\"<>]*", re.IGNORECASE)

T = TypeVar("T")


class Secret(Generic[T]):
    """A value that no format, repr, pickle or comparison gives away."""

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value
        REDACTOR.register(value)

    @classmethod
    def own(cls, value: T) -> Secret[T]:
        """Wrap a secret of the dashboard itself, such as a password of its settings."""
        secret = cls.unregistered(value)
        REDACTOR.register(value, own=True)
        return secret

    @classmethod
    def unregistered(cls, value: T) -> Secret[T]:
        """Wrap a value that is only looked at, such as an uploaded file: no log learns of it."""
        secret = cls.__new__(cls)
        secret._value = value
        return secret

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
    """Replaces registered secrets, and the tail of every URL, in a text. Thread-safe.

    The last net, not the first: nothing is meant to reach a text in the first place.

    Parameters
    ----------
    most
        How many texts of other people's details are remembered; the oldest are forgotten beyond.
        The dashboard's own secrets have a shelf apart, so that no amount of details displaces them.
    """

    def __init__(self, *, most: int = 50_000) -> None:
        self._own = _Shelf(_MOST_OWN)
        self._details = _Shelf(most)
        self._known: tuple[str, ...] | None = ()
        self._lock = threading.Lock()

    def register(self, value: Any, *, own: bool = False) -> None:  # noqa: ANN401 - any JSON value
        """Remember every text in `value`, up to 10,000 of them.

        Parameters
        ----------
        own
            Whether it is the dashboard's: a token, a password of the settings.
        """
        # Before the lock: a large value must not hold up every other thread's log line.
        texts = [
            form
            for text in islice(leaves(value), _MOST_OF_ONE)
            if len(text) >= _MIN_REDACTED_LENGTH
            for form in _forms(text)
        ]
        if not texts:
            return
        with self._lock:
            (self._own if own else self._details).put(texts)
            self._known = None

    def redact(self, text: str) -> str:
        """Return `text` without any registered secret and without what follows a URL's scheme."""
        return _without(text, self._in(text))

    def redact_told(self, text: str) -> str:
        """As `redact`, for a sentence of ours that people read: plain words stay in it.

        A detail may be any word; a sentence in which `connection` is masked tells nothing, and
        gives nothing away when it is not.
        """
        return _without(text, [secret for secret in self._in(text) if not _is_plain_word(secret)])

    def _in(self, text: str) -> list[str]:
        return [secret for secret in self._texts() if secret in text]

    def _texts(self) -> tuple[str, ...]:
        with self._lock:
            if self._known is None:
                self._known = (*self._own.texts, *self._details.texts)
            return self._known


class _Shelf:
    """Texts in the order in which they were last put there, at most so many."""

    def __init__(self, most: int) -> None:
        self.texts: OrderedDict[str, None] = OrderedDict()
        self._most = most

    def put(self, texts: Iterable[str]) -> None:
        for text in texts:
            self.texts[text] = None
            self.texts.move_to_end(text)
        while len(self.texts) > self._most:
            self.texts.popitem(last=False)


def _without(text: str, known: Iterable[str]) -> str:
    # The longest first: one may hold another.
    for secret in sorted(known, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return _URL_TAIL.sub(rf"\1{MASK}", text)


def _is_plain_word(text: str) -> bool:
    return len(text) < _MIN_TELLING_LENGTH or (text.isalpha() and len(text) <= _LONGEST_WORD)


def _forms(text: str) -> tuple[str, ...]:
    """Return `text` as it is, and as it stands inside JSON: a key has line breaks, for one."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return (text,)
    in_ascii = json.dumps(text)[1:-1]
    in_unicode = json.dumps(text, ensure_ascii=False)[1:-1]
    return tuple(dict.fromkeys((text, in_ascii, in_unicode)))


REDACTOR = Redactor()


class RedactingFormatter(logging.Formatter):
    """Formats a record, traceback included, and redacts the whole text last."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the finished line without secrets."""
        return REDACTOR.redact(super().format(record))
