"""What a model gets for a cell of a table: a text that is exactly a number becomes that number.

Files such as CSV tell no types, and lists of JSON or Parquet are kept as their JSON text. What is
sent follows from the cell and from the type the model reads alone, so that every way of sending a
row sends the same. Nothing here quotes a value.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from dashboard.domain.reading import first_words
from dashboard.domain.table import ColumnFacts, is_text_type

#: The type of a column of which only the table says that it holds numbers.
ANY_NUMBER: Final = "number"
ANY_NUMBERS: Final = f"list<item: {ANY_NUMBER}>"

_FLOATS: Final = frozenset({"halffloat", "float", "double", "float16", "float32", "float64"})
_WHOLE: Final = re.compile(r"(u?)int(8|16|32|64)")
_LIST: Final = re.compile(r"(?:large_)?list<[^:<>]*: (.*)>")
_FIXED_LIST: Final = re.compile(r"fixed_size_list<[^:<>]*: (.*)>\[(\d+)\]")
_NUMBER: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
#: As JSON writes them: `007` is no number but a code.
_PLAIN_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_FLAGS: Final = {"true": True, "false": False, "1": True, "0": False}
#: Longer ones are no numbers that anybody has measured, and costly to read.
_LONGEST_NUMBER: Final = 400
_MOST_WHOLE: Final = 2**63


class UnfitValueError(ValueError):
    """A cell does not hold what the model reads.

    Parameters
    ----------
    wanted, found
        What it must hold and what it holds, in words that quote nothing of it.
    """

    def __init__(self, wanted: str, found: str) -> None:
        super().__init__(f"{wanted}; this row holds {found}")
        self.wanted, self.found = wanted, found


@dataclass(frozen=True, slots=True)
class Reads:
    """What a model reads from a column.

    Parameters
    ----------
    leaf
        The type of its values, in the words of Arrow.
    sizes
        Of the lists around them, the outermost first; None where any will do. Empty without lists.
    """

    leaf: str
    sizes: tuple[int | None, ...] = ()

    @property
    def values(self) -> int | None:
        """How many values a cell holds; None where any number will do."""
        known = [size for size in self.sizes if size is not None]
        return math.prod(known) if len(known) == len(self.sizes) else None


@lru_cache(maxsize=512)
def reads_of(kind: str) -> Reads | None:
    """Return what a type asks of a cell; None for texts and for types that ask nothing here."""
    sizes: list[int | None] = []
    while True:
        fixed, free = _FIXED_LIST.fullmatch(kind), _LIST.fullmatch(kind)
        if fixed is not None:
            kind = fixed[1]
            sizes.append(int(fixed[2]))
        elif free is not None:
            kind = free[1]
            sizes.append(None)
        else:
            break
        kind = kind.removesuffix(" not null")
    is_known = kind in _FLOATS or kind in ("bool", ANY_NUMBER) or _WHOLE.fullmatch(kind)
    return Reads(kind, tuple(sizes)) if is_known or (sizes and is_text_type(kind)) else None


def sent_value(value: Any, kind: str) -> Any:  # noqa: ANN401 - any value of a table
    """Return what is sent for a cell.

    Parameters
    ----------
    value
        The cell; what is neither a text nor a list stays as it is.
    kind
        What the model reads, in the words of Arrow; a cell for any other stays as it is.

    Raises
    ------
    UnfitValueError
        It is a text, or a list, that is nothing of that kind.
    """
    reads = reads_of(kind)
    if reads is None:
        return value
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return None
        return _list(text, reads) if reads.sizes else _leaf(text, reads.leaf)
    if isinstance(value, list) and reads.sizes:
        _check_count(value, reads)
    return value


def sent_row(values: Mapping[str, Any], types: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    """Return what is sent for a row, and why it cannot be sent; that is empty if it can.

    A cell that cannot be sent stays as it is.

    Parameters
    ----------
    types
        What the model reads from each column, as `sent_value` takes it; "" where nothing is known.
    """
    sent: dict[str, Any] = {}  # any value of a table
    problem = ""
    for name, value in values.items():
        try:
            sent[name] = sent_value(value, types.get(name, ""))
        except UnfitValueError as error:
            sent[name] = value
            problem = problem or f"Column “{first_words(name, limit=60)}” must hold {error}."
    return sent, problem


def guessed_type(cells: Iterable[Any], *, is_untyped: bool) -> str:  # any values of a table
    """Return what is sent of a column of texts of which no type is told, by its first cell.

    Parameters
    ----------
    cells
        The column's first cells; the first that holds something decides.
    is_untyped
        Whether the file could not tell a number from a text, as CSV cannot.
    """
    text = next((cell.strip() for cell in cells if isinstance(cell, str) and cell.strip()), "")
    if is_untyped and _PLAIN_NUMBER.fullmatch(text):
        return ANY_NUMBER
    if text.startswith("["):
        for kind in (ANY_NUMBERS, "list<item: bool>"):
            try:
                sent_value(text, kind)
            except UnfitValueError:
                continue
            return kind
    return ""


def holds_numbers(cells: Iterable[Any]) -> bool:  # any values of a table
    """Whether all of some cells that hold anything are numbers, or texts of numbers."""
    told = [str(cell).strip() for cell in cells if cell is not None]
    told = [text for text in told if text]
    return bool(told) and all(_NUMBER.fullmatch(text[:_LONGEST_NUMBER]) for text in told)


def is_converted(held: str, kind: str) -> bool:
    """Whether texts of a column become something else on their way to the model."""
    return is_text_type(held) and reads_of(kind) is not None


def misfit(column: ColumnFacts, kind: str) -> str:
    """Say why no cell of a column can be what the model reads; empty where some may be.

    Parameters
    ----------
    column
        Of the table.
    kind
        What the model reads, in the words of Arrow; empty where nothing is known.
    """
    reads, held = reads_of(kind), reads_of(column.type)
    texts = is_text_type(column.type)
    if reads is None and kind and is_text_type(kind) != texts:
        return f"The model reads {kind} from “{column.name}”; the table holds {column.type} there."
    if reads is None or held is None or not reads.sizes:
        return ""
    wanted, found = reads.values, held.values
    if None in (wanted, found) or wanted == found:
        return ""
    return f"The model reads {wanted:,} values from “{column.name}”; the table holds {found:,}."


def _leaf(text: str, kind: str) -> int | float | bool:
    """Return the one value of a text that is not empty."""
    if kind == "bool":
        flag = _FLAGS.get(text.lower())
        if flag is None:
            raise UnfitValueError("true or false", _kind_found(text))
        return flag
    whole = _WHOLE.fullmatch(kind)
    wanted = "a whole number" if whole else "a number"
    if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        raise UnfitValueError(wanted, _kind_found(text))
    number = float(text)
    if not math.isfinite(number):
        raise UnfitValueError(wanted, "one that is too large")
    if whole is None:
        return _as_written(text, number) if kind == ANY_NUMBER else number
    exact = Decimal(text)
    bits = int(whole[2]) - (not whole[1])
    least, most = 0 if whole[1] else -(2**bits), 2**bits - 1
    if not least <= exact <= most:
        raise UnfitValueError(f"a whole number from {least} to {most}", "another one")
    if exact != int(exact):
        raise UnfitValueError("a whole number", "a fraction")
    return int(exact)


def _as_written(text: str, number: float) -> int | float:
    is_whole = text.lstrip("+-").isdecimal()
    return int(text) if is_whole and abs(number) < _MOST_WHOLE else number


def _list(text: str, reads: Reads) -> list[Any]:  # numbers, flags or texts
    if not text.startswith("["):
        # One value alone is a list of one.
        if is_text_type(reads.leaf) or len(reads.sizes) > 1:
            raise UnfitValueError(_words(reads), _kind_found(text))
        try:
            value = [_leaf(text, reads.leaf)]
        except UnfitValueError as error:
            raise UnfitValueError(_words(reads), error.found) from None
    else:
        try:
            value = json.loads(text, parse_constant=_no_number)
        except (ValueError, RecursionError):
            raise UnfitValueError(_words(reads), "a text") from None
        leaves = _leaves(value)
        if not all(_is_leaf(leaf, reads.leaf) for leaf in leaves):
            raise UnfitValueError(_words(reads), "a list of something else")
    _check_count(value, reads)
    return value


def _no_number(_name: str) -> None:
    raise ValueError


def _check_count(value: Sequence[Any], reads: Reads) -> None:
    wanted = reads.values
    if wanted is not None and (found := len(_leaves(value))) != wanted:
        raise UnfitValueError(_words(reads), f"{found:,}")


def _leaves(value: Any) -> list[Any]:  # noqa: ANN401 - any JSON value
    """Return what the lists hold, without recursion: strangers nest as deep as they like."""
    waiting, leaves = [value], []
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting.extend(one)
        else:
            leaves.append(one)
    return leaves


def _is_leaf(value: object, kind: str) -> bool:
    if is_text_type(kind):
        return isinstance(value, str)
    if kind == "bool" or isinstance(value, bool):
        return kind == "bool" and isinstance(value, bool)
    if isinstance(value, float):
        is_right = not _WHOLE.fullmatch(kind) or value.is_integer()
        return math.isfinite(value) and is_right
    return isinstance(value, int)


def _words(reads: Reads) -> str:
    if is_text_type(reads.leaf):
        what = "text"
    elif reads.leaf == "bool":
        what = "truth value"
    else:
        what = "whole number" if _WHOLE.fullmatch(reads.leaf) else "number"
    if reads.values is None:
        return f"a list of {what}s"
    return f"a list of {reads.values:,} {what}{'' if reads.values == 1 else 's'}"


def _kind_found(text: str) -> str:
    if _NUMBER.fullmatch(text[:_LONGEST_NUMBER]):
        return "a number"
    if text.lower() in ("true", "false"):
        return "true or false"
    return "a list" if text.startswith("[") else "a text"
